"""A conversation that keeps messages apart, whatever its protocol (ip(3), docs/tree.md 10).

States, waiting Treads, the end and what ICMP says are here. A protocol says how its sockets are
made, what a packet is to a reader, how one is sent, and which verbs it has of its own. What ICMP
has said is found out whenever it matters: by a Tread, a Twrite, or a look at the status.
"""

from __future__ import annotations

import contextlib
import errno
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.reference.net import binding, ctl
from netrelay.reference.net.address import NOWHERE, Address
from netrelay.reference.net.conversation import Conversation, State
from netrelay.reference.net.packets import advice, sockets
from netrelay.reference.net.packets.packet import receive
from netrelay.reference.net.packets.reads import Reads
from netrelay.reference.net.refusal import of_call, of_host, refusal
from netrelay.reference.net.sockets import qin, qout
from netrelay.reference.net.tuning import Tuning
from netrelay.reference.net.watch import Watch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.request import Request, Write

_FROM_IDLE: Final = (ctl.Connect, ctl.Announce, ctl.Bind)
_OPEN: Final = frozenset({State.CONNECTED, State.ANNOUNCED})
# The host's queue is full: the packet is lost as it may be lost anywhere.
_NO_ROOM: Final = frozenset({errno.EAGAIN, errno.ENOBUFS})
_ZEROS: Final = 3
# Packets for nobody that are passed over before others have their turn.
_TURN: Final = 256


