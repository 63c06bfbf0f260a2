"""`netrelay ping`: echo requests that a gateway sends."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from netrelay import client
from netrelay.cli import standard
from netrelay.cli.ending import until_signalled
from netrelay.cli.errors import REFUSED, Failure, about, run
from netrelay.cli.options import gateway_options, netdir_option, print_json
from netrelay.client.pings import SIZE, TIMEOUT_S
from netrelay.errors import NetError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from netrelay.client.pings import Reply

# What an ICMP message may carry in an IP packet without options.
_LARGEST = 65507
_MS = 1000
# What any user may do to the network that they share.
_FASTEST_S = 0.01


@click.command(
    short_help="Ping a host from the gateway.",
    epilog="Example: netrelay ping 'tcp!gw!5640' example.com --count 3",
)
@click.argument("address", metavar="ADDR")
@click.argument("host", metavar="HOST")
@click.option("-c", "--count", metavar="N", default=0, type=click.IntRange(0),
              help="End after N requests (0: never).")  # fmt: skip
@click.option("-i", "--interval", metavar="SECONDS", default=1.0, show_default=True,
              type=click.FloatRange(_FASTEST_S), help="From one request to the next.")  # fmt: skip
@click.option("-W", "--timeout", metavar="SECONDS", default=TIMEOUT_S, show_default=True,
              type=click.FloatRange(0, min_open=True), help="Wait for a reply.")  # fmt: skip
@click.option("-s", "--size", metavar="BYTES", default=SIZE, show_default=True,
              type=click.IntRange(8, _LARGEST), help="What a request carries.")  # fmt: skip
@click.option("-t", "--ttl", "hops", metavar="N", type=click.IntRange(1, 255),
              help="Give up after N hops; the router there says so.")  # fmt: skip
@click.option("-4", "version", flag_value=4, type=int, help="IPv4 only.")
@click.option("-6", "version", flag_value=6, type=int, help="IPv6 only.")
@click.option("--json", "as_json", is_flag=True,
              help="Print a JSON object a request, and one for all.")  # fmt: skip
@netdir_option
@gateway_options
def ping(
    *,
    address: str,
    host: str,
    count: int,
    interval: float,
    timeout: float,
    size: int,
    hops: int | None,
    version: int | None,
    as_json: bool,
    netdir: str | None,
    user: str | None,
    aname: str,
) -> None:
    """Ping HOST, a name or an address, from the gateway at ADDR, until Ctrl-C.

    Names are resolved at the gateway. Times are from here and back, so the way to the gateway is in
    them. The status is 1 if no reply came.
    """
    tally = Tally(host, as_json=as_json)

    async def work() -> None:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(host):
                pings = await session.pings(
                    host, size=size, hops=hops, version=version, netdir=netdir
                )
                async with pings:
                    tally.address = pings.address
                    click.echo(f"netrelay: pinging {host} ({pings.address})", err=True)

                    async def once(number: int) -> None:
                        try:
                            tally.answered(number, await pings.ping(timeout))
                        except TimeoutError:
                            tally.failed(number, f"no answer in {timeout:g} s")
                        except NetError as error:
                            if session.closed or error.text == "permission denied":
                                with about(host):
                                    raise
                            tally.failed(number, error.text)

                    await _paced(once, tally, count, interval)

    async def watched() -> None:
        await until_signalled(work())

    try:
        run(watched)
    except Failure:
        if tally.times_s:
            tally.tell()
        raise
    if tally.sent:
        tally.tell()
    if not tally.times_s:
        raise SystemExit(REFUSED)


async def _paced(
    once: Callable[[int], Coroutine[object, object, None]],
    tally: Tally,
    count: int,
    interval: float,
) -> None:
    """Start one after the other, whether or not those before have come back."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    async with asyncio.TaskGroup() as group:
        while True:
            tally.sent += 1
            group.create_task(once(tally.sent))
            if tally.sent == count:
                return
            due += interval
            await asyncio.sleep(due - loop.time())


@dataclass
class Tally:
    """What was sent and what came of it, a line each as it happens."""

    host: str
    as_json: bool
    address: str = ""
    sent: int = 0
    times_s: list[float] = field(default_factory=list)

    def answered(self, number: int, reply: Reply) -> None:
        """A reply has come to request `number`."""
        self.times_s.append(reply.rtt_s)
        time_ms = reply.rtt_s * _MS
        if self.as_json:
            print_json(
                {
                    "sequence": number,
                    "bytes": reply.size,
                    "ttl": reply.hops,
                    "time_ms": round(time_ms, 3),
                }
            )
        else:
            standard.put_line(
                f"{reply.size} bytes from {self.address}: seq {number} ttl {reply.hops} "
                f"time {time_ms:.3f} ms"
            )

    def failed(self, number: int, why: str) -> None:
        """None has come, or somebody says that none will."""
        if self.as_json:
            print_json({"sequence": number, "error": why})
        else:
            standard.put_line(f"seq {number}: {why}")

    def tell(self) -> None:
        """The summary."""
        got = len(self.times_s)
        times_ms = [time_s * _MS for time_s in self.times_s]
        mean = sum(times_ms) / got if got else 0.0
        spread = math.sqrt(sum((each - mean) ** 2 for each in times_ms) / got) if got else 0.0
        figures = {"min": min(times_ms, default=0.0), "avg": mean,
                   "max": max(times_ms, default=0.0), "mdev": spread}  # fmt: skip
        if self.as_json:
            print_json(
                {
                    "host": self.host,
                    "address": self.address,
                    "sent": self.sent,
                    "received": got,
                    "time_ms": {name: round(each, 3) for name, each in figures.items()}
                    if got
                    else None,
                }
            )
            return
        loss = 100 * (self.sent - got) / self.sent
        line = f"{self.sent} sent, {got} received, {loss:.3g} % lost"
        if got:
            shown = "/".join(f"{each:.3f}" for each in figures.values())
            line += f"; {'/'.join(figures)} {shown} ms"
        standard.put_line(line)
