"""Network namespaces for one test: their links, what iproute2 says of them, code that runs in them.

A namespace lives as long as a child process of the test. A thread that enters one takes along
what it starts, so a whole gateway is put into it by running it in such a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from netrelay import netns
from tests.netns.lab import until

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator


@dataclass(frozen=True)
class Namespace:
    """One, by its path and by a process that is in it."""

    path: str
    pid: int

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and what it starts, is in it while the block lasts."""
        descriptor = netns.open_namespace(self.path)
        try:
            with netns.inside(descriptor):
                yield
        finally:
            os.close(descriptor)

    def run(self, *command: str) -> str:
        """Run a program in it to its end; what it printed."""
        with self.inside():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def ip(self, command: str) -> None:
        """One command of ip(8)."""
        self.run("ip", *command.split())

    def show(self, command: str) -> list[dict[str, Any]]:
        """What ip(8) shows, as JSON has it."""
        text = self.run("ip", "-j", *command.split())
        found: list[dict[str, Any]] = json.loads(text or "[]")
        return [each for each in found if each]

    def play(self, scene: Coroutine[object, object, None]) -> None:
        """Run a coroutine on a loop of its own, in a thread that is in it."""
        failed: list[BaseException] = []

        def act() -> None:
            try:
                with self.inside():
                    asyncio.run(scene)
            except BaseException as err:
                failed.append(err)

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """A new one with nothing but a loopback. Skips without root and iproute2."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    child = subprocess.Popen(
        ["unshare", "-n", "sh", "-ec", "ip link set lo up; echo up; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        yield Namespace(f"/proc/{child.pid}/ns/net", child.pid)


def wire(one: Namespace, name: str, other: Namespace, peer: str) -> None:
    """A cable between two: the names of its ends, which are up and have no addresses."""
    one.ip(f"link add {name} type veth peer name {peer} netns {other.pid}")
    for host, end in ((one, name), (other, peer)):
        host.ip(f"link set {end} addrgenmode none")
        host.ip(f"link set {end} up")


def wait_for_route(host: Namespace, words: str) -> None:
    """The kernel makes its own IPv6 routes of links and addresses in its own time."""
    command = ("ip", "-6", "route", "show", "table", "all")
    until(lambda: words in host.run(*command), f"the route {words}")
