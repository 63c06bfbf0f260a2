"""ipifc's stats: the counters of IP, in the original's order (ip.c), as the kernel counts them.

The names are RFC 1213's in both. The numbers are those of IPv4; of one that the kernel does not
count it is 0.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "Forwarding", "DefaultTTL", "InReceives", "InHdrErrors", "InAddrErrors", "ForwDatagrams",
    "InUnknownProtos", "InDiscards", "InDelivers", "OutRequests", "OutDiscards", "OutNoRoutes",
    "ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails", "FragOKs", "FragFails", "FragCreates",
)  # fmt: skip


def text(snmp: str) -> str:
    """The text of stats, from that of /proc/net/snmp: a line of names, a line of numbers."""
    rows = [line.split()[1:] for line in snmp.splitlines() if line.startswith("Ip: ")]
    counted = dict(zip(*rows, strict=False)) if rows else {}
    return "".join(f"{name}: {counted.get(name, 0)}\n" for name in NAMES)
