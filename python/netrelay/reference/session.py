"""One session over one stream: bytes in, requests to the files, replies out.

The protocol's rules are in `server`, the tree's in `net`. Here is the transport: what is
received when, what is sent when, and what happens when the client stops reading, breaks the
protocol or vanishes. The session never waits: a request that must wait is parked and answered in
a later turn.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import DecodeError, FrameError, NetError
from netrelay.reference.draining import Draining
from netrelay.reference.net.files import Files
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.request import Request
from netrelay.reference.net.watch import Watch
from netrelay.reference.server import ServerSession
from netrelay.types import Ask, Reset, Send, Withdraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.conversation import Conversation
    from netrelay.reference.net.shared import Shared

_CHUNK: Final = 256 << 10
# How long the last replies have to reach a client that goes on sending, in seconds.
_DRAIN_S: Final = 1.0


class Session:
    """A session, from accept to its end; `over` is called once."""

    def __init__(
        self,
        shared: Shared,
        sock: socket.socket,
        over: Callable[[Session], None],
        root: str = "",
    ) -> None:
        limits = shared.config.limits
        self.server = ServerSession(
            max_fids=limits.session_fids, max_requests=limits.session_requests
        )
        self.files = Files(shared, root)
        self.leaving = False
        self._shared = shared
        self._watch = Watch(shared.loop, sock)
        self._over = over
        self._requests: dict[int, Request] = {}
        self._out = bytearray()
        self._most_unread = limits.session_unread_bytes
        # Answers given whose frames have not been taken out of `server` yet.
        self._owed = 0
        self._held: Ask | None = None
        self._stalled = self._in_turn = self._scheduled = self._ended = False
        self._watch.readable(self._receive)
        self._timer = shared.loop.call_later(limits.handshake_s, self._still_silent)

    # what requests ask of their session

    @property
    def congested(self) -> bool:
        """Whether the client leaves so many replies unread that it gets no more."""
        if len(self._out) > self._most_unread:
            self._stalled = True
        return self._stalled

    def settle(self, request: Request, reply: m.Message) -> None:
        """The answer of a request; of one that is over already (a reset, the end) nothing."""
        if self._requests.get(request.tag) is not request:
            return
        del self._requests[request.tag]
        self.files.answered(request, reply)
        if isinstance(reply, m.Rerror):
            self.server.refuse(request.tag, reply.ename, reply.errno)
        else:
            self.server.answer(request.tag, reply)
        self._owed += 1
        self._schedule()

    def called(self, request: Request, call: Conversation) -> None:
        """A listen has got a call."""
        self.settle(request, self.files.called(request, call))

    def parked_reads(self, fid: int) -> int:
        """Treads of a fid that wait, without the one that asks."""
        reads = (isinstance(each.message, m.Tread) for each in self._requests.values()
                 if each.fid == fid)  # fmt: skip
        return sum(reads) - 1

    # the life of the session

    def leave(self) -> None:
        """End once no conversation is open here."""
        self.leaving = True
        self._schedule()

    def end(self) -> None:
        """End it now: its fids are clunked, its waiting Twrites dropped."""
        if self._ended:
            return
        self._ended = True
        self._timer.cancel()
        self._forget()
        self._send()
        self._watch.release()
        self._shared.draining.add(Draining(self._watch, _DRAIN_S, self._shared.draining.discard))
        self._over(self)

    def _receive(self) -> None:
        try:
            data = self._watch.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self.server.feed(data)
        self._turn()

    def _turn(self) -> None:
        """Everything that can be done now, then one send of what came of it."""
        self._scheduled = False
        if self._ended:
            return
        self._in_turn = True
        try:
            self._work()
        except (FrameError, DecodeError):
            self._shared.count("broken_sessions", 1)
            self._in_turn = False
            self.end()
            return
        self._in_turn = False
        self._send()
        if self.leaving and not self._out and not self.files.holds_conversations:
            self.end()
            return
        blocked = self.congested or self._held is not None
        self._watch.readable(None if blocked else self._receive)

    def _work(self) -> None:
        while not self._ended:
            if self._held is not None and not self._shared.questions.full and not self.congested:
                held, self._held = self._held, None
                self._ask(held)
            if not self._owed and (self.congested or self._held is not None):
                return
            event = self.server.next_event()
            match event:
                case None:
                    return
                case Send(frame):
                    self._owed = max(self._owed - 1, 0)
                    self._out += frame
                case Ask():
                    self._ask(event)
                case Withdraw(tag):
                    self._withdraw(self._requests[tag])
                case Reset():
                    self._forget()

    def _ask(self, ask: Ask) -> None:
        asks_python = self.files.asks_python(ask.message, ask.fid)
        if self._held is not None or (asks_python and self._shared.questions.full):
            self._held = ask
            self._shared.questions.when_room(self._turn)
            return
        fid = ask.fid.fid if ask.fid is not None else -1
        request = Request(self, ask.tag, fid, ask.message)
        if isinstance(ask.message, m.Tclunk | m.Tremove):
            self._interrupt(fid)
        self._requests[ask.tag] = request
        try:
            self.files.handle(request, ask.fid, self.server.dialect)
        except NetError as why:
            request.refuse(why)

    def _withdraw(self, request: Request) -> None:
        """A Tflush: undo it, or let the answer that it has earned go out first."""
        reply = request.withdraw()
        if reply is not None:
            self.settle(request, reply)
        elif self._requests.pop(request.tag, None) is not None:
            self.server.withdraw(request.tag)
            self._owed += 1

    def _interrupt(self, fid: int) -> None:
        """A clunk: what waits on the fid ends, but for Twrites on data, which go on."""
        for request in [each for each in self._requests.values() if each.fid == fid]:
            if isinstance(request.message, m.Twrite) and self.files.writes_data(fid):
                continue
            reply = request.withdraw()
            if reply is not None:
                request.answer(reply)
            else:
                request.refuse(refusal("INTERRUPTED"))

    def _forget(self) -> None:
        """A Tversion, or the end: nothing is answered any more and nothing stays open."""
        requests = list(self._requests.values())
        self._requests.clear()
        self._held = None
        for request in requests:
            request.withdraw()
        self.files.clunk_all()

    def _schedule(self) -> None:
        if not self._in_turn and not self._scheduled and not self._ended:
            self._scheduled = True
            self._shared.loop.call_soon(self._turn)

    def _send(self) -> None:
        try:
            while self._out:
                sent = self._watch.sock.send(self._out, socket.MSG_NOSIGNAL)
                del self._out[:sent]
        except BlockingIOError:
            if not self._ended:
                self._watch.writable(self._room)
        except OSError:
            self._out.clear()
            self._shared.loop.call_soon(self.end)
        else:
            self._watch.writable(None)
        if self._stalled and len(self._out) <= self._most_unread:
            self._stalled = False
            self.files.resume_reads()
            self._schedule()

    def _room(self) -> None:
        self._send()
        if not self._out:
            self._schedule()

    def _still_silent(self) -> None:
        if self.server.version is None:
            self.end()
