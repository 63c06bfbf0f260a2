"""Scripted peers: what each end of a relayed connection does, and what it saw."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 1 << 20
PATIENCE_S = 300.0


def payload(seed: int, size: int) -> Iterator[bytes]:
    """`size` random bytes, the same for the same seed, in pieces of random length."""
    source = random.Random(seed)
    block = source.randbytes(min(BLOCK, max(size, 1)))
    left = size
    while left:
        # A piece starts anywhere in the block, so that a swapped or doubled one shows.
        start = source.randrange(len(block))
        piece = block[start : start + min(left, source.choice((1, 7, 1460, 65536, BLOCK)))]
        left -= len(piece)
        yield piece


def digest(seed: int, size: int) -> str:
    """The hash of `payload(seed, size)`."""
    whole = hashlib.blake2b()
    for piece in payload(seed, size):
        whole.update(piece)
    return whole.hexdigest()


def send(call: socket.socket, seed: int, size: int, *, pauses: bool = False) -> None:
    """Send the payload and then end this direction."""
    whim = random.Random(~seed)
    rest = threading.Event()
    for piece in payload(seed, size):
        if pauses and whim.random() < 0.002:
            rest.wait(whim.random() * 0.05)
        call.sendall(piece)
    call.shutdown(socket.SHUT_WR)


def exactly(call: socket.socket, count: int) -> bytes:
    """So many bytes, in as many pieces as they come."""
    data = b""
    while len(data) < count and (piece := call.recv(count - len(data))):
        data += piece
    return data


def receive(call: socket.socket) -> str:
    """The hash of all that comes until the other end's end of file."""
    whole = hashlib.blake2b()
    while piece := call.recv(BLOCK):
        whole.update(piece)
    return whole.hexdigest()


def receive_by_bytes(call: socket.socket, until: threading.Event) -> str:
    """As `receive`, but a byte at a time until the event."""
    whole = hashlib.blake2b()
    while not until.is_set():
        piece = call.recv(1)
        if not piece:
            return whole.hexdigest()
        whole.update(piece)
    while piece := call.recv(BLOCK):
        whole.update(piece)
    return whole.hexdigest()


@dataclass
class Server:
    """A server whose every call is handled by `behave(call, number)` on a thread of its own."""

    behave: Callable[[socket.socket, int], str]

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._pool = ThreadPoolExecutor(160)
        self.port: int = self._socket.getsockname()[1]
        self.results: list[Future[str]] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, work: Callable[..., str], *arguments: object) -> Future[str]:
        """Run a client's part on a thread."""
        return self._pool.submit(work, *arguments)

    def _accept(self) -> None:
        while True:
            try:
                call, _ = self._socket.accept()
            except OSError:
                return
            call.settimeout(PATIENCE_S)
            number = len(self.results)
            self.results.append(self._pool.submit(self._handle, call, number))

    def _handle(self, call: socket.socket, number: int) -> str:
        with call:
            return self.behave(call, number)
