"""Who calls an announced port: packets that no conversation's socket gets (docs/il.md 2 and 10).

Calls wait here, the last packet of each, until somebody takes them; the caller repeats itself. What
belongs to nothing is refused, so that whoever was forgotten here learns it at once.
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Final

from netrelay.il import ports, sockets
from netrelay.il.end import TURN, End, first_id, now
from netrelay.il.sockets import Datagram, Ends

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from ipaddress import IPv4Address

    from netrelay.il.end import Advice
    from netrelay.il.machine import IlFactory
    from netrelay.stacks import StackSockets

# Calls that wait; more are not noticed.
BACKLOG: Final = 64
SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SYNC: Final = 0


class Calls:
    """The calls to one port; `woken` is called when one has come."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stack: StackSockets,
        il: IlFactory,
        *,
        local: IPv4Address | None,
        port: ports.Port,
        advice: Advice,
        woken: Callable[[], None],
    ) -> None:
        self.port = port
        self.sock = sockets.announced(stack, local, port.number)
        self._loop = loop
        self._stack = stack
        self._il = il
        self._advice = advice
        self._woken = woken
        self._waiting: dict[Ends, Datagram] = {}
        self._known: set[Ends] = set()
        loop.add_reader(self.sock, self._receive)

    @property
    def any(self) -> bool:
        """Whether a call waits."""
        return bool(self._waiting)

    def take(self, prepare: Callable[[End], None]) -> tuple[Ends, End] | None:
        """The call that waits first, answered; nothing if none waits that can be answered.

        `prepare` gets its end. Errors: OSError, when it is this host that has run out.
        """
        while self._waiting:
            ends = next(iter(self._waiting))
            try:
                end = self._answered(ends, self._waiting[ends].packet)
            except OSError as err:
                if err.errno in SHORTAGES:
                    raise
                end = None
            del self._waiting[ends]
            if end is not None:
                prepare(end)
                return ends, end
        return None

    def close(self) -> None:
        """Take no more calls; those that were taken go on."""
        self._loop.remove_reader(self.sock)
        self.sock.close()
        self.port.release()

    def _answered(self, ends: Ends, sync: bytes) -> End | None:
        machine = self._il.accept(now(self._loop), sync, first_id())
        if machine is None:
            return None
        sock = sockets.connected(
            self._stack, ends.local, self.port.number, ends.remote, ends.remote_port
        )
        try:
            port = self.port.share()
        except OSError:
            sock.close()
            raise
        end = End(self._loop, sock, port, machine, self._advice)
        self._known.add(ends)
        end.over = lambda: self._known.discard(ends)
        return end

    def _receive(self) -> None:
        for _ in range(TURN):
            try:
                datagram = sockets.receive(self.sock)
            except BlockingIOError:
                break
            except OSError:
                continue
            if datagram is not None:
                self._sort(datagram)
        self._woken()

    def _sort(self, datagram: Datagram) -> None:
        header = sockets.header_of(datagram.packet)
        if header is None:
            return
        if header.dst != self.port.number:
            with contextlib.suppress(OSError):
                if not ports.is_held(self._stack, header.dst):
                    self._refuse(datagram)
            return
        ends = Ends(datagram.source, header.src, datagram.destination)
        if ends in self._known:
            return
        if (header.kind, header.ack) != (_SYNC, 0):
            self._refuse(datagram)
        elif ends in self._waiting or len(self._waiting) < BACKLOG:
            self._waiting[ends] = datagram

    def _refuse(self, datagram: Datagram) -> None:
        packet = self._il.refuse(datagram.packet)
        if packet is not None:
            with contextlib.suppress(OSError):
                sockets.answer(self.sock, datagram, packet)
