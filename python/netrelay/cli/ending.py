"""How a command ends that goes on until it is told: Ctrl-C or SIGTERM, even while it begins."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from netrelay.gateway.signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def until_signalled(use: Coroutine[object, object, None]) -> None:
    """Run until it ends by itself or a signal cancels it, which is no error."""
    with stop_signals() as stop:
        using = asyncio.ensure_future(use)
        asked = asyncio.ensure_future(stop.asked.wait())
        await asyncio.wait((using, asked), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        using.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await using
