"""Answers a core's questions about names and the host's network, many at a time.

The core parks the request that asks and goes on; here each question is a task of its own, so that
a slow name holds nobody up. A question that raises is a refusal (fail closed) and is logged
with its traceback. The core bounds how many questions can wait.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from netrelay.errors import NetError, errno_of
from netrelay.names.cs import QueryRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netrelay.core import GatewayCore
    from netrelay.types import Upcall

log = logging.getLogger("netrelay.gateway")


class Answerer(Protocol):
    """Who answers questions of one kind, of one stack."""

    async def answer(self, query: str, user: str) -> list[bytes]:
        """The replies. Errors: `QueryRefused`, `NetError`."""


class Answerers(NamedTuple):
    """Who answers for one stack, by the kinds of questions."""

    cs: Answerer
    dns: Answerer
    host: Answerer


class Upcalls:
    """Watches the core's descriptor on the running loop from `start` to `stop`.

    `stacks` has the answerers of each stack by its name, which is empty for `/net`.
    """

    def __init__(self, core: GatewayCore, stacks: Mapping[str, Answerers]) -> None:
        self._core = core
        self._stacks = stacks
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to answer on the running loop."""
        asyncio.get_running_loop().add_reader(self._core.upcall_fd(), self._take)

    async def stop(self) -> None:
        """Stop; questions that are still being answered are given up."""
        asyncio.get_running_loop().remove_reader(self._core.upcall_fd())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self) -> None:
        for upcall in self._core.upcalls():
            task = asyncio.ensure_future(self._answer(upcall))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, upcall: Upcall) -> None:
        try:
            query = bytes(upcall.query).decode()
            replies = await self._answerer(upcall).answer(query, upcall.user)
        except (QueryRefused, NetError) as refusal:
            self._refuse(upcall, refusal.text)
        except UnicodeDecodeError:
            self._refuse(upcall, "bad query")
        except Exception:
            log.exception("upcall failed kind=%s query=%r", upcall.kind, bytes(upcall.query))
            self._refuse(upcall, "i/o error")
        else:
            self._core.answer(upcall.id, replies, None, 0)

    def _answerer(self, upcall: Upcall) -> Answerer:
        answerer: Answerer = getattr(self._stacks[upcall.stack], upcall.kind)
        return answerer

    def _refuse(self, upcall: Upcall, text: str) -> None:
        # To one of cs or dns the core puts the file's name, as it does to its own refusals.
        self._core.answer(upcall.id, None, text, errno_of(text))
