"""Two whole gateways, one of each core: the same operations must bring the same replies.

(Or two of one core, which shows that nothing but the cores can make a difference.)

Every operation goes to both over a socket of their own. Replies are compared frame by frame:
each tag's reply must be the same bytes once what the host chose (port numbers, the kernel's
counters) is masked. Replies that the protocol lets reorder are compared as sets, which is why
an operation ends only when both gateways have answered the same tags.

What may wait is waited for by name: a connect until its answer, a read whose bytes have been
sent until its answer. Nothing here sleeps.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from netrelay import core, errors
from netrelay import messages as m
from netrelay.gateway.grants import GRANTS
from netrelay.reference.codec import decode, encode
from netrelay.types import Dialect, GatewayConfig, StackConfig
from tests.served import need_twins

from .datagrams import Datagrams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.gateway.namespaces import Namespace

PATIENCE_S = 10.0
NOTAG = 0xFFFF
BARRIER = 0x7FFF
UNUSED = 0x7FFE
STARTED = 1_700_000_000
CALM_COUNTERS = ("fids", "conversations", "parked_bytes", "panics")


@dataclass
class Peer:
    """A server that the gateway under test dials; it does what the test says, when it says it."""

    listener: socket.socket
    calls: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.listener.getsockname()[1]
        return port

    def take(self) -> None:
        """Accept every call that has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                call, _ = self.listener.accept()
                call.setblocking(True)
                call.settimeout(PATIENCE_S)
                self.calls.append(call)

    def close(self) -> None:
        """End it and its calls."""
        for call in (*self.calls, self.listener):
            call.close()


class Twin:
    """One gateway and one raw session of it; `name` is unique, `of` is the core.

    `network` is the path of a namespace that is its `/net.alt`, where it may do anything; with
    `alt` that is an address of loopback's. `host` is a namespace that it runs in, whose `eth0` is
    its ether0.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        of: str,
        workers: int,
        network: str | None = None,
        host: Namespace | None = None,
        alt: bool = False,
    ) -> None:
        self.name = name
        kind, value = ("addr", "127.0.0.2") if network is None else ("netns", network)
        config = GatewayConfig(
            host_owner="gate",
            workers=workers,
            allow_dial=("127.0.0.0/8", "::1/128"),
            ndb=b"sys=gate\n",
            started=STARTED,
            stacks=(StackConfig("alt", kind, value),) if alt or network is not None else (),
            grant=() if network is None else tuple(GRANTS),
            ethers=() if host is None else ("eth0",),
        )
        with host.inside() if host is not None else contextlib.nullcontext():
            self.gateway = core.load(of).Gateway(config)
        path = str(folder / f"{name}.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        self.gateway.listen(listener.detach())
        self.path = path
        self.peer = Peer(quiet_server())
        self.datagrams = Datagrams()
        self.callers: list[socket.socket] = []
        self.call: socket.socket | None = None
        self.received = bytearray()
        self.open_session()

    def open_session(self) -> None:
        """A new session in place of the old one."""
        if self.call is not None:
            self.call.close()
        self.call = socket.socket(socket.AF_UNIX)
        self.call.settimeout(PATIENCE_S)
        self.call.connect(self.path)
        self.received.clear()
        self.ended = False
        self.outstanding: set[int] = set()
        # Replies that came while something else was asked; the next comparison has them.
        self.early: dict[int, list[bytes]] = {}

    def send(self, data: bytes) -> None:
        """Bytes to the gateway; a session that has ended takes no notice."""
        if self.call is None:
            return
        try:
            self.call.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.ended = True

    def frames(self, patience_s: float) -> Iterator[bytes]:
        """Whole frames that arrive within the time; ends when the session ends."""
        deadline = time.monotonic() + patience_s
        while self.call is not None and not self.ended:
            while len(self.received) >= 4:
                size = int.from_bytes(self.received[:4], "little")
                if len(self.received) < size:
                    break
                frame = bytes(self.received[:size])
                del self.received[:size]
                yield frame
            with selectors.DefaultSelector() as selector:
                selector.register(self.call, selectors.EVENT_READ)
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return
            try:
                data = self.call.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                self.ended = True
            self.received += data

    def answer_questions(self) -> None:
        """Both gateways' Python gives the same answers."""
        for question in self.gateway.upcalls():
            if question.query.startswith(b"no"):
                self.gateway.answer(question.id, None, "can't translate address", 2)
            else:
                replies = [b"/net/tcp/clone 127.0.0.1!" + question.query[:4], b"second"]
                self.gateway.answer(question.id, replies, None, 0)

    def masked(self, frame: bytes) -> bytes:
        """The frame without what the host chose."""
        kind, text = frame[4], frame
        if kind == m.TYPES[m.Rread]:
            port = str(self.peer.port).encode()
            text = re.sub(rb"!%s\b" % port, b"!PEER", text)
            text = re.sub(rb"!\d{4,5}(?=\n|$)", rb"!PORT", text)
            text = re.sub(
                rb"(Established|Listen|Closed|Close_wait|Syn_sent|Open) qin .*\n", rb"\1\n", text
            )
            text = re.sub(rb"^(\w+): \d+$", rb"\1", text, flags=re.MULTILINE)
            text = self.datagrams.masked(text)
            if text != frame:
                text = text[4:7] + text[11:]  # sizes and counts follow the text's length
        return text

    def counters(self) -> dict[str, int]:
        """What must be zero when nothing is going on."""
        stats = self.gateway.stats()
        return {name: stats[name] for name in CALM_COUNTERS}

    def close(self) -> None:
        """End the gateway and all that it talked to."""
        if self.call is not None:
            self.call.close()
        for call in self.callers:
            call.close()
        self.peer.close()
        self.datagrams.close()
        self.gateway.abort()
        if not self.gateway.wait_closed(PATIENCE_S):
            raise AssertionError(f"{self.name}: abort did not end the gateway")


