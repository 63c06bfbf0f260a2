"""The ctl file: one write is one command (ip(3), docs/tree.md 5).

Only the grammar, and of that what all protocols share: each has verbs of its own besides. What a
command means for the conversation's state is in `conversation`. Words are bytes, as a client may
write anything; an unknown word is refused as such, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from netrelay.reference.net.address import Address, Remote, parse_local, parse_remote
from netrelay.reference.net.refusal import refusal

_BLANKS: Final = b" \t\r\n"
_QUOTE: Final = ord("'")


class Command:
    """What one write asks for."""

    __slots__ = ()


# A protocol's own verbs, and what makes a command of the words behind one.
Verbs = Mapping[bytes, Callable[[list[bytes]], Command]]


@dataclass(frozen=True, slots=True)
class Connect(Command):
    """Call `remote`, from `local` if that is given."""

    remote: Remote
    local: Address | None
    restricted: bool


@dataclass(frozen=True, slots=True)
class Announce(Command):
    """Take calls to `local`."""

    local: Address
    restricted: bool


@dataclass(frozen=True, slots=True)
class Bind(Command):
    """Use `local` for a later connect."""

    local: Address
    restricted: bool


@dataclass(frozen=True, slots=True)
class Hangup(Command):
    """Make an abrupt end."""


@dataclass(frozen=True, slots=True)
class Ttl(Command):
    """Hops a packet may make."""

    hops: int


@dataclass(frozen=True, slots=True)
class Tos(Command):
    """The type-of-service byte."""

    value: int


@dataclass(frozen=True, slots=True)
class IgnoreAdvice(Command):
    """What ICMP says does not end it."""


def tokenize(line: bytes) -> list[bytes]:
    """Split at white space; `'` quotes, `''` inside is a quote (getfields(2))."""
    words: list[bytes] = []
    at = 0
    while at < len(line):
        if line[at] in _BLANKS:
            at += 1
            continue
        word = bytearray()
        quoting = False
        while at < len(line) and (quoting or line[at] not in _BLANKS):
            byte = line[at]
            if byte != _QUOTE:
                word.append(byte)
            elif not quoting:
                quoting = True
            elif line[at + 1 : at + 2] == b"'":
                word.append(byte)
                at += 1
            else:
                quoting = False
            at += 1
        words.append(bytes(word))
    return words


def parse(line: bytes, own: Verbs, unknown: str = "UNKNOWN_CONTROL") -> Command:
    """The command of one write to a conversation of the protocol that has these verbs.

    `unknown` is the refusal of others.
    Errors: as listed in docs/tree.md.
    """
    words = tokenize(line)
    if not words:
        raise refusal("SHORT_CONTROL")
    verb, args = words[0], words[1:]
    if verb in own:
        return own[verb](args)
    match verb, args:
        case b"connect", _:
            return connect(args)
        case b"announce", [local]:
            return Announce(*parse_local(local))
        case b"bind", [local]:
            return Bind(*parse_local(local))
        case b"hangup", _:
            return Hangup()
        case b"ttl", _:
            return Ttl(number(args, 255, 255, "BAD_ARGS_TO_TTL"))
        case b"tos", _:
            return Tos(number(args, 0, 255, "BAD_ARGS_TO_TOS"))
        case b"ignoreadvice", _:
            return IgnoreAdvice()
        case ((b"announce" | b"bind"), _):
            raise refusal(f"BAD_ARGS_TO_{verb.decode().upper()}")
    raise refusal(unknown)


def connect(args: list[bytes]) -> Connect:
    """The words behind `connect`. Errors: as listed in docs/tree.md."""
    match args:
        case [remote]:
            to = parse_remote(remote)
            return Connect(to, None, to.restricted)
        case [remote, local]:
            to = parse_remote(remote)
            address, restricted = parse_local(local)
            return Connect(to, address, restricted or to.restricted)
    raise refusal("BAD_ARGS_TO_CONNECT")


def number(args: list[bytes], default: int, most: int, bad: str) -> int:
    """The only word behind a verb, a number up to `most`. Errors: the refusal called `bad`."""
    if not args:
        return default
    digits = args[0].lstrip(b"0") or args[0][:1]
    if len(args) > 1 or not args[0].isdigit() or len(digits) > len(str(most)):
        raise refusal(bad)
    if int(digits) > most:
        raise refusal(bad)
    return int(digits)
