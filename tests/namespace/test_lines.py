"""Namespace files: what a line means, and that what is written is read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.errors import UsageError
from netrelay.namespace import Namespace, Order
from netrelay.namespace.lines import quoted, words_of

WORDS = st.text(st.characters(exclude_categories=["Cs", "Zl", "Zp", "Cc"]))
PATHS = st.lists(st.sampled_from(["net", "n", "a", "tcp", "..", "cs"]), min_size=1, max_size=3)
SOURCES = st.one_of(
    st.sampled_from(["#I0", "#I1", "#I0/tcp", "#l1", "/net"]), PATHS.map("/".join)
)  # fmt: skip


@given(st.lists(WORDS))
def test_a_quoted_word_is_read_as_it_was(words: list[str]) -> None:
    assert words_of(" ".join(map(quoted, words)), {}) == words


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["bind", "mount", "unmount", "cd"]),
            SOURCES,
            PATHS.map("/".join),
            st.sampled_from(Order),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_its_lines_make_it_again(operations: list[tuple[str, str, str, Order, bool]]) -> None:
    """Whatever was done or refused on the way."""
    space = Namespace.of_stacks("alt")
    for what, source, target, order, create in operations:
        try:
            match what:
                case "bind":
                    space.bind(source, target, order, create=create)
                case "mount":
                    space.mount(f"tcp!{source.strip('/#')[:1]}!9fs", target, order, create=create)
                case "unmount":
                    space.unmount(target, source if create else None)
                case _:
                    space.cd(target)
        except UsageError:
            pass
    again = Namespace()
    again.run("\n".join(space.lines()))
    assert again.table.mounts == space.table.mounts
    assert (again.sessions, again.config) == (space.sessions, space.config)


def test_a_file_is_carried_out_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "gw").write_text("mount -c $gw!9fs /n/$gw.net ''\n")
    (tmp_path / "ns").write_text(
        "# the second stack first\n\n  bind\t-b '#I1'  /net\n. gw\ncd /n\nbind tcp!a.net here\n"
    )
    space = Namespace.of_stacks("alt")
    space.load(tmp_path / "ns", env={"gw": "tcp!a"})
    assert space.lines() == [
        "bind '#I0' /net",
        "bind '#I1' /net.alt",
        "bind -b '#I1' /net",
        "mount -c tcp!a!9fs /n/tcp!a.net",
        "bind /n/tcp!a.net /n/here",
    ]


def test_clear_begins_again() -> None:
    space = Namespace.of_stacks()
    space.run("mount tcp!a!9fs /n/a\ncd /n\nclear\nbind '#I0' x")
    assert space.lines() == ["bind '#I0' /x"]
    assert not space.sessions


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("frob", "unknown operation 'frob': write bind, mount, unmount, cd, clear, ."),
        ("bind /net", r"write bind \[-abc\] NEW OLD"),
        ("mount a b c d", "write mount"),
        ("clear now", "write clear"),
        ("bind -q /net /x", "unknown flag -q"),
        ("bind -ab /net /x", "contradict"),
        ("bind '/net /x", "a quote does not end"),
        ("bind /nothing /x", "bind /nothing /x: file does not exist"),
        ("mount nowhere /x", "bad address"),
        ("cd /nothing", "file does not exist"),
        ("cd /net/cs", "not a directory"),
        ("cd '#I0'", "bind it"),
        (". nothing", "nothing: No such file or directory"),
    ],
)
def test_a_line_that_fails_is_named(line: str, error: str) -> None:
    with pytest.raises(UsageError, match=f"namespace, line 2: .*{error}"):
        Namespace.of_stacks().run(f"\n{line}\n")


def test_files_within_files_end(tmp_path: Path) -> None:
    (tmp_path / "loop").write_text(". loop\n")
    with pytest.raises(UsageError, match="files within files, 16 deep"):
        Namespace().load(tmp_path / "loop")
