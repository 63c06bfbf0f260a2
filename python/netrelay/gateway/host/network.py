"""One stack's network on the gateway's loop: a thread that asks the kernel, and its notices.

The thread enters the stack's network namespace once and stays. It answers one question after the
other, so that a text is of one moment and a change is made when the next question comes; the loop
waits for neither. When links come and go the kernel says so, and the core is told how many there
are.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from netrelay.errors import NetError
from netrelay.gateway.host import ndb
from netrelay.gateway.host.refusal import of_kernel, refusal
from netrelay.gateway.host.view import view_of
from netrelay.stacks import StackSockets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from netrelay.gateway.host.files import Files
    from netrelay.types import StackConfig

# Groups of notices (rtnetlink(7)): links, and addresses of both families.
_LINKS: Final = 0x1
_ADDRESSES: Final = 0x10 | 0x100
_NOTICE_BYTES: Final = 1 << 16

_T = TypeVar("_T")

log = logging.getLogger("netrelay.gateway")


class HostNetwork:
    """Answers a core's questions about one stack from `open` to `close`.

    Without a configuration it is the process's own. Errors: as `StackSockets`.
    """

    def __init__(self, stack: StackConfig | None = None, grants: Collection[str] = ()) -> None:
        self._stack = stack
        self._grants = grants
        self._sockets = StackSockets(stack)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="netrelay-host")
        self._files: Files | None = None
        self._notices: socket.socket | None = None
        self._told: Callable[[int], None] = lambda _: None
        self._telling: asyncio.Task[None] | None = None
        self._missed = False

    async def open(self) -> None:
        """Look at the kernel for the first time. One that can't be asked is logged, no more.

        A sandbox may forbid it, and what conversations need is not here.
        """
        try:
            await self._run(self._begin)
        except OSError as err:
            net = "/net" if self._stack is None else f"/net.{self._stack.name}"
            log.warning("the kernel's network can't be read for %s: %s", net, err)

    async def watch(self, told: Callable[[int], None]) -> None:
        """Call `told` with the number of interfaces: now, and whenever there are more."""
        self._told = told
        await self._tell()
        if self._notices is not None:
            asyncio.get_running_loop().add_reader(self._notices, self._noticed)

    async def answer(self, query: str, user: str) -> list[bytes]:
        """The text for `read PATH`, none for `write PATH` and data. Errors: `NetError`."""
        del user
        files = self._files
        if files is None:
            raise refusal("IO")
        try:
            return await self._run(lambda: files.answer(query))
        except NetError:
            raise
        except OSError as err:
            raise of_kernel(err.errno) from None

    async def ndb(self) -> str:
        """What the host knows of itself, as ipconfig would write it."""
        return await self._run(self._ndb)

    async def close(self) -> None:
        """Ask nothing more; a question under way is given up."""
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices)
            self._notices.close()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._sockets.close()

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _begin(self) -> None:
        """In the thread, which is from now on in the stack's namespace."""
        # It brings pyroute2, which takes a third of a second that only a gateway should wait for.
        from netrelay.gateway.host.files import Files  # noqa: PLC0415

        self._sockets.enter()
        view = view_of(self._stack)
        notices = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            notices.bind((0, _LINKS if view.address is None else _LINKS | _ADDRESSES))
            files = Files(view, self._grants)
            files.renumber()
        except BaseException:
            notices.close()
            raise
        self._files, self._notices = files, notices

    def _ndb(self) -> str:
        found = None
        if self._files is not None:
            with contextlib.suppress(OSError):
                found = self._files.primary()
        return ndb.entry(found, socket.gethostname(), ndb.name_servers())

    def _noticed(self) -> None:
        """Something has changed. What exactly is asked for: notices may have been lost."""
        notices = self._notices
        if notices is None:
            return
        _drain(notices)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())
        else:
            self._missed = True

    async def _tell(self) -> None:
        files = self._files
        if files is None:
            return
        self._missed = True
        while self._missed:
            self._missed = False
            try:
                self._told(await self._run(files.renumber))
            except OSError as err:
                log.warning("links can't be listed: %s", err)


def _drain(notices: socket.socket) -> None:
    """Take all notices; that some were lost (ENOBUFS) is one too."""
    while True:
        try:
            notices.recv(_NOTICE_BYTES)
        except OSError as err:
            if err.errno != errno.ENOBUFS:
                return
