"""Render the lists in docs/conformance.md: `python tools/render_conformance.py`.

What stands between a pair of marks is rendered from `netrelay.conform`; the rest of the page is
written by hand. A test compares the page with what this renders.
"""

from __future__ import annotations

from pathlib import Path

from netrelay.conform.claims import EVERY
from netrelay.conform.differences import ELSEWHERE, NETRELAY, Difference
from netrelay.conform.subject import CAPABILITIES
from netrelay.conform.suite import CHECKS, SUBJECTS, checks_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "conformance.md"


def page(text: str) -> str:
    """The page with its lists as they should be."""
    for name, lines in {
        "differences": _differences(NETRELAY),
        "elsewhere": _differences(ELSEWHERE, server=True),
        "capabilities": [f"- `{name}`: {what}" for name, what in CAPABILITIES.items()],
        "checks": _checks(),
    }.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = head + begin + "".join(f"{line}\n" for line in lines) + end + tail
    return text


def _differences(differences: tuple[Difference, ...], *, server: bool = False) -> list[str]:
    head = ["| check | seen | why |", "|---|---|---|"]
    if server:
        head = ["| server | check | seen | why |", "|---|---|---|---|"]
    return head + [
        ("| " + f"{one.server} | " * server)
        + f"`{one.check}` | {' or '.join(f'`{seen}`' for seen in one.seen)} | {one.reason} |"
        for one in differences
    ]


def _checks() -> list[str]:
    lines = [f"There are {len(CHECKS)}."]
    for subject in SUBJECTS:
        name = subject.__name__.rpartition(".")[2]
        about = (subject.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"### {name}", "", about, "", "| check | claim | source | needs |"]
        lines.append("|---|---|---|---|")
        for check in checks_of(subject):
            wanted = list(check.needs)
            if check.dialects != EVERY:
                wanted += [dialect.value for dialect in check.dialects]
            claim = check.claim.replace("|", "\\|")
            lines.append(f"| `{check.name}` | {claim} | {check.source} | {', '.join(wanted)} |")
    return lines


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
