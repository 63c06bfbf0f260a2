"""`%I` and `%M`: addresses and masks as the original prints them (eipfmt).

It keeps every address in 128 bits, and so prints the mask of an IPv4 /24 as `/120`.
"""

from __future__ import annotations

import ipaddress
from typing import Final

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BITS: Final = 128


def address(word: str) -> Ip:
    """What `%I` printed; an IPv4-mapped address is IPv4. Errors: `ValueError`."""
    ip = ipaddress.ip_address(word)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def prefix(word: str, ip: Ip) -> int:
    """The length, in the bits of the address, of the mask that `%M` printed.

    Errors: `ValueError`, also of a mask that is no prefix, which has no slash.
    """
    if not word.startswith("/"):
        raise ValueError(f"no prefix: {word}")
    length = int(word[1:])
    if length > ip.max_prefixlen:
        length -= _BITS - ip.max_prefixlen
    if not 0 <= length <= ip.max_prefixlen:
        raise ValueError(f"no mask of {ip}: {word}")
    return length


def network(word: str, mask: str) -> Network:
    """The network of an address and a mask. Errors: `ValueError`."""
    ip = address(word)
    return ipaddress.ip_network((ip, prefix(mask, ip)), strict=False)
