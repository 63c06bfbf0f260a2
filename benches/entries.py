"""Interpreter entries per MiB relayed: `python -m benches.entries LOAD SECONDS` prints the number.

A gateway inside this very process is driven by the load generator outside; its own counter of
upcalls is read before and after.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

from benches.relays.relay import free_port, process
from netrelay import core
from netrelay.types import GatewayConfig


def main(load: str, seconds: str) -> None:
    """One bulk run each way."""
    config = GatewayConfig(host_owner="bench", allow_dial=("127.0.0.0/8",), started=0)
    gateway = core.load("rust").Gateway(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    gate = listener.getsockname()[1]
    gateway.listen(listener.detach())
    load = str(Path(load).resolve())
    port = free_port()
    with process([load, "serve", f"127.0.0.1:{port}"], port):
        before = gateway.stats()["interpreter_entries"]
        target, moved = f"9p:127.0.0.1:{gate},127.0.0.1:{port}", 0
        for verb in ("down", "up"):
            command = [load, verb, target, "1", seconds]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            moved += json.loads(done.stdout)["bytes"]
        entries = gateway.stats()["interpreter_entries"] - before
        sys.stdout.write(f"{entries / (moved / (1 << 20)):.6f}\n")
    gateway.abort()
    gateway.wait_closed(10)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
