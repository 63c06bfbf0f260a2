"""Calls that the network refuses: a gateway alone in a network namespace of its own.

There is no route, an unreachable one, and a neighbour at the end of a wire that never answers; the
host gives up on the latter after one more SYN. The gateway and its client run in a child
process, as a namespace is entered by a whole process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay import core as cores

from .conftest import Place
from .rawclient import RawClient, RefusedError

if TYPE_CHECKING:
    from netrelay.core import Core

LAYOUT = """
ip link set lo up
ip link add wire type veth peer name other
ip addr add 10.9.0.1/24 dev wire
ip link set wire up
ip link set other up
ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev wire
ip route add unreachable 10.8.0.0/24
echo 1 > /proc/sys/net/ipv4/tcp_syn_retries
exec "$@"
"""
EXPECTED = {
    "10.7.0.1": "no route",
    "10.8.0.1": "host unreachable",
    "10.9.0.2": "connection timed out",
}


@pytest.mark.netns
def test_each_failure_of_the_network_has_its_words(core: Core) -> None:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    alone_in_it = [sys.executable, "-m", "tests.gateway.test_unreachable", core.name]
    child = subprocess.run(
        ["unshare", "-n", "sh", "-ec", LAYOUT, "sh", *alone_in_it],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == [f"{where} {text}" for where, text in EXPECTED.items()]


def alone(name: str) -> None:
    """What the child does: dial each address and say what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(cores.load(name), Path(folder))
        client: RawClient = place.gateway().attach()
        for address in EXPECTED:
            _, ctl = client.clone()
            try:
                client.write(ctl, f"connect {address}!80".encode())
            except RefusedError as refused:
                print(address, refused)  # noqa: T201  the parent reads it
        place.close()


if __name__ == "__main__":
    alone(sys.argv[1])
