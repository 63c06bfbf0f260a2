"""Interpreter entries per MiB relayed: `entries.py LOAD SECONDS` prints the number.

A gateway inside this very process is driven by the load generator outside; its own counter of
upcalls is read before and after.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys

from netrelay import core
from netrelay.types import GatewayConfig


def main(load: str, seconds: str) -> None:
    """One bulk run each way."""
    config = GatewayConfig(host_owner="bench", allow_dial=("127.0.0.0/8",), started=0)
    gateway = core.load("rust").Gateway(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    gate = listener.getsockname()[1]
    gateway.listen(listener.detach())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([load, "serve", f"127.0.0.1:{port}"])
    try:
        before = gateway.stats()["interpreter_entries"]
        target, moved = f"9p:127.0.0.1:{gate},127.0.0.1:{port}", 0
        for verb in ("down", "up"):
            done = subprocess.run(
                [load, verb, target, "1", seconds], capture_output=True, check=True
            )
            moved += json.loads(done.stdout)["bytes"]
        entries = gateway.stats()["interpreter_entries"] - before
        sys.stdout.write(f"{entries / (moved / (1 << 20)):.6f}\n")
    finally:
        server.terminate()
        server.wait()
        gateway.abort()
        gateway.wait_closed(10)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
