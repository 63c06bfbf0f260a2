"""The command `netrelay`: one group, a module a family of commands.

Data goes to standard output and everything else to standard error.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from netrelay.cli import standard
from netrelay.cli.completion import completion
from netrelay.cli.conform import conform
from netrelay.cli.errors import MISUSED, REFUSED
from netrelay.cli.export import export
from netrelay.cli.files import cat, ls, stat, write
from netrelay.cli.imports import import_
from netrelay.cli.network import cs, dial, dns
from netrelay.cli.ping import ping
from netrelay.cli.snoop import snoop
from netrelay.cli.tables import ip_, netstat

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = """Use the network of another machine as files, over 9P.

\b
Example, in two terminals:
    netrelay export --listen 'tcp!127.0.0.1!5640'
    netrelay import 'tcp!127.0.0.1!5640' --socks 127.0.0.1:1080

ADDR is a gateway: tcp!host!port, tcp://host:port or unix!/path. Shells want `!` in quotes.
"""


class Commands(click.Group):
    """The commands in the order in which a reader needs them, and each error on one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added."""
        del ctx
        return list(self.commands)

    def main(  # type: ignore[override]  # we always stand alone
        self, args: Sequence[str] | None = None, prog_name: str | None = None
    ) -> NoReturn:
        """Run and exit: 0 done, 1 refused or failed, 2 misused."""
        try:
            status = super().main(args, prog_name, standalone_mode=False)
        except click.Abort:
            click.echo("netrelay: interrupted", err=True)
            sys.exit(REFUSED)
        except click.exceptions.NoArgsIsHelpError as bare:
            bare.show()
            sys.exit(MISUSED)
        except click.UsageError as misuse:
            click.echo(_line(misuse), err=True)
            sys.exit(MISUSED)
        except click.ClickException as failure:
            failure.show()
            sys.exit(failure.exit_code)
        # A command gives nothing; `--help` and its like give a status.
        sys.exit(status or 0)


def _line(misuse: click.UsageError) -> str:
    command = misuse.ctx.command_path if misuse.ctx is not None else "netrelay"
    what = " ".join(misuse.format_message().split()).removesuffix(".")
    return f"{command}: {what[:1].lower()}{what[1:]} (see {command} --help)"


@click.group(cls=Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="netrelay", message="netrelay %(version)s")
@click.option("-v", "--verbose", count=True, help="Say more on standard error (twice: everything).")
def cli(verbose: int) -> None:
    """Set up logging for all commands."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="netrelay: %(message)s")


for command in (
    export, import_, ls, cat, write, stat, dial, cs, dns,
    ping, netstat, ip_, snoop, conform, completion,
):  # fmt: skip
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit with its status."""
    standard.hold()
    cli.main(prog_name="netrelay")
