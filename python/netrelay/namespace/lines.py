"""Namespace files: one operation a line (namespace(6)).

Words are separated by blanks and quoted as rc(1) does: 'it''s'. `$NAME` outside quotes is a
variable, nothing where there is none. Blank lines and those that begin with # are passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netrelay.errors import UsageError
from netrelay.namespace.places import Order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netrelay.namespace.namespace import Namespace

# A file that includes itself would not end.
_DEEPEST: Final = 16
_QUOTED: Final = r"'(?:[^']|'')*'"
_WORD: Final = re.compile(rf"(?:{_QUOTED}|[^\s'])+")
_PART: Final = re.compile(rf"{_QUOTED}|\$[^\s/$.!']*|[^$']+")
_PLAIN: Final = re.compile(r"[^\s'#$]+\Z")
_SHAPES: Final = {
    "bind": "bind [-abc] NEW OLD",
    "mount": "mount [-abc] ADDR OLD [ANAME]",
    "unmount": "unmount [NEW] OLD",
    "cd": "cd DIR",
    "clear": "clear",
    ".": ". FILE",
}


class Reader:
    """Carries out the lines of files. `folder` is where names of further files begin."""

    def __init__(self, space: Namespace, env: Mapping[str, str], depth: int = 0) -> None:
        self._space = space
        self._env = env
        self._depth = depth

    def run(self, text: str, source: str, folder: Path) -> None:
        """Carry out all lines. Errors: `UsageError`, which names the source and the line."""
        for number, line in enumerate(text.splitlines(), 1):
            try:
                self._line(line, folder)
            except UsageError as error:
                raise UsageError(f"{source}, line {number}: {error}") from None

    def _line(self, line: str, folder: Path) -> None:
        words = [] if line.lstrip().startswith("#") else words_of(line, self._env)
        if not words:
            return
        command, *rest = words
        flags, arguments = _flags(rest) if command in {"bind", "mount"} else ("", rest)
        order, create = _order(flags), "c" in flags
        match command, arguments:
            case "bind", [new, old]:
                self._space.bind(new, old, order, create=create)
            case "mount", [address, old, *aname] if len(aname) <= 1:
                self._space.mount(address, old, order, create=create, aname="".join(aname))
            case "unmount", [old]:
                self._space.unmount(old)
            case "unmount", [new, old]:
                self._space.unmount(old, new)
            case "cd", [path]:
                self._space.cd(path)
            case "clear", []:
                self._space.clear()
            case ".", [path]:
                self._include(folder / path)
            case _ if command in _SHAPES:
                raise UsageError(f"write {_SHAPES[command]}")
            case _:
                raise UsageError(f"unknown operation {command!r}: write {', '.join(_SHAPES)}")

    def _include(self, path: Path) -> None:
        if self._depth >= _DEEPEST:
            raise UsageError(f"{path}: files within files, {_DEEPEST} deep")
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise UsageError(f"{path}: {why}") from None
        Reader(self._space, self._env, self._depth + 1).run(text, str(path), path.parent)


def words_of(line: str, env: Mapping[str, str]) -> list[str]:
    """The words of a line. Errors: `UsageError` for a quote that does not end."""
    if line.count("'") % 2:
        raise UsageError("a quote does not end")
    return ["".join(_value(part, env) for part in _PART.findall(word))
            for word in _WORD.findall(line)]  # fmt: skip


def written(command: str, order: Order, create: bool, arguments: Sequence[str]) -> str:
    """The line of an operation."""
    flags = order.value + ("c" if create else "")
    words = [command, *([f"-{flags}"] if flags else []), *map(quoted, arguments)]
    return " ".join(words)


def quoted(word: str) -> str:
    """A word as a line may have it."""
    return word if _PLAIN.match(word) else "'" + word.replace("'", "''") + "'"


def _value(part: str, env: Mapping[str, str]) -> str:
    if part.startswith("'"):
        return part[1:-1].replace("''", "'")
    return env.get(part[1:], "") if part.startswith("$") else part


def _flags(words: list[str]) -> tuple[str, list[str]]:
    """The letters of the flags, and what is behind them."""
    flags = ""
    while words and words[0].startswith("-") and words[0] != "-":
        word, *words = words
        if word == "--":
            break
        flags += word[1:]
    for flag in flags:
        if flag not in "abc":
            raise UsageError(f"unknown flag -{flag}")
    return flags, words


def _order(flags: str) -> Order:
    if "a" in flags and "b" in flags:
        raise UsageError("-a and -b contradict each other")
    return Order.AFTER if "a" in flags else Order.BEFORE if "b" in flags else Order.REPLACE
