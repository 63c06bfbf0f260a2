"""A database driver through a gateway, by nothing but a socket: PostgreSQL's pg8000."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pg8000.dbapi
import pytest

import netrelay
import netrelay.sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.core import Core

PATIENCE_S = 60.0
MUCH = 3_000_000


@pytest.fixture(scope="module")
def database() -> Iterator[int]:
    """A PostgreSQL server of our own on loopback: its port. It won't run as root, nor must it."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("PostgreSQL is not installed")
    owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = tempfile.mkdtemp(prefix="netrelay-postgres-")
    if owner:
        shutil.chown(folder, "postgres")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    home, data = str(programs[-1]), f"{folder}/data"
    make = [f"{home}/initdb", "-D", data, "-A", "trust", "-U", "glenda", "-N"]
    run = [f"{home}/postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    try:
        subprocess.run(
            [*owner, *make], check=True, capture_output=True, timeout=PATIENCE_S, cwd=folder
        )
        with Path(f"{data}/pg_hba.conf").open("a") as trusted:
            trusted.write("host all all 127.0.0.0/8 trust\n")
        with subprocess.Popen(
            [*owner, *run], stderr=subprocess.PIPE, text=True, cwd=folder
        ) as server:
            assert server.stderr is not None
            for line in server.stderr:
                if "ready to accept connections" in line:
                    break
            yield port
            server.terminate()
            server.communicate(timeout=PATIENCE_S)
    finally:
        shutil.rmtree(folder)


def test_a_driver_takes_the_socket(core: Core, tmp_path: Path, database: int) -> None:
    address = f"unix!{tmp_path}/gate"

    def script() -> None:
        with netrelay.sync.connect(address, core=core.name) as session:
            call = session.dial_socket(f"/net.alt/tcp!127.0.0.1!{database}")
            with contextlib.closing(
                pg8000.dbapi.connect("glenda", database="postgres", sock=call)
            ) as connection:
                cursor = connection.cursor()
                cursor.execute("select inet_client_addr()::text, repeat('x', %s)", (MUCH,))
                who, much = cursor.fetchone()
                assert who == "127.0.0.2/32"
                assert much == "x" * MUCH
                cursor.execute("create temporary table t (n integer)")
                cursor.executemany("insert into t values (%s)", [(n,) for n in range(100)])
                cursor.execute("select sum(n) from t")
                assert cursor.fetchone()[0] == sum(range(100))

    async def work() -> None:
        gateway = netrelay.Gateway(
            address,
            core=core.name,
            allow_dial=["127.0.0.0/8"],
            stacks=["alt=addr:127.0.0.2"],
            grace_s=0,
        )
        async with asyncio.timeout(PATIENCE_S), gateway:
            await asyncio.to_thread(script)

    asyncio.run(work())
