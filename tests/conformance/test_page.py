"""docs/conformance.md lists what there is, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from netrelay import conform
from netrelay.conform.subject import CAPABILITIES
from tools import render_conformance

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text()
CHECKS = {check.name for check in conform.CHECKS}
_, _, TRAPS = PAGE.partition("\n## Traps\n")
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
SECTION = "tree.md section 11"


def test_the_page_is_what_the_checks_render() -> None:
    assert render_conformance.page(PAGE) == PAGE, "run `python tools/render_conformance.py`"


def test_checks_need_what_is_told() -> None:
    needed = {need for check in conform.CHECKS for need in check.needs}
    assert needed <= set(CAPABILITIES)


def test_claims_are_one_line_and_have_a_source() -> None:
    for check in conform.CHECKS:
        assert "\n" not in check.claim
        assert not check.claim.endswith(".")
        assert check.source


def test_every_trap_is_answered() -> None:
    rows = ROW.findall(TRAPS)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == len(re.findall(r"^\| \d", TRAPS, re.MULTILINE))
    for _, trap, answer in rows:
        assert "`" in answer or SECTION in answer, trap


def test_sections_that_are_named_are_there() -> None:
    assert "\n## 11. What can't go wrong\n" in (ROOT / "docs" / "tree.md").read_text()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+\.py::\w+|\w+\.[\w-]+)`", TRAPS))))
def test_what_a_trap_names_exists(name: str) -> None:
    path, _, test = name.partition("::")
    if not test:
        assert name in CHECKS
        return
    module = ast.parse((ROOT / path).read_text())
    assert test in {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
