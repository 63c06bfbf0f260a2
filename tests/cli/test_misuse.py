"""How the command line ends: one line on standard error, and a status."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from netrelay.cli.imports import Route, parse_route
from netrelay.cli.main import cli
from netrelay.errors import UsageError

COMMANDS = (
    "export", "import", "ls", "cat", "write", "stat", "dial", "cs", "dns", "ping",
    "netstat", "ip", "snoop", "conform",
    "completion",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    done = CliRunner().invoke(cli, [command, "--help"])
    assert done.exit_code == 0
    example = done.stdout.partition("Example: ")[2]
    assert "netrelay" in example
    # An interactive shell takes a bare `!` for its history.
    assert "!" not in re.sub(r"'[^']*'", "", example)


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
        ("ls", "tcp!127.0.0.1!1", "--jsno"),
        ("completion", "ksh"),
        ("dial", "tcp!127.0.0.1!1", "a b"),
        ("export", "--listen", "tcp!127.0.0.1!0", "--workers", "-1"),
        ("export", "--listen", "tcp!127.0.0.1!0", "--allow-dial", "loopback"),
        ("import", "tcp!127.0.0.1!1", "--forward", "80:a!b:80"),
    ],
)
def test_misuse_is_status_2(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, arguments, prog_name="netrelay")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("netrelay")
    assert done.stderr.count("\n") == 1


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
    assert parse_route("80:h:81", bind="*") == Route("*", 80, "h", 81, "80:h:81")
    assert parse_route(":80:h:81", bind="127.0.0.1").bind == "*"
    text = "[::1]:80:[2001:db8::1]:81"
    assert parse_route(text, bind="*") == Route("::1", 80, "2001:db8::1", 81, text)


@pytest.mark.parametrize(
    "text",
    ["80", "80:h", "x:h:80", "80::80", "1:2:3:4:5", "[::1:80:h:80", "80:h:0", "70000:h:1",
     "80:a!b:80", "80:a b:80", "80:a/b:80", "a!b:80:h:80"],
)  # fmt: skip
def test_what_is_no_route(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        parse_route(text, bind="*")
