"""Refusals that a check wants: the text where the dialect has texts, else the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import core as cores
from netrelay import messages as m
from netrelay.conform.claims import Failed
from netrelay.conform.exchange import Refusal
from netrelay.conform.stream import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def refused(request: Awaitable[object], *texts: str, errno: int | None = None) -> Refusal:
    """Await a refusal with one of these texts (any text if none is given).

    `errno` is another number that will do in 9P2000.L. Errors: `Failed` when the request is
    granted, or refused otherwise.
    """
    wanted = " or ".join(f'Rerror ename "{text}"' for text in texts) or "Rerror"
    try:
        granted = await request
    except Refusal as refusal:
        number = errno is not None and not refusal.text and refusal.errno == errno
        if not texts or number or any(refusal.says(text) for text in texts):
            return refusal
        raise Failed(wanted, refusal.seen) from None
    raise Failed(wanted, _told(granted))


async def refused_with(request: Awaitable[object], words: str) -> Refusal:
    """Await a refusal whose text contains words that clients look for. Errors: `Failed`."""
    try:
        granted = await request
    except Refusal as refusal:
        if refusal.contains(words):
            return refusal
        raise Failed(f'Rerror with "{words}" in it', refusal.seen) from None
    raise Failed(f'Rerror with "{words}" in it', _told(granted))


def _told(granted: object) -> str:
    """What came instead of a refusal, as a message if it is one."""
    if isinstance(granted, m.Message):
        return shown(cores.load(), granted)
    return f"no error, but {granted!r}"
