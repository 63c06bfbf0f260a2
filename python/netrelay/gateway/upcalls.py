"""Answers a core's questions about names, many at a time.

The core parks the request that asks and goes on; here each question is a task of its own, so that
a slow name holds nobody up. A question that raises is a refusal (fail closed) and is logged
with its traceback. The core bounds how many questions can wait.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from netrelay.errors import errno_of
from netrelay.names.cs import QueryRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netrelay.core import GatewayCore
    from netrelay.names.cs import Cs
    from netrelay.names.dns import Dns
    from netrelay.types import Upcall

log = logging.getLogger("netrelay.gateway")


class Names(NamedTuple):
    """Who answers for one stack."""

    cs: Cs
    dns: Dns

    def of(self, kind: str) -> Cs | Dns:
        """The one for questions of a kind. Errors: `QueryRefused` if there is none."""
        if kind not in self._fields:
            raise QueryRefused("i/o error")
        return self.cs if kind == "cs" else self.dns


class Upcalls:
    """Watches the core's descriptor on the running loop from `start` to `stop`.

    `names` has the answerers of each stack by its name, which is empty for `/net`.
    """

    def __init__(self, core: GatewayCore, names: Mapping[str, Names]) -> None:
        self._core = core
        self._names = names
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
            replies = await self._names[upcall.stack].of(upcall.kind).answer(query, upcall.user)
        except QueryRefused as refusal:
            self._refuse(upcall, refusal.text)
        except UnicodeDecodeError:
            self._refuse(upcall, "bad query")
        except Exception:
            log.exception("upcall failed kind=%s query=%r", upcall.kind, bytes(upcall.query))
            self._refuse(upcall, "i/o error")
        else:
            self._core.answer(upcall.id, replies, None, 0)

    def _refuse(self, upcall: Upcall, text: str) -> None:
        # The core puts the file's name before it, as it does with its own refusals.
        self._core.answer(upcall.id, None, text, errno_of(text))
