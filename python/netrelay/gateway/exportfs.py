"""The old way in: what 4th edition's import says before 9P, in clear (exportfs(4), tcp port 17007).

The caller writes the path of a tree, is told `OK`, may say in one line how the rest is to be
carried, and then speaks 9P. There is no framing: each side waits for the other. Authentication
comes before the path where a server wants it, and we want none here, so this is as open as any
listener without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import NetrelayError
from netrelay.types import FIRST_MSIZE, NOFID, NOTAG, Dialect

if TYPE_CHECKING:
    from netrelay.core import Core, GatewayCore

log = logging.getLogger("netrelay.gateway")

# How long a caller may take before 9P begins; the original's clients give up then, too.
PATIENCE_S: Final = 60.0
LONGEST_PATH: Final = 127
LONGEST_LINE: Final = 128
MARK: Final = b"impo"
CALLERS: Final = 64


class Refused(Exception):  # noqa: N818 (the caller is told, and no fault of ours)
    """What the caller is told."""


class Exportfs:
    """Takes calls at listening sockets, and hands the core those that get as far as 9P."""

    def __init__(self, core: Core, gateway: GatewayCore, listeners: list[socket.socket]) -> None:
        self._core = core
        self._gateway = gateway
        self._listeners = listeners
        self._callers: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(CALLERS)
        for listener in listeners:
            listener.setblocking(False)
        self._accepting = [asyncio.create_task(self._accept(each)) for each in listeners]

    async def close(self) -> None:
        """Take no more calls, and hang up on those that have not got as far as 9P."""
        tasks = [*self._accepting, *self._callers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in self._listeners:
            listener.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                call, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("accept failed: %s", error.strerror)
                await asyncio.sleep(0.1)  # out of descriptors: wait for some to come back
                self._room.release()
                continue
            call.setblocking(False)
            task = asyncio.create_task(self._one(call))
            self._callers.add(task)
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._callers.discard(task)
        self._room.release()

    async def _one(self, call: socket.socket) -> None:
        with call, contextlib.suppress(OSError, TimeoutError, EOFError):
            try:
                async with asyncio.timeout(PATIENCE_S):
                    tree = await self._tree(call)
                    await self._carriage(call)
            except Refused as refusal:
                log.info("import refused: %s", refusal)
                return
            self._gateway.serve(call.detach(), tree)

    async def _tree(self, call: socket.socket) -> str:
        """The tree that the caller wants; it is told whether it is there."""
        loop = asyncio.get_running_loop()
        asked = await loop.sock_recv(call, LONGEST_PATH)
        if not asked:
            raise EOFError
        tree = asked.decode(errors="replace")
        why = await self._lacking(tree)
        if why is not None:
            said = f'chdir({len(asked)}:"{tree}"): {why}\n'
            await loop.sock_sendall(call, said.encode())
            raise Refused(said.rstrip())
        await loop.sock_sendall(call, b"OK")
        return tree

    async def _lacking(self, tree: str) -> str | None:
        """Why there is no such directory, by asking as a client would."""
        ours, theirs = socket.socketpair()
        self._gateway.serve(theirs.detach(), tree)
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            for tag, request in (
                (NOTAG, m.Tversion(FIRST_MSIZE, "9P2000")),
                (0, m.Tattach(0, NOFID, "none", "")),
                (0, m.Topen(0, 0)),
            ):
                writer.write(self._core.encode(tag, request, Dialect.P2000))
                size = await reader.readexactly(4)
                rest = await reader.readexactly(int.from_bytes(size, "little") - 4)
                reply = self._core.decode(size + rest, Dialect.P2000)[1]
                if isinstance(reply, m.Rerror):
                    return reply.ename
                if isinstance(reply, m.Rattach) and not reply.qid.type & 0x80:
                    return "not a directory"
        except (NetrelayError, asyncio.IncompleteReadError):
            return "i/o on hungup channel"
        finally:
            writer.close()
        return None

    async def _carriage(self, call: socket.socket) -> None:
        """The line `impo FILTER ENCRYPTION`, if there is one; older callers say none."""
        loop = asyncio.get_running_loop()
        if not await _begins_with(call, MARK):
            return
        line = bytearray()
        while len(line) < LONGEST_LINE and not line.endswith((b"\n", b"\0")):
            byte = await loop.sock_recv(call, 1)
            if not byte:
                raise EOFError
            line += byte
        words = line[len(MARK) :].rstrip(b"\n\0").decode(errors="replace").split()
        try:
            carrier, encryption = words
        except ValueError:
            await self._turn_away(call, f"impo arguments invalid: {' '.join(['impo', *words])}")
        if carrier != "nofilter":
            await self._turn_away(call, f"import filter argument unsupported: {carrier}")
        if encryption != "clear":
            await self._turn_away(call, f"import encryption proto unsupported: {encryption}")

    async def _turn_away(self, call: socket.socket, why: str) -> None:
        """Tell the caller where it looks next: in the reply to its Tversion (9front's exportfs)."""
        said = self._core.encode(NOTAG, m.Rerror(why, 0), Dialect.P2000)
        await asyncio.get_running_loop().sock_sendall(call, said)
        raise Refused(why)


async def _begins_with(call: socket.socket, mark: bytes) -> bool:
    """Whether what the caller says next begins so; nothing is taken."""
    # Fewer bytes don't wake who waits.
    call.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, len(mark))
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    loop.add_reader(call, there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(call)
    call.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    peeked = call.recv(len(mark), socket.MSG_PEEK)
    if len(peeked) < len(mark):
        raise EOFError
    return peeked == mark
