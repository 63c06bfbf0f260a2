"""Whole gateways over a socket: random operations, legal, illegal and garbage, on both cores.

An example is a list of operations on one session: dials of scripted peers, announcements, reads
that park, flushes that race, clunks with requests in flight, halves closed in either order, resets,
Tversion in the middle, frames that are no 9P. After it the session vanishes and both gateways
must hold nothing.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.reference.codec import decode, encode
from netrelay.types import Dialect

from .gateway_twins import NOTAG, PATIENCE_S, Twin, Twins, calm

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.equivalence, pytest.mark.timeout(3600)]

NOFID = 0xFFFFFFFF
ROOT = 0
CTL, DATA, LISTEN = 10, 11, 12
WORDS = (
    "net", "tcp", "clone", "stats", "cs", "dns", "ndb", "log", "0", "1", "2", "00", "ctl",
    "data", "err", "listen", "local", "remote", "status", "..", ".", "", "a/b", "nosuch",
)  # fmt: skip
COMMANDS = (
    b"connect 127.0.0.1!PEER", b"connect 127.0.0.1!1", b"connect", b"connect 127.0.0.1",
    b"connect x!1", b"connect 1.2.3.4!http", b"connect 127.0.0.1!PEER 0!r", b"announce 0",
    b"announce *!0", b"announce 127.0.0.1!0", b"announce", b"announce *!*", b"announce 1.2.3.4!0",
    b"bind 127.0.0.1!0", b"bind", b"hangup", b"close", b"shutdown write", b"shutdown", b"keepalive",
    b"keepalive 1000", b"keepalive x", b"ttl", b"ttl 64", b"ttl x", b"tos 16", b"tos", b"frob",
    b"", b" \n", b"'connect' '127.0.0.1!PEER'", b"ignoreadvice", b"accept 0", b"reject 0 no",
    b"connect 169.254.169.254!80", b"connect [::1]!1", b"connect ::1!1",
)  # fmt: skip
QUERIES = (b"tcp!here!80", b"no!such!place", b"x" * 200, b"name ip", b"")

fids = st.integers(0, 13)
tags = st.integers(0, 6)
counts = st.sampled_from((0, 1, 3, 8, 100, 4096, 1 << 20, NOFID))
offsets = st.sampled_from((0, 1, 5, 60, 1 << 40, (1 << 64) - 1))
names = st.lists(st.sampled_from(WORDS), max_size=5).map(tuple)
payloads = st.sampled_from(COMMANDS + QUERIES) | st.binary(max_size=40)

requests = st.one_of(
    st.builds(m.Twalk, fids, fids, names),
    st.builds(m.Topen, fids, st.sampled_from((0, 1, 2, 3, 0x10, 0x11, 0x12, 0x40, 0xFF))),
    st.builds(m.Tread, fids, offsets, counts),
    st.builds(m.Twrite, fids, offsets, payloads),
    st.builds(m.Tclunk, fids),
    st.builds(m.Tremove, fids),
    st.builds(m.Tstat, fids),
    st.builds(m.Tflush, tags),
    st.builds(m.Tcreate, fids, st.sampled_from(WORDS[:6]), st.just(0o644), st.integers(0, 3),
        st.just("")),
    st.builds(
        m.Tattach, fids, st.just(NOFID), st.sampled_from(("glenda", "gate", "")),
        st.sampled_from(("", "/net", "/x")), st.just(NOFID),
    ),
    st.builds(m.Tauth, fids, st.just("glenda"), st.just(""), st.just(NOFID)),
)  # fmt: skip
operations = st.one_of(
    st.tuples(st.just("request"), tags, requests),
    st.tuples(st.just("dial")),
    st.tuples(st.just("announce")),
    st.tuples(st.just("listen"), tags),
    st.tuples(st.just("call")),
    st.tuples(st.just("park"), st.lists(tags, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("flush"), tags),
    st.tuples(st.just("burst"), st.lists(requests, min_size=2, max_size=5)),
    st.tuples(st.just("say"), st.integers(1, 200)),
    st.tuples(st.just("end")),
    st.tuples(st.just("reset")),
    st.tuples(st.just("write"), st.binary(min_size=1, max_size=300)),
    st.tuples(st.just("half")),
    st.tuples(st.just("clunk"), st.sampled_from((CTL, DATA, LISTEN))),
    st.tuples(st.just("version")),
    st.tuples(st.just("garbage"), st.binary(min_size=1, max_size=30)),
)


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
        self._settled((52, m.Twalk(ROOT, 13, ("net", "tcp", number, "listen"))))
        self._send((tag, m.Topen(13, 2)))

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
        """The session starts over."""
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
        """A write whose words name the peer: each gateway dials its own."""
        for twin in self.twins.both:
            data = bytes(request.data).replace(b"PEER", str(twin.peer.port).encode())
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
    """One request outside the comparison, when nothing else is on its way."""
    twin.send(encode(tag, request, Dialect.P2000))
    for frame in twin.frames(PATIENCE_S):
        got, reply = decode(frame, Dialect.P2000)
        if got != tag:
            raise AssertionError(f"{twin.name} answered {got} unasked: {reply}")
        return reply
    return None


def words(reply: m.Message | None) -> str:
    """The text of an Rread, or nothing."""
    return bytes(reply.data).decode() if isinstance(reply, m.Rread) else ""


def ask_number(twin: Twin, fid: int) -> str | None:
    """What a read of an open ctl says."""
    text = words(ask(twin, 60, m.Tread(fid, 0, 8)))
    return text if text.isdigit() else None


def local_port(twin: Twin, number: str) -> int | None:
    """The port of an announced conversation."""
    ask(twin, 61, m.Twalk(ROOT, 61, ("net", "tcp", number, "local")))
    ask(twin, 61, m.Topen(61, 0))
    text = words(ask(twin, 61, m.Tread(61, 0, 100)))
    listens = words(status(twin, number)).startswith("Listen")
    ask(twin, 61, m.Tclunk(61))
    return int(text.rpartition("!")[2]) if listens else None


def status(twin: Twin, number: str) -> m.Message | None:
    """The status line of a conversation."""
    ask(twin, 62, m.Twalk(ROOT, 62, ("net", "tcp", number, "status")))
    ask(twin, 62, m.Topen(62, 0))
    reply = ask(twin, 62, m.Tread(62, 0, 500))
    ask(twin, 62, m.Tclunk(62))
    return reply


@given(plan=st.lists(operations, max_size=14))
def test_both_gateways_answer_alike(plan: list[tuple[object, ...]]) -> None:
    twins = Twins()
    try:
        driver = Driver(twins)
        driver.begin()
        for operation in plan:
            driver.do(operation)
        twins.sessions_anew()
        for twin in twins.both:
            calm(twin)
    finally:
        twins.close()
