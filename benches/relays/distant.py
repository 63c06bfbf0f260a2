"""Two computers that are 100 ms apart, and what carries a call from one to the other.

They are network namespaces, which takes root; between them is a TUN device in each and a program
that hands packets over late. TCP is the kernel's own at both ends, with its true round-trip time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benches.relays.ours import NETRELAY
from benches.relays.relay import Relay, Running, free_port, process
from netrelay import netns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUND_TRIP_S = 0.1
NEAR, FAR = "10.99.0.1", "10.99.0.2"
_WIRE = Path(__file__).with_name("wire.py")
# linux/if_tun.h
_TUNSETIFF, _TUN, _NO_PI = 0x400454CA, 1, 0x1000


@dataclass(frozen=True)
class Computer:
    """A network of its own, kept by a process of that number."""

    pid: int

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and what it starts, is at it while the block lasts."""
        namespace = netns.open_namespace(f"/proc/{self.pid}/ns/net")
        try:
            with netns.inside(namespace):
                yield
        finally:
            os.close(namespace)


def missing() -> str | None:
    """What this machine lacks for it."""
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        return "root and /dev/net/tun"
    return next((name for name in ("unshare", "ip") if shutil.which(name) is None), None)


@contextlib.contextmanager
def apart() -> Iterator[tuple[Computer, Computer]]:
    """Near and far, with the wire between them."""
    with contextlib.ExitStack() as stack:
        ends = []
        near, far = stack.enter_context(computer()), stack.enter_context(computer())
        for each, address in ((near, NEAR), (far, FAR)):
            with each.inside():
                ends.append(plugged(address))
                stack.callback(os.close, ends[-1])
        command = [sys.executable, str(_WIRE), *map(str, ends), str(ROUND_TRIP_S / 2)]
        stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=ends))
        yield near, far


@contextlib.contextmanager
def computer() -> Iterator[Computer]:
    """One, with a loopback."""
    command = ["unshare", "-n", "sh", "-ec", "ip link set lo up; echo up; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        if keeper.stdout is None or keeper.stdout.readline() != b"up\n":
            raise RuntimeError("a network namespace can't be had")
        yield Computer(keeper.pid)


def plugged(address: str) -> int:
    """The wire's end of a TUN device that has `address`."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", b"wire", _TUN | _NO_PI))
    for words in (f"addr add {address}/24 dev wire", "link set wire up txqueuelen 10000"):
        subprocess.run(["ip", *words.split()], check=True)
    return end


@contextlib.contextmanager
def exported(far: Computer) -> Iterator[tuple[str, int]]:
    """A gateway at the far end: where it is, and its process."""
    with far.inside():
        port = free_port()
        command = [*NETRELAY, "export", "--allow-dial", "127.0.0.0/8", "--insecure-no-auth"]
        listen = ["--listen", f"tcp!0.0.0.0!{port}"]
        gate = contextlib.ExitStack()
        pid = gate.enter_context(process([*command, *listen], port))
    with gate:
        yield f"{FAR}:{port}", pid


def relays(near: Computer, far: Computer) -> tuple[Relay, ...]:
    """What carries a call from `near` to the server, which is at every address of `far`."""

    @contextlib.contextmanager
    def direct(server: int) -> Iterator[Running]:
        yield Running(f"tcp:{FAR}:{server}", [])

    @contextlib.contextmanager
    def gateway(server: int) -> Iterator[Running]:
        with exported(far) as (address, pid):
            yield Running(f"9p:{address},127.0.0.1:{server}", [pid])

    @contextlib.contextmanager
    def both_ends(server: int) -> Iterator[Running]:
        with exported(far) as (address, exporter), near.inside():
            port = free_port()
            command = [*NETRELAY, "import", f"tcp!{address.replace(':', '!')}"]
            with process([*command, "--forward", f"{port}:127.0.0.1:{server}"], port) as importer:
                yield Running(f"tcp:127.0.0.1:{port}", [exporter, importer])

    starts: dict[str, Callable[[int], contextlib.AbstractContextManager[Running]]]
    starts = {"direct": direct, "netrelay gateway": gateway, "netrelay": both_ends}
    return tuple(Relay(name, (), start) for name, start in starts.items())
