"""What every protocol of packets gets, shown with one that has no network.

Errors of the host that loopback never has are made here: no room, and advice that the host could
not keep.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, cast

import pytest

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.reference.net.conversation import State
from netrelay.reference.net.packets.conversation import PacketConversation
from netrelay.reference.net.qids import Kind, Place
from netrelay.reference.net.request import Request, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.reference.net.address import Address
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.packets.packet import Packet


class Around:
    """A stack that forbids nothing and remembers what is counted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.counted: dict[str, int] = {}

    def count(self, name: str, change: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + change

    def check_dial(self, ip: object) -> None:
        pass

    def note(self, *what: object) -> None:
        pass

    def ended(self, *what: object) -> None:
        pass


class Session:
    """Whoever asks; it keeps the last answer."""

    congested = False

    def __init__(self) -> None:
        self.reply: m.Message | None = None

    def settle(self, request: Request, reply: m.Message) -> None:
        self.reply = reply


class Bare(PacketConversation):
    """Packets to nobody: sending fails with what a test has put down."""

    def __init__(self, around: Around) -> None:
        super().__init__(cast("Surroundings", around), Place(Kind.CTL), "glenda")
        self.failures: list[int] = []
        self.sent: list[bytes] = []

    @staticmethod
    def stats(around: Surroundings, most: int) -> str:
        return ""

    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        return self._announced(remote, restricted=restricted)

    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        return sock

    def _probe(self, local: Address, *, restricted: bool) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "never")

    def _text(self, packet: Packet) -> bytes | None:
        return packet.data

    def _send(self, sock: socket.socket, data: bytes) -> bool:
        if self.failures:
            raise OSError(self.failures.pop(0), "made up")
        self.sent.append(data)
        return True


@pytest.fixture
def around() -> Iterator[Around]:
    """A stack on a loop that does not run: packets wait for nothing."""
    loop = asyncio.new_event_loop()
    yield Around(loop)
    loop.close()


@pytest.fixture
def bare(around: Around) -> Iterator[Bare]:
    """One that is connected."""
    bare = Bare(around)
    control(bare, b"connect 127.0.0.1!1")
    yield bare
    bare.release()


def control(bare: Bare, line: bytes) -> m.Message | None:
    """A Twrite of ctl and its answer."""
    session = Session()
    bare.control(Request(session, 1, 1, m.Twrite(1, 0, line)), line)  # type: ignore[arg-type]
    return session.reply


def write(bare: Bare, data: bytes) -> m.Message | None:
    """A Twrite of data and its answer."""
    session = Session()
    bare.check_write()
    request = Request(session, 1, 1, m.Twrite(1, 0, data))  # type: ignore[arg-type]
    bare.write(Write(request, memoryview(data), lambda _: None))
    return session.reply


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
def test_what_the_host_has_no_room_for_is_dropped_and_counted(
    bare: Bare, around: Around, number: int
) -> None:
    bare.failures = [number]
    assert write(bare, b"lost") == m.Rwrite(4)
    assert write(bare, b"sent") == m.Rwrite(4)
    assert bare.sent == [b"sent"]
    assert around.counted["dropped"] == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EMSGSIZE, "read or write too large"),
        (errno.ENETUNREACH, "no route"),
        (errno.EHOSTUNREACH, "host unreachable"),
        (errno.EPERM, "permission denied"),
        (errno.EINVAL, "i/o error"),
    ],
)
def test_other_errors_are_told_and_end_nothing(bare: Bare, number: int, text: str) -> None:
    bare.failures = [number]
    with pytest.raises(NetError, match=f"^{text}$"):
        write(bare, b"x")
    assert bare.state is State.CONNECTED
    assert write(bare, b"y") == m.Rwrite(1)


def test_a_refused_port_is_advice_though_the_host_kept_nothing_else(bare: Bare) -> None:
    bare.failures = [errno.ECONNREFUSED]
    for _ in range(2):
        with pytest.raises(NetError, match=r"^port unreachable$"):
            write(bare, b"x")
    assert bare.status == Bare.IDLE
    assert bare.sent == []


def test_ignored_advice_does_not_keep_a_packet_back(bare: Bare) -> None:
    control(bare, b"ignoreadvice")
    bare.failures = [errno.ECONNREFUSED]
    assert write(bare, b"x") == m.Rwrite(1)
    assert bare.sent == [b"x"]


def test_a_local_address_that_cannot_be_had_leaves_it_idle(around: Around) -> None:
    bare = Bare(around)
    with pytest.raises(NetError, match=r"^not a local IP address$"):
        control(bare, b"bind 127.0.0.1!0")
    assert bare.state is State.IDLE
    assert bare.local == "::!0\n"
