"""What `netrelay export` says of itself."""

from __future__ import annotations

from click.testing import CliRunner

from netrelay.cli.export import export
from netrelay.gateway.grants import GRANTS


def test_help_says_what_each_grant_opens() -> None:
    text = CliRunner().invoke(export, ["--help"], terminal_width=120).output
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for name, opens in GRANTS.items():
        assert f"{name} {opens}" in lines
