"""The picture of the README, with real hosts, a real curl and a real web server.

Two machines inside, a gateway, and an Internet that the inside has no route to. The
inside dials out and publishes a port of the gateway's; the second to ask for the port is told that
it is taken; a machine that vanishes gives it back; and the gateway forwards no packet,
translates no address and tracks no connection meanwhile.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from .lab import until
from .picture import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .lab import Host
    from .picture import Picture

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]


@pytest.fixture(params=["rust", "python"])
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Picture]:
    """Everything wired and served; both cores in turn."""
    with drawn(request.param, "--session-timeout", "3") as made:
        serve(made.internet, tmp_path / "outside", "a page of the Internet", "::")
        serve(made.first, tmp_path / "inside", "a page from the inside", "127.0.0.1", port=8080)
        yield made


def serve(host: Host, folder: Path, words: str, address: str, *, port: int = 80) -> None:
    """A web server with one page."""
    folder.mkdir()
    (folder / "index.html").write_text(words + "\n")
    host.start(
        sys.executable,
        "-m",
        "http.server",
        str(port),
        "--bind",
        address,
        "--directory",
        str(folder),
    )
    until(lambda: f":{port} " in host.run("ss", "-Hltn").stdout, f"a web server on port {port}")


def fetch(host: Host, url: str, *options: str) -> str:
    """What a curl in `host` gets; the empty string when it fails."""
    return host.run("curl", "-sS", "-g", "-m", "20", *options, url, check=False).stdout


def traces(gateway: Host) -> str:
    """All that a translating gateway would have touched."""
    looks = (
        ("ip", "route", "show", "table", "all"),
        ("ip", "-6", "route", "show", "table", "all"),
        ("ip", "rule"),
        ("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"),
        ("sh", "-c", "cat /proc/net/nf_conntrack /proc/net/ip_tables_names 2>/dev/null || true"),
    )  # fmt: skip
    return "\n".join(gateway.run(*look).stdout for look in looks)


def test_the_inside_reaches_the_internet_and_is_reached(picture: Picture) -> None:
    before = traces(picture.gateway)
    unreachable = picture.first.run("curl", "-sS", "-m", "5", "http://203.0.113.2/", check=False)
    assert unreachable.returncode == 7, "the inside must have no route of its own"

    one = picture.importer(
        picture.first, "10.77.1.1", "--socks", "127.0.0.1:1080", "--publish", "80:127.0.0.1:8080"
    )
    one.wait_for("80")
    socks = ("--socks5-hostname", "127.0.0.1:1080")
    until(lambda: ":1080 " in picture.first.run("ss", "-Hltn").stdout, "the first importer's SOCKS")
    assert fetch(picture.first, "http://203.0.113.2/", *socks) == "a page of the Internet\n"
    assert fetch(picture.first, "http://[2001:db8:77::2]/", *socks) == "a page of the Internet\n"

    picture.importer(picture.second, "10.77.2.1", "--socks", "127.0.0.1:1080")
    until(lambda: ":1080 " in picture.second.run("ss", "-Hltn").stdout, "the second one's SOCKS")
    assert fetch(picture.second, "http://203.0.113.2/", *socks) == "a page of the Internet\n"

    until(lambda: ":80 " in picture.gateway.run("ss", "-Hltn").stdout, "the published port")
    assert fetch(picture.internet, "http://203.0.113.1/") == "a page from the inside\n"
    assert fetch(picture.internet, "http://[2001:db8:77::1]/") == "a page from the inside\n"

    rival = picture.importer(picture.second, "10.77.2.1", "--publish", "80:127.0.0.1:8080")
    assert rival.process.wait(30) == 1
    assert "address in use" in (rival.process.stderr or sys.stdin.buffer).read().decode()
    assert fetch(picture.internet, "http://203.0.113.1/") == "a page from the inside\n"
    assert traces(picture.gateway) == before


def test_a_machine_that_vanishes_gives_its_port_back(picture: Picture, tmp_path: Path) -> None:
    picture.importer(picture.first, "10.77.1.1", "--publish", "80:127.0.0.1:8080").wait_for("80")
    assert fetch(picture.internet, "http://203.0.113.1/") == "a page from the inside\n"

    picture.first.run("ip", "link", "set", picture.wire_of_first, "down")
    until(lambda: ":80 " not in picture.gateway.run("ss", "-Hltn").stdout, "the port to be free")

    serve(picture.second, tmp_path / "heir", "a page from the heir", "127.0.0.1", port=8080)
    picture.importer(picture.second, "10.77.2.1", "--publish", "80:127.0.0.1:8080").wait_for("80")
    assert fetch(picture.internet, "http://203.0.113.1/") == "a page from the heir\n"
