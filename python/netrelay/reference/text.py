r"""The text form of messages: one line each, and it parses back (docs/protocol.md, section 4).

Transcripts are written in it and logs speak it. The printer and the parser share one small grammar:
values are numbers, quoted strings, qids in parentheses, lists in brackets and records in braces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from netrelay import messages as m
from netrelay.errors import UsageError
from netrelay.reference.codec import LAYOUT
from netrelay.types import MAXWELEM, NOFID, NOTAG, Qid, Stat

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

_BITS: Final = frozenset(("mode", "perm", "flags", "request_mask", "valid"))
_FIDS: Final = frozenset(("fid", "newfid", "afid", "dfid", "olddirfid", "newdirfid", "dirfd"))
_TAGS: Final = frozenset(("tag", "oldtag"))
_LETTERS: Final = "dalmAtsk"
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NAMES: Final = {kind.__name__: kind for kind in m.TYPES}
_TOKEN: Final = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<qid>\([0-9a-f]{16} [0-9]+ (?:[dalmAtsk]+|-)\))"
    r'|(?P<mark>[\[\]{}])|(?P<word>[^ "\[\]{}()]+)'
)
_INTEGER: Final = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,20}")
_ESCAPED: Final = re.compile(r"\\(x[0-9a-f]{2}|.)", re.DOTALL)
_PLAIN: Final = {escape[1]: char for char, escape in _ESCAPES.items()}


def to_text(tag: int, message: m.Message) -> str:
    """One line, without its newline."""
    words = [type(message).__name__, "tag", _number("tag", tag)]
    words += _fields(message)
    return " ".join(words)


def from_text(text: str) -> tuple[int, m.Message]:
    """The tag and message of a line.

    Errors: `UsageError` names the place where the text stops making sense.
    """
    return _Parser(text).message()


def _fields(record: m.Message | Stat) -> list[str]:
    words = []
    for name, value in record._asdict().items():
        words += [name, _value(name, value)]
    return words


def _value(name: str, value: object) -> str:
    match value:
        case int():
            return _number(name, value)
        case str():
            return _quoted(value)
        case bytes() | bytearray() | memoryview():
            return _quoted(bytes(value).decode("latin-1"), binary=True)
        case Qid():
            letters = "".join(c for i, c in enumerate(_LETTERS) if value.type & 0x80 >> i)
            return f"({value.path:016x} {value.vers} {letters or '-'})"
        case Stat():
            return "{" + " ".join(_fields(value)) + "}"
        case tuple():
            return "[" + " ".join(_value(name, each) for each in value) + "]"
    raise UsageError(f"{name} has no text form")


def _number(name: str, value: int) -> str:
    if name in _TAGS and value == NOTAG:
        return "NOTAG"
    if name in _FIDS and value == NOFID:
        return "NOFID"
    return f"0x{value:x}" if name in _BITS else str(value)


def _quoted(text: str, *, binary: bool = False) -> str:
    def escape(char: str) -> str:
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char < " " or char == "\x7f" or (binary and char >= "\x80"):
            return f"\\x{ord(char):02x}"
        return char

    return '"' + "".join(map(escape, text)) + '"'


class _Parser:
    """Reads one line from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        # Where the token begins that a refusal is about.
        self._place = 0

    def message(self) -> tuple[int, m.Message]:
        """The whole line."""
        kind = _NAMES.get(self._take("word"))
        if kind is None:
            raise self._wrong("a message's name")
        self._expect("tag")
        tag = self._integer("tag", "2")
        layout = (word.partition(":") for word in LAYOUT[kind].split())
        values = [self._field(name, code) for name, _, code in layout]
        self._skip_space()
        if self._at < len(self._text):
            raise self._wrong("the end")
        return tag, kind(*values)  # type: ignore[arg-type]  # the table has the right types

    def _field(self, name: str, code: str) -> object:
        self._expect(name)
        match code:
            case "s" | "x":
                return self._string()
            case "d":
                return self._payload()
            case "q":
                return self._qid()
            case "S":
                return tuple(self._list(self._string))
            case "Q":
                return tuple(self._list(self._qid))
            case "T":
                return self._stat()
        return self._integer(name, code)

    def _stat(self) -> Stat:
        self._expect("{", "mark")
        values: list[object] = []
        for name, code in zip(Stat._fields, "24q4448sssss444", strict=True):
            values.append(self._field(name, code))
        self._expect("}", "mark")
        return Stat(*values)  # type: ignore[arg-type]  # as in the sample above

    def _list(self, read: Callable[[], _T]) -> list[_T]:
        self._expect("[", "mark")
        values: list[_T] = []
        while not self._text.startswith("]", self._at):
            if len(values) == MAXWELEM:
                raise self._wrong(f"not more than {MAXWELEM}")
            values.append(read())
            self._skip_space()
        self._expect("]", "mark")
        return values

    def _integer(self, name: str, code: str) -> int:
        word = self._take("word")
        if word == "NOTAG" and name in _TAGS:
            return NOTAG
        if word == "NOFID" and name in _FIDS:
            return NOFID
        if _INTEGER.fullmatch(word) is None:
            raise self._wrong(f"a number for {name}")
        size = int(code) if code.isdigit() else 4
        return self._bounded(int(word, 16 if word.startswith("0x") else 10), size)

    def _bounded(self, value: int, size: int) -> int:
        if value >> 8 * size:
            raise self._wrong(f"a number of {size} bytes")
        return value

    def _qid(self) -> Qid:
        path, vers, letters = self._take("qid")[1:-1].split()
        bits = 0
        for letter in letters.strip("-"):
            bits |= 0x80 >> _LETTERS.index(letter)
        return Qid(bits, self._bounded(int(vers), 4), int(path, 16))

    def _payload(self) -> bytes:
        try:
            return self._string().encode("latin-1")
        except UnicodeEncodeError:
            raise self._wrong("bytes") from None

    def _string(self) -> str:
        def unescape(found: re.Match[str]) -> str:
            escape = found[1]
            if len(escape) == 3:
                return chr(int(escape[1:], 16))
            if escape not in _PLAIN:
                raise self._wrong(f"an escape, not \\{escape}")
            return _PLAIN[escape]

        return _ESCAPED.sub(unescape, self._take("string")[1:-1])

    def _expect(self, word: str, kind: str = "word") -> None:
        if self._take(kind) != word:
            raise self._wrong(word)

    def _skip_space(self) -> None:
        while self._text.startswith(" ", self._at):
            self._at += 1
        self._place = self._at

    def _take(self, kind: str) -> str:
        self._skip_space()
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup != kind:
            raise self._wrong(f"a {kind}")
        self._at = found.end()
        return found[0]

    def _wrong(self, wanted: str) -> UsageError:
        return UsageError(f"column {self._place + 1}: {wanted} expected: {self._text!r}")
