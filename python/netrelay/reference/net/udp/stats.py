"""The text of udp's stats: the host's counts in the original's words (ip(3))."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNTS: Final = ("InDatagrams", "NoPorts", "InErrors", "OutDatagrams")


def stats(proc: Callable[[str], str]) -> str:
    """One `Name: N` a line, of both families; `proc` reads the host's files. Errors: OSError."""
    four, six = _snmp(proc("snmp")), {}
    with contextlib.suppress(FileNotFoundError):  # a host without IPv6
        six = dict(line.split() for line in proc("snmp6").splitlines())
    counts = {name: int(four.get(name, 0)) + int(six.get(f"Udp6{name}", 0)) for name in _COUNTS}
    return "".join(f"{name}: {count}\n" for name, count in counts.items())


def _snmp(text: str) -> dict[str, str]:
    """Udp's two lines: names, and the counts below them."""
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith("Udp:")]
    return dict(zip(*lines, strict=True)) if len(lines) == 2 else {}
