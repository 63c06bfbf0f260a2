"""The hosts of the README's picture: two machines inside, a gateway, and an Internet beyond it.

The inside has no route to the Internet. What is served where, and what the gateway grants, is the
tests' own business.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from .lab import Host, Lab, Program, lab, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

NETRELAY: Final = (sys.executable, "-m", "netrelay")
GATEWAY: Final = "tcp!{}!5640"
# The gateway's address and the Internet's on the outer wire, in both families.
OUTER: Final = {
    "ipv4": ("203.0.113.1", "203.0.113.2"),
    "ipv6": ("2001:db8:77::1", "2001:db8:77::2"),
}


@dataclass(frozen=True)
class Picture:
    """The hosts, and the wires that tests look at."""

    lab: Lab
    first: Host
    second: Host
    gateway: Host
    internet: Host
    wire_of_first: str
    outer_wire: str
    core: str

    def importer(self, host: Host, gateway: str, *options: str) -> Program:
        """`netrelay import` in `host`."""
        address = GATEWAY.format(gateway)
        return host.start(*NETRELAY, "import", address, "--core", self.core, *options)


@contextlib.contextmanager
def drawn(core: str, *options: str) -> Iterator[Picture]:
    """Everything wired, and the gateway exporting with `options`; skips where that can't be."""
    if lack := missing():
        pytest.skip(lack)
    with lab() as made:
        first, second = made.host("in1"), made.host("in2")
        gateway, internet = made.host("gw"), made.host("inet")
        wire = made.wire(first, gateway, ["10.77.1.2/24"], ["10.77.1.1/24"])
        made.wire(second, gateway, ["10.77.2.2/24"], ["10.77.2.1/24"])
        fours, sixes = ([f"{end}/{length}" for end in OUTER[family]]
                        for family, length in (("ipv4", 24), ("ipv6", 64)))  # fmt: skip
        outer = made.wire(gateway, internet, [fours[0], sixes[0]], [fours[1], sixes[1]])
        export = gateway.start(
            *NETRELAY, "export", "--core", core, "--insecure-no-auth", "--ether", outer, *options,
            "--listen", GATEWAY.format("10.77.1.1"), "--listen", GATEWAY.format("10.77.2.1"),
        )  # fmt: skip
        export.wait_for("10.77.2.1!5640")
        yield Picture(made, first, second, gateway, internet, wire, outer, core)
