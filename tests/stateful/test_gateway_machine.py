"""A whole gateway under any history of one importer: what it holds is never more than it should.

Hypothesis plays the importer, the servers that it dials and the callers of the ports that it
announces. After each step the gateway is asked what it holds, and the kernel how many
descriptors: as many fids and conversations as the importer has, not one descriptor more than
those need, waiting bytes within their bounds, and one reply to each request that is in flight.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import selectors
import socket
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from netrelay import messages as m
from netrelay.reference.codec import decode, encode
from netrelay.types import NOFID, NOTAG, ORDWR, Dialect, GatewayConfig, Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from netrelay.core import Core

pytestmark = pytest.mark.timeout(3600)

PATIENCE_S = 10.0
ROOT = 0
MSIZE = 32 << 10
LIMITS = Limits(fid_write_bytes=128 << 10, session_write_bytes=256 << 10)
BARRIER, SYNC, UNUSED = 0x7FFF, 0x7FFE, 0x7FFD
# Each is fifty steps with sockets: what ten thousand of them would find is not worth hours.
EXAMPLES = 1000
# Of the gateway's own: a socket a conversation, and a second family where it is announced.
SOCKETS = 2
# What is drawn may not depend on what has been answered by now: a place among it, whatever it is.
positions = st.integers(0, 500)
RESET = b"\x01\0\0\0\0\0\0\0"


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a Path would open one more)


def picked(numbers: Collection[int], which: int) -> int | None:
    """The one at that place, counted round and round."""
    return sorted(numbers)[which % len(numbers)] if numbers else None


class Importer:
    """A raw session that knows what it has: requests in flight, fids, open conversations."""

    def __init__(self, path: str) -> None:
        self.call = socket.socket(socket.AF_UNIX)
        self.call.settimeout(PATIENCE_S)
        self.call.connect(path)
        self.received = bytearray()
        self.flying: dict[int, m.Message] = {}
        self.refused_twice: Counter[int] = Counter()
        self.fids: set[int] = set()
        self.opened: dict[int, str] = {}
        self.fresh = itertools.count(1)
        self.begin()

    def begin(self) -> None:
        """Version and attach: nothing of what was is there behind the Rversion."""
        self.ask(m.Tversion(MSIZE, "9P2000.netrelay"), tag=NOTAG)
        self.flying.clear()
        self.refused_twice.clear()
        self.fids.clear()
        self.opened.clear()
        self.ask(m.Tattach(ROOT, NOFID, "glenda", ""))
        self.fids.add(ROOT)

    def send(self, tag: int, request: m.Message) -> None:
        """A request whose reply is taken whenever it comes."""
        self.flying[tag] = request
        self.call.sendall(encode(tag, request, Dialect.P2000))

    def ask(self, request: m.Message, *, tag: int = SYNC) -> m.Message:
        """A request and its reply; others that come before it are taken too."""
        self.send(tag, request)
        for got, reply in self.replies():
            self.took(got, reply)
            if got == tag:
                return reply
        raise AssertionError(f"the session ended before a reply to {request}")

    def again(self, tag: int) -> None:
        """Use a tag that is in flight: it is refused, and what is in flight goes on."""
        self.refused_twice[tag] += 1
        self.call.sendall(encode(tag, m.Tstat(ROOT), Dialect.P2000))

    def took(self, tag: int, reply: m.Message) -> None:
        """Check a reply against what is in flight, and learn from it."""
        if self.refused_twice[tag] and reply == m.Rerror("duplicate tag"):
            self.refused_twice[tag] -= 1
            return
        assert tag in self.flying, f"a reply to nothing: {tag} {reply}"
        request = self.flying.pop(tag)
        match request, reply:
            case m.Twalk(newfid=fid, wname=names), m.Rwalk(wqid=qids) if len(qids) == len(names):
                self.fids.add(fid)
            case m.Tclunk(fid=fid) | m.Tremove(fid=fid), _:
                self.fids.discard(fid)
                self.opened.pop(fid, None)
            case m.Topen(fid=fid), m.Ropen() if fid in self.fids:
                self.opened[fid] = ""

    def barrier(self) -> None:
        """Take all replies that are there."""
        self.ask(m.Tflush(UNUSED), tag=BARRIER)

    def replies(self) -> Iterator[tuple[int, m.Message]]:
        """Whole replies as they come; ends with the session."""
        while True:
            while len(self.received) >= 4:
                size = int.from_bytes(self.received[:4], "little")
                if len(self.received) < size:
                    break
                frame = bytes(self.received[:size])
                del self.received[:size]
                yield decode(frame, Dialect.P2000)
            data = self.call.recv(1 << 20)
            if not data:
                return
            self.received += data

    def walk(self, *names: str) -> int | None:
        """A new fid of a file."""
        fid = next(self.fresh)
        self.ask(m.Twalk(ROOT, fid, names))
        return fid if fid in self.fids else None

    def number(self, ctl: int) -> str:
        """The number that an open ctl gives."""
        reply = self.ask(m.Tread(ctl, 0, 16))
        return bytes(reply.data).decode() if isinstance(reply, m.Rread) else ""


class GatewayMachine(RuleBasedStateMachine):
    """The steps; a test gives it the core."""

    core: Core

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.peers: list[socket.socket] = []
        self.callers: list[socket.socket] = []
        self.path = str(Path(folder) / "gate")
        self.before = descriptors()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.server.setblocking(False)
        self.gateway = self.core.Gateway(
            GatewayConfig(host_owner="gate", workers=1, allow_dial=("127.0.0.0/8",), limits=LIMITS)
        )
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(16)
        self.gateway.listen(listener.detach())
        self.importer = Importer(self.path)
        self.base = descriptors()
        # Conversations by number: the fids that keep them.
        self.data: dict[int, str] = {}
        self.announced: dict[int, str] = {}

    @rule()
    def dial(self) -> None:
        """Clone, connect, open data."""
        ctl = self._clone()
        if ctl is None:
            return
        connected = self.importer.ask(
            m.Twrite(ctl, 0, b"connect 127.0.0.1!%d" % self.server.getsockname()[1])
        )
        if isinstance(connected, m.Rwrite):
            self.peers.append(self._accepted())
            self._open_data(self.importer.opened[ctl])

    @rule()
    def dial_nobody(self) -> None:
        """A connect that is refused."""
        ctl = self._clone()
        if ctl is not None:
            self.importer.ask(m.Twrite(ctl, 0, b"connect 127.0.0.1!1"))

    @rule()
    def announce(self) -> None:
        """A port that the host chooses."""
        ctl = self._clone()
        if ctl is not None:
            self.importer.ask(m.Twrite(ctl, 0, b"announce 127.0.0.1!0"))
            self.announced[ctl] = self.importer.opened[ctl]

    @precondition(lambda self: self.announced)
    @rule(data=st.data(), tag=st.integers(0, 9))
    def listen(self, data: st.DataObject, tag: int) -> None:
        """An open of listen, which parks."""
        number = data.draw(st.sampled_from(sorted(self.announced.values())))
        fid = self.importer.walk("net", "tcp", number, "listen")
        if fid is not None and tag not in self.importer.flying:
            self.importer.send(tag, m.Topen(fid, ORDWR))

    @precondition(lambda self: self.announced)
    @rule(data=st.data())
    def call(self, data: st.DataObject) -> None:
        """Somebody calls."""
        number = data.draw(st.sampled_from(sorted(self.announced.values())))
        local = self.importer.walk("net", "tcp", number, "local")
        if local is None or isinstance(self.importer.ask(m.Topen(local, 0)), m.Rerror):
            return
        reply = self.importer.ask(m.Tread(local, 0, 100))
        self.importer.ask(m.Tclunk(local))
        port = int(bytes(reply.data).rpartition(b"!")[2]) if isinstance(reply, m.Rread) else 0
        with contextlib.suppress(ConnectionRefusedError):
            self.callers.append(socket.create_connection(("127.0.0.1", port), PATIENCE_S))

    @precondition(lambda self: self.data)
    @rule(data=st.data(), tag=st.integers(0, 9), count=st.sampled_from((0, 1, 100, MSIZE)))
    def read(self, data: st.DataObject, tag: int, count: int) -> None:
        """A read of a conversation, which may park."""
        fid = data.draw(st.sampled_from(sorted(self.data)))
        if tag not in self.importer.flying:
            self.importer.send(tag, m.Tread(fid, 0, count))

    @precondition(lambda self: self.data)
    @rule(data=st.data(), tag=st.integers(0, 9))
    def write(self, data: st.DataObject, tag: int) -> None:
        """A few bytes."""
        fid = data.draw(st.sampled_from(sorted(self.data)))
        if tag not in self.importer.flying:
            self.importer.send(tag, m.Twrite(fid, 0, b"some bytes"))

    @precondition(lambda self: self.data)
    @rule(data=st.data(), luck=st.integers(0, 3))
    def flood(self, data: st.DataObject, luck: int) -> None:
        """Now and then more than a server that does not read will ever take."""
        if luck:
            return
        fid = data.draw(st.sampled_from(sorted(self.data)))
        for tag in range(100, 400):
            if tag not in self.importer.flying:
                self.importer.send(tag, m.Twrite(fid, 0, bytes(MSIZE - 100)))
        self.importer.barrier()

    @rule(which=positions, tag=st.integers(10, 19))
    def flush(self, which: int, tag: int) -> None:
        """A flush of whatever waits; its Rflush is the last word on it."""
        oldtag = picked(self.importer.flying, which)
        if oldtag is None or tag in self.importer.flying:
            return
        self.importer.send(tag, m.Tflush(oldtag))
        self.importer.barrier()
        if tag not in self.importer.flying:
            self.importer.flying.pop(oldtag, None)

    @rule(which=positions)
    def use_a_tag_twice(self, which: int) -> None:
        """One that is in flight, most likely."""
        self.importer.barrier()
        tag = picked(self.importer.flying, which)
        if tag is not None:
            self.importer.again(tag)

    @precondition(lambda self: len(self.importer.fids) > 1)
    @rule(data=st.data())
    def clunk(self, data: st.DataObject) -> None:
        """Any fid but the root, whatever is in flight on it."""
        fid = data.draw(st.sampled_from(sorted(self.importer.fids - {ROOT})))
        self.importer.ask(m.Tclunk(fid))
        self.data.pop(fid, None)
        self.announced.pop(fid, None)

    @rule(which=positions, verb=st.sampled_from((b"hangup", b"close", b"shutdown write")))
    def command(self, which: int, verb: bytes) -> None:
        """A command to any ctl that is open."""
        ctl = picked(self.importer.opened.keys() - self.data.keys(), which)
        if ctl is not None:
            self.importer.ask(m.Twrite(ctl, 0, verb))

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), act=st.sampled_from(("say", "end", "reset", "read")))
    def peer(self, data: st.DataObject, act: str) -> None:
        """A server does something."""
        at = data.draw(st.integers(0, len(self.peers) - 1))
        peer = self.peers[at]
        with contextlib.suppress(OSError):
            match act:
                case "say":
                    peer.sendall(b"said")
                case "end":
                    peer.shutdown(socket.SHUT_WR)
                case "reset":
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    peer.close()
                    del self.peers[at]
                case _:
                    peer.setblocking(False)
                    while peer.recv(1 << 20):
                        pass

    @rule(luck=st.integers(0, 5))
    def version(self, luck: int) -> None:
        """Now and then the session starts over."""
        if not luck:
            self._forget()
            self.importer.begin()

    @rule(luck=st.integers(0, 5))
    def vanish(self, luck: int) -> None:
        """Now and then the importer is gone, and another one comes."""
        if not luck:
            self._forget()
            self.importer.call.close()
            self.importer = Importer(self.path)

    @invariant()
    def the_gateway_holds_what_the_importer_has(self) -> None:
        """It may take a moment: sockets are closed in the background."""
        deadline = time.monotonic() + PATIENCE_S
        pause = selectors.DefaultSelector()
        try:
            while True:
                self._learn()
                held = self.gateway.stats()
                assert held["panics"] == 0
                bound = LIMITS.session_write_bytes + MSIZE
                assert held["parked_bytes"] <= bound, f"{held['parked_bytes']} bytes wait"
                wrong = self._wrong(held)
                if not wrong:
                    return
                assert time.monotonic() < deadline, wrong
                pause.select(0.001)
        finally:
            pause.close()

    def teardown(self) -> None:
        """Everything goes, and nothing is left of it."""
        self.importer.call.close()
        for own in (*self.peers, *self.callers, self.server):
            own.close()
        self.gateway.abort()
        assert self.gateway.wait_closed(PATIENCE_S)
        del self.gateway
        # The Python core's two event descriptors go with the object, which may be in a cycle.
        gc.collect()
        self.stack.close()
        assert descriptors() <= self.before

    def _wrong(self, held: dict[str, int]) -> str:
        """What is not as it should be, or nothing."""
        fids = len(self.importer.fids)
        if held["fids"] != fids:
            return f"{held['fids']} fids for {fids}"
        conversations = len(set(self.importer.opened.values()) - {""})
        if held["conversations"] != conversations:
            return f"{held['conversations']} conversations for {conversations}"
        own = len(self.peers) + len(self.callers)
        most = self.base + own + SOCKETS * conversations + held["closing"]
        now = descriptors() - 1  # the pause's
        return f"{now} descriptors where {most} would do" if now > most else ""

    def _learn(self) -> None:
        """Take the replies that are there; opens of listen that were answered have a number."""
        self.importer.barrier()
        for fid, number in list(self.importer.opened.items()):
            if not number:
                self.importer.opened[fid] = self.importer.number(fid)

    def _clone(self) -> int | None:
        ctl = self.importer.walk("net", "tcp", "clone")
        if ctl is None or isinstance(self.importer.ask(m.Topen(ctl, ORDWR)), m.Rerror):
            return None
        self.importer.opened[ctl] = self.importer.number(ctl)
        return ctl

    def _open_data(self, number: str) -> None:
        fid = self.importer.walk("net", "tcp", number, "data")
        if fid is not None and isinstance(self.importer.ask(m.Topen(fid, ORDWR)), m.Ropen):
            self.importer.opened[fid] = number
            self.data[fid] = number

    def _accepted(self) -> socket.socket:
        with selectors.DefaultSelector() as selector:
            selector.register(self.server, selectors.EVENT_READ)
            assert selector.select(PATIENCE_S), "the gateway says it called"
        call, _ = self.server.accept()
        call.settimeout(PATIENCE_S)
        return call

    def _forget(self) -> None:
        self.data.clear()
        self.announced.clear()


def test_a_gateway_holds_no_more_than_its_importer_has(core: Core) -> None:
    class Machine(GatewayMachine):
        pass

    Machine.core = core
    most = min(settings().max_examples, EXAMPLES)
    run_state_machine_as_test(Machine, settings=settings(max_examples=most))
