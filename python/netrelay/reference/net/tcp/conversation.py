"""One tcp conversation: its state, its socket, and what waits at it (ip(3), docs/tree.md 5).

After the last clunk what remains of the connection is closed in the background, under no number.
The words of a command were parsed in `ctl`.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.reference.net import binding, ctl
from netrelay.reference.net.address import NOWHERE, Address
from netrelay.reference.net.conversation import Conversation, State
from netrelay.reference.net.refusal import of_call, of_host, refusal
from netrelay.reference.net.tcp import sockets, status
from netrelay.reference.net.tcp.closing import Closing
from netrelay.reference.net.tcp.inbound import Inbound
from netrelay.reference.net.tcp.outbound import Outbound
from netrelay.reference.net.tcp.verbs import VERBS, Close, Keepalive, ShutdownWrite
from netrelay.reference.net.tuning import Tuning, tune
from netrelay.reference.net.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.request import Request, Write


_FROM_IDLE: Final = (ctl.Connect, ctl.Announce, ctl.Bind)
# The status word where the kernel has none to say.
_WORDS: Final = {
    State.IDLE: "Closed",
    State.CONNECTING: "Syn_sent",
    State.CONNECTED: "Established",
    State.ANNOUNCED: "Listen",
    State.HUNGUP: "Closed",
}


class TcpConversation(Conversation):
    """A numbered directory of `/net/tcp` in use."""

    IDLE = status.text("Closed")
    QUEUES = True
    MESSAGES = False

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self.failure: NetError | None = None
        self._watch: Watch | None = None
        self._inbound = Inbound(lambda count: around.count("bytes_down", count))
        self._outbound = self._new_outbound()
        self._listens: deque[Request] = deque()
        self._connecting: Request | None = None
        self._bound: Address | None = None
        self._bound_low = False
        self._tuning = Tuning()
        self._keepalive_ms = 0

    @staticmethod
    def stats(around: Surroundings, most: int) -> str:
        """The text of the protocol's stats."""
        return status.stats(most, around.sockets.proc("snmp"))

    def accept(self, sock: socket.socket) -> None:
        """Become the conversation of a call."""
        self._watch = Watch(self._around.loop, sock)
        self.state = State.CONNECTED
        self._local = binding.local_of(sock)
        self._remote = sockets.remote_of(sock) or NOWHERE
        self._around.note(self, "call", self._remote)

    # data

    def read(self, request: Request, count: int) -> None:
        """A Tread of data."""
        if self.state in {State.IDLE, State.ANNOUNCED}:
            request.refuse(refusal("HUNGUP"))
        elif not count:
            request.read(b"")
        else:
            self._inbound.park(request, count)
            self.serve_reads()

    def check_write(self) -> None:
        """Whether a Twrite of data may be made. Errors: `i/o on hungup channel`, or what failed."""
        if self.state is State.HUNGUP and self.failure is not None:
            raise self.failure
        open_state = self.state in {State.CONNECTING, State.CONNECTED}
        if not open_state or (self.state is State.CONNECTED and self._outbound.finishing):
            raise refusal("HUNGUP")

    def write(self, write: Write) -> None:
        """A Twrite of data that may be made; one of no byte does nothing."""
        if not write.data:
            write.request.answer(m.Rwrite(0))
            return
        self._outbound.add(write)
        if self.state is State.CONNECTED:
            self._serve_writes()

    def serve_reads(self) -> None:
        """Answer waiting Treads as far as the network and the clients allow."""
        if self.state is State.CONNECTING:
            return
        connected = self.state is State.CONNECTED or self.failure is not None
        sock = self._watch.sock if self._watch is not None and connected else None
        self._inbound.serve(sock, self.failure)
        if self.failure is None and isinstance(self._inbound.end, NetError):
            self._fail(self._inbound.end)
        self._await_input()

    # ctl

    def control(self, request: Request, line: bytes) -> None:
        """A Twrite of ctl, answered when the command is carried out.

        Errors: as listed in docs/tree.md.
        """
        command = ctl.parse(line, VERBS)
        if isinstance(command, _FROM_IDLE) and self.state is not State.IDLE:
            raise refusal("CONNECTION_IN_USE")
        if isinstance(command, Keepalive) and self.state is not State.CONNECTED:
            raise refusal("NOT_ESTABLISHED")
        match command:
            case ctl.Connect():
                self._connect(request, command)
                return
            case ctl.Announce(local, low):
                self._announce(local, restricted=low)
            case ctl.Bind(local, low):
                self._bind(local, restricted=low)
            case ctl.Hangup():
                self._hang_up()
            case Close():
                self._close()
            case ShutdownWrite():
                self._shutdown_write()
            case Keepalive(interval_ms):
                self._keepalive_ms = interval_ms
                self._host(lambda sock: sockets.keep_alive(sock, interval_ms))
            case ctl.Ttl(hops):
                self._tuning.ttl = hops
                self._host(lambda sock: tune(sock, self._tuning))
            case ctl.Tos(value):
                self._tuning.tos = value
                self._host(lambda sock: tune(sock, self._tuning))
            case ctl.IgnoreAdvice():
                pass
        request.answer(m.Rwrite(len(line)))

    def listen(self, request: Request) -> None:
        """A Topen of listen, answered with the conversation of a call by `called`.

        Errors: `not announced`.
        """
        if self.state is not State.ANNOUNCED:
            raise refusal("NOT_ANNOUNCED")
        self._listens.append(request)
        request.park(lambda: self._unlisten(request))
        self._take_calls()

    # status

    @property
    def status(self) -> str:
        """The text of status."""
        up = self._watch is not None and self.state is State.CONNECTED
        sock = self._watch.sock if up and self._watch is not None else None
        return status.text(_WORDS[self.state], sock=sock, keepalive_ms=self._keepalive_ms)

    # the end

    def release(self) -> None:
        """The last clunk: nobody holds it any more."""
        why = refusal("INTERRUPTED")
        self._note_end()
        self._inbound.refuse(why)
        while self._listens:
            self._listens.popleft().refuse(why)
        if self._connecting is not None:
            self._connecting.refuse(why)
            self._connecting = None
        watch, self._watch = self._watch, None
        if watch is not None and self.state is State.CONNECTED:
            watch.release()
            self._retire(watch, self._outbound)
            return
        if watch is not None:
            watch.close()
        self._outbound.refuse(refusal("HUNGUP"))

    def _connect(self, request: Request, command: ctl.Connect) -> None:
        self._around.check_dial(command.remote.ip)
        remote = Address(command.remote.ip, command.remote.port)
        local, low = command.local, command.restricted
        if local is None and self._bound is not None:
            local, low = self._bound, low or self._bound_low
        self._around.count("dials", 1)
        given = local is not None and (local.ip is not None or local.port != 0)
        try:
            sock = sockets.dial(self._around.sockets, remote, local, self._tuning, restricted=low)
        except OSError as err:
            self._connect_failed(remote, of_call(err.errno, local_given=given))
            if self.failure is None:
                raise
            raise self.failure from None
        self._watch = Watch(self._around.loop, sock)
        self.state = State.CONNECTING
        self._remote, self._local = remote, binding.local_of(sock)
        self._connecting = request
        request.park(self._give_up)
        self._watch.writable(lambda: self._settle(sock, local_given=given))

    def _settle(self, sock: socket.socket, *, local_given: bool) -> None:
        """The outcome of a connect is known."""
        request, self._connecting = self._connecting, None
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self._watch is not None:
            self._watch.writable(None)
        if request is None:
            return
        if number:
            why = of_call(number, local_given=local_given)
            self._connect_failed(self._remote, why)
            request.refuse(why)
            return
        self.state = State.CONNECTED
        self._around.note(self, "connect", self._remote)
        self._local = binding.local_of(sock)
        written = request.message.data if isinstance(request.message, m.Twrite) else b""
        request.answer(m.Rwrite(len(written)))
        self._serve_writes()
        self.serve_reads()

    def _connect_failed(self, remote: Address, why: NetError) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._remote = remote
        self._inbound.end = why
        self._fail(why)

    def _give_up(self) -> None:
        """The connect is withdrawn: the conversation is as it was before."""
        self._connecting = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._local = self._bound or NOWHERE
        self._remote = NOWHERE
        self.state = State.IDLE
        self._inbound.refuse(refusal("HUNGUP"))
        self._outbound.refuse(refusal("HUNGUP"))

    def _announce(self, local: Address, *, restricted: bool) -> None:
        try:
            sock = sockets.announce(
                self._around.sockets, local, self._tuning, restricted=restricted
            )
        except OSError as err:
            raise of_host(err.errno) from None
        self._watch = Watch(self._around.loop, sock)
        self._local = binding.local_of(sock)
        self.state = State.ANNOUNCED
        self._around.note(self, "announce", self._local)

    def _bind(self, local: Address, *, restricted: bool) -> None:
        try:
            sockets.probe(self._around.sockets, local, restricted=restricted)
        except OSError as err:
            raise of_host(err.errno) from None
        self._bound, self._bound_low = local, restricted
        self._local = local

    def _hang_up(self) -> None:
        self._inbound.hang_up(self._connection())
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.reset()
        self._outbound.refuse(refusal("HUNGUP"))
        self._become_hungup()

    def _close(self) -> None:
        if self.state is not State.CONNECTED:
            self._hang_up()
            return
        self._inbound.hang_up(self._connection())
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.release()
            outbound, self._outbound = self._outbound, self._new_outbound()
            self._retire(watch, outbound)
        self._become_hungup()

    def _retire(self, watch: Watch, outbound: Outbound) -> None:
        self._around.retire(lambda linger_s, over: Closing(watch, outbound, linger_s, over))

    def _become_hungup(self) -> None:
        self._note_end()
        self.state = State.HUNGUP
        if self._connecting is not None:
            self._connecting.refuse(refusal("HUNGUP"))
            self._connecting = None
        while self._listens:
            self._listens.popleft().refuse(refusal("LISTEN_HUNGUP"))
        self.serve_reads()

    def _note_end(self) -> None:
        """Tell the log that a call, or the taking of calls, is over."""
        if self.state in {State.CONNECTED, State.ANNOUNCED}:
            self._around.ended(self, self._remote)

    def _shutdown_write(self) -> None:
        if self.state is not State.CONNECTED:
            raise refusal("HUNGUP")
        self._outbound.finish()
        self._serve_writes()

    def _fail(self, why: NetError) -> None:
        """The connection failed: Twrites are refused, readers get what arrived and then `why`."""
        if self.failure is None:
            self.failure = why
        self._note_end()
        self.state = State.HUNGUP
        self._outbound.refuse(self.failure)
        self.serve_reads()

    def _serve_writes(self) -> None:
        if self._watch is None or self.state is not State.CONNECTED:
            return
        try:
            self._outbound.serve(self._watch.sock)
        except OSError as err:
            self._fail(of_host(err.errno))
            return
        self._await_room(waiting=bool(self._outbound.writes))

    def _await_room(self, *, waiting: bool) -> None:
        if self._watch is not None and self.state is State.CONNECTED:
            self._watch.writable(self._serve_writes if waiting else None)

    def _await_input(self) -> None:
        """Watch for input while a reader waits that reads its replies."""
        if self._watch is None or self.state not in {State.CONNECTED, State.HUNGUP}:
            return
        reads = self._inbound.reads
        wanted = bool(reads) and not reads[0][0].session.congested
        self._watch.readable(self.serve_reads if wanted else None)

    def _unlisten(self, request: Request) -> None:
        with contextlib.suppress(ValueError):  # it was answered a moment ago
            self._listens.remove(request)
        self._take_calls()

    def _take_calls(self) -> None:
        """Hand calls to the waiting listens in order; without a listen calls stay with the host."""
        while self._listens and self._watch is not None:
            request = self._listens[0]
            try:
                self._around.check_free(self)
                sock = sockets.accept(self._watch.sock)
            except BlockingIOError:
                break
            except NetError as err:
                self._listens.popleft().refuse(err)
                continue
            except OSError as err:
                self._listens.popleft().refuse(of_host(err.errno))
                continue
            self._listens.popleft()
            call = self._around.called(self)
            call.accept(sock)
            request.called(call)
        if self._watch is not None:
            self._watch.readable(self._take_calls if self._listens else None)

    def _connection(self) -> socket.socket | None:
        """The socket, if it is a connection's."""
        up = self._watch is not None and self.state is State.CONNECTED
        return self._watch.sock if up and self._watch is not None else None

    def _host(self, act: Callable[[socket.socket], None]) -> None:
        if self._watch is None:
            return
        try:
            act(self._watch.sock)
        except OSError as err:
            raise of_host(err.errno) from None

    def _new_outbound(self) -> Outbound:
        outbound = Outbound(lambda count: self._around.count("bytes_up", count))
        outbound.waits = self._await_room
        return outbound
