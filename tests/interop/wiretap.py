"""A port in front of a gateway's: what passes is written down, frame by frame.

It understands nothing but sizes while it runs, and changes nothing; sessions are decoded when they
are asked for.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, NamedTuple

from netrelay import messages as m
from netrelay.reference.codec import decode
from netrelay.types import Dialect

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK = 1 << 18


class Frame(NamedTuple):
    """One frame, and whether it came from the gateway."""

    answer: bool
    data: bytes


class Wiretap:
    """Listens on `port` of loopback and passes sessions on to `gateway` until the block ends."""

    def __init__(self, gateway: int) -> None:
        self._gateway = gateway
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.sessions: list[list[Frame]] = []

    def __enter__(self) -> Wiretap:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        # shutdown() wakes a thread in accept() or recv(), which close() would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for sock in self._sockets:
            _end(sock)
        for thread in self._threads[1:]:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()

    def messages(self) -> list[list[m.Message]]:
        """What was said in each session so far, in order."""
        return [_decoded(frames) for frames in self.sessions]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._gateway))
            self._sockets += [client, server]
            frames: list[Frame] = []
            self.sessions.append(frames)
            for source, sink, answer in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=_pass, args=(source, sink, answer, frames))
                self._threads.append(thread)
                thread.start()


def _pass(source: socket.socket, sink: socket.socket, answer: bool, frames: list[Frame]) -> None:
    kept = b""
    try:
        while data := source.recv(_CHUNK):
            kept += data
            while len(kept) >= 4 and len(kept) >= (size := int.from_bytes(kept[:4], "little")):
                # Written down before it is passed on: no answer stands before its request.
                frames.append(Frame(answer, kept[:size]))
                kept = kept[size:]
            sink.sendall(data)
    except OSError:
        pass
    _end(source)
    _end(sink)


def _end(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It has ended already.
        return


def _decoded(frames: list[Frame]) -> list[m.Message]:
    dialect, messages = Dialect.P2000, []
    for frame in frames:
        _, message = decode(frame.data, dialect)
        if isinstance(message, m.Rversion):
            dialect = Dialect.of(message.version)
        messages.append(message)
    return messages
