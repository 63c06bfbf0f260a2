"""The gateway in plain Python: the same interface as the Rust one, on an asyncio loop of its own.

The loop runs in a thread, so that a program uses both cores in the same way: its calls are
handed to the loop, the loop's questions come back through an eventfd. One thread does it all;
nothing is locked but the hand-over.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Final, TypeVar

from netrelay.errors import UsageError
from netrelay.reference.net.files import verdict_error
from netrelay.reference.net.shared import Shared
from netrelay.reference.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.types import GatewayConfig, NamespaceConfig, Upcall

T = TypeVar("T")
# How long a call waits for the loop's thread, in seconds; it is never busy for nearly that long.
_PATIENCE_S: Final = 30.0


class Gateway:
    """A gateway that serves /net on the listeners that it is given."""

    def __init__(self, config: GatewayConfig) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self._shared = Shared(config, self._loop)
        except BaseException:
            self._loop.close()
            raise
        self._sessions: set[Session] = set()
        self._listeners: list[socket.socket] = []
        self._stopping = False
        self._kinds: dict[int, str] = {}
        self._closed = threading.Event()
        self._closed_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, _close_fds, self._closed_fd, self._shared.questions.fd)
        self._thread = threading.Thread(target=self._run, name="netrelay-gateway", daemon=True)
        self._thread.start()

    def listen(self, fd: int) -> None:
        """Take over the descriptor of a bound, listening stream socket, TCP or unix."""
        listener = socket.socket(fileno=fd)
        listener.setblocking(False)
        self._call(lambda: self._add_listener(listener))

    def serve(self, fd: int, root: str = "") -> None:
        """Take over the descriptor of a connected stream socket: one session."""
        sock = socket.socket(fileno=fd)
        if self._call(lambda: self._begin(sock, root)) is None:
            sock.close()

    def upcall_fd(self) -> int:
        """Readable when questions wait; owned by the gateway."""
        return self._shared.questions.fd

    def upcalls(self) -> list[Upcall]:
        """The questions that wait. Blocks no longer than one turn of the loop."""

        def take() -> list[Upcall]:
            try:
                os.eventfd_read(self._shared.questions.fd)
            except BlockingIOError:
                return []
            taken = self._shared.questions.take()
            self._kinds.update((upcall.id, upcall.kind) for upcall in taken)
            return taken

        return self._call(take) or []

    def answer(self, id: int, replies: list[bytes] | None, error: str | None, errno: int) -> None:
        """The verdict on a question: replies, or an error. One that is flushed is nobody's."""

        def tell() -> None:
            kind = self._kinds.pop(id, "cs")
            why = None if error is None else verdict_error(kind, error, errno)
            self._shared.questions.answer(id, replies, why)

        self._call(tell)

    def set_interfaces(self, stack: int, count: int) -> None:
        """How many interfaces a stack's `ipifc` lists. Errors: `UsageError` for no such stack."""
        self._call(lambda: self._shared.set_interfaces(stack, count))

    def set_namespace(self, config: NamespaceConfig) -> None:
        """What is mounted where from now on. Errors: `UsageError`."""
        self._call(lambda: self._shared.set_namespace(config))

    def stats(self) -> dict[str, int]:
        """Counters by name."""

        def snapshot() -> dict[str, int]:
            fids = sum(len(session.server.fids()) for session in self._sessions)
            return {**self._shared.counters, "fids": fids}

        return self._call(snapshot) or dict(self._shared.counters)

    def stop_listening(self) -> None:
        """Accept no more sessions; those that are there go on."""
        self._call(self._close_listeners)

    def shutdown(self, deadline_s: float) -> None:
        """Accept no more, close sessions as their conversations end, all at the deadline."""

        def begin() -> None:
            self._stopping = True
            self._close_listeners()
            for session in list(self._sessions):
                session.leave()
            self._loop.call_later(deadline_s, self._end_all)
            self._check_closed()

        self._call(begin)

    def closed_fd(self) -> int:
        """Readable when everything is closed; owned by the gateway."""
        return self._closed_fd

    def wait_closed(self, timeout_s: float) -> bool:
        """Blocks until everything is closed; false if that took longer."""
        return self._closed.wait(timeout_s)

    def abort(self) -> None:
        """Close everything now."""
        self._call(self._end_all)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()
            self._shared.close()
            os.eventfd_write(self._closed_fd, 1)
            self._closed.set()

    def _call(self, act: Callable[[], T]) -> T | None:
        """Run `act` on the loop and wait for it; nothing if the gateway has ended."""
        if self._thread is threading.current_thread():
            raise UsageError("a gateway can't be used from its own loop")
        done: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(act())
            except BaseException as err:
                done.set_exception(err)

        try:
            self._loop.call_soon_threadsafe(run)
        except RuntimeError:  # the loop is closed
            return None
        while not done.done() and not self._closed.is_set():
            try:
                return done.result(min(_PATIENCE_S, 0.1))
            except concurrent.futures.TimeoutError:
                continue
        return done.result(0) if done.done() else None

    def _add_listener(self, listener: socket.socket) -> None:
        if self._stopping:
            listener.close()
            return
        if listener.family != socket.AF_UNIX:
            self._shared.ports.append(listener.getsockname()[1])
        self._listeners.append(listener)
        self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        self._begin(sock)

    def _begin(self, sock: socket.socket, root: str = "") -> bool:
        """Serve a new session; one too many is hung up on, and what comes after the end."""
        if self._stopping or len(self._sessions) >= self._shared.config.limits.sessions:
            sock.close()
            return False
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A dead importer must not hold ports for ever.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sessions.add(Session(self._shared, sock, self._session_over, root))
        self._shared.count("sessions", 1)
        self._shared.count("accepted", 1)
        return True

    def _session_over(self, session: Session) -> None:
        self._sessions.discard(session)
        self._shared.count("sessions", -1)
        self._check_closed()

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()

    def _end_all(self) -> None:
        self._stopping = True
        self._close_listeners()
        for session in list(self._sessions):
            session.end()
        for closing in list(self._shared.closing):
            closing.abandon()
        self._check_closed()

    def _check_closed(self) -> None:
        if self._stopping and not self._sessions:
            if self._shared.closing:
                self._loop.call_later(0.01, self._check_closed)
            else:
                self._loop.call_soon(self._end)

    def _end(self) -> None:
        for draining in list(self._shared.draining):
            draining.abandon()
        self._loop.stop()


def _close_fds(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
