"""How the command line ends: one line on standard error, and a status."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from netrelay.cli.imports import Route, parse_route
from netrelay.cli.main import cli
from netrelay.errors import UsageError

COMMANDS = (
    "export", "import", "ls", "cat", "write", "stat", "dial", "cs", "dns", "conform",
    "completion", "version",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    done = CliRunner().invoke(cli, [command, "--help"])
    assert done.exit_code == 0
    assert "Example: " in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "gw"),
        ("ls",),
        ("import", "tcp!127.0.0.1!1"),
        ("import", "tcp!127.0.0.1!1", "--forward", "80"),
        ("import", "tcp!127.0.0.1!1", "--socks", "::1:80"),
        ("export", "--listen", "tcp!0.0.0.0!0", "--core", "python"),
        ("export",),
        ("export", "--listen", "tcp!127.0.0.1!0", "--stack", "alt"),
        ("export", "--listen", "tcp!127.0.0.1!0", "--stack", "alt=addr:localhost"),
        ("export", "--listen", "tcp!127.0.0.1!0", "--grant", "everything"),
        ("conform",),
        ("conform", "tcp!127.0.0.1!1", "--only", "no.such-check"),
        ("conform", "tcp!127.0.0.1!1", "--dialect", "9P1999"),
        ("conform", "gw"),
        ("nothing",),
    ],
)
def test_misuse_is_status_2(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_gateway_that_is_not_there_is_status_1_and_one_line() -> None:
    done = CliRunner().invoke(cli, ["ls", "unix!/nonexistent/socket"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "unix!/nonexistent/socket" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert "_NETRELAY_COMPLETE" in done.stdout


def test_routes() -> None:
    assert parse_route("80:h:81", bind="*") == Route("*", 80, "h", 81)
    assert parse_route("[::1]:80:[2001:db8::1]:81", bind="*") == Route("::1", 80, "2001:db8::1", 81)
    for text in ("80", "80:h", "x:h:80", "80::80", "1:2:3:4:5", "[::1:80:h:80"):
        with pytest.raises(UsageError):
            parse_route(text, bind="*")
