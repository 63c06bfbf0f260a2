"""The import side in plain Python: one session used, dials and pumps on a loop of its own.

The twin of the Rust importer with the same interface: calls return an id at once, what comes of
them is a `Completion`, and an eventfd is readable while completions wait. The loop runs in a
thread; a program's own loop only watches the descriptor.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import CATALOGUE, NetrelayError, UsageError, errno_of
from netrelay.reference.calls import Calls, Refusal
from netrelay.reference.pump import Pump
from netrelay.types import DEFAULT_MSIZE, ORDWR, WINDOWED, Completion, Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_HUNGUP: Final = "i/o on hungup channel"
_COUNTERS: Final = (
    "bytes_up", "bytes_down", "pumps", "dials", "turns", "sends", "receives", "panics",
    "interpreter_entries",
)  # fmt: skip


class Importer:
    """One session to a gateway; owns the descriptor of a connected stream socket."""

    def __init__(self, fd: int, *, msize: int = DEFAULT_MSIZE, version: str = WINDOWED) -> None:
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        self._counters = dict.fromkeys(_COUNTERS, 0)
        self._loop = asyncio.new_event_loop()
        self._calls = Calls(self._loop, sock, msize=msize, version=version, owner=self)
        self._ids = itertools.count(1)
        self._fids = itertools.count(1)
        self._done: deque[Completion] = deque()
        self._lock = threading.Lock()
        self._completion_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._completion_fd)
        # What waits for the version; afterwards nothing does.
        self._early: list[Callable[[], None]] | None = []
        self._tags: dict[int, int] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._flushing: set[int] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="netrelay-importer", daemon=True)
        self._thread.start()

    def completion_fd(self) -> int:
        """Readable while completions wait; owned by the importer."""
        return self._completion_fd

    def completions(self) -> list[Completion]:
        """What has been finished since the last call. Blocks never."""
        with self._lock:
            self._counters["interpreter_entries"] += 1
            if self._done:
                os.eventfd_read(self._completion_fd)
            taken = list(self._done)
            self._done.clear()
        return taken

    def new_fid(self) -> int:
        """A fid number that is free; fids count from 1 and are not used twice."""
        return next(self._fids)

    def rpc(self, message: m.Message) -> int:
        """Send a request; the id of its completion. Errors: `UsageError` if it is none."""
        if m.TYPES[type(message)] % 2 or isinstance(message, m.Tversion | m.Tflush):
            raise UsageError(f"{type(message).__name__} is not for rpc()")
        return self._begin(lambda number: self._rpc(number, message))

    def flush(self, id: int) -> None:
        """Take a request back; its completion says what came of it."""
        self._post(lambda: self._flush(id))

    def dial(self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str) -> int:
        """Connect a new conversation to `addr!port`; the id of its completion."""
        path = (*netdir, *clone)
        return self._task(lambda number: self._dial(number, path, remote), "dial")

    def listen(self, conversation: tuple[str, ...]) -> int:
        """Wait for a call of an announced conversation; it completes as a `dial` does."""
        return self._task(lambda number: self._listen(number, conversation), "dial")

    def pump(self, ctl: int, data: int, fd: int) -> int:
        """Take over a local socket and pump both ways; the id of its completion."""
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        return self._task(lambda number: self._pump(number, ctl, data, sock), "pump")

    def dial_and_pump(
        self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str, fd: int
    ) -> int:
        """Both, under one id: a `dial`, then a `pump` if that came up."""
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        path = (*netdir, *clone)

        async def both(number: int) -> None:
            try:
                up = await self._connect(path, remote)
            except BaseException:
                sock.close()
                raise
            self._report(Completion(number, "dial", number=up[0], ctl=up[1], data=up[2]))
            await self._pump(number, up[1], up[2], sock)

        return self._task(both, "dial")

    def stats(self) -> dict[str, int]:
        """Counters by name."""
        return dict(self._counters)

    def close(self) -> None:
        """End the session; everything is completed, and `closed` comes last."""
        self._post(lambda: self.over(None))

    # for `Calls` and `Pump`

    def count(self, name: str, change: int) -> None:
        """Bump a counter."""
        self._counters[name] += change

    def ready(self) -> None:
        """The version is agreed: what waited for it goes out."""
        session = self._calls.session
        self._report(Completion(0, "ready", number=session.msize, windowed=session.windowed))
        early, self._early = self._early or [], None
        for act in early:
            act()

    def over(self, error: str | None) -> None:
        """The session is over: complete everything, then say so."""
        if self._closed:
            return
        self._closed = True
        self._loop.create_task(self._finish(error))

    async def _finish(self, error: str | None) -> None:
        early, self._early = self._early or [], None
        self._calls.lost()
        for act in early:
            act()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))
        self._calls.close()
        self._report(Completion(0, "closed", error=error, errno=errno_of(error) if error else 0))
        self._loop.call_soon(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._calls.start)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _post(self, act: Callable[[], None]) -> bool:
        self._counters["interpreter_entries"] += 1
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:  # the loop is closed: so is the session
            return False
        return True

    def _begin(self, act: Callable[[int], None]) -> int:
        """Number a call and carry it out on the loop, once the version is agreed."""
        number = next(self._ids)

        def enter() -> None:
            if self._early is not None:
                self._early.append(lambda: act(number))
            else:
                act(number)

        if not self._post(enter):
            self._report(_refused(number, "rpc", Refusal(_HUNGUP)))
        return number

    def _rpc(self, number: int, message: m.Message) -> None:
        def done(reply: m.Message | None) -> None:
            self._tags.pop(number, None)
            if reply is None:
                self._report(Completion(number, "flushed"))
            else:
                self._report(Completion(number, "rpc", message=_owned(reply)))

        try:
            self._tags[number] = self._calls.send(message, done, self._lost(number))
        except NetrelayError as err:
            self._report(_refused(number, "rpc", Refusal(str(err))))
        if number in self._flushing:
            self._flushing.discard(number)
            self._flush(number)

    def _lost(self, number: int) -> Callable[[], None]:
        def lost() -> None:
            self._tags.pop(number, None)
            self._report(_refused(number, "rpc", Refusal(_HUNGUP)))

        return lost

    def _flush(self, number: int) -> None:
        if self._early is not None:
            self._flushing.add(number)
        elif number in self._tags:
            self._calls.flush(self._tags[number])
        elif number in self._tasks:
            # Not before it runs: one cancelled before its first step would never report.
            self._loop.call_soon(self._tasks[number].cancel)

    def _task(self, work: Callable[[int], Coroutine[None, None, None]], kind: str) -> int:
        async def run(number: int) -> None:
            self.count(f"{kind}s", 1)
            try:
                await work(number)
            except asyncio.CancelledError:
                self._report(_refused(number, kind, Refusal("interrupted")))
            except Refusal as why:
                self._report(_refused(number, kind, why))
            except NetrelayError as err:
                self._report(_refused(number, kind, Refusal(str(err))))
            finally:
                self.count(f"{kind}s", -1)
                self._tasks.pop(number, None)

        def start(number: int) -> None:
            self._tasks[number] = self._loop.create_task(run(number))
            if number in self._flushing:
                self._flushing.discard(number)
                self._flush(number)

        return self._begin(start)

    async def _dial(self, number: int, path: tuple[str, ...], remote: str) -> None:
        conversation, ctl, data = await self._connect(path, remote)
        self._report(Completion(number, "dial", number=conversation, ctl=ctl, data=data))

    async def _connect(self, path: tuple[str, ...], remote: str) -> tuple[int, int, int]:
        """Clone, connect, open data: a conversation that is up; or no fid of it is left."""
        made: list[int] = []
        try:
            ctl = await self._open(path, ORDWR, made)
            number = await self._number(ctl)
            await self._calls.ask(m.Twrite(ctl, 0, f"connect {remote}".encode()))
            data = await self._open((*path[:-1], str(number), "data"), ORDWR, made)
        except BaseException:
            await self._calls.clunk(*made)
            raise
        return number, ctl, data

    async def _listen(self, number: int, conversation: tuple[str, ...]) -> None:
        made: list[int] = []
        try:
            ctl = await self._open((*conversation, "listen"), ORDWR, made)
            called = await self._number(ctl)
            data = await self._open((*conversation[:-1], str(called), "data"), ORDWR, made)
        except BaseException:
            await self._calls.clunk(*made)
            raise
        self._report(Completion(number, "dial", number=called, ctl=ctl, data=data))

    async def _pump(self, number: int, ctl: int, data: int, sock: socket.socket) -> None:
        pump = Pump(self._calls, self.count, sock, ctl, data)
        await pump.run()
        error = pump.error
        self._report(
            Completion(
                number,
                "pump",
                bytes_up=pump.bytes_up,
                bytes_down=pump.bytes_down,
                error=error,
                errno=errno_of(error) if error else 0,
            )
        )

    async def _open(self, path: tuple[str, ...], mode: int, made: list[int]) -> int:
        fid = self.new_fid()
        # From the first: a walk that is cancelled may have been answered by then.
        made.append(fid)
        try:
            reply = await self._calls.ask(m.Twalk(0, fid, path))
            if isinstance(reply, m.Rwalk) and len(reply.wqid) < len(path):
                raise Refusal(*CATALOGUE["FILE_DOES_NOT_EXIST"])
        except Refusal:
            made.remove(fid)
            raise
        linux = self._calls.session.dialect is Dialect.L
        await self._calls.ask(m.Tlopen(fid, mode) if linux else m.Topen(fid, mode))
        return fid

    async def _number(self, ctl: int) -> int:
        reply = await self._calls.ask(m.Tread(ctl, 0, 128))
        text = bytes(reply.data).strip() if isinstance(reply, m.Rread) else b""
        if not text.isdigit():
            raise Refusal(*CATALOGUE["IO"])
        return int(text)

    def _report(self, completion: Completion) -> None:
        with self._lock:
            self._done.append(completion)
            if len(self._done) == 1:
                os.eventfd_write(self._completion_fd, 1)


def _refused(number: int, kind: str, why: Refusal) -> Completion:
    return Completion(number, kind, error=why.text, errno=why.errno or errno_of(why.text))


def _owned(reply: m.Message) -> m.Message:
    """The reply with a payload of its own, as its frame is gone when it is read."""
    if isinstance(reply, m.Rread | m.Rreaddir):
        return reply._replace(data=bytes(reply.data))
    return reply
