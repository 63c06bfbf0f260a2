"""The peers: what a user would pick instead, as shipped and as an expert would tune it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benches.relays.relay import Relay, Running, free_port, process

if TYPE_CHECKING:
    from collections.abc import Iterator

# 6000 calls and the pipes to splice them fit into 20000 descriptors, a usual hard limit.
_HAPROXY = """
global
    maxconn 6000
    nbthread 1
    {globals}
defaults
    mode tcp
    {defaults}
    timeout connect 10s
    timeout client 300s
    timeout server 300s
listen relay
    bind 127.0.0.1:{port}
    server target 127.0.0.1:{server}
"""
_UVLOOP = Path(__file__).with_name("uvloop_relay.py")


@contextlib.contextmanager
def direct(server: int) -> Iterator[Running]:
    """No relay at all."""
    yield Running(f"tcp:127.0.0.1:{server}", [])


@contextlib.contextmanager
def haproxy(server: int, *, globals: str = "", defaults: str = "") -> Iterator[Running]:
    """HAProxy in TCP mode on one thread."""
    port = free_port()
    text = _HAPROXY.format(port=port, server=server, globals=globals, defaults=defaults)
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(text)
        config.flush()
        with process(["haproxy", "-db", "-f", config.name], port) as pid:
            yield Running(f"tcp:127.0.0.1:{port}", [pid])


@contextlib.contextmanager
def haproxy_256k(server: int) -> Iterator[Running]:
    """With buffers of 256 KiB."""
    with haproxy(server, globals="tune.bufsize 262144") as running:
        yield running


@contextlib.contextmanager
def haproxy_splice(server: int) -> Iterator[Running]:
    """With splicing forced both ways."""
    options = "option splice-request\n    option splice-response"
    with haproxy(server, globals="tune.pipesize 1048576", defaults=options) as running:
        yield running


@contextlib.contextmanager
def haproxy_twice(server: int) -> Iterator[Running]:
    """Two in a row: what export and import together are."""
    with haproxy(server) as inner, haproxy(int(inner.target.rpartition(":")[2])) as outer:
        yield Running(outer.target, inner.pids + outer.pids)


@contextlib.contextmanager
def socat(server: int) -> Iterator[Running]:
    """A process a call, as shipped."""
    port = free_port()
    listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=4096,nodelay"
    with process(["socat", listen, f"TCP:127.0.0.1:{server},nodelay"], port) as pid:
        yield Running(f"tcp:127.0.0.1:{port}", [pid])


@contextlib.contextmanager
def uvloop_relay(server: int) -> Iterator[Running]:
    """A good relay in Python: protocols with flow control on uvloop."""
    port = free_port()
    with process([sys.executable, str(_UVLOOP), str(port), str(server)], port) as pid:
        yield Running(f"tcp:127.0.0.1:{port}", [pid])


@contextlib.contextmanager
def microsocks(server: int) -> Iterator[Running]:
    """A small SOCKS5 server, a thread a call."""
    port = free_port()
    with process(["microsocks", "-i", "127.0.0.1", "-p", str(port)], port) as pid:
        yield Running(f"socks:127.0.0.1:{port},127.0.0.1:{server}", [pid])


@contextlib.contextmanager
def ssh_forward(server: int) -> Iterator[Running]:
    """`ssh -L` through a private sshd with throw-away keys. It encrypts; the table says so."""
    port, sshd_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("host", "user"):
            generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
            subprocess.run(generate, check=True)
        Path("/run/sshd").mkdir(exist_ok=True)
        (home / "sshd_config").write_text(
            f"Port {sshd_port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nStrictModes no\n"
            f"AuthorizedKeysFile {home}/user.pub\nPidFile none\nUsePAM no\nMaxSessions 200\n"
            "PermitRootLogin prohibit-password\n"
        )
        sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", str(home / "sshd_config")]
        options = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={home}/known"]
        options += ["-o", "LogLevel=ERROR", "-i", str(home / "user"), "-p", str(sshd_port)]
        ssh = ["ssh", "-N", "-F", "none", *options]
        ssh += ["-L", f"127.0.0.1:{port}:127.0.0.1:{server}", "127.0.0.1"]
        with process(sshd, sshd_port) as one, process(ssh, port) as other:
            yield Running(f"tcp:127.0.0.1:{port}", [one, other])


PEERS = (
    Relay("direct", (), direct),
    Relay("haproxy", ("haproxy",), haproxy),
    Relay("haproxy 256k", ("haproxy",), haproxy_256k),
    Relay("haproxy splice", ("haproxy",), haproxy_splice),
    Relay("haproxy twice", ("haproxy",), haproxy_twice),
    Relay("socat", ("socat",), socat),
    Relay("uvloop", (), uvloop_relay),
    Relay("microsocks", ("microsocks",), microsocks),
    Relay("ssh -L", ("ssh", "ssh-keygen", "/usr/sbin/sshd"), ssh_forward),
)
