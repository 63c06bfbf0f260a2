"""Writing to the host's network: what the kernel has afterwards, and has not without the grant.

As `test_host_network`: a namespace with a neighbour for each test, and a whole gateway in it.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import pytest

import netrelay

from .hostnet import DENIED, GRANTS, MAC, PATIENCE_S, WRITES, device, refusal, text
from .namespaces import wait_for_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from .hostnet import Setting
    from .namespaces import Namespace


def settle(host: Namespace) -> None:
    """Wait for the last route that the kernel makes of a wire by itself."""
    wait_for_route(host, "ff00::/8 dev eth0")


def state(host: Namespace) -> str:
    """All that these files change."""
    return "".join(
        host.run("ip", *command.split())
        for command in (
            "addr",
            "route show table all",
            "-6 route show table all",
            "neigh show nud all",
        )
    )


def test_nothing_is_changed_without_its_grant(setting: Setting) -> None:
    settle(setting.own)
    setting.own.ip(f"neigh add 10.0.0.9 lladdr {MAC} dev eth0")
    setting.own.ip("route add default via 10.0.0.254")
    before = state(setting.own)

    async def act(session: netrelay.Session) -> None:
        for grant, path, command in WRITES:
            assert await refusal(session, path, command) == DENIED, (grant, command)

    setting.play(act, grant=())
    assert state(setting.own) == before


@pytest.mark.parametrize("granted", GRANTS)
def test_a_grant_opens_its_own_file_only(setting: Setting, granted: str) -> None:
    async def act(session: netrelay.Session) -> None:
        for grant, path, command in WRITES:
            if grant == granted:
                if command != "frob":
                    await session.write(path, command.encode())
            else:
                assert await refusal(session, path, command) == DENIED

    setting.play(act, grant=(granted,))


def test_arp_is_written(setting: Setting) -> None:
    own = setting.own

    def known() -> dict[str, str]:
        return {each["dst"]: each["lladdr"] for each in own.show("neigh show nud permanent")}

    async def act(session: netrelay.Session) -> None:
        await session.write("/net/arp", b"add 10.0.0.7 020000000007\n")
        await session.write("/net/arp", b"add ether 2001:db8::7 02:00:00:00:00:07 2001:db8::1")
        assert known() == {"10.0.0.7": MAC, "2001:db8::7": MAC}
        await session.write("/net/arp", b"add ether 10.0.0.7 020000000008")
        assert known()["10.0.0.7"] == "02:00:00:00:00:08"
        await session.write("/net/arp", b"del 10.0.0.7")
        await session.write("/net/arp", b"del 10.0.0.7")
        assert known() == {"2001:db8::7": MAC}
        await session.write("/net/arp", b"flush")
        assert known() == {}
        assert await text(session, "/net/arp") == ""
        for command, why in (
            ("add 192.0.2.1 020000000007", "no interface"),
            ("add ether 10.0.0.7 020000000007 192.0.2.1", "no interface"),
            ("garp 192.0.2.1", "no interface"),
            ("frob", "bad arp"),
        ):
            assert await refusal(session, "/net/arp", command) == why, command
        own.ip("-6 addr flush dev eth0")
        own.ip("-6 route add 2001:db8::/64 dev eth0")
        why = await refusal(session, "/net/arp", "add 2001:db8::7 020000000007")
        assert why == "destination unreachable"

    setting.play(act)


def test_garp_tells_the_neighbours(setting: Setting) -> None:
    (link,) = setting.own.show("link show eth0")
    mac = bytes.fromhex(link["address"].replace(":", ""))
    own4 = ipaddress.ip_address("10.0.0.1").packed
    own6 = ipaddress.ip_address("2001:db8::1").packed

    def heard(sock: socket.socket, fits: Callable[[bytes], bool]) -> bytes:
        while not fits(frame := sock.recv(2048)):
            pass
        return frame

    async def act(session: netrelay.Session) -> None:
        with setting.neighbour.inside():
            everything = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with everything:
            everything.settimeout(PATIENCE_S / 2)
            await session.write("/net/arp", b"garp 10.0.0.1")
            frame = heard(everything, lambda frame: frame[12:14] == b"\x08\x06")
            assert frame[:14] == b"\xff" * 6 + mac + b"\x08\x06"
            assert frame[14:42] == bytes.fromhex("0001080006040001") + mac + own4 + bytes(6) + own4
            await session.write("/net/arp", b"garp 2001:db8::1")
            frame = heard(
                everything, lambda frame: frame[12:14] == b"\x86\xdd" and frame[54] == 136
            )
            assert (frame[20], frame[21]) == (58, 255)
            assert frame[58:] == bytes.fromhex("20000000") + own6 + b"\2\1" + mac

    setting.play(act)


def test_iproute_is_written(setting: Setting) -> None:
    own = setting.own

    def routes(family: int = 4) -> list[tuple[str, str | None, str]]:
        return [
            (each["dst"], each.get("gateway"), each["protocol"])
            for each in own.show(f"-{family} -d route")
            if each["protocol"] != "kernel"
        ]

    async def act(session: netrelay.Session) -> None:
        async def write(command: str) -> None:
            await session.write("/net/iproute", command.encode())

        await write("add 10.9.0.0 /112 10.0.0.2\n")
        await write("add 2001:db8:9:: /48 2001:db8::2")
        assert routes() == [("10.9.0.0/16", "10.0.0.2", "boot")]
        assert routes(6) == [("2001:db8:9::/48", "2001:db8::2", "boot")]
        await write("add 10.9.0.0 255.255.0.0 10.0.0.3")
        await write("add 2001:db8:9:: /48 2001:db8::3")
        assert routes() == [("10.9.0.0/16", "10.0.0.3", "boot")]
        assert routes(6) == [("2001:db8:9::/48", "2001:db8::3", "boot")]
        await write("tag dhcp")
        await write("add 0.0.0.0 0.0.0.0 10.0.0.254 0")
        await write("add 10.8.0.0 /112 10.0.0.2 4 stat eth0 0.0.0.0 /96")
        await write("add 10.7.0.0 /112 10.7.0.0 4i none 10.0.0.1 0.0.0.0 /96")
        assert routes() == [
            ("default", "10.0.0.254", "dhcp"),
            ("10.7.0.0/16", None, "boot"),
            ("10.8.0.0/16", "10.0.0.2", "static"),
            ("10.9.0.0/16", "10.0.0.3", "boot"),
        ]
        await write("del 10.7.0.0 /112")
        await write("del 10.8.0.0 /112 10.0.0.99")
        await write("flush dhcp")
        await write("flush mine")
        assert [target for target, *_ in routes()] == ["10.7.0.0/16", "10.8.0.0/16", "10.9.0.0/16"]
        await write("del 10.8.0.0 /112")
        await write("remove 10.9.0.0 /112 10.0.0.3")
        await write("remove 10.9.0.0 /112 10.0.0.3")
        await write("remove 10.7.0.0 /112 10.7.0.0 4i 0 0.0.0.0 /96")
        await write("del 2001:db8:9:: /48")
        assert routes() == []
        assert routes(6) == []

    setting.play(act)


def test_an_interfaces_own_route_stays(setting: Setting) -> None:
    settle(setting.own)
    setting.own.ip("route add default via 10.0.0.254")
    setting.own.ip("-6 route add default via 2001:db8::2")
    connected = [setting.own.show(f"-{family} route show proto kernel") for family in (4, 6)]

    async def act(session: netrelay.Session) -> None:
        for command in (
            "add 10.0.0.0 /120 10.0.0.2",
            "add 2001:db8:: /64 2001:db8::2",
            "del 10.0.0.0 /120",
            "flush",
        ):
            await session.write("/net/iproute", command.encode())

    setting.play(act)
    assert [
        setting.own.show(f"-{family} route show proto kernel") for family in (4, 6)
    ] == connected
    assert setting.own.show("route show default") == setting.own.show("-6 route show default") == []


def test_iproute_refuses_in_the_originals_words(setting: Setting) -> None:
    async def act(session: netrelay.Session) -> None:
        for command, why in (
            ("", "short control request"),
            ("frob", "bad process or channel control request"),
            ("add 10.9.0.0 /112 192.0.2.1", "interface not found"),
            ("add 2001:db8:9:: /48 2001:db9::1", "interface not found"),
            ("add 10.9.0.0 /112 0.0.0.0", "interface not found"),
            ("add 10.9.0.0 /112 10.0.0.2 99", "interface not found"),
            ("add 10.9.0.0 /112 10.0.0.2 192.0.2.1", "interface not found"),
            ("add 10.9.0.0 /112 10.0.0.2 eth9", "bad ip address syntax"),
            ("add 10.9.0.0 /112 10.0.0.255", "bad arg in system call"),
            ("add 10.9.0.0 /112 10.0.0.2 10.0.0.0 /120", "bad arg in system call"),
            ("tag mine", "bad arg in system call"),
        ):
            assert await refusal(session, "/net/iproute", command) == why, command
        with pytest.raises(netrelay.NetError, match=r"^bad query$"):
            await session.write("/net/iproute", b"flush \xff")

    setting.play(act)


def test_an_interface_is_written(setting: Setting) -> None:
    own = setting.own

    def addresses() -> dict[str, dict[str, object]]:
        (link,) = own.show("addr show eth0")
        return {each["local"]: each for each in link["addr_info"]}

    async def act(session: netrelay.Session) -> None:
        ctl = f"{await device(session, 'eth0')}/ctl"

        async def write(command: str) -> None:
            await session.write(ctl, command.encode())

        await write("add 10.8.0.1 /24\n")
        await write("add 192.0.2.9")
        await write("add 10.2.0.1 /128 10.2.0.9 1400")
        await write("add 2001:db8:8::1 /64")
        found = addresses()
        assert (found["10.8.0.1"]["prefixlen"], found["10.8.0.1"]["broadcast"]) == (
            24,
            "10.8.0.255",
        )
        assert found["192.0.2.9"]["prefixlen"] == 24
        assert (found["10.2.0.1"]["address"], found["10.2.0.1"]["prefixlen"]) == ("10.2.0.9", 32)
        assert found["2001:db8:8::1"]["prefixlen"] == 64
        assert found["2001:db8:8::1"].get("nodad")
        assert own.show("link show eth0")[0]["mtu"] == 1400
        await write("add 10.8.0.1 /16")
        assert addresses()["10.8.0.1"]["prefixlen"] == 24
        await write("try 2001:db8:7::1 /64")
        assert "nodad" not in addresses()["2001:db8:7::1"]
        await write("add6 2001:db8:6:: 64 1 1 2000 1000")
        (link,) = own.show("link show eth0")
        mac = bytes.fromhex(link["address"].replace(":", ""))
        made = ipaddress.IPv6Address(
            bytes.fromhex("20010db800060000") + bytes([mac[0] ^ 2, *mac[1:3], 255, 254, *mac[3:]])
        )
        assert 1990 < int(str(addresses()[str(made)]["valid_life_time"])) <= 2000
        await write("del 10.8.0.1 /24")
        await write("remove 10.2.0.1 /128 10.2.0.9")
        await write("del 2001:db8:8::1 /64")
        await write("del6")
        assert not {"10.8.0.1", "10.2.0.1", "2001:db8:8::1"} & set(addresses())
        await write("mtu 1300")
        assert own.show("link show eth0")[0]["mtu"] == 1300
        await write("unbind")
        (link,) = own.show("addr show eth0")
        assert (link["addr_info"], "UP" in link["flags"]) == ([], False)
        await write("bind ether eth0")
        assert "UP" in own.show("link show eth0")[0]["flags"]
        for wanted in ("1", "0"):
            await write(f"iprouting {wanted}")
            names = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
            assert [own.run("cat", f"/proc/sys/net/{name}") for name in names] == [
                f"{wanted}\n"
            ] * 2

    setting.play(act)


def test_an_interface_refuses_in_the_originals_words(setting: Setting) -> None:
    async def act(session: netrelay.Session) -> None:
        ctl = f"{await device(session, 'eth0')}/ctl"
        for command, why in (
            ("", "short control request"),
            ("frob", "unsupported ctl"),
            ("mtu 1", "bad arg in system call"),
            ("mtu 99999999999", "bad arg in system call"),
            ("add 224.0.0.5 /24", "bad arg in system call"),
            ("add ff02::5 /64", "bad arg in system call"),
            ("del 10.0.0.1 /16", "address not on this interface"),
            ("del 10.0.0.2 /24", "address not on this interface"),
            ("bind ether eth0", "interface already bound"),
            ("connect 10.0.0.1", "connection in use"),
        ):
            assert await refusal(session, ctl, command) == why, command
        lo = f"{await device(session, 'lo')}/ctl"
        assert await refusal(session, lo, "add6 2001:db8:6::") == "interface not bound"
        setting.own.ip("link set eth0 down")
        assert await refusal(session, ctl, "bind pkt") == "unknown interface type"
        assert await refusal(session, ctl, "bind ether eth1") == "bad arg in system call"

    setting.play(act)
