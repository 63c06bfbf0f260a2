"""`netrelay snoop`: what an interface of a gateway sees.

At a terminal a frame is a line; a program or a file that standard output leads to gets pcapng, so
that `netrelay snoop ADDR | tshark -r -` works.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from netrelay import client
from netrelay.capture import filters
from netrelay.cli import standard
from netrelay.cli.ending import until_signalled
from netrelay.cli.errors import Failure, about, run
from netrelay.cli.options import gateway_options, netdir_option
from netrelay.cli.progress import counting
from netrelay.client.frames import granted
from netrelay.errors import NetError, UsageError
from netrelay.hosts import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.capture.sinks import Sink
    from netrelay.client.frames import Frames

_STANDARD_OUTPUT: Final = "-"


@click.command(
    short_help="Show the frames of an interface.",
    epilog="Example: netrelay snoop 'tcp!gw!5640' ether0 --filter 'udp port 53' | tshark -r -",
)
@click.argument("address", metavar="ADDR")
@click.argument("interface", metavar="[ETHER]", default="ether0")
@click.option("--filter", "expression", metavar="BPF",
              help="Only frames that match (pcap-filter(7)).")  # fmt: skip
@click.option("--snaplen", metavar="N", default=0, type=click.IntRange(0, 1 << 18),
              help="Keep the first N bytes of a frame (0: all).")  # fmt: skip
@click.option("--count", metavar="N", default=0, type=click.IntRange(0),
              help="End after N frames (0: never).")  # fmt: skip
@click.option("--write", "target", metavar="FILE",
              help="Write pcapng to FILE, or to standard output: -")  # fmt: skip
@click.option("--text", is_flag=True, help="Print lines, whatever standard output leads to.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a frame.")
@click.option("--own-only", is_flag=True,
              help="Only frames for the gateway: not promiscuous.")  # fmt: skip
@netdir_option
@gateway_options
def snoop(
    *,
    address: str,
    interface: str,
    expression: str | None,
    snaplen: int,
    count: int,
    target: str | None,
    text: bool,
    as_json: bool,
    own_only: bool,
    netdir: str | None,
    user: str | None,
    aname: str,
) -> None:
    """Show the frames of an interface of the gateway at ADDR, until Ctrl-C.

    ETHER is the interface's name in /net: ether0 unless it is given. The gateway gives away those
    of its operator's --ether. At a terminal a frame is a line; elsewhere the output is pcapng,
    which Wireshark and tshark open. Times are those at which frames come here, and the gateway's
    own 9P sessions over TCP are not among them.
    """
    if sum((text, as_json, target is not None)) > 1:
        raise click.UsageError("--text, --json and --write exclude each other")
    from netrelay.capture import sinks  # noqa: PLC0415 (no other command pays for dpkt)

    sink: Sink
    if as_json:
        sink = sinks.Records(snaplen)
    elif text or (target is None and sys.stdout.isatty()):
        sink = sinks.Lines()
    else:
        sink = sinks.Capture(snaplen, expression)
    tally = Tally(count)

    async def work() -> None:
        wanted = filters.Filter(expression) if expression is not None else None
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(interface):
                async with await _opened(session, interface, netdir, not own_only) as frames:
                    with _output(target) as output:
                        before = _lost(await frames.stats())
                        tally.begin(interface)
                        output.put(sink.head(interface))
                        try:
                            await _show(frames, sink, output, wanted, tally)
                        finally:
                            with contextlib.suppress(NetError):
                                tally.lost = _lost(await frames.stats()) - before

    async def watched() -> None:
        await until_signalled(work())

    try:
        run(watched)
    finally:
        tally.tell()


class Tally:
    """What was seen; `most` frames are enough, any number if it is 0. Silent until `begin`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = False
        self.seen = 0
        self.kept = 0
        self.lost = 0

    def begin(self, interface: str) -> None:
        """Say what is watched."""
        self._began = True
        click.echo(f"netrelay: watching {interface}; Ctrl-C ends it", err=True)

    @property
    def enough(self) -> bool:
        """Whether as many frames were kept as were asked for."""
        return self._most > 0 and self.kept >= self._most

    def __str__(self) -> str:
        passed = "" if self.seen == self.kept else f" of {self.seen}"
        lost = f", {self.lost} lost at the gateway" if self.lost else ""
        frames = "frame" if self.seen == 1 else "frames"
        return f"{self.kept}{passed} {frames}{lost}"

    def tell(self) -> None:
        """Say it on standard error."""
        if self._began:
            click.echo(f"netrelay: {self}", err=True)


async def _opened(
    session: client.Session, interface: str, netdir: str | None, promiscuous: bool
) -> Frames:
    try:
        return await session.frames(interface, promiscuous=promiscuous, netdir=netdir)
    except NetError as error:
        if error.text != "file does not exist":
            raise
        names = await granted(session, await session.netdir(netdir))
        given = f"has {', '.join(names)}" if names else "gives no interface away (export --ether)"
        raise NetError(f"no such interface: the gateway {given}", error.errno) from None


async def _show(
    frames: Frames, sink: Sink, output: _Output, wanted: filters.Filter | None, tally: Tally
) -> None:
    kept: list[bytes] = []
    with counting() as progress:
        async for frame in frames:
            tally.seen += 1
            if wanted is None or wanted.wants(frame):
                tally.kept += 1
                kept.append(sink.frame(frame, time.time_ns()))
                if not output.shown:
                    progress.show(str(tally))
            if kept and (tally.enough or not frames.pending):
                output.put(b"".join(kept))
                kept.clear()
            if tally.enough:
                return


def _lost(stats: dict[str, str]) -> int:
    return int(stats.get("soft overflows", "0"))


class _Output:
    """Standard output or a file."""

    def __init__(self, file: IO[bytes] | None, name: str | None) -> None:
        self._file = file
        self._name = name
        # A terminal shows the frames themselves, and a count would stand between them.
        self.shown = file is None and sys.stdout.isatty()

    def put(self, data: bytes) -> None:
        """Write it all, now. Errors: `Failure`."""
        if self._file is None:
            standard.put(data)
            return
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise Failure(f"can't write {self._name}: {words(error)}") from None


@contextlib.contextmanager
def _output(target: str | None) -> Iterator[_Output]:
    if target is None or target == _STANDARD_OUTPUT:
        if target is not None and sys.stdout.isatty():
            raise UsageError(
                "a terminal can't show pcapng: `--write FILE`, or pipe it to a program"
            )
        yield _Output(None, None)
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(target).open("wb"))
        except OSError as error:
            raise UsageError(f"can't write {target}: {words(error)}") from None
        yield _Output(file, target)
