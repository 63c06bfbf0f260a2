"""The ctl file: one write is one command (ip(3), docs/tree.md 5).

Only the grammar: what a command means for the conversation's state is in `conversation`. Words are
bytes, as a client may write anything; an unknown word is refused as such, whatever it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netrelay.reference.net.address import Address, Remote, parse_local, parse_remote
from netrelay.reference.net.refusal import refusal

_BLANKS: Final = b" \t\r\n"
_QUOTE: Final = ord("'")
KEEPALIVE_MS: Final = 120_000
_MOST_MS: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Connect:
    """Call `remote`, from `local` if that is given."""

    remote: Remote
    local: Address | None
    restricted: bool


@dataclass(frozen=True, slots=True)
class Announce:
    """Take calls to `local`."""

    local: Address
    restricted: bool


@dataclass(frozen=True, slots=True)
class Bind:
    """Use `local` for a later connect."""

    local: Address
    restricted: bool


@dataclass(frozen=True, slots=True)
class Hangup:
    """Reset the call."""


@dataclass(frozen=True, slots=True)
class Close:
    """End both directions in an orderly way."""


@dataclass(frozen=True, slots=True)
class ShutdownWrite:
    """End our direction."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Probe an idle call every so many milliseconds."""

    interval_ms: int


@dataclass(frozen=True, slots=True)
class Ttl:
    """Hops a packet may make."""

    hops: int


@dataclass(frozen=True, slots=True)
class Tos:
    """The type-of-service byte."""

    value: int


@dataclass(frozen=True, slots=True)
class IgnoreAdvice:
    """ICMP does not end a call; TCP on Linux acts so already."""


Command = (
    Connect
    | Announce
    | Bind
    | Hangup
    | Close
    | ShutdownWrite
    | Keepalive
    | Ttl
    | Tos
    | IgnoreAdvice
)


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


def parse(line: bytes) -> Command:
    """The command of one write. Errors: as listed in docs/tree.md."""
    words = tokenize(line)
    if not words:
        raise refusal("SHORT_CONTROL")
    verb, args = words[0], words[1:]
    match verb, args:
        case b"connect", [remote]:
            to = parse_remote(remote)
            return Connect(to, None, to.restricted)
        case b"connect", [remote, local]:
            to = parse_remote(remote)
            address, restricted = parse_local(local)
            return Connect(to, address, restricted or to.restricted)
        case b"announce", [local]:
            return Announce(*parse_local(local))
        case b"bind", [local]:
            return Bind(*parse_local(local))
        case b"hangup", _:
            return Hangup()
        case b"close", _:
            return Close()
        case b"shutdown", [b"write"]:
            return ShutdownWrite()
        case b"keepalive", _:
            return Keepalive(_number(verb, args, KEEPALIVE_MS, _MOST_MS))
        case b"ttl", _:
            return Ttl(_number(verb, args, 255, 255))
        case b"tos", _:
            return Tos(_number(verb, args, 0, 255))
        case b"ignoreadvice", _:
            return IgnoreAdvice()
        case ((b"connect" | b"announce" | b"bind" | b"shutdown"), _):
            raise refusal(f"BAD_ARGS_TO_{verb.decode().upper()}")
    raise refusal("UNKNOWN_CONTROL")


def _number(verb: bytes, args: list[bytes], default: int, most: int) -> int:
    bad = refusal(f"BAD_ARGS_TO_{verb.decode().upper()}")
    if not args:
        return default
    digits = args[0].lstrip(b"0") or args[0][:1]
    if len(args) > 1 or not args[0].isdigit() or len(digits) > len(str(most)):
        raise bad
    if int(digits) > most:
        raise bad
    return int(digits)
