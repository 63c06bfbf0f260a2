"""One icmp or icmpv6 conversation (ip(3), docs/raw.md).

It is told from others by its id, which is its local port, so that the host's ping and those of
other conversations never hear each other's replies. Without the grant it sends echo requests and
takes their replies, and nothing else.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, ClassVar, Final

from netrelay.errors import NetError
from netrelay.reference.net import binding, ctl
from netrelay.reference.net.address import Address
from netrelay.reference.net.icmp import header, sockets
from netrelay.reference.net.icmp.header import MESSAGE_SIZE, V4, V6, Version
from netrelay.reference.net.icmp.stats import stats4, stats6
from netrelay.reference.net.icmp.verbs import VERBS6, Headers
from netrelay.reference.net.packets.conversation import PacketConversation
from netrelay.reference.net.packets.raw import unheaded
from netrelay.reference.net.packets.sources import check_local, send_between
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.qids import Place

GRANT: Final = "icmp-raw"


class IcmpConversation(PacketConversation):
    """A numbered directory of `/net/icmp` in use."""

    IDLE = "Datagram qin 0 qout 0\n"
    ICMP: ClassVar[Version] = V4

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        # 0 where it has none yet; it is this conversation's alone.
        self._number = 0
        self._holds = False
        # Whether its packets come with their IP headers.
        self._headed = False
        self._headers = False

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats, which don't tell the limit."""
        return stats4(around.sockets.proc)

    # sockets

    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        # The address first: that it can't be had is said before its port is looked at.
        local = self._around.sockets.local(local, remote.ip)

        def make(number: int) -> socket.socket:
            own = Address(local.ip if local is not None else None, number)
            return sockets.dial(
                self._around.sockets, self.ICMP, remote, own, self._tuning, all_types=self._granted
            )

        wanted = local.port if local is not None else 0
        return self._take_number(wanted, make, restricted=restricted)

    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        def make(number: int) -> socket.socket:
            own = local._replace(port=number)
            return sockets.announce(
                self._around.sockets, self.ICMP, own, self._tuning, all_types=self._granted
            )

        return self._take_number(local.port, make, restricted=restricted)

    def _probe(self, local: Address, *, restricted: bool) -> None:
        if local.port in self._taken:
            raise OSError(errno.EADDRINUSE, "the id of another conversation")
        check_local(self._around.sockets, local)

    def _take_number(
        self, wanted: int, make: Callable[[int], socket.socket], *, restricted: bool
    ) -> socket.socket:
        """The socket of the first id that can be had, which is this conversation's then."""
        for number in sockets.candidates(wanted, self._taken, restricted=restricted):
            try:
                sock = make(number)
            except OSError as err:
                if wanted or err.errno != errno.EADDRINUSE:
                    raise
            else:
                self._taken.add(number)
                self._number, self._holds = number, True
                self._headed = sockets.headed(sock, self.ICMP)
                return sock
        raise OSError(errno.EADDRNOTAVAIL, "every id is taken")

    def _close(self) -> None:
        super()._close()
        if self._holds:
            self._holds = False
            self._taken.discard(self._number)

    def _name(self, sock: socket.socket) -> Address:
        return Address(binding.local_of(sock).ip, self._number)

    @property
    def _taken(self) -> set[Hashable]:
        return self._around.taken(self.place.protocol)

    @property
    def _granted(self) -> bool:
        try:
            self._around.check_grant(GRANT)
        except NetError:
            return False
        return True

    # ctl

    def _check(self, command: ctl.Command) -> None:
        ips: list[Ip | None] = []
        match command:
            case ctl.Connect(remote, local):
                ips = [remote.ip, local.ip if local is not None else None]
            case ctl.Announce(local) | ctl.Bind(local):
                ips = [local.ip]
        if any(ip is not None and binding.family_of(ip) != self.ICMP.family for ip in ips):
            raise refusal("BAD_IP")

    def _own(self, command: ctl.Command) -> None:
        if isinstance(command, Headers):
            self._around.check_grant(GRANT)
            self._headers = True

    @property
    def _word(self) -> str:
        return "Datagram"

    # data

    def _unread(self, sock: socket.socket) -> int:
        return sockets.unread(sock, self.ICMP)

    def _sent(self, quoted: bytes, _to: Ip | None) -> bool:
        return len(quoted) >= MESSAGE_SIZE and header.number_of(quoted) == self._number

    def _text(self, packet: Packet) -> bytes | None:
        message = unheaded(packet.data, self.ICMP.family) if self._headed else packet.data
        if not self._takes(message):
            return None
        # One that came before its socket was connected may be anybody's.
        ends = ((self._remote, packet.remote), (self._local, packet.local))
        if any(own.ip not in {None, its.ip} for own, its in ends):
            return None
        return header.whole(packet, message, self.ICMP)

    def _takes(self, message: bytes) -> bool:
        if len(message) < MESSAGE_SIZE or header.number_of(message) != self._number:
            return False
        if not self._granted:
            return message[0] == self.ICMP.reply and self._sound(message)
        return message[0] not in self.ICMP.never and self._sound(message)

    def _sound(self, message: bytes) -> bool:
        # Of the others the host has looked at the checksum.
        return not self._headed or not header.checksum(message)

    def _send(self, sock: socket.socket, data: bytes) -> bool:
        if self._remote.ip is None and not self._headers:
            raise refusal("HUNGUP")
        message = data[self.ICMP.header :]
        if len(message) < MESSAGE_SIZE:
            return False
        if message[:2] != bytes((self.ICMP.request, 0)):
            self._around.check_grant(GRANT)
        if self._headers:
            self._send_between(sock, data)
        else:
            sock.send(header.numbered(message, self._number, self.ICMP), socket.MSG_NOSIGNAL)
        return True

    def _send_between(self, sock: socket.socket, data: bytes) -> None:
        """Send as the header says, of which the addresses are used."""
        source, to = ipaddress.IPv6Address(data[8:24]), ipaddress.IPv6Address(data[24:40])
        self._around.check_dial(to)
        message = data[self.ICMP.header :]
        plain = header.numbered(message, header.number_of(message), self.ICMP)
        send_between(self._around.sockets, sock, source, to, plain)


class Icmpv6Conversation(IcmpConversation):
    """A numbered directory of `/net/icmpv6` in use."""

    VERBS: ClassVar[ctl.Verbs] = VERBS6
    ICMP: ClassVar[Version] = V6

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats."""
        return stats6(around.sockets.proc)
