"""A slot of an interface in use: what it was told to take, and the Treads that wait for it.

Nothing is taken from the kernel unless a Tread waits, so one that is withdrawn has taken nothing,
and a reader that is slow loses frames at its own socket and nowhere else.
"""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.reference.net.conversation import Conversation
from netrelay.reference.net.ether import link
from netrelay.reference.net.ether.filter import Wanted, program
from netrelay.reference.net.ether.frames import RECORD, from_station, record, whole
from netrelay.reference.net.ether.verbs import (
    BRIDGE,
    HEADERS_ONLY,
    PROMISCUOUS,
    Connect,
    Join,
    Leave,
    parse,
)
from netrelay.reference.net.packets.raw import attach
from netrelay.reference.net.packets.reads import Reads
from netrelay.reference.net.packets.sockets import lost
from netrelay.reference.net.refusal import of_host, refusal
from netrelay.reference.net.watch import Watch

if TYPE_CHECKING:
    import socket
    from collections.abc import Hashable

    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.ether.verbs import Command
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.request import Request, Write

# Bytes of the shortest frame that may be written.
_SHORTEST: Final = 60
# The type of all frames, of which the first bytes are read.
_HEADERS: Final = -2
_NO_ROOM: Final = frozenset({errno.EAGAIN, errno.ENOBUFS})


class Slot(Conversation):
    """A numbered directory of an interface, in use."""

    IDLE = ""
    QUEUES = False
    MESSAGES = True

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self._interface = around.ether(place.protocol)
        self._watch: Watch | None = None
        self._wanted = Wanted()
        self._headers_only = False
        self._groups: list[bytes] = []
        self._reads = Reads()
        # The interface has gone down or away, and no frame has come since.
        self._down = False
        # Of the frames that found no room at this socket, those that were counted.
        self._lost = 0

    @staticmethod
    def stats(_around: Surroundings, _most: int) -> str:
        """Nothing: they are the interface's."""
        return ""

    @property
    def kind(self) -> int:
        """The type of the frames that it takes; 0 before a connect."""
        return self._wanted.kind

    @property
    def status(self) -> str:
        """Nothing: it has no such file."""
        return ""

    # data

    def read(self, request: Request, count: int) -> None:
        """A Tread of data."""
        if not count:
            request.read(b"")
        else:
            self._reads.park(request, count)
            self.serve_reads()

    def serve_reads(self) -> None:
        """Answer waiting Treads as far as frames and the clients allow."""
        while self._watch is not None and self._reads.ready:
            try:
                data, tag = link.receive(self._watch.sock)
            except BlockingIOError:
                if self._down:
                    self._reads.refuse(refusal("IO"))
                break
            except OSError:
                self._down = True
                continue
            self._down = False
            text = self._text(whole(data, tag))
            self._around.count("bytes_down", self._reads.answer(text))
        if self._watch is not None:
            self._count_lost(self._watch.sock)
            wanted = self.kind != 0 and self._reads.ready
            self._watch.readable(self.serve_reads if wanted else None)

    def check_write(self) -> None:
        """Whether a Twrite of data may be made: always."""

    def write(self, write: Write) -> None:
        """A Twrite of data: one frame. Errors: what it is refused with."""
        data = bytes(write.data)
        if len(data) < _SHORTEST:
            raise refusal("TOO_SMALL")
        try:
            self._send(data)
        except OSError as err:
            if err.errno == errno.EMSGSIZE:
                raise refusal("TOO_LARGE") from None
            if err.errno not in _NO_ROOM:
                raise refusal("IO") from None
            self._interface.unsent += 1
        else:
            self._around.count("bytes_up", len(data))
        write.request.answer(m.Rwrite(len(data)))

    # ctl

    def control(self, request: Request, line: bytes) -> None:
        """A Twrite of ctl, carried out at once. Errors: as listed in docs/ether.md."""
        command = parse(line)
        try:
            self._carry_out(command)
        except NetError:
            raise
        except OSError as err:
            raise of_host(err.errno) from None
        request.answer(m.Rwrite(len(line)))

    def listen(self, request: Request) -> None:
        """Nobody calls here. Errors: `not announced`."""
        del request
        raise refusal("NOT_ANNOUNCED")

    def release(self) -> None:
        """The last clunk: nobody holds it any more."""
        self._close()
        self._taken.discard(self.kind)
        self._reads.refuse(refusal("INTERRUPTED"))

    def _carry_out(self, command: Command) -> None:
        match command:
            case Connect(kind):
                self._connect(kind)
            case Join(group) if group not in self._groups:
                if self._watch is not None:
                    link.join(self._watch.sock, self._interface.index, group)
                self._groups.append(group)
            case Leave(group) if group in self._groups:
                if self._watch is not None:
                    link.leave(self._watch.sock, self._interface.index, group)
                self._groups.remove(group)
            case _ if command == PROMISCUOUS and not self._wanted.promiscuous:
                self._wanted.promiscuous = True
                if self._watch is not None:
                    link.be_promiscuous(self._watch.sock, self._interface.index)
                self._filter()
            case _ if command == BRIDGE:
                self._wanted.bridge = True
                self._filter()
            case _ if command == HEADERS_ONLY:
                self._headers_only = True

    def _connect(self, kind: int) -> None:
        """Take frames of a type from now on, and none that have arrived."""
        if kind > 0 and kind != self.kind and kind in self._taken:
            raise refusal("IN_USE")
        sock = self._receiving(replace(self._wanted, kind=kind))
        self._close()
        self._taken.discard(self.kind)
        if kind > 0:
            self._taken.add(kind)
        self._wanted.kind = kind
        self._watch = Watch(self._around.loop, sock)
        self.serve_reads()

    def _receiving(self, wanted: Wanted) -> socket.socket:
        """A socket for what is wanted. Errors: OSError."""
        index = self._interface.index
        sock = link.opened(index)
        try:
            attach(sock, program(wanted, self._around.ports))
            if wanted.promiscuous:
                link.be_promiscuous(sock, index)
            for group in self._groups:
                link.join(sock, index, group)
            link.receive_all(sock, index)
        except OSError:
            sock.close()
            raise
        return sock

    def _filter(self) -> None:
        """The socket's filter is for what is wanted now."""
        if self._watch is not None:
            attach(self._watch.sock, program(self._wanted, self._around.ports))

    # frames

    def _send(self, data: bytes) -> None:
        """Send a frame. Errors: OSError."""
        if self._watch is None:
            self._watch = Watch(self._around.loop, link.opened(self._interface.index))
        sock = self._watch.sock
        sock.send(data if self._wanted.bridge else from_station(data, link.mac(sock)))

    def _text(self, frame: bytes) -> bytes:
        """What a Tread gets of a frame."""
        if self._headers_only:
            return record(frame, int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000))
        return frame[:RECORD] if self.kind == _HEADERS else frame

    def _count_lost(self, sock: socket.socket) -> None:
        count = lost(sock)
        self._interface.lost += count - self._lost
        self._around.count("dropped", count - self._lost)
        self._lost = count

    def _close(self) -> None:
        """Give the socket up."""
        watch, self._watch = self._watch, None
        if watch is not None:
            self._count_lost(watch.sock)
            watch.close()
        self._lost, self._down = 0, False

    @property
    def _taken(self) -> set[Hashable]:
        return self._around.taken(self.place.protocol)
