"""Frames of an interface through /net/ether0, with somebody at the other end of its cable."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Final

import pytest

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.types import ORDWR, OREAD, OWRITE, StackConfig
from tests.netns.lab import until

from .cable import (
    BROADCAST,
    GROUP,
    OTHER_TYPE,
    SHORTEST,
    STRANGER,
    TYPE,
    Cable,
    Slot,
    frame,
)
from .rawclient import RawClient, RefusedError

if TYPE_CHECKING:
    from .conftest import Door, Place

BAD_CONTROL: Final = "bad process or channel control request"
TAGGED: Final = 0x8100


@pytest.fixture
def door(place: Place, ends: Cable) -> Door:
    """A gateway that gives the frames of its end away."""
    return ends.gateway(place)


def refusal(client: RawClient, fid: int, text: bytes) -> str:
    """Why a write is refused."""
    with pytest.raises(RefusedError) as refused:
        client.write(fid, text)
    return str(refused.value)


def stat_of(client: RawClient, path: str) -> tuple[int, str, int]:
    """Mode, owner and the qid's path."""
    reply = client.ask(m.Tstat(client.walk(path)))
    assert isinstance(reply, m.Rstat)
    return reply.stat.mode & 0o777, reply.stat.uid, reply.stat.qid.path


# files


def test_an_interface_is_a_directory_behind_the_protocols(client: RawClient) -> None:
    names = client.names("net")
    assert names[names.index("il") + 1] == "ether0"
    assert client.names("net/ether0") == ["clone", "addr", "stats", "ifstats"]
    slot = Slot(client)
    assert client.names("net/ether0") == ["clone", "addr", "stats", "ifstats", "0"]
    assert client.names(slot.path) == ["data", "ctl", "stats", "type", "ifstats"]


def test_qids_modes_and_owners_are_those_of_the_page(client: RawClient) -> None:
    at = 64 << 25
    Slot(client)
    other = Slot(client)
    client.clunk(other.ctl)
    client.clunk(other.data)
    table = {
        "clone": (0o666, "network", at | 9),
        "addr": (0o444, "network", at | 22),
        "stats": (0o444, "network", at | 10),
        "ifstats": (0o444, "network", at | 23),
        "0": (0o555, "glenda", at | 11),
        "0/data": (0o660, "glenda", at | 13),
        "0/ctl": (0o660, "glenda", at | 12),
        "0/type": (0o444, "network", at | 24),
        "0/stats": (0o444, "network", at | 10),
        "0/ifstats": (0o444, "network", at | 23),
        "1": (0o555, "network", at | 1 << 5 | 11),
        "1/data": (0o666, "network", at | 1 << 5 | 13),
        "1/ctl": (0o666, "network", at | 1 << 5 | 12),
    }
    assert {name: stat_of(client, f"net/ether0/{name}") for name in table} == table


def test_ctl_and_type_are_padded_to_twelve_bytes(client: RawClient) -> None:
    slot = Slot(client)
    assert client.read(slot.ctl) == b"          0 "
    assert client.text(f"{slot.path}/type") == "          0 "
    slot.tell("connect 0x88b5")
    assert client.text(f"{slot.path}/type") == "      34997 "
    slot.tell("connect -1")
    assert client.text(f"{slot.path}/type") == "         -1 "
    client.clunk(slot.ctl)
    client.clunk(slot.data)
    assert client.text(f"{slot.path}/type") == "          0 "


def test_addr_is_the_interface_s_in_digits(ends: Cable, client: RawClient) -> None:
    assert client.text("net/ether0/addr") == ends.mac.hex()
    assert client.text("net/ether0/ifstats") == ""


def test_stats_are_what_ip_shows(ends: Cable, client: RawClient) -> None:
    slot = Slot(client, f"connect {TYPE}", "promiscuous")
    slot.write(frame(BROADCAST))
    ends.send(frame(ends.mac), frame(ends.mac))
    for _ in range(2):
        slot.read()
    lines = client.text("net/ether0/stats").splitlines()
    told = dict(line.split(": ") for line in lines)
    names = ["in", "link", "out", "crc errs", "overflows", "soft overflows", "framing errs"]
    assert list(told) == [*names, "buffer errs", "output errs", "prom", "mbps", "addr"]
    shown = ends.link()["stats64"]
    assert (int(told["in"]), int(told["out"])) == (shown["rx"]["packets"], shown["tx"]["packets"])
    assert (int(told["in"]), int(told["out"])) == (2, 1)
    assert (told["link"], told["prom"], told["addr"]) == ("1", "1", ends.mac.hex())
    # What a veth says of itself.
    assert told["mbps"] == "10000"
    assert client.text(f"{slot.path}/stats").splitlines() == lines


