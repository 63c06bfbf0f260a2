"""One il conversation: its state, its end, and what waits at it (ip(3), docs/il.md 10).

The protocol is the machine's; a conversation waits for its outcome, hands messages to readers and
takes them from writers. After the last clunk what remains is closed in the background, under no
number.
"""

from __future__ import annotations

import contextlib
from collections import deque
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, cast

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.il import ports, sockets
from netrelay.il.calls import Calls
from netrelay.il.end import End
from netrelay.il.machine import MAX_MESSAGE
from netrelay.reference.il import Il
from netrelay.reference.il.status import State as Word
from netrelay.reference.il.status import Status
from netrelay.reference.il.timing import Timing
from netrelay.reference.net import ctl
from netrelay.reference.net.address import NOWHERE, Address, Ip
from netrelay.reference.net.conversation import Conversation, State
from netrelay.reference.net.il.closing import Closing
from netrelay.reference.net.il.verbs import VERBS, ConnectFast, Keepalive
from netrelay.reference.net.il.writes import Writes
from netrelay.reference.net.packets import advice
from netrelay.reference.net.packets.reads import Reads
from netrelay.reference.net.refusal import of_call, of_host, refusal
from netrelay.reference.net.tuning import Tuning, tune
from netrelay.types import IlClosed, IlConnected, IlMessage

if TYPE_CHECKING:
    import socket

    from netrelay.il.sockets import Ends
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.request import Request, Write

GRANT: Final = "il"
_FROM_IDLE: Final = (ctl.Connect, ConnectFast, ctl.Announce, ctl.Bind)
_ZEROS: Final = 3
# Before anything was learned.
_LISTENING: Final = Status(Word.LISTEN, 0, 0, *Timing().learned())


