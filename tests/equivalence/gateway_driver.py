"""Operations on two gateways at once, and what each of them must bring.

An operation is a method: it sends the same to both, has the peers of both do the same, and waits
for what must come of it. The conversations it knows by name are tcp's.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.reference.codec import decode, encode
from netrelay.types import Dialect

from .gateway_twins import NOTAG, PATIENCE_S, Twin, Twins

if TYPE_CHECKING:
    from collections.abc import Callable

NOFID = 0xFFFFFFFF
ROOT = 0
CTL, DATA, LISTEN, CALL = 10, 11, 12, 13


@dataclass
class Conversation:
    """What the test knows of the conversation it dialled last."""

    up: bool = False
    parked: int = 0
    unread: int = 0


class Driver:
    """Carries out operations on the twins and waits for what each must bring."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.conversation = Conversation()

    def begin(self) -> None:
        """Version and attach."""
        self.twins.rpc((NOTAG, m.Tversion(65536, "9P2000.netrelay")))
        self.twins.rpc((0, m.Tattach(ROOT, NOFID, "glenda", "")))
        self.conversation = Conversation()

    def do(self, operation: tuple[object, ...]) -> None:
        """One operation; nothing to do once the sessions have ended."""
        if any(twin.ended for twin in self.twins.both):
            return
        method: Callable[..., None] = getattr(self, f"do_{operation[0]}")
        method(*operation[1:])

    def do_request(self, tag: int, request: m.Message) -> None:
        """Any request; one whose answer depends on the network's pace is awaited."""
        if isinstance(request, m.Twrite):
            self._write_to_each(tag, request)
        else:
            self._send((tag, request))

    def do_burst(self, several: list[m.Message]) -> None:
        """Several requests in one go."""
        free = [tag for tag in range(20, 40) if tag not in self.twins.both[0].outstanding]
        chosen = [one for one in several if not isinstance(one, m.Twrite)]
        self._send(*zip(free, chosen, strict=False))

    def do_dial(self) -> None:
        """Clone, connect to the peer, open data."""
        self._settled((50, m.Tclunk(DATA)))
        self._settled((50, m.Tclunk(CTL)))
        self._settled((50, m.Twalk(ROOT, CTL, ("net", "tcp", "clone"))))
        self._settled((50, m.Topen(CTL, 2)))
        self._write_to_each(50, m.Twrite(CTL, 0, b"connect 127.0.0.1!PEER"))
        for twin in self.twins.both:
            twin.peer.take()
        number = self._number_of(CTL)
        if number is None:
            return
        self._settled((50, m.Twalk(ROOT, DATA, ("net", "tcp", number, "data"))))
        self._settled((50, m.Topen(DATA, 2)))
        self.conversation = Conversation(up=bool(self.twins.both[0].peer.calls))

    def do_announce(self) -> None:
        """Clone and announce a port that the host chooses."""
        self._settled((51, m.Tclunk(LISTEN)))
        self._settled((51, m.Twalk(ROOT, LISTEN, ("net", "tcp", "clone"))))
        self._settled((51, m.Topen(LISTEN, 2)))
        self._settled((51, m.Twrite(LISTEN, 0, b"announce 127.0.0.1!0")))

    def do_listen(self, tag: int) -> None:
        """Park an open of the announced conversation's listen."""
        number = self._number_of(LISTEN)
        if number is None or tag in self.twins.both[0].outstanding:
            return
        self._settled((52, m.Twalk(ROOT, CALL, ("net", "tcp", number, "listen"))))
        self._send((tag, m.Topen(CALL, 2)))

    def do_call(self) -> None:
        """Somebody calls the announced port."""
        number = self._number_of(LISTEN)
        if number is None:
            return
        for twin in self.twins.both:
            port = local_port(twin, number)
            if port is not None:
                twin.callers.append(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
        self.twins.settle()

    def do_park(self, several: list[int]) -> None:
        """Reads on data, several at once."""
        free = [tag for tag in several if tag not in self.twins.both[0].outstanding]
        self._send(*((tag, m.Tread(DATA, 0, 16)) for tag in free))
        self.conversation.parked += len(free)

    def do_flush(self, tag: int) -> None:
        """Flush whatever the tag stands for."""
        self._settled((53, m.Tflush(tag)))

    def do_say(self, size: int) -> None:
        """The peer sends bytes."""
        self._peers(lambda call: call.sendall(bytes(i % 251 for i in range(size))))

    def do_end(self) -> None:
        """The peer ends its direction."""
        self._peers(lambda call: call.shutdown(socket.SHUT_WR))

    def do_reset(self) -> None:
        """The peer resets the call."""
        linger = b"\x01\0\0\0\0\0\0\0"

        def reset(call: socket.socket) -> None:
            call.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            call.close()

        self._peers(reset)
        for twin in self.twins.both:
            del twin.peer.calls[-1:]

    def do_write(self, data: bytes) -> None:
        """Bytes to the peer, which must get them."""
        self._settled((54, m.Twrite(DATA, 0, data)))

    def do_half(self) -> None:
        """End our direction."""
        self._settled((54, m.Twrite(CTL, 0, b"shutdown write")))

    def do_clunk(self, fid: int) -> None:
        """Give a fid back, whatever is in flight on it."""
        self._settled((55, m.Tclunk(fid)))

    def do_version(self) -> None:
        """The session starts over, behind what has been answered already."""
        self.twins.settle()
        for twin in self.twins.both:
            twin.outstanding.clear()
        self.begin()

    def do_garbage(self, data: bytes) -> None:
        """Bytes that are, most likely, no 9P; then silence, and the session is abandoned."""
        for twin in self.twins.both:
            twin.send(data)
            if twin.call is not None and not twin.ended:
                twin.call.shutdown(socket.SHUT_WR)
        python, rust = (
            [twin.masked(frame) for frame in twin.frames(PATIENCE_S)] for twin in self.twins.both
        )
        assert [twin.ended for twin in self.twins.both] == [True, True]
        assert python == rust

    def _settled(self, *requests: tuple[int, m.Message]) -> None:
        """Requests that never wait for anybody outside."""
        fresh = [each for each in requests if each[0] not in self.twins.both[0].outstanding]
        self.twins.rpc(*fresh)

    def _send(self, *requests: tuple[int, m.Message]) -> None:
        """Requests that may park."""
        if requests:
            self.twins.rpc(*requests, park=True)

    def _write_to_each(self, tag: int, request: m.Twrite) -> None:
        """A write whose words name a peer: each gateway dials its own."""
        for twin in self.twins.both:
            data = bytes(request.data).replace(b"PEER", str(twin.peer.port).encode())
            data = data.replace(b"DGRAM", str(twin.datagrams.port).encode())
            twin.send(encode(tag, request._replace(data=data), Dialect.P2000))
            twin.outstanding.add(tag)
        self.twins.settle({tag})

    def _number_of(self, fid: int) -> str | None:
        """The conversation behind an open ctl, the same on both."""
        numbers = {twin.name: ask_number(twin, fid) for twin in self.twins.both}
        assert len(set(numbers.values())) == 1, numbers
        return next(iter(numbers.values()))

    def _peers(self, act: Callable[[socket.socket], None]) -> None:
        """The same act of both peers, then what it must bring."""
        acted = False
        for twin in self.twins.both:
            if twin.peer.calls:
                with contextlib.suppress(OSError):  # its call may be over already
                    act(twin.peer.calls[-1])
                acted = True
        if acted:
            self.twins.settle()


def ask(twin: Twin, tag: int, request: m.Message) -> m.Message | None:
    """One request outside the comparison, which keeps what comes of others meanwhile."""
    twin.send(encode(tag, request, Dialect.P2000))
    for frame in twin.frames(PATIENCE_S):
        got, reply = decode(frame, Dialect.P2000)
        if got == tag:
            return reply
        if got not in twin.outstanding:
            raise AssertionError(f"{twin.name} answered {got} unasked: {reply}")
        twin.early.setdefault(got, []).append(twin.masked(frame))
    return None


def words(reply: m.Message | None) -> str:
    """The text of an Rread, or nothing."""
    return bytes(reply.data).decode() if isinstance(reply, m.Rread) else ""


def ask_number(twin: Twin, fid: int) -> str | None:
    """What a read of an open ctl says."""
    text = words(ask(twin, 60, m.Tread(fid, 0, 8)))
    return text if text.isdigit() else None


def local_port(twin: Twin, number: str, *, net: str = "tcp", up: str = "Listen") -> int | None:
    """The port of a conversation whose status begins so."""
    ask(twin, 61, m.Twalk(ROOT, 61, ("net", net, number, "local")))
    ask(twin, 61, m.Topen(61, 0))
    text = words(ask(twin, 61, m.Tread(61, 0, 100)))
    listens = words(status(twin, net, number)).startswith(up)
    ask(twin, 61, m.Tclunk(61))
    return int(text.rpartition("!")[2]) if listens else None


def status(twin: Twin, net: str, number: str) -> m.Message | None:
    """The status line of a conversation."""
    ask(twin, 62, m.Twalk(ROOT, 62, ("net", net, number, "status")))
    ask(twin, 62, m.Topen(62, 0))
    reply = ask(twin, 62, m.Tread(62, 0, 500))
    ask(twin, 62, m.Tclunk(62))
    return reply
