"""The verbs of ctl that only esp has, and its connect (ip(3), docs/raw.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from netrelay.reference.net import ctl
from netrelay.reference.net.address import Remote, parse_ip
from netrelay.reference.net.esp.algorithms import AUTHENTICATIONS, CIPHERS
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netrelay.reference.net.esp.algorithms import Authentication, Cipher

_INDEXES: Final = 1 << 32
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Associate(ctl.Connect):
    """Make an association of that index; without one an incoming one, whose index is chosen."""

    index: int | None


@dataclass(frozen=True, slots=True)
class Encrypt(ctl.Command):
    """Use a cipher, or none."""

    cipher: Cipher | None


@dataclass(frozen=True, slots=True)
class Authenticate(ctl.Command):
    """Use an authentication, or none."""

    authentication: Authentication | None


@dataclass(frozen=True, slots=True)
class Header(ctl.Command):
    """Put the next header before payloads, or not."""

    on: bool


def _connect(args: list[bytes]) -> Associate:
    if len(args) != 1:
        raise refusal("BAD_ARGS_TO_CONNECT")
    host, bang, index = args[0].partition(b"!")
    if not bang:
        raise refusal("MALFORMED_ADDRESS")
    remote = Remote(parse_ip(host), 0, restricted=False)
    if index == b"*":
        return Associate(remote, None, restricted=False, index=None)
    return Associate(remote, None, restricted=False, index=_index(index))


def _index(text: bytes) -> int:
    digits = text.lstrip(b"0") or text[:1]
    if not text.isdigit() or len(digits) > len(str(_INDEXES)) or int(digits) >= _INDEXES:
        raise refusal("MALFORMED_ADDRESS")
    return int(digits)


def _announce(_args: list[bytes]) -> ctl.Command:
    raise refusal("NO_ANNOUNCE")


def _esp(args: list[bytes]) -> Encrypt:
    return Encrypt(_algorithm(args, CIPHERS))


def _ah(args: list[bytes]) -> Authenticate:
    return Authenticate(_algorithm(args, AUTHENTICATIONS))


def _algorithm(
    args: list[bytes], known: Mapping[bytes, tuple[int, Callable[[bytes], Made]]]
) -> Made:
    if len(args) not in {1, 2}:
        raise refusal("BAD_FORMAT")
    if args[0] not in known:
        raise refusal("UNKNOWN_ALGORITHM")
    size, make = known[args[0]]
    digits = args[1] if args[1:] else b""
    if not digits.isascii():
        raise refusal("KEY_NOT_HEX")
    if len(digits) != 2 * size:
        raise refusal("KEY_LENGTH")
    if not _HEX.issuperset(digits):
        raise refusal("KEY_NOT_HEX")
    # The last two digits are the first byte.
    try:
        return make(bytes.fromhex(digits.decode())[::-1])
    except ImportError:
        raise refusal("UNKNOWN_ALGORITHM") from None


def _header(_args: list[bytes]) -> Header:
    return Header(on=True)


def _noheader(_args: list[bytes]) -> Header:
    return Header(on=False)


VERBS: Final[ctl.Verbs] = {
    b"connect": _connect,
    b"announce": _announce,
    b"esp": _esp,
    b"ah": _ah,
    b"header": _header,
    b"noheader": _noheader,
}
