"""`netrelay conform`: try any server's /net against what Plan 9's does.

The suite is imported when it is run, since it is as large as all that other commands need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netrelay.cli.errors import REFUSED, run
from netrelay.cli.options import gateway_options, json_option, print_json
from netrelay.cli.progress import Progress
from netrelay.errors import UsageError
from netrelay.hosts import own_user
from netrelay.types import Dialect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.conform import Outcome

DIALECTS = [dialect.value for dialect in Dialect]
# Where standard output is a terminal; click leaves them out elsewhere.
COLOURS = {"fail": "red", "accepted": "yellow"}


@click.command(epilog="Example: netrelay conform 'tcp!gw!564' --peer 10.0.0.2 --only 'listen.*'")
@click.argument("address", metavar="ADDR")
@click.option("--dialect", type=click.Choice(DIALECTS), default=DIALECTS[0], show_default=True,
              help="Which 9P to speak.")  # fmt: skip
@click.option("--netdir", default="/net", show_default=True,
              help="Where the server has its net directory.")  # fmt: skip
@click.option("--peer", metavar="HOST",
              help="An address of this machine that the gateway can call "
              "(default: where its session comes from).")  # fmt: skip
@click.option("--only", metavar="PATTERN",
              help="Only checks whose name or subject matches: 'walk', '*hangup*'.")  # fmt: skip
@json_option
@gateway_options
def conform(
    *,
    address: str,
    dialect: str,
    netdir: str,
    peer: str | None,
    only: str | None,
    as_json: bool,
    user: str | None,
    aname: str,
) -> None:
    """Check whether the /net at ADDR does what the manual says of it.

    Any 9P server will do, ours or not: what it does not offer is left out, and said so. Calls go
    between the gateway and this machine only, and nothing is left behind. One line a check; the
    status is 1 when a check failed.
    """
    from netrelay import conform as suite  # noqa: PLC0415 (no other command pays for it)
    from netrelay.conform import report  # noqa: PLC0415

    async def work() -> list[Outcome]:
        checks = suite.select(Dialect(dialect), only)
        if not checks:
            raise UsageError(f"no check of {dialect} matches {only!r}: docs/conformance.md has all")
        uname = own_user() if user is None else user
        options = suite.Options(address, Dialect(dialect), uname, aname, netdir, peer)
        subject = await suite.examine(options)
        outcomes: list[Outcome] = []
        with Progress() as progress:
            for check in checks:
                progress.show(f"{len(outcomes) + 1}/{len(checks)} {check.name}")
                outcomes.append(await suite.run_one(subject, check))
                if not as_json:
                    progress.clear()
                    first, *rest = report.lines(outcomes[-1])
                    click.secho(first, fg=COLOURS.get(outcomes[-1].result.value))
                    _print(rest)
        return outcomes

    outcomes = run(work)
    if as_json:
        print_json([report.record(outcome) for outcome in outcomes])
    else:
        _print(["", *report.summary(outcomes)])
    if any(outcome.result is suite.Result.FAIL for outcome in outcomes):
        raise SystemExit(REFUSED)


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line)
