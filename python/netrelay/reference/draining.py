"""A session's transport on its way out, so that its last replies reach the client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.watch import Watch

_CHUNK: Final = 1 << 16


class Draining:
    """The stream behind a session that is over; `over` is called once, when it is gone."""

    def __init__(self, watch: Watch, most_s: float, over: Callable[[Draining], None]) -> None:
        self._watch = watch
        self._over = over
        self._timer = asyncio.get_running_loop().call_later(most_s, self.abandon)
        # Closing with unread input would be a reset, which takes replies on their way along.
        with contextlib.suppress(OSError):
            watch.sock.shutdown(socket.SHUT_WR)
        watch.readable(self._drain)

    def abandon(self) -> None:
        """Close as it stands."""
        self._timer.cancel()
        self._watch.close()
        self._over(self)

    def _drain(self) -> None:
        try:
            if self._watch.sock.recv(_CHUNK):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.abandon()