def test_only_what_the_operator_names_is_there(place: Place, ends: Cable) -> None:
    with ends.own.inside():
        plain = place.gateway().attach()
    assert "ether0" not in plain.names("net")
    assert plain.ask(m.Twalk(0, 9, ("net", "ether0"))) == plain.ask(m.Twalk(0, 10, ("net",)))
    stacks = (StackConfig("alt", "addr", "127.0.0.1"),)
    with ends.own.inside():
        two = place.gateway(ethers=("lo", "eth0"), stacks=stacks).attach()
    assert [name for name in two.names("net") if name.startswith("ether")] == ["ether0", "ether1"]
    assert "ether0" not in two.names("net.alt")
    assert two.text("net/ether0/addr") == "000000000000"
    assert two.text("net/ether1/addr") == ends.mac.hex()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nosuch0", "ether nosuch0: No such device"),
        ("tunnel0", "ether tunnel0: not Ethernet"),
    ],
)
def test_what_can_not_be_had_is_refused_at_the_start(
    place: Place, ends: Cable, name: str, why: str
) -> None:
    ends.own.ip("tuntap add dev tunnel0 mode tun")
    with pytest.raises(NetError, match=rf"^{why}"):
        ends.gateway(place, (name,))


def test_there_are_eight_slots(client: RawClient) -> None:
    slots = [Slot(client) for _ in range(8)]
    with pytest.raises(RefusedError, match=r"^no free devices$"):
        client.clone("net/ether0")
    client.clunk(slots[3].ctl)
    client.clunk(slots[3].data)
    assert Slot(client).path == "net/ether0/3"


def test_a_slot_is_its_opener_s(door: Door) -> None:
    glenda, rob = door.attach("glenda"), door.attach("rob")
    slot = Slot(glenda)
    for name in ("ctl", "data"):
        with pytest.raises(RefusedError, match=r"^permission denied$"):
            rob.open(f"{slot.path}/{name}", OREAD)
    with pytest.raises(RefusedError, match=r"^permission denied$"):
        glenda.open("net/ether0/addr", OWRITE)
    with pytest.raises(RefusedError, match=r"^permission denied$"):
        glenda.open(f"{slot.path}/type", ORDWR)
    glenda.clunk(slot.ctl)
    glenda.clunk(slot.data)
    assert rob.read(rob.open(f"{slot.path}/ctl", ORDWR)) == b"          0 "


# connect


def test_a_type_is_taken_alone_and_one_slot_s(ends: Cable, client: RawClient) -> None:
    one, other = Slot(client, f"connect {TYPE:#x}"), Slot(client, "connect -1")
    assert refusal(client, other.ctl, f"connect {TYPE}".encode()) == (
        "device or object already in use"
    )
    assert client.text(f"{other.path}/type") == "         -1 "
    strange, wanted = frame(ends.mac, OTHER_TYPE), frame(ends.mac)
    ends.send(strange, wanted)
    assert one.read() == wanted
    assert [other.read(), other.read()] == [strange, wanted]
    one.tell(f"connect {TYPE}", f"connect {OTHER_TYPE}")
    other.tell(f"connect {TYPE}")
    client.clunk(one.ctl)
    client.clunk(one.data)
    other.tell(f"connect {OTHER_TYPE}")


def test_a_connect_forgets_what_had_arrived(ends: Cable, client: RawClient) -> None:
    slot, witness = Slot(client, "connect -1"), Slot(client, "connect -1")
    ends.send(frame(ends.mac, payload=b"before"))
    witness.read()
    slot.tell("connect -1")
    ends.send(frame(ends.mac, payload=b"after"))
    assert slot.read() == frame(ends.mac, payload=b"after")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("", BAD_CONTROL),
        ("connect", BAD_CONTROL),
        ("connect 0", BAD_CONTROL),
        ("connect -3", BAD_CONTROL),
        ("connect 65536", BAD_CONTROL),
        ("connect 0x10000", BAD_CONTROL),
        ("connect 0x", BAD_CONTROL),
        ("connect 0x-1", BAD_CONTROL),
        ("connect +1", BAD_CONTROL),
        ("connect 1x", BAD_CONTROL),
        ("connect \N{ARABIC-INDIC DIGIT ONE}", BAD_CONTROL),
        ("scanbs", BAD_CONTROL),
        ("Promiscuous", BAD_CONTROL),
        ("hangup", BAD_CONTROL),
        ("addmulti", "bad address"),
        ("addmulti 01005e00000", "bad address"),
        ("addmulti 01:00:5e:00:00:07:", "bad address"),
        ("delmulti 01005e00000g", "bad address"),
    ],
)
def test_what_is_no_command_is_refused(client: RawClient, command: str, why: str) -> None:
    slot = Slot(client)
    assert refusal(client, slot.ctl, command.encode()) == why
    assert client.text(f"{slot.path}/type") == "          0 "


