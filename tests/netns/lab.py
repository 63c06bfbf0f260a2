"""Hosts made of network namespaces, wired with veth pairs.

A test describes hosts and wires; the lab makes them under names of its own, runs
programs in them, and takes everything away again, whatever happened in between.
It touches no namespace, interface or rule that it has not made. It needs root and
iproute2, and says so when it lacks them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Self

from netrelay import netns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PATIENCE_S = 30.0


def missing() -> str | None:
    """What the lab lacks on this machine, or nothing. CI fails what is skipped for that."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "curl", "dnsmasq", "tshark"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (tools/install-test-deps does it)"
    return None


def until(claim: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until `claim` holds: for states of other machines that send no event."""
    pause = selectors.DefaultSelector()
    deadline = time.monotonic() + patience_s
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s:g} s in vain: {what}")
        pause.select(0.05)


@dataclass
class Program:
    """A program running in a host."""

    process: subprocess.Popen[bytes]
    said: list[str] = field(default_factory=list)

    def wait_for(self, words: str) -> str:
        """The first line of standard error that has `words`; fails when the program ends first."""
        stream = self._stderr()
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            deadline = time.monotonic() + PATIENCE_S
            while selector.select(max(0.0, deadline - time.monotonic())):
                line = stream.readline().decode()
                if not line:
                    break
                self.said.append(line)
                if words in line:
                    return line
        raise AssertionError(f"never said {words!r}; it said: {''.join(self.said)}")

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """End it as an operator would; its exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def _stderr(self) -> IO[bytes]:
        if self.process.stderr is None:
            raise AssertionError("started without a pipe for standard error")
        return self.process.stderr


@dataclass(frozen=True)
class Host:
    """One namespace."""

    name: str
    lab: Lab

    def argv(self, command: Sequence[str]) -> list[str]:
        """`command` as it is started in this host."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run to the end, at most `PATIENCE_S`, and return what it printed."""
        done = subprocess.run(
            self.argv(command), capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done

    def start(self, *command: str) -> Program:
        """Start in the background; the lab ends it at the latest."""
        process = subprocess.Popen(
            self.argv(command),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        program = Program(process)
        self.lab.programs.append(program)
        return program

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and what it starts, is in it while the block lasts."""
        namespace = netns.open_namespace(self.name)
        try:
            with netns.inside(namespace):
                yield
        finally:
            os.close(namespace)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this host for the test itself; the lab closes it at the latest."""
        with self.inside():
            made = socket.socket(family, kind, protocol)
        made.settimeout(PATIENCE_S)
        self.lab.sockets.append(made)
        return made


@dataclass
class Lab:
    """The hosts of one test."""

    mark: str = field(default_factory=lambda: f"nr{secrets.token_hex(2)}")
    hosts: list[Host] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)
    wires: int = 0

    def host(self, name: str) -> Host:
        """A new host with nothing but its loopback."""
        host = Host(f"{self.mark}-{name}", self)
        subprocess.run(["ip", "netns", "add", host.name], check=True)
        self.hosts.append(host)
        host.run("ip", "link", "set", "lo", "up")
        return host

    def wire(self, one: Host, other: Host, ones: Sequence[str], others: Sequence[str]) -> str:
        """A cable between two hosts, with their addresses; the name of its end in both."""
        self.wires += 1
        name = f"wire{self.wires}"
        ends = ("netns", one.name, "type", "veth", "peer", "name", name, "netns", other.name)
        subprocess.run(("ip", "link", "add", name, *ends), check=True)
        for host, addresses in ((one, ones), (other, others)):
            for address in addresses:
                host.run("ip", "addr", "add", address, "dev", name, "nodad")
            # No link-local addresses: they come late, and as routes that a test did not make.
            host.run("ip", "link", "set", name, "addrgenmode", "none")
            host.run("ip", "link", "set", name, "up")
        # The last route that the kernel makes of a wire by itself.
        last = f"ff00::/8 dev {name} "
        until(lambda: last in routes(one) and last in routes(other), f"{name} to be up")
        return name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for made in self.sockets:
            made.close()
        for program in self.programs:
            if program.process.poll() is None:
                program.kill()
            if program.process.stderr is not None:
                program.process.stderr.close()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.name], check=False)


def routes(host: Host) -> str:
    """All IPv6 routes of a host, the kernel's own among them."""
    return host.run("ip", "-6", "route", "show", "table", "all").stdout


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """A lab for one test."""
    with Lab() as made:
        yield made
