"""The blocking face, as a script without a loop uses it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import netrelay
import netrelay.sync
from netrelay.client.blocking import Loop
from tests.integrity.relay import gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netrelay.client.sync import SyncSession
    from netrelay.core import Core


@pytest.fixture
def session(core: Core) -> Iterator[SyncSession]:
    with (
        gateway(core.name) as (_, port),
        netrelay.sync.connect(f"tcp!127.0.0.1!{port}", core=core.name) as session,
    ):
        yield session


def test_files_are_opened_read_and_closed(session: SyncSession) -> None:
    assert "tcp" in [entry.name for entry in session.ls("/net")]
    with session.open("/net/tcp/clone", "r+") as clone:
        assert clone.read(16) == b"0"
        clone.seek(0)
        assert clone.read(16) == b"0"
        assert clone.stat().name == "ctl"
        with pytest.raises(netrelay.NetError, match="unknown control request"):
            clone.write(b"frobnicate")
    assert session.read("/net/tcp/0/status").startswith(b"Closed")
    assert session.write("/net/log", b"clear tcp") == 9
    assert session.cs("tcp!127.0.0.1!9fs") == ["/net/tcp/clone 127.0.0.1!564"]


def test_calls_are_placed_and_taken(session: SyncSession) -> None:
    def call(port: int) -> bytes:
        with session.dial(f"tcp!127.0.0.1!{port}") as made:
            assert made.remote == ("127.0.0.1", port)
            made.write(b"one\ntwo\n")
            made.write_eof()
            return made.read()

    with session.announce("tcp!127.0.0.1!0") as announced, ThreadPoolExecutor(1) as caller:
        said = caller.submit(call, announced.local()[1])
        with announced.listen().accept() as taken:
            assert list(taken) == [b"one\n", b"two\n"]
            taken.write(b"three")
        assert said.result() == b"three"


def test_a_call_that_is_rejected_is_reset(session: SyncSession) -> None:
    with session.announce("tcp!127.0.0.1!0") as announced, ThreadPoolExecutor(1) as caller:
        made = caller.submit(session.dial, f"tcp!127.0.0.1!{announced.local()[1]}").result()
        announced.listen().reject()
        with made, pytest.raises(netrelay.NetError, match="refused"):
            made.read()


def test_an_announcement_that_is_hung_up_has_no_more_calls(session: SyncSession) -> None:
    with session.announce("tcp!127.0.0.1!0") as announced, ThreadPoolExecutor(1) as taker:
        calls = taker.submit(list, announced)
        session.write("/net/tcp/0/ctl", b"hangup")
        assert calls.result() == []


def test_a_session_whose_block_is_over_says_so(session: SyncSession, core: Core) -> None:
    with gateway(core.name) as (_, port):
        before = threading.active_count()
        with netrelay.sync.connect(f"tcp://localhost:{port}", core=core.name) as over:
            pass
        assert threading.active_count() == before
        with pytest.raises(netrelay.UsageError, match="block is over"):
            over.ls("/")
    assert session.ls("/")


@pytest.mark.parametrize("begun", [True, False])
def test_ctrl_c_while_a_call_begins_leaves_nothing_behind(begun: bool) -> None:
    done = []

    async def work() -> None:
        done.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cleaned up")

    loop = Loop()
    inner = loop._loop
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def interrupted(begin: Callable[[], object]) -> None:
            patch.undo()
            if begun:
                inner.call_soon_threadsafe(begin)
            raise KeyboardInterrupt

        patch.setattr(inner, "call_soon_threadsafe", interrupted)
        loop.run(work())
    # A task that is cancelled before its first step never takes it.
    assert done in ([], ["begun", "cleaned up"])
    loop.close()


def test_ctrl_c_waits_until_the_call_has_cleaned_up() -> None:
    done = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    loop = Loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    assert done == ["cleaned up"]
    loop.close()
