"""The way from a conversation's writers to its socket.

Twrites are carried out in order of arrival, and each is answered when the kernel has taken all
of it. One that is withdrawn before its first byte has left is undone; one that has begun is cut
where it is, and its answer says how much went.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING, Protocol

from netrelay import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.errors import NetError
    from netrelay.reference.net.request import Write


class Waits(Protocol):
    """Told whether the socket's room is waited for."""

    def __call__(self, *, waiting: bool) -> None:
        """Begin to wait, or end it."""


class Outbound:
    """Waiting Twrites and the half-close behind them."""

    def __init__(self, count_up: Callable[[int], None]) -> None:
        self.writes: deque[Write] = deque()
        self.waits: Waits | None = None
        self.finishing = False
        self._fin_sent = False
        self._count_up = count_up

    def add(self, write: Write) -> None:
        """Queue a Twrite of at least one byte."""
        self.writes.append(write)
        write.account(len(write.data))
        write.request.park(lambda: self.withdraw(write))

    def serve(self, sock: socket.socket) -> bool:
        """Send what the kernel takes; whether it took any. Errors: OSError of the connection."""
        progress = False
        while self.writes:
            write = self.writes[0]
            try:
                sent = sock.send(write.data[write.gone :], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                break
            progress = True
            self._count_up(sent)
            write.taken(sent)
            if write.gone == len(write.data):
                self.writes.popleft()
                write.request.answer(m.Rwrite(write.gone))
        if not self.writes and self.finishing and not self._fin_sent:
            self._fin_sent = True
            with contextlib.suppress(OSError):  # a connection that is gone needs no FIN
                sock.shutdown(socket.SHUT_WR)
        return progress

    def finish(self) -> None:
        """No further Twrites: FIN goes out behind those that wait."""
        self.finishing = True

    def withdraw(self, write: Write) -> m.Message | None:
        """Take a Twrite back: nothing if none of it has gone, else what to say of it."""
        if write in self.writes:
            self.writes.remove(write)
            write.drop()
        if self.waits is not None:
            self.waits(waiting=bool(self.writes) or (self.finishing and not self._fin_sent))
        return m.Rwrite(write.gone) if write.gone else None

    def refuse(self, why: NetError) -> None:
        """Refuse every waiting Twrite."""
        while self.writes:
            write = self.writes.popleft()
            write.drop()
            write.request.refuse(why)