class IlConversation(Conversation):
    """A numbered directory of `/net/il` in use."""

    IDLE = Status().line()
    QUEUES = True
    MESSAGES = True

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self._end: End | None = None
        # That of the end, which is asked for its status even when it is closing.
        self._machine: Il | None = None
        self._calls: Calls | None = None
        self._connecting: Request | None = None
        self._reads = Reads()
        self._writes = self._new_writes()
        self._listens: deque[Request] = deque()
        # Messages that are no longer the machine's, the first may have been read in part.
        self._arrived: deque[bytes] = deque()
        self._failure: NetError | None = None
        self._zeros = _ZEROS
        self._bound: Address | None = None
        self._bound_low = False
        self._tuning = Tuning()
        self._ignores_advice = False

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats, which don't tell the limit."""
        return around.il_totals.text()

    # data

    def read(self, request: Request, count: int) -> None:
        """A Tread of data."""
        if self.state in {State.IDLE, State.ANNOUNCED}:
            request.refuse(refusal("HUNGUP"))
        elif not count:
            request.read(b"")
        else:
            self._reads.park(request, count)
            self.serve_reads()

    def serve_reads(self) -> None:
        """Answer waiting Treads as far as messages and the clients allow."""
        while self._reads.ready:
            reply = self._next()
            if reply is None:
                return
            got = self._reads.answer(reply)
            self._around.count("bytes_down", got)
            if isinstance(reply, bytes) and got < len(reply):
                self._arrived.appendleft(reply[got:])

    def check_write(self) -> None:
        """Whether a Twrite of data may be made. Errors: `i/o on hungup channel`, or what failed."""
        if self._failure is not None:
            raise self._failure
        if self.state not in {State.CONNECTING, State.CONNECTED}:
            raise refusal("HUNGUP")

    def write(self, write: Write) -> None:
        """A Twrite of data that may be made: one message. Errors: `read or write too large`."""
        if len(write.data) > MAX_MESSAGE:
            raise refusal("TOO_LARGE")
        self._writes.add(write)
        self._serve_writes()

    # ctl

    def control(self, request: Request, line: bytes) -> None:
        """A Twrite of ctl, answered when the command is carried out.

        Errors: as listed in docs/il.md.
        """
        command = ctl.parse(line, VERBS)
        if isinstance(command, _FROM_IDLE) and self.state is not State.IDLE:
            raise refusal("CONNECTION_IN_USE")
        match command:
            case ctl.Connect():
                self._connect(request, command, fast=False)
                return
            case ConnectFast(call):
                self._connect(request, call, fast=True)
                return
            case ctl.Announce(local, low):
                self._announce(local, restricted=low)
            case ctl.Bind(local, low):
                self._bind(local, restricted=low)
            case ctl.Hangup():
                self._hang_up()
            case Keepalive():
                if self.state is not State.CONNECTED:
                    raise refusal("NOT_ESTABLISHED")
            case ctl.Ttl(hops):
                self._tuning.ttl = hops
                self._tune()
            case ctl.Tos(value):
                self._tuning.tos = value
                self._tune()
            case ctl.IgnoreAdvice():
                self._ignores_advice = True
        request.answer(m.Rwrite(len(line)))

    def listen(self, request: Request) -> None:
        """A Topen of listen. Errors: `not announced`."""
        if self.state is not State.ANNOUNCED:
            raise refusal("NOT_ANNOUNCED")
        self._listens.append(request)
        request.park(lambda: self._unlisten(request))
        self._take_calls()

    # status

    @property
    def status(self) -> str:
        """The text of status."""
        if self.state is State.ANNOUNCED:
            return _LISTENING.line()
        standing = self._machine.standing() if self._machine is not None else Status()
        return standing._replace(qin=standing.qin + sum(map(len, self._arrived))).line()

    # the end

    def release(self) -> None:
        """The last clunk: nobody holds it any more."""
        why = refusal("INTERRUPTED")
        self._note_end()
        self._reads.refuse(why)
        self._refuse_listens(why)
        if self._connecting is not None:
            self._connecting.refuse(why)
            self._connecting = None
            self._writes.refuse(refusal("HUNGUP"))
        self._retire()
        self._stop_calls()

    def accept(self, end: End, ends: Ends, port: int) -> None:
        """Become the conversation of a call."""
        self._begin(end)
        self.state = State.CONNECTED
        self._local, self._remote = (
            Address(ends.local, port), Address(ends.remote, ends.remote_port),
        )  # fmt: skip
        self._around.note(self, "call", self._remote)

    # what commands do

    def _connect(self, request: Request, command: ctl.Connect, *, fast: bool) -> None:
        self._around.check_grant(GRANT)
        self._around.check_dial(command.remote.ip)
        remote = Address(command.remote.ip, command.remote.port)
        local, low = command.local, command.restricted
        if local is None and self._bound is not None:
            local, low = self._bound, low or self._bound_low
        self._around.count("dials", 1)
        self._remote = remote
        try:
            end = self._dial(remote, local, fast=fast, restricted=low)
        except OSError as err:
            given = local is not None and (local.ip is not None or local.port != 0)
            why = err if isinstance(err, NetError) else of_call(err.errno, local_given=given)
            self._finish(why)
            raise why from None
        self.state = State.CONNECTING
        self._connecting = request
        request.park(self._give_up)
        self._begin(end)

    def _dial(self, remote: Address, local: Address | None, *, fast: bool, restricted: bool) -> End:
        local = self._around.sockets.local(local, remote.ip) or NOWHERE
        to, here = _four(remote.ip), _four(local.ip) if local.ip is not None else None
        port = ports.hold(self._around.sockets, local.port, restricted=restricted)
        try:
            sock = sockets.connected(self._around.sockets, here, port.number, to, remote.port)
        except OSError:
            port.release()
            raise
        self._local = Address(sockets.local_of(sock), port.number)
        loop, heed = self._around.loop, self._heed
        end = End.call(loop, sock, port, remote.port, Il, advice=heed, fast=fast)
        self._tune_end(end)
        return end

    def _announce(self, local: Address, *, restricted: bool) -> None:
        self._around.check_grant(GRANT)
        stack = self._around.sockets
        try:
            local = stack.local(local) or local
            here = _four(local.ip) if local.ip is not None else None
            port = ports.hold(stack, local.port, restricted=restricted)
            try:
                self._calls = Calls(
                    self._around.loop,
                    stack,
                    Il,
                    local=here,
                    port=port,
                    advice=self._heed,
                    woken=self._take_calls,
                )
            except OSError:
                port.release()
                raise
        except NetError:
            raise
        except OSError as err:
            raise of_host(err.errno) from None
        with contextlib.suppress(NetError):
            self._tune_socket(self._calls.sock)
        self._local = Address(local.ip, port.number)
        self.state = State.ANNOUNCED
        self._around.note(self, "announce", self._local)

    def _bind(self, local: Address, *, restricted: bool) -> None:
        self._around.check_grant(GRANT)
        stack = self._around.sockets
        try:
            local = stack.local(local) or local
            sockets.check_local(stack, _four(local.ip) if local.ip is not None else None)
            ports.hold(stack, local.port, restricted=restricted).release()
        except NetError:
            raise
        except OSError as err:
            raise of_host(err.errno) from None
        self._bound, self._bound_low = local, restricted
        self._local = local

    def _hang_up(self) -> None:
        if self._over:
            return
        if self._connecting is not None:
            self._connecting.refuse(refusal("HUNGUP"))
            self._connecting = None
        self._collect()
        if not self._over:
            self._finish(None)

    def _tune(self) -> None:
        if self._calls is not None:
            self._tune_socket(self._calls.sock)
        elif self._end is not None and not self._end.gone:
            self._tune_socket(self._end.sock)

    def _tune_socket(self, sock: socket.socket) -> None:
        try:
            tune(sock, self._tuning)
        except OSError as err:
            raise of_host(err.errno) from None

    # what happens

    def _begin(self, end: End) -> None:
        self._end, self._machine = end, cast("Il", end.machine)
        machine, over = end.machine, end.over
        self._around.il_totals.begin(machine)

        def gone() -> None:
            self._around.il_totals.end(machine)
            over()

        end.over = gone
        end.woken = self._woken
        self._woken()

    def _woken(self) -> None:
        """Packets have come, or a timer has run out."""
        if self.state is State.CONNECTING:
            self._settle()
        if self.state is State.CONNECTED and self._end is not None:
            self._serve_writes()
            if not self._end.live:
                self._collect()
            self.serve_reads()

    def _settle(self) -> None:
        """The outcome of a connect may be known."""
        event = self._end.next() if self._end is not None else None
        request = self._connecting
        if event is None or request is None:
            return
        self._connecting = None
        if isinstance(event, IlConnected):
            self.state = State.CONNECTED
            self._around.note(self, "connect", self._remote)
            written = request.message.data if isinstance(request.message, m.Twrite) else b""
            request.answer(m.Rwrite(len(written)))
        else:
            reason = event.reason if isinstance(event, IlClosed) else None
            why = NetError(reason) if reason is not None else refusal("HUNGUP")
            self._finish(why)
            request.refuse(why)

    def _next(self) -> bytes | NetError | None:
        """What the next Tread gets; none if it has to wait."""
        while not self._arrived and self.state is State.CONNECTED and self._end is not None:
            event = self._end.next()
            if event is None:
                return None
            self._take(event)
        if self._arrived:
            return self._arrived.popleft()
        if self.state is not State.HUNGUP:
            return None
        if self._failure is None and self._zeros:
            self._zeros -= 1
            return b""
        return self._failure or refusal("HUNGUP")

    def _collect(self) -> None:
        """Take all that has happened: it is over, or will be."""
        while self.state is State.CONNECTED and self._end is not None:
            event = self._end.next()
            if event is None:
                return
            self._take(event)

    def _take(self, event: IlConnected | IlMessage | IlClosed) -> None:
        match event:
            case IlMessage(data):
                self._arrived.append(data)
            case IlClosed(reason):
                self._finish(NetError(reason) if reason is not None else None)

    def _serve_writes(self) -> None:
        if self._end is None or self.state is not State.CONNECTED:
            return
        # Of one that is over the refusals come with the end.
        with contextlib.suppress(NetError):
            self._writes.serve(self._end)

    def _give_up(self) -> None:
        """The connect is withdrawn: the conversation is as it was before."""
        self._connecting = None
        self._retire()
        self._machine = None
        self._local, self._remote = self._bound or NOWHERE, NOWHERE
        self.state = State.IDLE
        self._reads.refuse(refusal("HUNGUP"))

    def _finish(self, why: NetError | None) -> None:
        """It is over: readers get what has arrived, and then `why`, or the end of file."""
        self._note_end()
        self.state, self._failure = State.HUNGUP, why
        self._writes.refuse(why or refusal("HUNGUP"))
        self._retire()
        self._refuse_listens(refusal("LISTEN_HUNGUP"))
        self._stop_calls()
        self.serve_reads()

    def _retire(self) -> None:
        """Part with the end, which goes on by itself as long as it has to."""
        end, self._end = self._end, None
        writes, self._writes = self._writes, self._new_writes()
        machine = self._machine
        if end is None or end.gone or machine is None:
            writes.refuse(refusal("HUNGUP"))
            return
        around = self._around
        around.retire(
            lambda linger_s, over: Closing(
                around.loop,
                end,
                writes,
                unacked=lambda: machine.standing().unacked,
                linger_s=linger_s,
                over=over,
            )
        )

    def _stop_calls(self) -> None:
        calls, self._calls = self._calls, None
        if calls is not None:
            calls.close()

    @property
    def _over(self) -> bool:
        return self.state is State.HUNGUP

    def _note_end(self) -> None:
        if self.state in {State.CONNECTED, State.ANNOUNCED}:
            self._around.ended(self, self._remote)

    def _refuse_listens(self, why: NetError) -> None:
        while self._listens:
            self._listens.popleft().refuse(why)

    def _unlisten(self, request: Request) -> None:
        with contextlib.suppress(ValueError):  # it was answered a moment ago
            self._listens.remove(request)

    def _take_calls(self) -> None:
        """Hand calls to the waiting listens in order."""
        while self._listens and self._calls is not None and self._calls.any:
            try:
                self._around.check_free(self)
                taken = self._calls.take(self._tune_end)
            except NetError as why:
                self._listens.popleft().refuse(why)
                continue
            except OSError as err:
                self._listens.popleft().refuse(of_host(err.errno))
                continue
            if taken is not None:
                request = self._listens.popleft()
                call = self._around.called(self)
                call.accept(taken[1], taken[0], self._calls.port.number)
                request.called(call)

    def _tune_end(self, end: End) -> None:
        with contextlib.suppress(NetError):
            self._tune_socket(end.sock)

    def _heed(self, sock: socket.socket, err: OSError) -> str | None:
        """What a call ends with, by the host's word or by what ICMP said."""
        why, told = advice.take(sock, lambda _quoted, _to: True)
        if why is None and not told:
            why = of_host(err.errno)
        return None if why is None or self._ignores_advice else why.text

    def _new_writes(self) -> Writes:
        return Writes(lambda count: self._around.count("bytes_up", count))


def _four(ip: Ip | None) -> IPv4Address:
    """Errors: `only IP version 4 supported`."""
    if not isinstance(ip, IPv4Address):
        raise refusal("IP_FOUR_ONLY")
    return ip
