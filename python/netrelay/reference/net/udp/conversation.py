"""One udp conversation: connected, announced, or a call (ip(3), docs/tree.md 10).

What it shares with every protocol of packets is in `packets`. A call is a conversation that a
listen got: connected to its caller, and over once nothing has been read or written for long, as
datagrams have no end of their own.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from netrelay.errors import NetError
from netrelay.reference.net.conversation import State
from netrelay.reference.net.packets.conversation import PacketConversation
from netrelay.reference.net.packets.packet import send
from netrelay.reference.net.packets.sockets import drain
from netrelay.reference.net.packets.sources import check_route, sending_by
from netrelay.reference.net.refusal import SHORTAGES, of_host
from netrelay.reference.net.udp import headers, sockets
from netrelay.reference.net.udp.callers import HANDED, Callers, Ends, ends_of
from netrelay.reference.net.udp.multicast import Groups, membership
from netrelay.reference.net.udp.stats import stats
from netrelay.reference.net.udp.verbs import VERBS, AddMulti, DelMulti, Headers
from netrelay.reference.net.watch import Watch

if TYPE_CHECKING:
    import asyncio
    from collections import deque

    from netrelay.reference.net import ctl
    from netrelay.reference.net.address import Address, Ip
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.tuning import Tuning

# What the host says of a source that is not its own, by kernel and family.
_NO_SOURCE: Final = frozenset({errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV})


class UdpConversation(PacketConversation):
    """A numbered directory of `/net/udp` in use."""

    VERBS: ClassVar[ctl.Verbs] = VERBS

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self._headers = False
        self._groups = Groups(around.sockets)
        # Of an announced conversation.
        self._callers: Callers | None = None
        # Of a call: with whom, whose it was, and when to see whether it is still used.
        self._ends: Ends | None = None
        self._home: Callers | None = None
        self._timer: asyncio.TimerHandle | None = None

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats, which don't tell the limit."""
        return stats(around.sockets.proc)

    # sockets

    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        sock = sockets.dial(
            self._around.sockets, remote, local, self._tuning, restricted=restricted
        )
        return self._in_groups(sock)

    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        sock = sockets.announce(self._around.sockets, local, self._tuning, restricted=restricted)
        self._in_groups(sock)
        self._callers = Callers(lambda: self._around.count("dropped", 1))
        return sock

    def _probe(self, local: Address, *, restricted: bool) -> None:
        sockets.probe(self._around.sockets, local, restricted=restricted)

    def _in_groups(self, sock: socket.socket) -> socket.socket:
        try:
            self._groups.join_all(sock)
        except NetError:
            sock.close()
            raise
        return sock

    def _close(self) -> None:
        super()._close()
        if self._home is not None and self._ends is not None:
            self._home.forget(self._ends)
            self._home = None
        if self._timer is not None:
            self._timer.cancel()

    # ctl

    def _own(self, command: ctl.Command) -> None:
        sock = self._watch.sock if self._watch is not None else None
        match command:
            case Headers():
                self._headers = True
                if self._callers is not None:
                    self._arrived.extend(self._callers.take_waiting())
                self.serve_reads()
            case AddMulti(interface, group):
                group = group if group is not None else self._remote.ip
                self._groups.add(membership(group, interface), sock)
            case DelMulti(interface, group):
                group = group if group is not None else self._remote.ip
                self._groups.remove(membership(group, interface), sock)

    # data

    @property
    def _prefixed(self) -> bool:
        """Whether data has everybody's datagrams, with their addresses before them."""
        return self._headers and self._callers is not None

    @property
    def _carries(self) -> bool:
        return self.state is State.CONNECTED or (self.state is State.ANNOUNCED and self._headers)

    @property
    def _ahead(self) -> deque[Packet]:
        calls = self._callers is not None and not self._headers
        return self._callers.waiting if calls and self._callers is not None else self._arrived

    def _text(self, packet: Packet) -> bytes | None:
        if self._prefixed:
            return headers.pack(packet, self._answering(packet))
        # One that came before its socket was connected may be anybody's.
        return packet.data if packet.remote == self._remote else None

    def _answering(self, packet: Packet) -> Ip | None:
        """The address from which the host would answer a datagram; none if it can't."""
        if packet.here is not None or packet.remote.ip is None:
            return packet.here
        try:
            return check_route(self._around.sockets, packet.remote.ip, packet.interface)
        except OSError:
            return None

    def _send(self, sock: socket.socket, data: bytes) -> bool:
        if not self._prefixed:
            sock.send(data, socket.MSG_NOSIGNAL)
            return True
        written = headers.unpack(data)
        if written is None:
            return False
        self._around.check_dial(written.ip)
        own = self._around.sockets.address
        for source in written.sources:
            if own in {None, source}:
                try:
                    interface = sending_by(self._around.sockets, written.ip, source)
                    send(sock, written.data, written.to, source, interface)
                except OSError as err:
                    if err.errno not in _NO_SOURCE:
                        raise
                else:
                    return True
        send(sock, written.data, written.to)
        return True

    # calls

    def accept(self, sock: socket.socket, first: Packet, home: Callers, tuning: Tuning) -> None:
        """Become the conversation of a caller, which begins with its first datagram."""
        self._watch = Watch(self._around.loop, sock)
        self.state = State.CONNECTED
        self._local, self._remote = first.local, first.remote
        self._tuning = replace(tuning)
        self._home, self._ends = home, ends_of(first)
        self._arrived.extend(home.claim(self._ends, self))
        for packet in drain(sock, HANDED):
            if packet.remote == self._remote:
                self._arrived.append(packet)
            elif not packet.to_many:
                home.offer(packet)
        self._around.note(self, "call", self._remote)
        self._await_disuse()

    def hand(self, packet: Packet) -> None:
        """A datagram of the caller that came to the announced socket."""
        if len(self._arrived) < HANDED:
            self._arrived.append(packet)
            self.serve_reads()
        else:
            self._around.count("dropped", 1)

    def _serve_listens(self) -> None:
        callers, watch = self._callers, self._watch
        if self._listens and callers is not None and watch is not None and not self._headers:
            # Once a turn, as senders that can't be answered may be many.
            callers.take(watch.sock)
            while self._listens and callers.waiting:
                self._answer_listen(callers, watch.sock)
        self._await_input()

    def _answer_listen(self, callers: Callers, announced: socket.socket) -> None:
        """Make a conversation of the first caller that waits, or say what is in the way."""
        first = callers.waiting[0]
        try:
            self._around.check_free(self)
            sock = sockets.call(self._around.sockets, announced, first, self._tuning)
        except NetError as why:
            self._listens.popleft().refuse(why)
            return
        except OSError as err:
            if err.errno in SHORTAGES:
                self._listens.popleft().refuse(of_host(err.errno))
            else:  # a caller that can't be answered
                callers.waiting.popleft()
                self._around.count("dropped", 1)
            return
        request = self._listens.popleft()
        # Now nothing of the caller comes here any more, but what has come is its own.
        callers.take(announced)
        call = self._around.called(self)
        call.accept(sock, first, callers, self._tuning)
        request.called(call)

    def _await_input(self) -> None:
        if self._watch is None or self.state is not State.ANNOUNCED or self._headers:
            super()._await_input()
        else:
            self._watch.readable(self._serve_listens if self._listens else None)

    def _await_disuse(self) -> None:
        idle_s = self._around.limits.packet_idle_s
        if not idle_s or self._watch is None:
            return
        over = self._used + idle_s
        if self._around.loop.time() >= over:
            self._end(None)
        else:
            self._timer = self._around.loop.call_at(over, self._await_disuse)
