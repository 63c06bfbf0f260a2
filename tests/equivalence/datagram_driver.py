"""The same for conversations of udp: with a peer, with whoever calls, and with everybody.

Loopback delivers while the sender sends, so what was sent is there when an operation goes on.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.reference.codec import encode
from netrelay.types import Dialect

from .datagrams import HOST
from .gateway_driver import ROOT, Driver, local_port

if TYPE_CHECKING:
    from .gateway_twins import Twin

UDP_CTL, UDP_DATA, UDP_ANNOUNCED, UDP_LISTEN, UDP_HEADED = 14, 15, 16, 17, 18
_MAPPED: Final = ipaddress.IPv6Address(f"::ffff:{HOST}").packed


class DatagramDriver(Driver):
    """Operations on udp beside those on tcp."""

    def do_udp_dial(self) -> None:
        """Clone, connect to the first peer, open data."""
        for fid in (UDP_DATA, UDP_CTL):
            self._settled((70, m.Tclunk(fid)))
        self._cloned(70, UDP_CTL)
        self._write_to_each(70, m.Twrite(UDP_CTL, 0, b"connect 127.0.0.1!DGRAM"))
        number = self._number_of(UDP_CTL)
        if number is not None:
            self._settled((70, m.Twalk(ROOT, UDP_DATA, ("net", "udp", number, "data"))))
            self._settled((70, m.Topen(UDP_DATA, 2)))

    def do_udp_say(self, size: int) -> None:
        """The peer sends a datagram to the conversation that was dialled."""
        self._sent_to(UDP_CTL, 0, size)

    def do_udp_write(self, data: bytes) -> None:
        """A datagram to the peer, which must get it."""
        self._settled((71, m.Twrite(UDP_DATA, 0, data)))

    def do_udp_park(self, several: list[int], count: int) -> None:
        """Reads of the dialled conversation's data, several at once."""
        free = [tag for tag in several if tag not in self.twins.both[0].outstanding]
        self._send(*((tag, m.Tread(UDP_DATA, 0, count)) for tag in free))

    def do_udp_gone(self) -> None:
        """The peer's port is nobody's any more; the next datagram to it is unwelcome."""
        for twin in self.twins.both:
            twin.datagrams.leave()

    def do_udp_announce(self) -> None:
        """Clone and announce a port that the host chooses."""
        for fid in (UDP_HEADED, UDP_ANNOUNCED):
            self._settled((72, m.Tclunk(fid)))
        self._cloned(72, UDP_ANNOUNCED)
        self._settled((72, m.Twrite(UDP_ANNOUNCED, 0, b"announce 0")))
        number = self._number_of(UDP_ANNOUNCED)
        if number is not None:
            self._settled((72, m.Twalk(ROOT, UDP_HEADED, ("net", "udp", number, "data"))))
            self._settled((72, m.Topen(UDP_HEADED, 2)))

    def do_udp_call(self, which: int, size: int) -> None:
        """One of the peers sends a datagram to the announced port."""
        self._sent_to(UDP_ANNOUNCED, which, size)

    def do_udp_listen(self, tag: int) -> None:
        """Open the announced conversation's listen."""
        number = self._number_of(UDP_ANNOUNCED)
        if number is None or tag in self.twins.both[0].outstanding:
            return
        self._settled((73, m.Twalk(ROOT, UDP_LISTEN, ("net", "udp", number, "listen"))))
        self._send((tag, m.Topen(UDP_LISTEN, 2)))

    def do_udp_headers(self) -> None:
        """Datagrams with their addresses, from now on."""
        self._settled((74, m.Twrite(UDP_ANNOUNCED, 0, b"headers")))

    def do_udp_ctl(self, fid: int, command: bytes) -> None:
        """Any command of the conversations that were made, calls too."""
        self._write_to_each(74, m.Twrite(fid, 0, command))

    def do_udp_headed(self, tag: int) -> None:
        """A read of the announced conversation's data."""
        if tag not in self.twins.both[0].outstanding:
            self._send((tag, m.Tread(UDP_HEADED, 0, 100)))

    def do_udp_answer(self, source: bytes, data: bytes) -> None:
        """A datagram to the first peer, its addresses before it."""
        for twin in self.twins.both:
            head = _MAPPED + source + bytes(16) + struct.pack(">HH", twin.datagrams.port, 0)
            twin.send(encode(75, m.Twrite(UDP_HEADED, 0, head + data), Dialect.P2000))
            twin.outstanding.add(75)
        self.twins.settle({75})

    def _cloned(self, tag: int, fid: int) -> None:
        self._settled((tag, m.Twalk(ROOT, fid, ("net", "udp", "clone"))))
        self._settled((tag, m.Topen(fid, 2)))

    def _sent_to(self, fid: int, which: int, size: int) -> None:
        number = self._number_of(fid)
        if number is None:
            return
        for twin in self.twins.both:
            port = port_of(twin, number)
            if port is not None:
                twin.datagrams.send(which, bytes(i % 251 for i in range(size)), port)
        self.twins.settle()


def port_of(twin: Twin, number: str) -> int | None:
    """The port of a conversation of udp, if it is open."""
    return local_port(twin, number, net="udp", up="Open")
