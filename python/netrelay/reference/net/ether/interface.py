"""An interface whose frames the operator gives away, and what its slots share."""

from __future__ import annotations

import os
from typing import Final

from netrelay.errors import NetError
from netrelay.reference.net.ether import link
from netrelay.reference.net.ether.link import Link

# linux/if_arp.h: Ethernet's, and the loopback, whose frames have the same form.
_HARDWARE: Final = frozenset({1, 772})
# Words of struct rtnl_link_stats64.
_IN, _OUT, _OUT_ERRORS, _OVER, _CRC, _FRAME, _FIFO = 0, 1, 5, 11, 12, 13, 14


class Interface:
    """An interface as it was when the gateway started.

    Errors: `NetError`, which names it: there is none, its frames are not Ethernet's, or the
    gateway may not have them.
    """

    def __init__(self, name: str) -> None:
        try:
            found = link.link(name)
            if found.hardware not in _HARDWARE:
                raise NetError(f"ether {name}: not Ethernet")
            link.opened(found.index).close()
        except NetError:
            raise
        except OSError as err:
            why = os.strerror(err.errno or 0)
            raise NetError(f"ether {name}: {why}", err.errno) from None
        self.index = found.index
        # Frames that slots had no room for, and that the interface had no room for.
        self.lost = self.unsent = 0

    @property
    def address(self) -> str:
        """The text of addr."""
        return self._now().mac.hex()

    @property
    def stats(self) -> str:
        """The text of stats."""
        now = self._now()
        counters = now.counters
        try:
            with link.opened(self.index) as sock:
                mbps = link.speed(sock, self.index)
        except OSError:
            mbps = 0
        lines = {
            "in": counters[_IN],
            "link": int(now.carrier),
            "out": counters[_OUT],
            "crc errs": counters[_CRC],
            "overflows": counters[_OVER],
            "soft overflows": self.lost,
            "framing errs": counters[_FRAME],
            "buffer errs": counters[_FIFO],
            "output errs": counters[_OUT_ERRORS] + self.unsent,
            "prom": int(now.promiscuous),
            "mbps": mbps,
            "addr": now.mac.hex(),
        }
        return "".join(f"{name}: {value}\n" for name, value in lines.items())

    def _now(self) -> Link:
        """What is known of it now; nothing of one that is gone."""
        try:
            return link.link(self.index)
        except OSError:
            return Link()