class PacketConversation(Conversation):
    """A numbered directory, in use, of a protocol of packets."""

    IDLE = "Closed qin 0 qout 0\n"
    QUEUES = False
    MESSAGES = True
    # The verbs of its own, which `_own` carries out.
    VERBS: ClassVar[ctl.Verbs] = {}
    # The refusal of a verb that it does not have.
    UNKNOWN: ClassVar[str] = "UNKNOWN_CONTROL"

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self._watch: Watch | None = None
        self._reads = Reads()
        self._serving = False
        # Packets that are no longer the host's and belong to readers.
        self._arrived: deque[Packet] = deque()
        self._listens: deque[Request] = deque()
        self._failure: NetError | None = None
        self._zeros = _ZEROS
        self._bound: Address | None = None
        self._bound_low = False
        self._tuning = Tuning()
        self._ignores_advice = False
        # What the host has said so far of packets that it had no room for.
        self._lost = 0
        # When a packet was last read or written.
        self._used = around.loop.time()

    # what a protocol says

    @abstractmethod
    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        """A socket for packets to and from `remote`. Errors: OSError."""

    @abstractmethod
    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        """A socket for packets to `local`. Errors: OSError."""

    @abstractmethod
    def _probe(self, local: Address, *, restricted: bool) -> None:
        """Check that `local` may be bound. Errors: OSError."""

    @abstractmethod
    def _text(self, packet: Packet) -> bytes | None:
        """What a Tread gets of a packet; none if the packet is not for this conversation."""

    @abstractmethod
    def _send(self, sock: socket.socket, data: bytes) -> bool:
        """Send what was written; false if it is no packet and is dropped.

        Errors: OSError, or a refusal.
        """

    def _check(self, command: ctl.Command) -> None:
        """Whether a command that parses makes sense. Errors: what it is refused with."""

    def _permit(self) -> None:
        """Whether the operator lets it connect and announce. Errors: `permission denied`."""

    def _name(self, sock: socket.socket) -> Address:
        """The local end."""
        return binding.local_of(sock)

    def _receive(self, sock: socket.socket) -> Packet:
        """The next packet that the host has. Errors: OSError."""
        return receive(sock)

    def _unread(self, sock: socket.socket) -> int:
        """Bytes that a Tread would get of the next packet that the host has."""
        return qin(sock)

    def _sent(self, _quoted: bytes, _to: Ip | None) -> bool:
        """Whether a packet that ICMP quotes, and its destination, was this conversation's."""
        return True

    @property
    def _word(self) -> str:
        """The first word of status."""
        return "Closed" if self._watch is None else "Open"

    def _own(self, command: ctl.Command) -> None:
        """Carry out a command of the protocol's own. Errors: as listed in docs/tree.md."""

    def _serve_listens(self) -> None:
        """Answer the waiting listens, if the protocol has calls."""

    @property
    def _carries(self) -> bool:
        """Whether packets come through data."""
        return self.state in _OPEN

    @property
    def _sends(self) -> bool:
        """Whether they go through it."""
        return self._carries

    @property
    def _deaf(self) -> bool:
        """Whether nothing will ever come, though it is not over."""
        return False

    # data

    def read(self, request: Request, count: int) -> None:
        """A Tread of data."""
        if self.state is State.IDLE:
            request.refuse(refusal("HUNGUP"))
        elif not count:
            request.read(b"")
        else:
            self._reads.park(request, count)
            self.serve_reads()

    def serve_reads(self) -> None:
        """Answer waiting Treads as far as packets and the clients allow."""
        if self._serving:  # advice has come between two packets: its end is seen there
            return
        self._serving = True
        while self._reads.ready:
            reply = self._next()
            if reply is None:
                break
            self._around.count("bytes_down", self._reads.answer(reply))
        self._serving = False
        self._await_input()

    def check_write(self) -> None:
        """Whether a Twrite of data may be made.

        Errors: `i/o on hungup channel`, or what has ended the conversation.
        """
        self._heed_advice()
        if self._failure is not None:
            raise self._failure
        if self._watch is None or not self._sends:
            raise refusal("HUNGUP")

    def write(self, write: Write) -> None:
        """A Twrite of data that may be made. Errors: what it is refused with."""
        if self._watch is None:
            raise refusal("HUNGUP")
        data = bytes(write.data)
        self._used = self._around.loop.time()
        try:
            sent = self._send_once_more(self._watch.sock, data)
        except NetError:
            raise
        except OSError as err:
            if err.errno == errno.EMSGSIZE:
                raise refusal("TOO_LARGE") from None
            if err.errno not in _NO_ROOM:
                raise of_host(err.errno) from None
            sent = False
        if sent:
            self._around.count("bytes_up", len(data))
        else:
            self._around.count("dropped", 1)
        write.request.answer(m.Rwrite(len(data)))

    # ctl

    def control(self, request: Request, line: bytes) -> None:
        """A Twrite of ctl, carried out at once. Errors: as listed in docs/tree.md."""
        command = ctl.parse(line, self.VERBS, self.UNKNOWN)
        self._check(command)
        self._heed_advice()
        if isinstance(command, _FROM_IDLE) and self.state is not State.IDLE:
            raise refusal("CONNECTION_IN_USE")
        match command:
            case ctl.Connect():
                self._connect(command)
            case ctl.Announce(local, low):
                self._announce(local, restricted=low)
            case ctl.Bind(local, low):
                self._bind(local, restricted=low)
            case ctl.Hangup():
                self._end(None)
            case ctl.Ttl(hops):
                self._tuning.ttl = hops
                self._tune()
            case ctl.Tos(value):
                self._tuning.tos = value
                self._tune()
            case ctl.IgnoreAdvice():
                self._ignores_advice = True
            case _:
                self._own(command)
        request.answer(m.Rwrite(len(line)))

    def listen(self, request: Request) -> None:
        """A Topen of listen. Errors: `not announced`."""
        if self.state is not State.ANNOUNCED:
            raise refusal("NOT_ANNOUNCED")
        self._listens.append(request)
        request.park(lambda: self._unlisten(request))
        self._serve_listens()

    # status

    @property
    def status(self) -> str:
        """The text of status."""
        # Advice that is found now ends it.
        queues = self._queues
        return f"{self._word} {queues}\n"

    @property
    def _queues(self) -> str:
        """The next packet's bytes, and those that have not left."""
        self._heed_advice()
        if self._watch is None:
            return "qin 0 qout 0"
        ahead = self._ahead
        arrived = len(ahead[0].data) if ahead else self._unread(self._watch.sock)
        return f"qin {arrived} qout {qout(self._watch.sock)}"

    @property
    def _ahead(self) -> deque[Packet]:
        """Packets ahead of those that the host has."""
        return self._arrived

    # the end

    def release(self) -> None:
        """The last clunk: nobody holds it any more."""
        self._note_end()
        self._close()
        self._reads.refuse(refusal("INTERRUPTED"))
        self._refuse_listens("INTERRUPTED")

    def _end(self, why: NetError | None) -> None:
        """No more packets: readers get what has arrived, and then `why`, or the end of file."""
        if self.state is State.HUNGUP:
            return
        if self._watch is not None and self._carries:
            self._arrived.extend(sockets.drain(self._watch.sock, take=self._receive))
        self._note_end()
        self._close()
        self.state, self._failure = State.HUNGUP, why
        self._refuse_listens("LISTEN_HUNGUP")
        self.serve_reads()

    def _close(self) -> None:
        """Give the socket up."""
        watch, self._watch = self._watch, None
        if watch is not None:
            self._count_lost(sockets.lost(watch.sock))
            watch.close()

    def _note_end(self) -> None:
        if self.state in _OPEN:
            self._around.ended(self, self._remote)

    def _refuse_listens(self, name: str) -> None:
        while self._listens:
            self._listens.popleft().refuse(refusal(name))

    def _unlisten(self, request: Request) -> None:
        with contextlib.suppress(ValueError):  # it was answered a moment ago
            self._listens.remove(request)
        self._serve_listens()

    # what commands do

    def _connect(self, command: ctl.Connect) -> None:
        remote = Address(command.remote.ip, command.remote.port)
        self._permit()
        self._around.check_dial(command.remote.ip)
        local, low = command.local, command.restricted
        if local is None and self._bound is not None:
            local, low = self._bound, low or self._bound_low
        given = local is not None and (local.ip is not None or local.port != 0)
        self._dialled(remote, lambda: self._dial(remote, local, restricted=low), given=given)

    def _dialled(
        self, remote: Address, dial: Callable[[], socket.socket], *, given: bool = False
    ) -> None:
        """Connect by the socket that `dial` makes; `given` tells whether a local end was."""
        self._around.count("dials", 1)
        try:
            sock = dial()
        except OSError as err:
            why = err if isinstance(err, NetError) else of_call(err.errno, local_given=given)
            self._remote = remote
            self._end(why)
            raise why from None
        self._opened(sock, State.CONNECTED, sockets.peer_of(sock) or remote)
        self._around.note(self, "connect", self._remote)

    def _announce(self, local: Address, *, restricted: bool) -> None:
        self._permit()
        try:
            sock = self._announced(local, restricted=restricted)
        except NetError:
            raise
        except OSError as err:
            raise of_host(err.errno) from None
        self._opened(sock, State.ANNOUNCED, NOWHERE)
        self._around.note(self, "announce", self._local)

    def _opened(self, sock: socket.socket, state: State, remote: Address) -> None:
        """The socket is there."""
        self._watch = Watch(self._around.loop, sock)
        self._local, self._remote = self._name(sock), remote
        self.state = state

    def _bind(self, local: Address, *, restricted: bool) -> None:
        try:
            self._probe(local, restricted=restricted)
        except OSError as err:
            raise of_host(err.errno) from None
        self._bound, self._bound_low = local, restricted
        self._local = local

    def _tune(self) -> None:
        if self._watch is None:
            return
        try:
            sockets.tune(self._watch.sock, self._tuning)
        except OSError as err:
            raise of_host(err.errno) from None

    # packets

    def _next(self) -> bytes | NetError | None:
        """What the next Tread gets; none if it has to wait."""
        strangers = 0
        while (packet := self._take()) is not None:
            text = self._text(packet)
            if text is not None:
                self._used = self._around.loop.time()
                return text
            strangers += 1
            # The watch comes back for the rest, behind others.
            if strangers == _TURN and self._watch is not None:
                return None
        if self.state is not State.HUNGUP and not self._deaf:
            return None
        if self._failure is None and self._zeros:
            self._zeros -= 1
            return b""
        return self._failure or refusal("HUNGUP")

    def _take(self) -> Packet | None:
        """The next packet of all, if there is one."""
        while not self._arrived and self._watch is not None and self._carries:
            try:
                packet = self._receive(self._watch.sock)
            except BlockingIOError:
                break
            except OSError as err:
                if self._heed_advice(err):
                    continue
                break
            self._count_lost(packet.lost)
            self._arrived.append(packet)
        return self._arrived.popleft() if self._arrived else None

    def _send_once_more(self, sock: socket.socket, data: bytes) -> bool:
        """Send; what fails because of advice that is ignored is sent again. Errors: as `_send`."""
        try:
            return self._send(sock, data)
        except NetError:
            raise
        except OSError as err:
            if not self._heed_advice(err):
                raise
        if self._failure is not None:
            raise self._failure
        return self._send(sock, data)

    def _heed_advice(self, err: OSError | None = None) -> bool:
        """Find out what ICMP has said, and end if it is advice; whether it had said anything.

        `err` is what a call failed with: where the host had no room to keep the rest, ICMP's
        refusal of a port is known by that alone.
        """
        if self._watch is None or self.state is not State.CONNECTED:
            return False
        why, told = advice.take(self._watch.sock, self._sent)
        if not told and err is not None and err.errno == errno.ECONNREFUSED:
            why, told = refusal("PORT_UNREACHABLE"), True
        if why is not None and not self._ignores_advice:
            self._end(why)
        return told

    def _await_input(self) -> None:
        """Watch for packets while a reader waits that reads its replies."""
        if self._watch is not None:
            wanted = self._carries and self._reads.ready
            self._watch.readable(self.serve_reads if wanted else None)

    def _count_lost(self, lost: int) -> None:
        """`lost` packets in all found no room at the socket."""
        if lost > self._lost:
            self._around.count("dropped", lost - self._lost)
            self._lost = lost
