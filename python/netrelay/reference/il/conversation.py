"""One end of a conversation: what was said, what is due, and what the other side may say next.

The rules are the original's (docs/il.md lists them, and where we differ). Nothing is retransmitted
blindly: when an acknowledgement is late the other side is asked what it has, and only what its
answer lacks is sent again. Packets leave through a short queue in the order in which they were
caused; their headers are written when they leave, so that each carries the newest acknowledgement.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple, Self

from netrelay.errors import CATALOGUE, NetError
from netrelay.il.machine import MAX_MESSAGE
from netrelay.reference.il import packet as il
from netrelay.reference.il.packet import Packet
from netrelay.reference.il.received import Placed, Received
from netrelay.reference.il.sent import WINDOW, Sent
from netrelay.reference.il.status import COUNTERS, State, Status
from netrelay.reference.il.timing import ACK_DELAY, TICK, Timing
from netrelay.types import IlClosed, IlConnected, IlEvent, IlMessage

MAX_REXMIT: Final = 16
QUERY_TIME: Final = 10_000
DEATH_TIME: Final = 30 * QUERY_TIME
_REJECTED, _REMOTE_CLOSE, _TIMED_OUT = (
    CATALOGUE[name][0] for name in ("CONNECTION_REJECTED", "REMOTE_CLOSE", "TIMED_OUT")
)
# Packets that wait to be sent: every message of a window once, and as many answers.
_OUT: Final = 2 * WINDOW


class _Outgoing(NamedTuple):
    """A packet to send; `ack` is what it acknowledges, unless that is the newest message."""

    kind: int
    spec: int
    id: int
    ack: int | None


class Conversation:
    """One end of a conversation; made by `connect`, `connect_fast` or `answer`.

    Times are milliseconds since an epoch of the caller's and never go back. After every call: send
    what `poll_transmit` gives, look at `poll_event`, and come back at `poll_timeout`.
    """

    def __init__(self, state: State, now: int, local: int, remote: int, start: int) -> None:
        self._state = state
        self._local, self._remote = local, remote
        # Our first id, and the other side's.
        self._start, self._remote_start = start, 0
        self._sent = Sent((start + 1) % (1 << 32))
        self._received = Received()
        self._timing = Timing()
        self._out: deque[_Outgoing] = deque()
        # A call that is given up if it is not answered at once.
        self._hasty = False
        # We have closed, and wait for what was sent before to arrive.
        self._draining = False
        self._connected = False
        # The last event, when it is due, and whether there is one or was.
        self._end: IlClosed | None = None
        self._ended = False
        # When a packet last came, when to ask for one, and when to ask again or give up.
        self._heard = now
        self._query_at = now + QUERY_TIME
        # When to acknowledge, and how many messages.
        self._ack_at: int | None = None
        self._owed = 0
        # How many waits lengthen the next; questions without any answer; times that the oldest
        # message was sent again.
        self._backoff = self._unanswered = self._tries = 0
        self._rexmits = self._queries = 0
        self._stats = dict.fromkeys(COUNTERS, 0)
        self._timeout = 0
        self._wait(now)

    @classmethod
    def connect(cls, now: int, local: int, remote: int, start: int) -> Self:
        """Call port `remote` from port `local`; `start` is our first id."""
        call = cls(State.SYNCER, now, local, remote, start)
        call._push(il.SYNC)
        return call

    @classmethod
    def connect_fast(cls, now: int, local: int, remote: int, start: int) -> Self:
        """The same in a hurry (`!fasttimeout`): tries again every tick, five times at most."""
        call = cls.connect(now, local, remote, start)
        call._hasty = True
        call._unanswered = MAX_REXMIT - 4
        call._timeout = now + TICK
        return call

    @classmethod
    def answer(cls, now: int, sync: Packet, start: int) -> Self | None:
        """Answer a call: a packet for an announced port that no conversation owns."""
        if sync.kind != il.SYNC or sync.ack != 0:
            return None
        answer = cls(State.SYNCEE, now, sync.dst, sync.src, start)
        answer._remote_start = answer._received.last = sync.id
        answer.take(now, sync)
        return answer

    def take(self, now: int, packet: Packet) -> None:
        """A packet that came, whole and sound; one of another conversation means nothing."""
        ours = packet.src == self._remote and packet.dst == self._local
        if not ours or self._state is State.CLOSED:
            return
        self._heard = now
        self._query_at = now + QUERY_TIME
        self._stats["InMsgs"] += 1
        match self._state:
            case State.SYNCER:
                self._in_syncer(packet)
            case State.SYNCEE:
                self._in_syncee(now, packet)
            case State.ESTABLISHED:
                self._in_established(now, packet)
            case State.CLOSING:
                self._in_closing(packet)

    def send(self, now: int, message: bytes) -> bool:
        """Send a message, which may be empty; false if not now, see `room`.

        Errors: `NetError` if it is too long, or the conversation is over or will be.
        """
        if len(message) > MAX_MESSAGE:
            raise NetError(*CATALOGUE["TOO_LARGE"])
        if self._draining or self._state in {State.CLOSING, State.CLOSED}:
            raise NetError(*CATALOGUE["HUNGUP"])
        if self.room() == 0:
            return False
        number, size = self._sent.push(bytes(message))
        self._timing.sending(now, number, size)
        if len(self._sent) == 1:
            self._wait(now)
        self._enqueue(_Outgoing(il.DATA, 0, number, None))
        self._stats["OutMsgs"] += 1
        return True

    def room(self) -> int:
        """How many messages `send` would take now."""
        able = self._state is State.ESTABLISHED and not self._draining
        return WINDOW - len(self._sent) if able else 0

    def close(self, now: int) -> None:
        """End the conversation once what was sent has arrived; what nobody has read is lost."""
        self._received.deafen()
        if self._state in {State.SYNCER, State.SYNCEE}:
            self._begin_closing(now)
        elif self._state is State.ESTABLISHED:
            self._draining = True
            self._finish_draining(now)

    def advise(self, reason: str) -> None:
        """The host says that the other side can't be reached; a call ends with that text.

        Nothing else does, as anyone can say so.
        """
        if self._state is State.SYNCER:
            self._hangup(reason)

    def poll_transmit(self) -> bytes | None:
        """The next packet to send, if any; ask until there is none."""
        while self._out:
            kind, spec, number, ack = self._out.popleft()
            message: bytes | None = b""
            if kind in {il.DATA, il.DATAQUERY}:
                message = self._sent.message(number)
            if message is None:
                # It has been acknowledged meanwhile.
                continue
            if ack is None:
                self._owed, self._ack_at = 0, None
                ack = self._received.last
            return Packet(kind, spec, self._local, self._remote, number, ack, message).encoded()
        return None

    def poll_timeout(self) -> int | None:
        """When to call `handle_timeout`, unless something else is called before."""
        if self._state is State.CLOSED:
            return None
        due = [self._heard + DEATH_TIME]
        if self._state is not State.ESTABLISHED or len(self._sent) > 0:
            due.append(self._timeout)
        if self._state is State.ESTABLISHED:
            due.append(self._query_at)
            if self._ack_at is not None:
                due.append(self._ack_at)
        return min(due)

    def handle_timeout(self, now: int) -> None:
        """Do what is due by now."""
        if self._state is not State.CLOSED and now >= self._heard + DEATH_TIME:
            self._give_up()
        match self._state:
            case State.SYNCER | State.SYNCEE:
                self._insist(now, il.SYNC)
            case State.CLOSING:
                self._insist(now, il.CLOSE)
            case State.ESTABLISHED:
                self._look_after(now)

    def poll_event(self) -> IlEvent | None:
        """What has happened, if anything: one connected, messages, one closed."""
        if self._connected:
            self._connected = False
            return IlConnected()
        message = self._received.pop()
        if message is not None:
            if self._received.relieved():
                # It answers no query, and brings what was dropped.
                self._push(il.STATE)
            return IlMessage(message)
        end, self._end = self._end, None
        return end

    def state(self) -> str:
        """The word of its state; after `Closed` nothing comes but what the polls still hold."""
        return self._state.value

    def status(self) -> str:
        """The line of `status`, with its newline."""
        return self.standing().line()

    def standing(self) -> Status:
        """What `status` tells."""
        numbers = (self._sent.size, self._rexmits, self._queries, self._timing.longest)
        learned = self._timing.learned()
        return Status(self._state, self._received.size, 0, *learned, *numbers)

    def stats(self) -> dict[str, int]:
        """What it counted, by the names and in the order of `stats`."""
        return dict(self._stats)

    def flawed(self, flaw: il.Flaw) -> None:
        """Count what was no packet."""
        self._stats[flaw.counter] += 1

    # What each state makes of each packet. Those that a state does not speak of mean nothing in it.

    def _in_syncer(self, packet: Packet) -> None:
        if packet.kind == il.SYNC and packet.ack == self._start:
            self._remote_start = self._received.last = packet.id
            self._push(il.ACK)
            self._establish()
        elif packet.kind == il.SYNC or (packet.kind == il.CLOSE and packet.ack == self._start):
            self._hangup(_REJECTED)

    def _in_syncee(self, now: int, packet: Packet) -> None:
        if packet.kind == il.SYNC:
            if packet.id == self._remote_start and packet.ack == 0:
                self._push(il.SYNC)
            else:
                self._hangup(_REMOTE_CLOSE)
        elif packet.ack != self._start:
            return
        elif packet.kind == il.CLOSE:
            self._push(il.CLOSE, ack=packet.id)
            self._hangup(_REMOTE_CLOSE)
        elif il.DATA <= packet.kind <= il.STATE:
            self._establish()
            self._in_established(now, packet)

    def _in_established(self, now: int, packet: Packet) -> None:
        self._unanswered = 0
        match packet.kind:
            case il.SYNC if packet.id == self._remote_start:
                # A Syncee that has not heard us only hears the acknowledgement of its first id.
                self._push(il.ACK, ack=self._remote_start)
            case il.SYNC:
                self._hangup(_REMOTE_CLOSE)
            case il.DATA:
                self._acknowledged(now, packet)
                self._place(now, packet)
            case il.DATAQUERY:
                self._acknowledged(now, packet)
                self._place(now, packet)
                self._reply(packet.spec)
            case il.ACK:
                self._acknowledged(now, packet)
            case il.QUERY:
                self._acknowledged(now, packet)
                self._reply(packet.spec)
            case il.STATE:
                self._acknowledged(now, packet)
                if self._sent.answered(packet.spec, packet.ack):
                    self._retransmit(now)
            case il.CLOSE if self._sent.covers(packet.ack):
                self._received.last = packet.id
                self._begin_closing(now)
                self._end_with(None)
        self._finish_draining(now)

    def _in_closing(self, packet: Packet) -> None:
        if packet.kind == il.CLOSE:
            self._received.last = packet.id
            self._push(il.CLOSE)
            if packet.ack == self._sent.next:
                self._hangup(None)
        elif packet.kind == il.SYNC and packet.ack == self._start:
            # We hung up before the call was up, and the other side takes no close but one for this.
            self._push(il.CLOSE, ack=packet.id)

    def _establish(self) -> None:
        self._state = State.ESTABLISHED
        self._hasty = False
        self._connected = True
        self._calm()

    def _acknowledged(self, now: int, packet: Packet) -> None:
        """What the packet acknowledges needs no more care."""
        if not self._sent.acknowledge(packet.ack):
            return
        if packet.kind == il.STATE:
            self._timing.passed(packet.ack)
        else:
            self._timing.acknowledged(now, packet.ack, il.IP_HEADER + packet.size)
        self._calm()
        self._wait(now)

    def _place(self, now: int, packet: Packet) -> None:
        """Take a message, or drop it; acknowledge at once when half a window waits for that."""
        if not self._received.admits():
            self._stats["DroppedMsgs"] += 1
            return
        match self._received.place(packet.id, packet.data):
            case Placed.OUTSIDE:
                pass
            case Placed.EARLY:
                self._stats["OutOfOrder"] += 1
            case Placed.DUPLICATE:
                self._stats["DupMsg"] += 1
                self._stats["DupBytes"] += packet.size
            case count:
                self._owed += count
                if self._ack_at is None:
                    self._ack_at = now + ACK_DELAY
                if self._owed >= WINDOW // 2:
                    self._acknowledge()

    def _reply(self, spec: int) -> None:
        """Answer a query.

        While there is no room a state would bring the missing message at once, in vain and again
        and again; an acknowledgement only says that we live.
        """
        if self._received.admits():
            self._push(il.STATE, spec)
        else:
            self._acknowledge()

    def _retransmit(self, now: int) -> None:
        """Send the oldest message again, and ask what came of it."""
        if len(self._sent) == 0:
            return
        if self._tries > MAX_REXMIT:
            self._give_up()
            return
        self._enqueue(_Outgoing(il.DATAQUERY, self._sent.ask_anew(), self._sent.oldest, None))
        self._backoff = self._tries
        self._wait(now)
        self._tries += 1
        self._rexmits += 1
        self._stats["Retrans"] += 1

    # What time does.

    def _look_after(self, now: int) -> None:
        if self._ack_at is not None and now >= self._ack_at:
            self._acknowledge()
        if now >= self._query_at:
            self._ask()
            self._query_at = now + QUERY_TIME
        if len(self._sent) > 0 and now >= self._timeout:
            if self._unanswered > MAX_REXMIT:
                self._give_up()
                return
            self._ask()
            self._queries += 1
            self._wait_longer(now)

    def _insist(self, now: int, kind: int) -> None:
        """Repeat what was not answered, or give up."""
        if now < self._timeout:
            return
        if self._unanswered > MAX_REXMIT:
            self._give_up()
            return
        self._push(kind)
        self._wait_longer(now)

    def _wait(self, now: int) -> None:
        wait = self._timing.timeout(self._sent.size, self._backoff)
        self._timeout = now + (TICK if self._hasty else wait)

    def _wait_longer(self, now: int) -> None:
        self._wait(now)
        self._backoff += 1
        self._unanswered += 1

    def _calm(self) -> None:
        """Start over with counting what goes unanswered."""
        self._backoff = self._unanswered = self._tries = 0

    def _acknowledge(self) -> None:
        self._owed, self._ack_at = 0, None
        self._push(il.ACK)

    def _ask(self) -> None:
        self._push(il.QUERY, self._sent.ask())

    def _push(self, kind: int, spec: int = 0, ack: int | None = None) -> None:
        """Queue a packet without a message."""
        number = self._start if kind == il.SYNC else self._sent.next
        self._enqueue(_Outgoing(kind, spec, number, ack))

    def _enqueue(self, packet: _Outgoing) -> None:
        if len(self._out) < _OUT:
            self._out.append(packet)

    # How it ends.

    def _finish_draining(self, now: int) -> None:
        if self._draining and len(self._sent) == 0 and self._state is State.ESTABLISHED:
            self._begin_closing(now)

    def _begin_closing(self, now: int) -> None:
        self._state = State.CLOSING
        self._hasty = False
        self._sent.clear()
        self._received.cut()
        self._calm()
        self._wait(now)
        self._push(il.CLOSE)

    def _give_up(self) -> None:
        """Nobody answers: an error unless we were leaving anyway."""
        self._hangup(None if self._state is State.CLOSING else _TIMED_OUT)

    def _hangup(self, reason: str | None) -> None:
        self._state = State.CLOSED
        self._sent.clear()
        self._received.cut()
        self._end_with(reason)

    def _end_with(self, reason: str | None) -> None:
        if not self._ended:
            self._ended = True
            self._end = IlClosed(reason)
