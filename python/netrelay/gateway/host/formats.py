"""Addresses, masks and words as the original prints and reads them (eipfmt, parseip, parsecmd).

A mask is a prefix's length. The original keeps every address in 16 bytes, so that the mask of an
IPv4 network of /24 is printed as /120; written masks may be either. Addresses that are written are
those of docs/tree.md section 5: none is abbreviated. Nothing here knows what an address is for.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host.refusal import refusal

if TYPE_CHECKING:
    from netrelay.gateway.host.values import Ip

_V4_BITS: Final = 32
_V6_BITS: Final = 128
# What is in front of an IPv4 address in the original's 128 bits.
_FRONT: Final = _V6_BITS - _V4_BITS
_ALL_BITS: Final = (1 << _V6_BITS) - 1
_WORD: Final = re.compile(r"(?:[^\s']|'(?:[^']|'')*(?:'|\Z))+")
_QUOTED: Final = re.compile(r"'((?:[^']|'')*)(?:'|\Z)")
# Networks whose addresses have a mask of their own if none is given (classmask.c).
_DEFAULTS: Final = (
    (ipaddress.ip_network("0.0.0.0/1"), 8),
    (ipaddress.ip_network("128.0.0.0/2"), 16),
    (ipaddress.ip_network("192.0.0.0/2"), 24),
    (ipaddress.ip_network("fe80::/64"), 64),
    (ipaddress.ip_network("ff02::1:ff00:0/104"), 104),
    (ipaddress.ip_network("ff00::/8"), 8),
)


def print_ip(ip: Ip | None) -> str:
    """`%I`: the first longest run of zero groups is `::`, even a single one; no address is `::`."""
    if ip is None:
        return "::"
    if ip.version == 4:  # noqa: PLR2004 (of the Internet Protocol)
        return str(ip)
    groups = [f"{int(group, 16):x}" for group in ip.exploded.split(":")]
    runs = [len(list(takewhile(lambda group: group == "0", groups[at:]))) for at in range(8)]
    longest = max(runs)
    if not longest:
        return ":".join(groups)
    at = runs.index(longest)
    return f"{':'.join(groups[:at])}::{':'.join(groups[at + longest :])}"


def print_mask(prefix: int, ip: Ip) -> str:
    """`%M` of the mask of an address: its length in 128 bits."""
    return f"/{prefix + _V6_BITS - ip.max_prefixlen}"


def parse_ip(word: str) -> Ip:
    """An address without a zone; an IPv4-mapped one is IPv4. Errors: `bad ip address syntax`."""
    try:
        ip = ipaddress.ip_address(word)
    except ValueError:
        raise refusal("BAD_IP") from None
    if "%" in word:
        raise refusal("BAD_IP")
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def parse_mask(word: str, ip: Ip) -> int:
    """The length, in the bits of the address, of `/24`, `/120`, `255.255.255.0` or `ffff::`.

    Errors: `bad ip address syntax`, also of a mask that is no prefix.
    """
    prefix = _length(word, ip) if word.startswith("/") else _ones(_bits(word))
    prefix -= _V6_BITS - ip.max_prefixlen
    if not 0 <= prefix <= ip.max_prefixlen:
        raise refusal("BAD_IP")
    return prefix


def default_mask(ip: Ip) -> int:
    """The length of an address's mask if none is given."""
    for network, prefix in _DEFAULTS:
        if ip in network:
            return prefix
    return _V4_BITS if ip.version == 4 else _V6_BITS  # noqa: PLR2004 (of the Internet Protocol)


def words(text: str) -> list[str]:
    """The words of a command: white space between them, `'` around what has some in it."""
    return [
        _QUOTED.sub(lambda quoted: quoted[1].replace("''", "'"), word)
        for word in _WORD.findall(text)
    ]


def number(word: str) -> int:
    """Decimal digits. Errors: `bad arg in system call`."""
    if not (word.isascii() and word.isdecimal()):
        raise refusal("BAD_ARG")
    return int(word)


def _length(word: str, ip: Ip) -> int:
    digits = word[1:]
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > len(str(_V6_BITS)):
        raise refusal("BAD_IP")
    length = int(digits)
    short = ip.max_prefixlen == _V4_BITS and length <= _V4_BITS
    return length + _FRONT if short else length


def _bits(word: str) -> int:
    mask = parse_ip(word)
    whole = _ALL_BITS ^ ((1 << _V4_BITS) - 1)
    return whole | int(mask) if mask.max_prefixlen == _V4_BITS else int(mask)


def _ones(bits: int) -> int:
    """How many ones a mask begins with, if zeros follow. Errors: `bad ip address syntax`."""
    zeros = _ALL_BITS ^ bits
    if zeros & (zeros + 1):
        raise refusal("BAD_IP")
    return _V6_BITS - zeros.bit_length()