def quiet_server() -> socket.socket:
    """A listening socket that does not block."""
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    server.setblocking(False)
    return server


class Twins:
    """The pair, and the operations on it."""

    def __init__(
        self,
        other: str = "rust",
        *,
        workers: int = 1,
        networks: tuple[str | None, str | None] = (None, None),
        hosts: tuple[Namespace | None, Namespace | None] = (None, None),
        alt: bool = False,
    ) -> None:
        if other != "python":
            need_twins()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.both = (
            Twin(
                "python",
                folder,
                of="python",
                workers=1,
                network=networks[0],
                host=hosts[0],
                alt=alt,
            ),
            Twin(
                f"the other, {other}",
                folder,
                of=other,
                workers=workers,
                network=networks[1],
                host=hosts[1],
                alt=alt,
            ),
        )
        self.dialect = Dialect.P2000

    def close(self) -> None:
        """End both; nothing may be left over."""
        for twin in self.both:
            twin.close()
        self._folder.cleanup()

    def sessions_anew(self) -> None:
        """Both sessions vanish and new ones are opened; what they held must be given back."""
        for twin in self.both:
            if twin.call is not None:
                twin.call.close()
                twin.call = None
        for twin in self.both:
            calm(twin)
            twin.open_session()

    def raw(self, data: bytes, *, wait: Iterable[int] = ()) -> None:
        """The same bytes to both, then the replies of both, compared."""
        for twin in self.both:
            twin.send(data)
        self.settle(wait)

    def rpc(self, *requests: tuple[int, m.Message], park: bool = False) -> None:
        """Requests sent in one go. Their replies are awaited unless they may `park`."""
        frames = b"".join(encode(tag, message, self.dialect) for tag, message in requests)
        tags = {tag for tag, _ in requests}
        for twin in self.both:
            twin.outstanding |= tags
        self.raw(frames, wait=() if park else tags)

    def settle(self, wait: Iterable[int] = ()) -> None:
        """Wait until both have answered `wait` and the same tags besides; compare all replies."""
        wanted = set(wait)
        replies = tuple(self._collect(twin, wanted) for twin in self.both)
        for _ in range(100):
            ours, theirs = (set(each) for each in replies)
            if ours == theirs or all(twin.ended for twin in self.both):
                break
            for twin, had, other in zip(self.both, replies, (theirs, ours), strict=True):
                if late := other - set(had):
                    self._late(twin, had, late)
        compare(*replies, ended=tuple(twin.ended for twin in self.both))
        heard = [twin.datagrams.heard() for twin in self.both]
        if heard[0] != heard[1]:
            raise AssertionError(f"the peers got {heard}")
        for twin, had in zip(self.both, replies, strict=True):
            twin.outstanding -= set(had)

    def _collect(self, twin: Twin, wanted: set[int]) -> dict[int, list[bytes]]:
        """The replies up to a barrier and to the wanted tags."""
        twin.send(encode(BARRIER, m.Tflush(UNUSED), self.dialect))
        had, twin.early = twin.early, {}
        passed = False
        deadline = time.monotonic() + PATIENCE_S
        while not (passed and wanted <= set(had)) and not twin.ended:
            twin.answer_questions()
            for frame in twin.frames(0.02):
                tag = int.from_bytes(frame[5:7], "little")
                if tag == BARRIER:
                    passed = True
                else:
                    had.setdefault(tag, []).append(twin.masked(frame))
                if passed and wanted <= set(had):
                    break
            if time.monotonic() > deadline:
                raise AssertionError(f"{twin.name} never answered {wanted - set(had)}")
        return had

    def _late(self, twin: Twin, had: dict[int, list[bytes]], late: set[int]) -> None:
        """One gateway was quicker: give the other its time."""
        for frame in twin.frames(PATIENCE_S):
            tag = int.from_bytes(frame[5:7], "little")
            had.setdefault(tag, []).append(twin.masked(frame))
            if late <= set(had):
                return
        if not twin.ended:
            raise AssertionError(f"{twin.name} did not answer {late}; the other did")


def compare(
    ours: dict[int, list[bytes]], theirs: dict[int, list[bytes]], *, ended: tuple[bool, ...]
) -> None:
    """The same replies to the same tags, and both sessions alive or both over."""
    if ended[0] != ended[1]:
        raise AssertionError(f"sessions ended: python {ended[0]}, the other {ended[1]}")
    for tag in sorted(set(ours) | set(theirs)):
        one, other = ours.get(tag, []), theirs.get(tag, [])
        if one != other:
            raise AssertionError(f"tag {tag}\n python {show(one)}\n other  {show(other)}")


def show(frames: list[bytes]) -> str:
    """Frames for a reader."""
    shown = []
    for frame in frames:
        try:
            shown.append(str(decode(frame, Dialect.P2000)))
        except (errors.DecodeError, errors.FrameError):
            shown.append(repr(frame))
    return "; ".join(shown) or "nothing"


def calm(twin: Twin) -> None:
    """Wait until the gateway holds nothing, as it must once its sessions are gone."""
    deadline = time.monotonic() + PATIENCE_S
    pause = selectors.DefaultSelector()
    while any(twin.counters().values()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{twin.name} still holds {twin.counters()}")
        pause.select(0.001)
