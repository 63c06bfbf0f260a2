"""Every awaited call, cancelled at every turn of the loop: nothing stays open, nothing is lost.

The gateway's own counters tell what a cancelled call has left behind: fids, conversations and the
requests that still wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

import netrelay
from netrelay import messages as m
from netrelay.client.network import Announced, Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from netrelay.core import Core

PATIENCE_S = 50.0
# A call that talks to the gateway three times is over by then, or waits for somebody.
TURNS = 40


@contextlib.asynccontextmanager
async def served(
    core: Core, folder: Path
) -> AsyncIterator[tuple[netrelay.Gateway, netrelay.Session, str]]:
    """A gateway, a session with it, and the dial string of a server that says nothing."""

    def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(writer)

    calls: list[asyncio.StreamWriter] = []
    address = f"unix!{folder}/gate"
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with (
        asyncio.timeout(PATIENCE_S),
        server,
        netrelay.Gateway(address, core=core.name, allow_dial=["127.0.0.0/8"], grace_s=0) as gate,
        netrelay.connect(address, uname="glenda", core=core.name) as session,
    ):
        yield gate, session, f"tcp!127.0.0.1!{server.sockets[0].getsockname()[1]}"
        for call in calls:
            call.transport.abort()


async def settled(gate: netrelay.Gateway, session: netrelay.Session) -> dict[str, int]:
    """What the gateway holds once everything sent has been carried out."""
    for _ in range(100):
        # A clunk is not waited for: this request is behind it, and makes no fid of its own.
        await session.wire.rpc(m.Tstat(0), m.Rstat)
        held = gate.stats()
        if held["fids"] == 1 and held["conversations"] == 0:
            break
    return {name: held[name] for name in ("fids", "conversations", "parked_bytes", "panics")}


async def cancelled_at(turn: int, task: asyncio.Future[Any]) -> None:
    """Let it run for so many turns of the loop and cancel it; it may have been over by then."""
    for _ in range(turn):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


async def dial(session: netrelay.Session, there: str) -> None:
    _, writer = await session.dial(there)
    writer.close()
    await writer.wait_closed()


async def read_stream(session: netrelay.Session, there: str) -> None:
    reader, writer = await session.dial(there)
    try:
        await reader.read(1)
    finally:
        writer.close()


async def announce(session: netrelay.Session, _: str) -> None:
    (await session.announce("tcp!127.0.0.1!0")).close()


async def listen(session: netrelay.Session, _: str) -> None:
    async with await session.announce("tcp!127.0.0.1!0") as announced:
        await announced.listen()


async def parked_read(session: netrelay.Session, _: str) -> None:
    async with await session.open("/net/log") as log:
        await log.read(100)


async def stat(session: netrelay.Session, _: str) -> None:
    await session.stat("/net/tcp/clone")


async def ls(session: netrelay.Session, _: str) -> None:
    await session.ls("/net")


async def write(session: netrelay.Session, _: str) -> None:
    await session.write("/net/log", b"clear tcp")


async def cs(session: netrelay.Session, _: str) -> None:
    await session.cs("tcp!localhost!9fs")


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "work", [dial, read_stream, announce, listen, parked_read, stat, ls, write, cs]
)
def test_a_cancelled_call_leaves_nothing_behind(
    core: Core,
    tmp_path: Path,
    work: Callable[[netrelay.Session, str], Coroutine[object, object, object]],
    runner: Callable[[Coroutine[object, object, None]], None],
) -> None:
    async def all_turns() -> None:
        async with served(core, tmp_path) as (gate, session, there):
            for turn in range(TURNS):
                await cancelled_at(turn, asyncio.ensure_future(work(session, there)))
            held = await settled(gate, session)
            assert held == {"fids": 1, "conversations": 0, "parked_bytes": 0, "panics": 0}

    runner(all_turns())


async def a_call(announced: Announced) -> tuple[Call, asyncio.StreamReader, asyncio.StreamWriter]:
    """Somebody calls."""
    _, port = await announced.local()
    caller = await asyncio.open_connection("127.0.0.1", port)
    return await announced.listen(), *caller


def test_a_call_that_came_while_listening_was_cancelled_is_the_next_one(
    core: Core, tmp_path: Path
) -> None:
    """A flushed open of `listen` takes no call."""

    async def all_turns() -> None:
        async with (
            served(core, tmp_path) as (gate, session, _),
            await session.announce("tcp!127.0.0.1!0") as announced,
        ):
            _, port = await announced.local()
            for turn in range(TURNS):
                listening = asyncio.ensure_future(announced.listen())
                _, out = await asyncio.open_connection("127.0.0.1", port)
                await cancelled_at(turn, listening)
                cancelled = listening.cancelled()
                call = await announced.listen() if cancelled else listening.result()
                assert call.remote == out.get_extra_info("sockname")
                await call.reject()
                out.close()
            announced.close()
            held = await settled(gate, session)
            assert held["conversations"] == 0

    asyncio.run(all_turns())


def test_accepting_cancelled_leaves_the_call_to_be_decided(core: Core, tmp_path: Path) -> None:
    async def all_turns() -> None:
        async with (
            served(core, tmp_path) as (gate, session, _),
            await session.announce("tcp!127.0.0.1!0") as announced,
        ):
            for turn in range(TURNS):
                call, caller, out = await a_call(announced)
                accepting = asyncio.ensure_future(call.accept())
                await cancelled_at(turn, accepting)
                cancelled = accepting.cancelled()
                reader, writer = await call.accept() if cancelled else accepting.result()
                out.write(b"ping")
                assert await reader.readexactly(4) == b"ping"
                writer.close()
                await writer.wait_closed()
                assert await caller.read() == b""
                out.close()
            announced.close()
            held = await settled(gate, session)
            assert held["conversations"] == 0

    asyncio.run(all_turns())


def test_bytes_survive_every_cancelled_read(core: Core, tmp_path: Path) -> None:
    async def all_turns() -> None:
        async with (
            served(core, tmp_path) as (_, session, _),
            await session.announce("tcp!127.0.0.1!0") as announced,
        ):
            call, _, out = await a_call(announced)
            reader, writer = await call.accept()
            sent, got = bytearray(), bytearray()

            async def one() -> None:
                got.extend(await reader.readexactly(3))

            for turn in range(TURNS):
                piece = turn.to_bytes(3)
                out.write(piece)
                sent += piece
                await cancelled_at(turn, asyncio.ensure_future(one()))
            out.close()
            got += await reader.read()
            assert got == sent
            writer.close()
            await writer.wait_closed()

    asyncio.run(all_turns())
