"""The command `netrelay`: one group, a module a family of commands.

Data goes to standard output and everything else to standard error.
"""

from __future__ import annotations

import logging
from importlib import metadata

import click

from netrelay.cli.completion import completion
from netrelay.cli.conform import conform
from netrelay.cli.export import export
from netrelay.cli.files import cat, ls, stat, write
from netrelay.cli.imports import import_
from netrelay.cli.network import cs, dial, dns

HELP = """Use the network of another machine as files, over 9P.

\b
Example, in two terminals:
    netrelay export --listen tcp!127.0.0.1!5640
    netrelay import tcp!127.0.0.1!5640 --socks 127.0.0.1:1080
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="netrelay", message="netrelay %(version)s")
@click.option("-v", "--verbose", count=True, help="Say more on standard error (twice: everything).")
def cli(verbose: int) -> None:
    """Set up logging for all commands."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="netrelay: %(message)s")


@cli.command(epilog="Example: netrelay version")
def version() -> None:
    """Print the version."""
    try:
        click.echo(f"netrelay {metadata.version('netrelay')}")
    except metadata.PackageNotFoundError:
        click.echo("netrelay (not installed)")


for command in (export, import_, ls, cat, write, stat, dial, cs, dns, conform, completion):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with its status."""
    cli(prog_name="netrelay")
