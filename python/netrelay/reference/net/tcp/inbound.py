"""The way from a conversation's socket to its readers.

Treads wait in order of arrival and each takes what is there, at least one byte. Nothing is received
unless a Tread waits: the kernel's window is the back-pressure, and a withdrawn Tread has taken no
byte. After the end readers get 0 bytes three times and then `i/o on hungup channel`, which stops
programs that loop (qio.c of the original); after a failure they get its text at once.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.reference.net.refusal import of_host, refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netrelay.reference.net.request import Request

# Most that one Tread is answered with.
_LARGE: Final = 1 << 20
# What a hung-up conversation keeps of what had arrived.
_KEPT: Final = 4 << 20
_ZEROS: Final = 3


class Inbound:
    """Waiting Treads and what is known of the stream's end."""

    def __init__(self, count_down: Callable[[int], None]) -> None:
        self.reads: deque[tuple[Request, int]] = deque()
        # True is the end of file, an error why it broke.
        self.end: NetError | bool = False
        self._arrived = bytearray()
        self._zeros = 0
        self._count_down = count_down

    def park(self, request: Request, count: int) -> None:
        """Queue a Tread of at least one byte."""
        waiting = (request, count)
        self.reads.append(waiting)
        request.park(lambda: self._withdraw(waiting))

    def hang_up(self, sock: socket.socket | None) -> None:
        """The stream ends here for readers: what has arrived, then the end of file."""
        if self.end:
            return
        if sock is not None:
            with contextlib.suppress(OSError):
                while len(self._arrived) < _KEPT and (chunk := sock.recv(1 << 16)):
                    self._arrived += chunk
        self.end = True

    def serve(self, sock: socket.socket | None, failure: NetError | None) -> None:
        """Answer Treads while there is something to answer them with.

        `failure` is what a write has found out; it is told once all is read.
        """
        while self.reads and not self.reads[0][0].session.congested:
            request, count = self.reads[0]
            reply: m.Message
            if self._arrived:
                reply = m.Rread(bytes(self._arrived[:count]))
                del self._arrived[:count]
            elif self.end or sock is None:
                reply = self._past_end()
            else:
                try:
                    data = sock.recv(min(count, _LARGE))
                except BlockingIOError:
                    return
                except OSError as err:
                    self.end = failure or of_host(err.errno)
                    continue
                if not data:
                    self.end = failure or True
                    continue
                self._count_down(len(data))
                reply = m.Rread(data)
            self.reads.popleft()
            request.answer(reply)

    def refuse(self, why: NetError) -> None:
        """Refuse every waiting Tread."""
        while self.reads:
            self.reads.popleft()[0].refuse(why)

    def _withdraw(self, waiting: tuple[Request, int]) -> None:
        if waiting in self.reads:
            self.reads.remove(waiting)

    def _past_end(self) -> m.Message:
        if isinstance(self.end, NetError):
            return m.Rerror(self.end.text, self.end.errno or 0)
        if self._zeros < _ZEROS:
            self._zeros += 1
            return m.Rread(b"")
        why = refusal("HUNGUP")
        return m.Rerror(why.text, why.errno or 0)
