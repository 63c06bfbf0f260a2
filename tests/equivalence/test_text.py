"""Both cores print a message in the same words, and read or refuse the same texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.errors import UsageError
from netrelay.types import NOTAG, Dialect
from tests.equivalence.outcomes import alike
from tests.strategies.messages import dialects, integers, messages
from tests.vectors import Example, examples

if TYPE_CHECKING:
    from netrelay.core import Core

PIECES = st.sampled_from(
    ("", " ", "  ", '"', "\\", "\\x", "\\x0", "\\x7f", "\\xZZ", "\\n", "\\q", "[", "]", "{", "}",
     "(", ")", "-", "NOTAG", "NOFID", "tag", "fid", "0x", "0xff", "007", "65536", "4294967296",
     "18446744073709551616", "0x10000000000000000", "(0000000000000001 0 d)", "\t", "\n", "é", "\0",
     "(0000000000000001 4294967296 d)", "(0000000000000001 0 dd)", "(1 0 d)", "+1", "1_0", "\u0663",
     "\N{NO-BREAK SPACE}")
)  # fmt: skip


@given(st.data(), dialects)
def test_a_message_has_one_text_and_it_parses_back(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    tag, message = data.draw(integers(2)), data.draw(messages(dialect))
    text = alike(rust, python, lambda core: core.to_text(tag, message))
    assert isinstance(text, str)
    assert alike(rust, python, lambda core: core.from_text(text)) == (tag, message)


@given(st.data(), dialects)
def test_a_damaged_text_is_read_alike(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    text = python.to_text(data.draw(integers(2)), data.draw(messages(dialect)))
    for _ in range(data.draw(st.integers(1, 3))):
        at, end = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(PIECES) + text[at + end :]
    alike(rust, python, lambda core: core.from_text(text))


@given(st.sampled_from(examples()), st.data())
def test_a_text_with_other_words_is_read_alike(
    rust: Core, python: Core, sample: Example, data: st.DataObject
) -> None:
    words = sample.text.split(" ")
    for _ in range(data.draw(st.integers(1, 3))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(PIECES)
    alike(rust, python, lambda core: core.from_text(" ".join(words)))


@given(st.text(max_size=40))
@example("Tclunk tag NOTAG fid NOFID")
@example("Tclunk tag 0 fid 0x0")
@example(" Tclunk  tag 0 fid 0 ")
@example("Tclunk tag 0 fid 0\n")
@example('Tversion tag 65535 msize 8216 version "9P2000" ')
@example('Rversion tag 0 msize 00 version ""')
def test_any_text_is_read_alike(rust: Core, python: Core, text: str) -> None:
    alike(rust, python, lambda core: core.from_text(text))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("Twrong tag 0", 1),
        ("Tclunk tag 0 fid", 17),
        ("Tclunk tag 0 fid 4294967296", 18),
        ("Tclunk tag 0 fid 0 0", 20),
        ("Twalk tag 0 fid 0 newfid 0 wname [0]", 35),
    ],
)
def test_a_refused_text_names_the_place(core: Core, text: str, column: int) -> None:
    with pytest.raises(UsageError, match=rf"^column {column}: "):
        core.from_text(text)


def test_the_tag_of_a_version_has_its_name(core: Core) -> None:
    assert core.to_text(NOTAG, m.Rclunk()) == "Rclunk tag NOTAG"
