"""`make bench`: netrelay beside what a user would pick instead, on this machine, in this run.

`python -m benches.run --help` lists the options. It writes JSON and a picture to benches/out and
prints the tables. It starts only its own processes and talks only to loopback, and to network
namespaces of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benches import machine, operations, report
from benches.codec import NAMES
from benches.measures import DATAGRAMS, DISTANT, WORKS, Load, Table, Work, idle_bytes, rounds
from benches.relays import datagrams, distant
from benches.relays.ours import OURS, exported
from benches.relays.peers import PEERS
from benches.relays.relay import Relay, Running, free_port, process

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
# At a distance a call needs so many times as long to get up to speed, and ten round trips at least.
LONGER, LEAST_S = 5, 1.0


class Group(NamedTuple):
    """Works and the relays that can do them, with the peer that they are shown against."""

    works: Sequence[Work]
    relays: Sequence[Relay]
    ours: Sequence[Relay]
    base: str


GROUPS = (
    Group(WORKS, (*PEERS, *OURS), OURS, "haproxy"),
    Group(DATAGRAMS, datagrams.RELAYS, datagrams.OURS, "uvloop"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 when one of ours failed. A peer may: the table says so."""
    options = _options(arguments)
    load = Load(_built(), options.seconds)
    groups = [_chosen(group, options) for group in GROUPS]
    relays = {relay.name: relay for group in groups for relay in group.relays}
    results: dict[str, object] = {"machine": machine.card(), "seconds": options.seconds}
    say("machine: " + ", ".join(f"{name} {value}" for name, value in machine.card().items()))
    port = free_port()
    table: Table = {}
    with process([str(load.program), "serve", f"127.0.0.1:{port}"], port):
        for group in groups:
            _measure(group, load, port, options.rounds, table)
        if not options.work or "rtt100" in options.work:
            _measure_apart(load, options, table)
        results["works"] = report.plain(table)
        if not options.work:
            results |= _the_rest(load, groups[0].relays, port, options.rounds, options.idle)
    _write(options.out, results, table, list(relays))
    ours = {relay.name for group in GROUPS for relay in group.ours}
    return 1 if any(cell.failed for (name, _), cell in table.items() if name in ours) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all relays (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a run (1)")
    parser.add_argument("--only", nargs="*", default=[], help="relays by name (all)")
    verbs = " ".join(dict.fromkeys(work.verb for group in GROUPS for work in group.works))
    parser.add_argument("--work", nargs="*", default=[], help=f"{verbs} rtt100 (all)")
    parser.add_argument("--idle", type=int, default=1000, help="idle calls to hold (1000)")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="where to write")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds, options.idle = 1, 0.1, 20
    return options


def _chosen(group: Group, options: argparse.Namespace) -> Group:
    """What was asked for of a group, less the relays that are not installed."""
    works = [work for work in group.works if not options.work or work.verb in options.work]
    relays = [relay for relay in group.relays if not options.only or relay.name in options.only]
    for relay in relays if works else ():
        if (program := relay.missing()) is not None:
            say(f"absent: {relay.name} ({program} is not installed)")
    present = [relay for relay in relays if works and relay.missing() is None]
    return group._replace(works=works, relays=present)


def _measure(group: Group, load: Load, port: int, times: int, table: Table) -> None:
    """All rounds of a group, and its tables."""
    if not group.works:
        return
    for number, so_far in rounds(load, group.relays, group.works, port, times):
        table |= so_far
        print(f"round {number} of {times}", file=sys.stderr)
    names = [relay.name for relay in group.relays]
    for line in report.lines(table, names, group.works, group.base):
        say(line)
    for relay in group.relays:
        if relay in group.ours:
            for line in report.ratios(table, relay.name, names, group.works):
                say(line)


def _measure_apart(load: Load, options: argparse.Namespace, table: Table) -> None:
    """The same between two computers that are 100 ms apart."""
    if (what := distant.missing()) is not None:
        return say(f"absent: rtt100 ({what} is needed)")
    with contextlib.ExitStack() as stack:
        near, far = stack.enter_context(distant.apart())
        with far.inside():
            port = free_port()
            serve = [str(load.program), "serve", f"0.0.0.0:{port}"]
            stack.enter_context(process(serve, port))
        relays = distant.relays(near, far)
        chosen = [relay for relay in relays if not options.only or relay.name in options.only]
        stack.enter_context(near.inside())
        longer = dataclasses.replace(load, seconds=max(LEAST_S, LONGER * load.seconds))
        ours = [relay for relay in chosen if relay.name.startswith("netrelay")]
        _measure(Group(DISTANT, chosen, ours, "direct"), longer, port, options.rounds, table)


def _built() -> Path:
    """The load generator, built if need be, and the codec's with it."""
    crates = ("-p", "netrelay-load", "-p", "netrelay-bench-proto")
    command = ["cargo", "build", "--release", "--quiet", *crates]
    subprocess.run(command, cwd=HERE.parent, check=True)
    return HERE.parent / "target" / "release" / "netrelay-load"


def _the_rest(
    load: Load, relays: Sequence[Relay], port: int, times: int, idle: int
) -> dict[str, object]:
    rest: dict[str, object] = {"idle": _memory(load, relays, port, idle)}
    say("\n**9P operations** (/s, median)\n\n| operation, outstanding | netrelay | diod | ÷ diod |")
    say("|---|---:|---:|---:|")
    done = operations.operations(load, times)
    for name, rates in done.items():
        ours = statistics.median(rates["netrelay"])
        theirs = statistics.median(rates["diod"]) if "diod" in rates else None
        row = (report.number(theirs), f"{ours / theirs:.2f}") if theirs else ("absent", "")
        say(f"| {name} | {report.number(ours)} | {' | '.join(row)} |")
    rest["operations"] = done
    rest["codec"] = codec = operations.codec_rates(load.seconds)
    say("\n**codec** (messages/s, one thread)\n")
    for line in report.codec(codec, NAMES):
        say(line)
    rest["entries_per_mib"] = entries = operations.entries_per_mib(load)
    say(f"\ninterpreter entries per MiB relayed: {entries:g}")
    return rest


def _memory(load: Load, relays: Sequence[Relay], port: int, idle: int) -> dict[str, float]:
    """Bytes an idle call, by relay, and an idle session of the gateway."""
    say(f"\n**memory** (bytes of PSS an idle call, {idle} of them)\n")
    found = {}
    for relay in relays:
        if relay.name == "direct":
            continue
        try:
            with relay.start(port) as running:
                found[relay.name] = idle_bytes(load, running, running.target, idle)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as err:
            say(f"- {relay.name}: failed: {err}")
            continue
        say(f"- {relay.name}: {found[relay.name]:,.0f}")
    with exported() as (gate, pid):
        running = Running(f"9p:127.0.0.1:{gate},", [pid])
        found["netrelay session"] = idle_bytes(load, running, running.target, min(idle, 500))
    say(f"- netrelay, an idle session: {found['netrelay session']:,.0f}")
    return found


def _write(out: Path, results: dict[str, object], table: Table, names: Sequence[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d-%H%M")
    (out / f"{stamp}.json").write_text(json.dumps(results, indent=1) + "\n")
    title = f"netrelay and its peers, {stamp}"
    (out / f"{stamp}.svg").write_text(report.picture(table, names, title))
    print(f"written: {out}/{stamp}.json and .svg", file=sys.stderr)


def say(line: str) -> None:
    """A line of the report."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
