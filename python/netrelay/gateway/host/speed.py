"""How fast a link is, by ethtool's ioctl: netlink would take a second protocol for one number."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_GSET: Final = 1
# struct ethtool_cmd: which command, and the speed in Mb/s as a low and a high half.
_BYTES: Final = 44
_LOW, _HIGH = 12, 28
_UNKNOWN: Final = (0, 0xFFFF, 0xFFFF_FFFF)
_MEGABIT: Final = 1_000_000
_IFREQ: Final = struct.Struct("16sP16x")


def speed_of(name: str) -> int:
    """Bits a second; 0 for a link that has no speed or is down."""
    command = array.array("B", struct.pack("=I", _ETHTOOL_GSET).ljust(_BYTES, b"\0"))
    request = _IFREQ.pack(name.encode(), command.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            fcntl.ioctl(sock, _SIOCETHTOOL, request)
        except OSError:
            return 0
    (low,) = struct.unpack_from("=H", command, _LOW)
    (high,) = struct.unpack_from("=H", command, _HIGH)
    megabits = high << 16 | low
    return 0 if megabits in _UNKNOWN else megabits * _MEGABIT
