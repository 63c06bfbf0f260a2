"""An interface of the gateway's, and the other end of its cable, where a test sends frames."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from netrelay import messages as m
from netrelay.types import ORDWR

from .namespaces import Namespace, namespace, wire
from .rawclient import PATIENCE_S, RawClient, data_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Door, Place

ALL_TYPES: Final = 3
# One of those that anybody may use for experiments, and one beside it.
TYPE, OTHER_TYPE = 0x88B5, 0x88B6
BROADCAST: Final = b"\xff" * 6
STRANGER: Final = bytes.fromhex("020000000099")
GROUP: Final = bytes.fromhex("01005e000007")
SHORTEST: Final = 60


def frame(to: bytes, kind: int = TYPE, payload: bytes = b"payload", *, of: bytes = b"") -> bytes:
    """A frame, long enough for the wire."""
    return (to + (of or STRANGER) + struct.pack(">H", kind) + payload).ljust(SHORTEST, b"\0")


@dataclass(frozen=True)
class Cable:
    """The namespaces of both ends; `wire` is a packet socket at the far one."""

    own: Namespace
    other: Namespace
    wire: socket.socket

    def gateway(self, place: Place, ethers: tuple[str, ...] = ("eth0",)) -> Door:
        """A gateway at the near end."""
        with self.own.inside():
            return place.gateway(ethers=ethers)

    def link(self) -> dict[str, Any]:
        """What ip(8) says of the near end."""
        text = self.own.run("ip", "-j", "-s", "-d", "link", "show", "dev", "eth0")
        found: dict[str, Any] = json.loads(text)[0]
        return found

    @property
    def mac(self) -> bytes:
        """The near end's address."""
        return bytes.fromhex(self.link()["address"].replace(":", ""))

    def send(self, *frames: bytes) -> None:
        """Frames for the near end."""
        for each in frames:
            self.wire.send(each)

    def next(self) -> bytes:
        """The next frame from the near end."""
        return self.wire.recv(1 << 16)


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """Both ends, up, and without a word of their own. Skips where there are no namespaces."""
    with namespace() as own, namespace() as other:
        wire(own, "eth0", other, "eth0")
        for host in (own, other):
            # Nothing but what the test sends: no neighbours, no routers, no groups.
            host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
        with other.inside():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_TYPES))
            sock.bind(("eth0", ALL_TYPES))
        with sock:
            sock.settimeout(PATIENCE_S)
            yield Cable(own, other, sock)


class Slot:
    """A slot of ether0 that a client has opened."""

    def __init__(self, client: RawClient, *commands: str, ether: str = "ether0") -> None:
        self.client = client
        number, self.ctl = client.clone(f"net/{ether}")
        self.path = f"net/{ether}/{number}"
        self.data = client.open(f"{self.path}/data", ORDWR)
        self.tell(*commands)

    def tell(self, *commands: str) -> None:
        """Writes to its ctl."""
        for command in commands:
            self.client.write(self.ctl, command.encode())

    def read(self, count: int = 2048) -> bytes:
        """The next frame."""
        return self.client.read(self.data, count)

    def write(self, frame: bytes) -> None:
        """A frame."""
        assert self.client.write(self.data, frame) == len(frame)

    def park(self, count: int = 2048) -> int:
        """A Tread that waits: its tag."""
        (tag,) = self.client.park(m.Tread(self.data, 0, count))
        return tag

    def got(self, tag: int) -> bytes:
        """What it was answered."""
        return data_of(self.client.wait(tag))
