"""The peers of a gateway under test that send and get datagrams, and what they have got."""

from __future__ import annotations

import re
import socket
from typing import Final

HOST: Final = "127.0.0.1"
# The three addresses that `headers` puts before a datagram; the ports behind them are the host's.
_ADDRESSES: Final = rb"((?:\0{10}\xff\xff.{4}){3}).{4}"


class Datagrams:
    """Two senders, the first of which is the one that a gateway dials."""

    def __init__(self) -> None:
        self.senders = [_sender() for _ in range(2)]

    @property
    def port(self) -> int:
        """Where the first can be reached."""
        port: int = self.senders[0].getsockname()[1]
        return port

    def send(self, which: int, data: bytes, port: int) -> None:
        """One datagram to the gateway's port."""
        self.senders[which].sendto(data, (HOST, port))

    def heard(self) -> list[list[bytes]]:
        """What each has got since it was asked last."""
        return [_drained(sender) for sender in self.senders]

    def leave(self) -> None:
        """The first is gone: its port is nobody's until another sender has one."""
        self.senders.pop(0).close()
        self.senders.insert(0, _sender())

    @staticmethod
    def masked(frame: bytes) -> bytes:
        """The frame of a reply without the ports before a datagram."""
        return re.sub(_ADDRESSES, rb"\1PORT", frame, flags=re.DOTALL)

    def close(self) -> None:
        """End both."""
        for sender in self.senders:
            sender.close()


def _sender() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((HOST, 0))
    return sock


def _drained(sender: socket.socket) -> list[bytes]:
    got = []
    try:
        while True:
            got.append(sender.recv(70_000))
    except BlockingIOError:
        return got
