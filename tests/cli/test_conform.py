"""`netrelay conform`: a line a check, a summary, and a status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from netrelay.cli.main import cli
from tests.conformance.lies import LIES
from tests.conformance.served import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """An honest one."""
    with served("python") as found:
        yield found


def test_checks_that_pass_or_differ_by_consent_are_status_0(gateway: Served) -> None:
    done = CliRunner().invoke(cli, ["conform", gateway.address, "--only", "walk"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "pass         walk.dotdot-at-the-root-stays" in lines
    assert "accepted     walk.from-an-open-fid-is-refused" in lines
    assert lines[-1].startswith(f"{len([x for x in lines if 'walk.' in x])} checks: ")
    assert lines[-1].endswith(" pass, 1 accepted")
    assert done.stderr == ""


def test_a_check_that_fails_is_status_1_and_says_why(gateway: Served) -> None:
    lie, (name, *_) = LIES["hangup closes in peace"]
    with gateway.behind(lie) as address:
        done = CliRunner().invoke(cli, ["conform", address, "--only", name])
    assert done.exit_code == 1
    first, *rest = done.stdout.splitlines()
    assert first == f"FAIL         {name}"
    words = [line.split(maxsplit=1)[0] for line in rest if line]
    assert words[:3] == ["claim", "expected", "seen"]
    assert set(words[3:-1]) == {"<", ">"}
    assert rest[-1] == "1 check: 1 fail"


def test_what_is_not_offered_is_left_out_and_told(gateway: Served) -> None:
    # Attached to a protocol's directory, there is no net directory below.
    arguments = ["conform", gateway.address, "--aname", "/net/tcp", "--only", "clone"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0
    assert "not offered  clone.becomes-ctl (tcp)" in done.stdout
    assert done.stdout.endswith(" checks: tcp (no /net, and the root is none)\n")


def test_json_is_one_list_of_records(gateway: Served) -> None:
    arguments = ["conform", gateway.address, "--dialect", "9P2000.L", "--only", "linux.*", "--json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0
    records = json.loads(done.stdout)
    assert {record["result"] for record in records} == {"pass"}
    assert set(records[0]) == {
        "check", "claim", "source", "result", "expected", "seen", "reason", "need",
        "trace",
    }  # fmt: skip


def test_a_server_that_is_not_there_is_status_1_and_one_line() -> None:
    done = CliRunner().invoke(cli, ["conform", "unix!/nonexistent/socket"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "unix!/nonexistent/socket" in done.stderr