def test_a_command_ends_after_63_bytes(client: RawClient) -> None:
    slot = Slot(client, "connect 0x88b5".ljust(63) + "!", "\tnonblocking 1\n", "connect 2048 x")
    assert client.text(f"{slot.path}/type") == "       2048 "


# what is taken


def test_frames_for_others_and_our_own_are_for_the_promiscuous(
    ends: Cable, client: RawClient
) -> None:
    plain, all_ = Slot(client, "connect -1"), Slot(client, "connect -1", "promiscuous")
    sender = Slot(client)
    stray, own = frame(STRANGER), frame(STRANGER, of=ends.mac)
    ours, everybody = frame(ends.mac), frame(BROADCAST)
    sender.write(stray)
    ends.send(stray, ours, everybody)
    assert [plain.read(), plain.read()] == [ours, everybody]
    assert [all_.read() for _ in range(4)] == [own, stray, ours, everybody]


def test_promiscuity_ends_with_its_slot(ends: Cable, client: RawClient) -> None:
    slot = Slot(client, "promiscuous", "connect -1", "promiscuous")
    assert ends.link()["promiscuity"] == 1
    client.clunk(slot.ctl)
    client.clunk(slot.data)
    until(lambda: ends.link()["promiscuity"] == 0, "the end of promiscuity")


def test_a_bridge_keeps_sources_and_takes_nothing_for_this_machine(
    ends: Cable, client: RawClient
) -> None:
    slot = Slot(client, "connect -1", "promiscuous", "bridge")
    slot.write(frame(BROADCAST, of=STRANGER))
    assert ends.next() == frame(BROADCAST, of=STRANGER)
    ends.send(frame(ends.mac), frame(STRANGER))
    assert slot.read() == frame(STRANGER)


def test_groups_are_joined_and_left(ends: Cable, client: RawClient) -> None:
    def joined() -> bool:
        return GROUP.hex(":") in ends.own.run("ip", "maddr", "show", "dev", "eth0")

    slot = Slot(client, f"addmulti {GROUP.hex()}", "connect -1")
    assert joined()
    slot.tell(f"addmulti {GROUP.hex(':')}", f"delmulti {GROUP.hex()}")
    assert not joined()
    slot.tell(f"addmulti {GROUP.hex()}", f"remmulti {GROUP.hex()}", f"delmulti {GROUP.hex()}")
    assert not joined()
    slot.tell(f"addmulti {GROUP.hex()}")
    ends.send(frame(GROUP))
    assert slot.read() == frame(GROUP)
    client.clunk(slot.ctl)
    client.clunk(slot.data)
    until(lambda: not joined(), "the end of the membership")


# what is read


def test_a_read_is_one_frame_and_what_exceeds_it_is_gone(ends: Cable, client: RawClient) -> None:
    slot = Slot(client, "connect -1")
    first, second = frame(ends.mac, payload=b"first"), frame(ends.mac, payload=b"second")
    ends.send(first, second)
    assert slot.read(20) == first[:20]
    assert slot.read() == second
    assert slot.read(0) == b""


def test_tags_that_linux_takes_off_are_put_back(ends: Cable, client: RawClient) -> None:
    slot, tagged = Slot(client, "connect -1"), Slot(client, f"connect {TAGGED:#x}")
    inner = Slot(client, f"connect {TYPE}")
    sent = ends.mac + STRANGER + struct.pack(">HHH", TAGGED, 7, TYPE) + bytes(SHORTEST)
    ends.send(sent, frame(ends.mac))
    assert slot.read() == sent
    assert tagged.read() == sent
    assert inner.read() == frame(ends.mac)


