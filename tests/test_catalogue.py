"""The texts that leave a gateway are the same in both cores and on the page that users read."""

from __future__ import annotations

import re
from pathlib import Path

from netrelay.errors import CATALOGUE
from tools import render_errors

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r'^    ([A-Z_]+) = (\d+) "((?:[^"\\]|\\.)*)",$', re.MULTILINE)


def rust_catalogue() -> dict[str, tuple[str, int]]:
    source = (ROOT / "rust/proto/src/error.rs").read_text()
    _, _, table = source.partition("\ncatalogue! {\n")
    return {name: (text, int(number)) for name, number, text in ROW.findall(table)}


def test_both_cores_refuse_in_the_same_words_and_numbers() -> None:
    assert list(rust_catalogue().items()) == list(CATALOGUE.items())


def test_the_errors_page_is_what_the_catalogue_renders() -> None:
    assert render_errors.PAGE.read_text() == render_errors.page(), (
        "run `python tools/render_errors.py`"
    )


def test_what_dial_looks_for_is_in_the_texts() -> None:
    for name, word in [
        ("REFUSED", "refused"),
        ("INTERRUPTED", "interrupted"),
        ("FILE_DOES_NOT_EXIST", "does not exist"),
        ("ADDRESS_IN_USE", "in use"),
    ]:
        assert word in CATALOGUE[name][0]
