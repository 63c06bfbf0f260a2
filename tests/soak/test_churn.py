"""A gateway that has carried 100,000 conversations holds no more than one that has carried few.

Dials go through the files themselves, pipelined on a few raw sessions, so that the test is bound
by the gateway and not by the client. Part of `make test-long`.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from netrelay import messages as m
from netrelay.reference.codec import decode, encode
from netrelay.types import Dialect
from tests.integrity.relay import gateway

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

NOFID = 0xFFFFFFFF
CTL, DATA = 1, 2
WORKERS = 8


class Raw:
    """One 9P session, a request at a time."""

    def __init__(self, port: int) -> None:
        self.call = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.call.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rpc(m.Tversion(65536, "9P2000"), tag=0xFFFF)
        self.rpc(m.Tattach(0, NOFID, "glenda", ""))

    def rpc(self, message: m.Message, tag: int = 0) -> m.Message:
        """One request, its reply; a refusal fails the test."""
        self.call.sendall(encode(tag, message, Dialect.P2000))
        size = self.call.recv(4, socket.MSG_WAITALL)
        rest = self.call.recv(int.from_bytes(size, "little") - 4, socket.MSG_WAITALL)
        reply = decode(size + rest, Dialect.P2000)[1]
        if isinstance(reply, m.Rerror):
            raise AssertionError(f"{message}: {reply.ename}")
        return reply

    def converse(self, port: int) -> None:
        """Dial, send a byte, read it back, hang up."""
        self.rpc(m.Twalk(0, CTL, ("net", "tcp", "clone")))
        self.rpc(m.Topen(CTL, 2))
        read = self.rpc(m.Tread(CTL, 0, 16))
        number = bytes(read.data).decode() if isinstance(read, m.Rread) else ""
        self.rpc(m.Twrite(CTL, 0, f"connect 127.0.0.1!{port}".encode()))
        self.rpc(m.Twalk(0, DATA, ("net", "tcp", number, "data")))
        self.rpc(m.Topen(DATA, 2))
        self.rpc(m.Twrite(DATA, 0, b"x"))
        echoed = self.rpc(m.Tread(DATA, 0, 1))
        if not isinstance(echoed, m.Rread) or bytes(echoed.data) != b"x":
            raise AssertionError(f"echoed {echoed}")
        self.rpc(m.Tclunk(DATA))
        self.rpc(m.Tclunk(CTL))


class Echo:
    """Echoes one byte a call, and closes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.socket.getsockname()[1]
        self.threads = [threading.Thread(target=self.serve) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def serve(self) -> None:
        """Until the socket is shut down."""
        while True:
            try:
                call, _ = self.socket.accept()
            except OSError:
                return
            with call:
                call.sendall(call.recv(1))
                # Let the gateway close first, so that its ports wait and not ours.
                call.recv(1)

    def close(self) -> None:
        """End all threads."""
        self.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.socket.close()


@pytest.mark.parametrize(("core", "count"), [("rust", 100_000), ("python", 10_000)])
def test_a_hundred_thousand_conversations_leave_nothing_behind(core: str, count: int) -> None:
    echo = Echo()
    try:
        with gateway(core) as (started, port), ThreadPoolExecutor(WORKERS) as pool:
            sessions = [Raw(port) for _ in range(WORKERS)]

            def churn(share: int) -> None:
                def one(session: Raw) -> None:
                    for _ in range(share):
                        session.converse(echo.port)

                list(pool.map(one, sessions))

            churn(count // WORKERS // 10)
            descriptors, resident = started.descriptors(), started.resident()
            churn(count // WORKERS)
            assert started.descriptors() <= descriptors + WORKERS
            assert started.resident() <= resident + (4 << 20)
            for session in sessions:
                session.call.close()
    finally:
        echo.close()
