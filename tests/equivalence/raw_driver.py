"""The same for what is below udp, in a network namespace of each gateway's own.

Loopback hands conversations what they send themselves, while they send it.
"""

from __future__ import annotations

from typing import Final

from netrelay import messages as m

from .gateway_driver import ROOT, Driver

NETS: Final = ("icmp", "icmpv6", "gre", "ipmux", "esp")
_CTL, _DATA, _FILE = 80, 90, 70


def ctl_of(net: str) -> int:
    """The fid of the ctl of the last conversation of a protocol."""
    return _CTL + NETS.index(net)


def data_of(net: str) -> int:
    """The fid of its data."""
    return _DATA + NETS.index(net)


class RawDriver(Driver):
    """Operations on the last conversation of each protocol."""

    def do_raw_clone(self, net: str, command: bytes) -> None:
        """Clone, connect or announce, open data."""
        ctl, data = ctl_of(net), data_of(net)
        for fid in (data, ctl):
            self._settled((100, m.Tclunk(fid)))
        self._settled((100, m.Twalk(ROOT, ctl, ("net.alt", net, "clone"))))
        self._settled((100, m.Topen(ctl, 2)))
        self._settled((100, m.Twrite(ctl, 0, command)))
        number = self._number_of(ctl)
        if number is not None:
            self._settled((100, m.Twalk(ROOT, data, ("net.alt", net, number, "data"))))
            self._settled((100, m.Topen(data, 2)))

    def do_raw_ctl(self, net: str, command: bytes) -> None:
        """Any command."""
        self._settled((101, m.Twrite(ctl_of(net), 0, command)))

    def do_raw_write(self, net: str, packet: bytes) -> None:
        """A packet, or what is none."""
        self._settled((102, m.Twrite(data_of(net), 0, packet)))

    def do_raw_park(self, net: str, several: list[int], count: int) -> None:
        """Reads of data, several at once."""
        free = [tag for tag in several if tag not in self.twins.both[0].outstanding]
        self._send(*((tag, m.Tread(data_of(net), 0, count)) for tag in free))

    def do_raw_look(self, net: str, name: str) -> None:
        """What a file of the conversation says, or stats."""
        number = self._number_of(ctl_of(net))
        if number is not None:
            path = ("net.alt", net, *(("stats",) if name == "stats" else (number, name)))
            self._settled((103, m.Twalk(ROOT, _FILE, path)))
            self._settled((103, m.Topen(_FILE, 0)), (104, m.Tread(_FILE, 0, 1000)))
            self._settled((103, m.Tclunk(_FILE)))

    def do_raw_clunk(self, net: str) -> None:
        """The end of it, whatever is in flight."""
        self._settled((105, m.Tclunk(data_of(net))), (106, m.Tclunk(ctl_of(net))))
