"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import click

from netrelay.cli import standard

_F = TypeVar("_F", bound=Callable[..., object])

core_option = click.option(
    "--core",
    type=click.Choice(["rust", "python"]),
    help="Which core runs (default: the best there is).",
)
netdir_option = click.option(
    "--netdir",
    metavar="PATH",
    help="Another net directory of the gateway's: /net.alt (default: /net).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def gateway_options(command: _F) -> _F:
    """The options of every command that has a gateway as its ADDR."""
    command = click.option(
        "--user", metavar="NAME", help="Attach as this user (default: who you are)."
    )(command)
    return click.option(
        "--aname", metavar="PATH", default="", help="The tree to attach to (default: the root)."
    )(command)


def print_json(value: object) -> None:
    """One JSON value and a newline on standard output."""
    standard.put_line(json.dumps(value, ensure_ascii=False))
