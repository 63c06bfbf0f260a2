"""One end of a conversation at work: a core's machine, a raw socket, and the loop's clock.

Packets go in and out by themselves. Whoever holds the end is told by `woken` when it is worth to
look: events may be there, room for messages, or the end. It is closed by itself when the machine is
done, which may be long after `close`; `abandon` does not wait.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from netrelay.il import sockets

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from netrelay.il.machine import IlCore, IlFactory
    from netrelay.il.ports import Port
    from netrelay.types import IlEvent

    # Told of what a socket's error was, says what a call ends with, if anything.
    Advice = Callable[[socket.socket, OSError], str | None]

# Packets that one end may receive before others have their turn.
TURN: Final = 64
_LIVE: Final = frozenset({"Syncer", "Syncee", "Established"})


class End:
    """An end over a connected socket; owns that and the port."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        port: Port,
        machine: IlCore,
        advice: Advice,
    ) -> None:
        self.machine = machine
        self.woken: Callable[[], None] = _nothing
        # Called once, when the socket is closed.
        self.over: Callable[[], None] = _nothing
        self.gone = False
        self._loop = loop
        self._sock = sock
        self._port = port
        self._advice = advice
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None
        self._latest = 0
        # A packet that the socket had no room for.
        self._stuck: bytes | None = None
        loop.add_reader(sock, self._receive)
        self._work()

    @classmethod
    def call(
        cls,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        port: Port,
        remote_port: int,
        il: IlFactory,
        *,
        advice: Advice,
        fast: bool = False,
    ) -> End:
        """One that calls."""
        make = il.connect_fast if fast else il.connect
        machine = make(now(loop), port.number, remote_port, first_id())
        return cls(loop, sock, port, machine, advice)

    @property
    def sock(self) -> socket.socket:
        """The socket, to ask and to tune."""
        return self._sock

    @property
    def live(self) -> bool:
        """Whether neither side has ended it."""
        return self.machine.state() in _LIVE

    @property
    def established(self) -> bool:
        """Whether messages pass."""
        return self.machine.state() == "Established"

    def send(self, message: bytes) -> bool:
        """Send a message; false if there is no room. Errors: as the machine's."""
        sent = self.machine.send(self._now(), message)
        self._work()
        return sent

    def next(self) -> IlEvent | None:
        """What has happened, if anything."""
        event = self.machine.poll_event()
        if event is not None:  # reading may have made room at last, which is told at once
            self._work()
        return event

    def close(self) -> None:
        """End it once what was sent has arrived."""
        self.machine.close(self._now())
        self._work()

    def abandon(self) -> None:
        """Stop at once, without a word to the other side."""
        if self.gone:
            return
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        if self._stuck is not None:
            self._loop.remove_writer(self._sock)
        self._sock.close()
        self._port.release()
        self.over()

    def _receive(self) -> None:
        for _ in range(TURN):
            try:
                datagram = sockets.receive(self._sock)
            except BlockingIOError:
                break
            except OSError as err:
                self._heed(err)
                continue
            if datagram is not None:
                self.machine.handle_packet(self._now(), datagram.packet)
                self._transmit()
        self._work()
        self.woken()

    def _expire(self) -> None:
        # A deadline is one of whole milliseconds, and not before its time is rounded.
        self._latest = max(self._latest, self._due or 0)
        self._due = self._timer = None
        self.machine.handle_timeout(self._now())
        self._work()
        self.woken()

    def _work(self) -> None:
        """Send what is to be sent, and see to the clock."""
        if self.gone:
            return
        self._transmit()
        if self._stuck is None and self.machine.state() == "Closed":
            self.abandon()
            return
        due = self.machine.poll_timeout()
        if due != self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._due = due
            self._timer = None if due is None else self._loop.call_at(due / 1000, self._expire)

    def _transmit(self) -> None:
        while self._stuck is None and (packet := self.machine.poll_transmit()) is not None:
            if not self._put(packet):
                self._stuck = packet
                self._loop.add_writer(self._sock, self._unstick)

    def _unstick(self) -> None:
        packet, self._stuck = self._stuck, None
        if packet is not None and not self._put(packet):
            self._stuck = packet
            return
        self._loop.remove_writer(self._sock)
        self._work()
        self.woken()

    def _put(self, packet: bytes) -> bool:
        """Whether a packet has left or is lost, as it may be on any link; false to try later."""
        for _ in range(2):
            try:
                self._sock.send(packet)
            except BlockingIOError:
                return False
            except OSError as err:
                # What ICMP said of another packet: this one was not tried.
                self._heed(err)
            else:
                return True
        return True

    def _now(self) -> int:
        self._latest = max(self._latest, now(self._loop))
        return self._latest

    def _heed(self, err: OSError) -> None:
        text = self._advice(self._sock, err)
        if text is not None:
            self.machine.advise(text)


def now(loop: asyncio.AbstractEventLoop) -> int:
    """A machine's clock."""
    return int(loop.time() * 1000)


def first_id() -> int:
    """Hard to guess."""
    return secrets.randbits(32)


def _nothing() -> None:
    pass