def test_headers_are_a_record_of_64_bytes(ends: Cable, client: RawClient) -> None:
    slot = Slot(client, "connect -1", "headersonly")
    long = frame(ends.mac, payload=bytes(range(256)) * 4)
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    ends.send(long, ends.mac + STRANGER + b"\x88\xb5")
    record, short = slot.read(), slot.read()
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    length, up = struct.unpack(">HI", record[58:])
    assert (record[:58], length, len(record)) == (long[:58], len(long), 64)
    assert before & 0xFFFF_FFFF <= up <= after & 0xFFFF_FFFF
    assert short[:14] == ends.mac + STRANGER + b"\x88\xb5"
    assert struct.unpack(">H", short[58:60])[0] in {14, SHORTEST}
    assert short[14:58] == bytes(44)


def test_type_minus_2_gives_the_first_64_bytes(ends: Cable, client: RawClient) -> None:
    slot = Slot(client, "connect -2")
    long = frame(ends.mac, payload=bytes(range(256)))
    ends.send(long, frame(ends.mac))
    assert slot.read() == long[:64]
    assert slot.read() == frame(ends.mac)


def test_reads_wait_even_before_a_connect_and_are_flushed(ends: Cable, client: RawClient) -> None:
    slot = Slot(client)
    flushed, kept = slot.park(), slot.park()
    client.ask(m.Tflush(flushed))
    slot.tell("connect -1")
    ends.send(frame(ends.mac))
    assert slot.got(kept) == frame(ends.mac)
    assert flushed not in client.order
    last = slot.park()
    client.clunk(slot.data)
    with pytest.raises(RefusedError, match=r"^interrupted$"):
        client.wait(last)


def test_what_finds_no_room_is_lost_and_counted(ends: Cable, client: RawClient) -> None:
    slot, witness = Slot(client, "connect -1"), Slot(client, f"connect {TYPE}")
    large = frame(ends.mac, OTHER_TYPE, bytes(1400))
    # Four MiB, doubled for records of each.
    for _ in range(8 << 20 >> 10):
        ends.send(large)
    ends.send(frame(ends.mac))
    witness.read()
    while slot.read() == large and not soft_overflows(client):
        pass
    assert soft_overflows(client) > 0


def soft_overflows(client: RawClient) -> int:
    """Frames that slots had no room for, as stats has it."""
    return int(client.text("net/ether0/stats").split("soft overflows: ")[1].split()[0])


def test_an_interface_that_goes_down_or_away_is_an_error_and_one_that_comes_up_none(
    ends: Cable, client: RawClient
) -> None:
    slot = Slot(client, "connect -1")
    waiting = slot.park()
    ends.own.ip("link set eth0 down")
    with pytest.raises(RefusedError, match=r"^i/o error$"):
        client.wait(waiting)
    with pytest.raises(RefusedError, match=r"^i/o error$"):
        slot.read()
    assert refusal(client, slot.data, frame(BROADCAST)) == "i/o error"
    ends.own.ip("link set eth0 up")
    until(lambda: "link: 1" in client.text("net/ether0/stats"), "the carrier")
    slot.tell("connect -1")
    ends.send(frame(ends.mac))
    assert slot.read() == frame(ends.mac)
    ends.own.ip("link del eth0")
    for _ in range(2):
        with pytest.raises(RefusedError, match=r"^i/o error$"):
            slot.read()
    assert refusal(client, slot.data, frame(BROADCAST)) == "i/o error"
    assert "link: 0" in client.text("net/ether0/stats")


# what is written


def test_a_write_is_one_frame_from_this_station(ends: Cable, client: RawClient) -> None:
    slot = Slot(client)
    slot.write(frame(BROADCAST, of=STRANGER))
    assert ends.next() == frame(BROADCAST, of=ends.mac)
    slot.tell(f"connect {OTHER_TYPE}")
    slot.write(frame(BROADCAST, payload=bytes(1500)))
    assert ends.next() == frame(BROADCAST, payload=bytes(1500), of=ends.mac)
    ends.own.ip("link set eth0 address 02:00:00:00:00:05")
    slot.write(frame(BROADCAST))
    assert ends.next()[6:12] == bytes.fromhex("020000000005")


@pytest.mark.parametrize("commands", [(), ("connect -1",), ("bridge",)])
def test_what_is_too_long_or_too_short_is_refused(
    client: RawClient, commands: tuple[str, ...]
) -> None:
    slot = Slot(client, *commands)
    for size in (0, 14, SHORTEST - 1):
        assert refusal(client, slot.data, bytes(size)) == "read or write too small"
    for size in (1515, 9000):
        assert refusal(client, slot.data, bytes(size)) == "read or write too large"
    slot.write(frame(BROADCAST, payload=bytes(1500)))
