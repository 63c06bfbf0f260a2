"""The texts that leave a gateway are the same in both cores and on the page that users read."""

from __future__ import annotations

import ast
import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay.errors import CATALOGUE, LINUX_TEXTS, NAME_TEXTS, errno_of
from tools import render_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python/netrelay"
ROW = re.compile(r'^    ([A-Z_]+) = (\d+) "((?:[^"\\]|\\.)*)",$', re.MULTILINE)
LINUX_ROW = re.compile(r'^    \((\d+), "([^"]*)"\),$', re.MULTILINE)
# 9P2000.u's client takes a number for an errno only below this (net/9p/client.c).
LINUX_NUMBERS = range(1, 512)


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


def test_both_cores_have_the_same_words_for_linux() -> None:
    source = (ROOT / "rust/proto/src/error.rs").read_text()
    rows = [(int(number), text) for number, text in LINUX_ROW.findall(source)]
    assert rows == list(LINUX_TEXTS.items())


def test_no_text_that_leaves_a_gateway_is_unmapped() -> None:
    for name, (text, number) in CATALOGUE.items():
        assert number in LINUX_NUMBERS, name
        assert number in LINUX_TEXTS, f"Linux has no words for {text}"
    for text, number in NAME_TEXTS.items():
        assert number in LINUX_NUMBERS
        assert number in LINUX_TEXTS, f"Linux has no words for {text}"


def test_the_words_for_linux_are_those_of_its_table() -> None:
    # Its table has strerror(3)'s words, but for these two numbers, which it lacks.
    lacking = {errno.EADDRINUSE: errno.EBUSY, errno.EADDRNOTAVAIL: errno.ENXIO}
    for number, text in LINUX_TEXTS.items():
        assert text == os.strerror(lacking.get(number, number))


def name_texts() -> Iterator[tuple[str, str]]:
    """What names are refused with: the place in the source, and how the text begins."""
    refusing = {"QueryRefused", "LookupRefused", "_refusal", "_refuse"}
    for module in sorted(PACKAGE.glob("names/*.py")) + sorted(PACKAGE.glob("gateway/*.py")):
        tree = ast.parse(module.read_text())
        texts = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
                if (name.id if isinstance(name, ast.Name) else name) in refusing:
                    for text in said(node.args[-1], texts):
                        yield f"{module.name}:{node.lineno}", text


def said(argument: ast.expr, texts: Mapping[str, object]) -> Iterator[str]:
    """What a refusal's last argument may begin with, as far as the source says."""
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield text
        case ast.Name(id=name) if isinstance(texts.get(name), str):
            yield str(texts[name])
        case ast.IfExp(body=body, orelse=orelse):
            yield from said(body, texts)
            yield from said(orelse, texts)


def test_every_answer_of_cs_and_dns_has_its_errno() -> None:
    found = list(name_texts())
    assert {text for _, text in found} >= {"can't translate service", "name does not exist"}
    for place, text in found:
        assert any(text.startswith(words) for words in NAME_TEXTS), f"{text} of {place}"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("cs: can't translate address: dns: name does not exist", errno.ENOENT),
        ("dns: illegal request refused", errno.EINVAL),
        ("dns: unknown type in use", errno.EINVAL),
        ("dns: dns failure", errno.EIO),
        ("something of somebody's", errno.EIO),
        ("the host refused", errno.ECONNREFUSED),
    ],
)
def test_the_query_s_own_words_do_not_choose_the_errno(text: str, number: int) -> None:
    assert errno_of(text) == number
