"""The texts of stats of icmp and icmpv6: the host's counts in the original's words (ip(3))."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What there is of both, and the host's name for it; the host counts no other flaws.
_COUNTS: Final = {
    "InMsgs": "InMsgs",
    "InErrors": "InErrors",
    "OutMsgs": "OutMsgs",
    "CsumErrs": "InCsumErrors",
    "LenErrs": "",
    "HlenErrs": "",
}
_COUNTS6: Final = (
    *_COUNTS, "HoplimErrs", "IcmpCodeErrs", "TargetErrs", "OptlenErrs", "AddrmxpErrs",
    "RouterAddrErrs",
)  # fmt: skip
_TYPES: Final = (
    "EchoReply", "1", "2", "Unreachable", "SrcQuench", "Redirect", "6", "7", "EchoRequest", "9",
    "10", "TimeExceed", "InParmProblem", "Timestamp", "TimestampReply", "InfoRequest", "InfoReply",
    "AddrMaskRequest", "AddrMaskReply",
)  # fmt: skip
_TYPES6: Final = {
    0: "EchoReply",
    1: "UnreachableV6",
    2: "PacketTooBigV6",
    3: "TimeExceedV6",
    4: "SrcQuench",
    5: "Redirect",
    8: "EchoRequest",
    11: "TimeExceed",
    12: "InParmProblem",
    13: "Timestamp",
    14: "TimestampReply",
    15: "InfoRequest",
    16: "InfoReply",
    17: "AddrMaskRequest",
    18: "AddrMaskReply",
    128: "EchoRequestV6",
    129: "EchoReplyV6",
    133: "RouterSolicit",
    134: "RouterAdvert",
    135: "NbrSolicit",
    136: "NbrAdvert",
    137: "RedirectV6",
}


def stats4(proc: Callable[[str], str]) -> str:
    """Of icmp; `proc` reads the host's files. Errors: OSError."""
    counts = dict(_snmp(proc("snmp")))
    text = "".join(f"{name}: {counts.get(f'Icmp{of}', '0')}\n" for name, of in _COUNTS.items())
    for number, name in enumerate(_TYPES):
        text += _both(name, counts, f"IcmpMsg{{}}Type{number}")
    return text


def stats6(proc: Callable[[str], str]) -> str:
    """Of icmpv6."""
    counts: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):  # a host without IPv6
        counts = dict(line.split() for line in proc("snmp6").splitlines())
    text = ""
    for name in _COUNTS6:
        key = f"Icmp6{_COUNTS.get(name, '')}"
        text += f"{name}: {counts.get(key, '0')}\n"
    for number, name in _TYPES6.items():
        text += _both(name, counts, f"Icmp6{{}}Type{number}")
    return text


def _both(name: str, counts: dict[str, str], key: str) -> str:
    coming, going = (counts.get(key.format(way), "0") for way in ("In", "Out"))
    return f"{name}: {coming} {going}\n"


def _snmp(text: str) -> Iterator[tuple[str, str]]:
    """Each count by its protocol's name and its own, from pairs of lines."""
    lines = [line.split() for line in text.splitlines()]
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        protocol = names[0].removesuffix(":")
        yield from ((f"{protocol}{name}", value) for name, value in zip(names, values, strict=True))
