"""Every trap of docs/traps.md has a witness that exists, or a reason that docs/tree.md gives.

A name on the page that no test and no check has, a line without either and a number out of turn
are faults; that they would be found is tested on pages that have them.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from netrelay import conform

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "traps.md").read_text()
HEAD = "| | trap | what netrelay does | witness |\n|---|---|---|---|\n"
CHECKS = {check.name for check in conform.CHECKS}
TEST = re.compile(r"(tests/[\w/]*test_\w+\.py)((?:::\w+)+)")
REASON = re.compile(r"(can't arise|not offered yet): (\S.{15,})")
_, _, SENTENCES = (ROOT / "docs" / "tree.md").read_text().partition("## 11. What can't go wrong\n")


@cache
def named_in(path: str) -> frozenset[str]:
    """The tests of a file as pytest names them, those of classes too."""
    found: set[str] = set()

    def look(body: list[ast.stmt], within: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                look(node.body, f"{within}::{node.name}")
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{within}::{node.name}")

    if (ROOT / path).is_file():
        look(ast.parse((ROOT / path).read_text()).body, "")
    return frozenset(found)


def exists(witness: str) -> bool:
    """Whether a test or a check has this name."""
    test = TEST.fullmatch(witness)
    return test.group(2) in named_in(test.group(1)) if test else witness in CHECKS


def faults(page: str) -> list[str]:
    """What is wrong with a page, a line each."""
    found, section, row = [], 0, 0
    for title, table in re.findall(r"^## (.+)\n+((?:.*\n)*?)(?=## |\Z)", page, re.MULTILINE):
        section, row = section + 1, 0
        if not title.startswith(f"{section}. "):
            found.append(f"not section {section}: {title}")
        if not table.startswith(HEAD):
            found.append(f"no table: {title}")
        for line in table.removeprefix(HEAD).strip().splitlines():
            row += 1
            found += in_row(f"{section}.{row}", line)
        if not row:
            found.append(f"no traps: {title}")
    return found if section else ["no sections"]


def in_row(number: str, line: str) -> list[str]:
    """What is wrong with a line of a table."""
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != 6 or cells[0] or cells[5] or not all(cells[1:5]):
        return [f"{number} has not four cells: {line}"]
    if cells[1] != number:
        return [f"{number} is called {cells[1]}"]
    return [f"{number}: {fault}" for fault in unanswered(cells[4])]


def unanswered(answer: str) -> list[str]:
    """What the last cell of a line lacks: it is witnesses, or a reason."""
    if reason := REASON.fullmatch(answer):
        words = reason.group(2)
        if words.lower() in SENTENCES.lower():
            return []
        return [f"not a sentence of tree.md: {words}"]
    witnesses = re.findall(r"`([^`]+)`", answer)
    if not witnesses or re.sub(r"`[^`]+`", "", answer).strip():
        return [f"neither witnesses nor a reason: {answer}"]
    return [f"no test and no check: {witness}" for witness in witnesses if not exists(witness)]


def test_every_trap_has_a_witness_that_exists_or_a_reason() -> None:
    assert faults(PAGE) == []


HERE = "tests/test_traps.py::test_every_trap_has_a_witness_that_exists_or_a_reason"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (f"| 1.1 | a | b | `{HERE}` `clone.becomes-ctl` |", ""),
        ("| 1.1 | a | b | can't arise: there is no FUSE bridge of ours |", ""),
        ("| 1.1 | a | b | can't arise: there is no such thing |", "not a sentence"),
        ("| 1.1 | a | b | |", "not four cells"),
        ("", "no traps"),
        ("and so on", "not four cells"),
        ("| 1.1 | a | b |", "not four cells"),
        ("| 1.2 | a | b | `clone.becomes-ctl` |", "is called 1.2"),
        ("| a | b | c | `clone.becomes-ctl` |", "is called a"),
        ("| 1.1 | a | b | `clone.becomes-nothing` |", "no test and no check"),
        (f"| 1.1 | a | b | `{HERE}_at_all` |", "no test and no check"),
        ("| 1.1 | a | b | `tests/test_none.py::test_x` |", "no test and no check"),
        ("| 1.1 | a | b | `tests/test_traps.py::faults` |", "no test and no check"),
        ("| 1.1 | a | b | `clone.becomes-ctl` and faith |", "neither"),
        ("| 1.1 | a | b | can't arise: no |", "neither"),
        ("| 1.1 | a | b | we were careful here, too |", "neither"),
    ],
)
def test_a_line_that_is_not_answered_is_found(row: str, fault: str) -> None:
    found = faults(f"# Traps\n\n## 1. One\n\n{HEAD}{row}\n")
    assert any(fault in each for each in found) if fault else found == []


@pytest.mark.parametrize(
    "page",
    [
        "# Traps\n",
        f"## 2. One\n\n{HEAD}| 1.1 | a | b | `clone.becomes-ctl` |\n",
        "## 1. One\n\n| 1.1 | a | b | `clone.becomes-ctl` |\n",
        f"## One\n\n{HEAD}| 1.1 | a | b | `clone.becomes-ctl` |\n",
    ],
)
def test_a_page_that_is_not_read_as_a_whole_is_found(page: str) -> None:
    assert faults(page)
