"""`netrelay export`: serve this machine's network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from netrelay import gateway
from netrelay.cli.errors import run
from netrelay.cli.options import core_option
from netrelay.gateway.gateway import GRACE_S, SESSION_TIMEOUT_S
from netrelay.gateway.grants import GRANTS
from netrelay.namespace import Namespace
from netrelay.stacks import parse_stack

EXPORTFS = "tcp!127.0.0.1!17007"


@click.command(
    short_help="Serve this machine's network.",
    epilog="Example: netrelay export --listen 'tcp!127.0.0.1!5640'",
)
@click.option("--listen", "addresses", multiple=True, required=True, metavar="ADDR",
              help="Where to listen (repeatable): tcp!127.0.0.1!5640, unix!/path or "
              "il!*!17008.")  # fmt: skip
@click.option("--root", metavar="PATH", default="/", help="The subtree that every attach gets.")
@core_option
@click.option(
    "--workers",
    metavar="N",
    default=0,
    type=click.IntRange(0, 256),
    help="Threads (0: one a processor).",
)
@click.option("--allow-dial", "allow_dial", multiple=True, metavar="CIDR",
              help="Allow calls to a network that the guards refuse (repeatable).")  # fmt: skip
@click.option("--stack", "stacks", multiple=True, metavar="NAME=KIND:VALUE",
              help="Serve another stack as /net.NAME (repeatable): a network namespace "
              "(NAME=netns:blue), an interface (NAME=dev:wg0) or a local address "
              "(NAME=addr:192.0.2.1).")  # fmt: skip
@click.option("--grant", "grant", multiple=True, metavar="NAME",
              help="Allow what is refused without a grant (repeatable):\n\n\b\n"
              + "\n".join(f"{name:<8}  {opens}" for name, opens in GRANTS.items()))  # fmt: skip
@click.option("--ether", "ethers", multiple=True, metavar="IFACE",
              help="Serve an interface's Ethernet frames, all of them, as /net/ether0 on "
              "(repeatable).")  # fmt: skip
@click.option(
    "--namespace",
    "namespace",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compose what attaches see: lines of a namespace file (bind '#I1' /net).",
)
@click.option("--plan9-exportfs", "plan9_exportfs", metavar="[ADDR]", multiple=True,
              is_flag=False, flag_value=EXPORTFS,
              help="Serve what 4th edition's import speaks, too, in clear, at ADDR (repeatable; "
              f"{EXPORTFS} unless given).")  # fmt: skip
@click.option("--insecure-no-auth", is_flag=True, help="Listen off loopback, open to all.")
@click.option("--grace", metavar="SECONDS", default=GRACE_S, type=click.FloatRange(0),
              show_default=True,
              help="How long conversations may go on after SIGTERM.")  # fmt: skip
@click.option("--session-timeout", metavar="SECONDS", default=SESSION_TIMEOUT_S,
              type=click.IntRange(1, 86400), show_default=True,
              help="How long an importer may be silent.")  # fmt: skip
def export(
    *,
    addresses: tuple[str, ...],
    root: str,
    core: str | None,
    workers: int,
    allow_dial: tuple[str, ...],
    stacks: tuple[str, ...],
    grant: tuple[str, ...],
    ethers: tuple[str, ...],
    namespace: Path | None,
    plan9_exportfs: tuple[str, ...],
    insecure_no_auth: bool,
    grace: float,
    session_timeout: int,
) -> None:
    """Serve this machine's network at /net over 9P, until SIGTERM or Ctrl-C."""

    async def serve() -> None:
        space = Namespace.of_stacks(*(parse_stack(stack).name for stack in stacks))
        if namespace is not None:
            space.load(namespace, env=os.environ)
        served = gateway.Gateway(
            *addresses,
            root=root,
            core=core,
            workers=workers,
            allow_dial=allow_dial,
            stacks=stacks,
            grant=grant,
            ethers=ethers,
            namespace=space,
            plan9_exportfs=plan9_exportfs,
            insecure_no_auth=insecure_no_auth,
            grace_s=grace,
            session_timeout_s=session_timeout,
        )
        await gateway.export(served, ready=_announce, ending=lambda served: _explain(served, grace))

    run(serve)


def _announce(served: gateway.Gateway) -> None:
    for address in served.addresses:
        click.echo(f"netrelay: listening on {address}", err=True)
    for address in served.exportfs_addresses:
        click.echo(f"netrelay: listening on {address}, for old import", err=True)


def _explain(served: gateway.Gateway, grace: float) -> None:
    stats = served.stats()
    # Those that nobody uses any more are still being sent to their end.
    count = stats["conversations"] + stats["closing"]
    if count and grace:
        what = "1 conversation" if count == 1 else f"{count} conversations"
        click.echo(
            f"netrelay: waiting up to {grace:g} s for {what}; a second signal ends it now", err=True
        )
