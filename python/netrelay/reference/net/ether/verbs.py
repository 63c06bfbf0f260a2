"""The commands of a slot's ctl (ether(3))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from netrelay.reference.net.refusal import refusal

# What of a line is looked at.
_LONGEST: Final = 63
_KIND: Final = re.compile(rb"-?[0-9]+|0[xX][0-9a-fA-F]+")
_MAC: Final = re.compile(rb"[0-9a-fA-F]{2}(?::?[0-9a-fA-F]{2}){5}")
_HEADERS: Final = -2
_MOST: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Connect:
    """Frames of a type, of all for -1, all as headers for -2."""

    kind: int


@dataclass(frozen=True, slots=True)
class Join:
    """Frames for a group, too."""

    group: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """No frames for it any more."""

    group: bytes


@dataclass(frozen=True, slots=True)
class Plain:
    """A verb without arguments: `promiscuous`, `headersonly`, `bridge` or `nonblocking`."""

    verb: bytes


PROMISCUOUS, HEADERS_ONLY, BRIDGE, NONBLOCKING = (
    Plain(b"promiscuous"), Plain(b"headersonly"), Plain(b"bridge"), Plain(b"nonblocking"),
)  # fmt: skip
_PLAIN: Final = {each.verb: each for each in (PROMISCUOUS, HEADERS_ONLY, BRIDGE, NONBLOCKING)}

Command = Connect | Join | Leave | Plain


def parse(line: bytes) -> Command:
    """The command of a line.

    Errors: `bad process or channel control request`; `bad address`.
    """
    words = [word for word in re.split(rb"[ \t\n]", line[:_LONGEST]) if word]
    verb, argument = words[0] if words else b"", words[1] if len(words) > 1 else b""
    match verb:
        case b"connect":
            return Connect(_kind(argument))
        case b"addmulti":
            return Join(_mac(argument))
        case b"delmulti" | b"remmulti":
            return Leave(_mac(argument))
    if verb not in _PLAIN:
        raise refusal("BAD_CONTROL")
    return _PLAIN[verb]


def _kind(word: bytes) -> int:
    if _KIND.fullmatch(word) is None:
        raise refusal("BAD_CONTROL")
    kind = int(word, 16 if word[1:2] in {b"x", b"X"} else 10)
    if not _HEADERS <= kind <= _MOST or kind == 0:
        raise refusal("BAD_CONTROL")
    return kind


def _mac(word: bytes) -> bytes:
    if _MAC.fullmatch(word) is None:
        raise refusal("BAD_ADDRESS")
    return bytes.fromhex(word.replace(b":", b"").decode())
