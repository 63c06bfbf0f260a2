"""The conformance suite between two hosts: it finds by itself what addresses both sides call."""

from __future__ import annotations

import json
import sys

import pytest

from .lab import lab, missing

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

NETRELAY = (sys.executable, "-m", "netrelay")


@pytest.mark.parametrize("core", ["rust", "python"])
@pytest.mark.parametrize("where", ["10.77.1.1", "fd77::1"])
def test_calls_go_both_ways_between_hosts(core: str, where: str) -> None:
    if lack := missing():
        pytest.skip(lack)
    with lab() as made:
        inside, gateway = made.host("in"), made.host("gw")
        made.wire(inside, gateway, ["10.77.1.2/24", "fd77::2/64"], ["10.77.1.1/24", "fd77::1/64"])
        address = f"tcp!{where}!5640"
        command = ("export", "--core", core, "--insecure-no-auth", "--listen", address)
        gateway.start(*NETRELAY, *command).wait_for(where)
        for subject in ("listen", "closing"):
            done = inside.run(*NETRELAY, "conform", address, "--only", subject, "--json")
            results = {record["check"]: record["result"] for record in json.loads(done.stdout)}
            assert set(results.values()) <= {"pass", "accepted"}, results
