"""docs/conformance.md lists what there is, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

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
