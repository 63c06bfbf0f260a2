"""A gateway inside an asyncio program: `async with Gateway("tcp!127.0.0.1!5640") as gateway`.

Binds the listeners, hands them to a core and answers the core's questions about names and the
host's network. No byte that is relayed passes through here. `export` is the same until a signal
comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from netrelay import core as cores
from netrelay.errors import UsageError
from netrelay.gateway import listeners
from netrelay.gateway.exportfs import Exportfs
from netrelay.gateway.grants import check_ethers, check_grants, check_networks
from netrelay.gateway.host.network import HostNetwork
from netrelay.gateway.signals import stop_signals
from netrelay.gateway.upcalls import Answerers, Upcalls
from netrelay.hosts import own_user
from netrelay.names.cs import Cs
from netrelay.names.dialstring import Address, IlAddress, TcpAddress, UnixAddress, parse_address
from netrelay.names.dns import Dns
from netrelay.names.ndb import Database
from netrelay.names.resolver import Resolver, SystemResolver
from netrelay.names.stackdns import resolvers
from netrelay.stacks import check_stacks, parse_stack
from netrelay.types import GatewayConfig, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from netrelay.il.listener import Listener
    from netrelay.il.machine import IlFactory
    from netrelay.namespace import Namespace
    from netrelay.types import NamespaceConfig

GRACE_S = 10.0
SESSION_TIMEOUT_S = 60
CLOSE_S = 5.0
# How long IL's farewells may take.
IL_CLOSE_S = 1.0

log = logging.getLogger("netrelay.gateway")


class Gateway:
    """Serves `/net` on addresses from entry to exit of its `async with`.

    `addresses` are dial strings or URLs. `allow_dial` names networks (CIDR) that the guards
    would refuse. `stacks` are served beside `/net`, each as `NAME=netns:NS`, `NAME=dev:IFACE`
    or `NAME=addr:IP`. `grant` names what needs a grant (docs/tree.md 8), `ethers` the interfaces
    whose frames are given away (docs/ether.md). `namespace` is what attaches see
    (docs/namespaces.md), `/net` and `/net.NAME` without one. At the addresses of `plan9_exportfs`
    old `import` is served, in clear (docs/protocol.md, section 8). `grace_s` is how long
    conversations may go on at the end. `core` is `rust`, `python` or None for the best there is.
    Errors on entry: `UsageError`, `NetError`.
    """

    def __init__(
        self,
        *addresses: str,
        root: str = "/",
        core: str | None = None,
        workers: int = 0,
        allow_dial: Sequence[str] = (),
        stacks: Sequence[str] = (),
        grant: Sequence[str] = (),
        ethers: Sequence[str] = (),
        namespace: Namespace | None = None,
        plan9_exportfs: Sequence[str] = (),
        insecure_no_auth: bool = False,
        grace_s: float = GRACE_S,
        session_timeout_s: int = SESSION_TIMEOUT_S,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._wanted = [parse_address(text) for text in addresses]
        self._wanted_of_old = [_of_tcp(text) for text in plan9_exportfs]
        self._owner = own_user()
        self._config = GatewayConfig(
            host_owner=self._owner,
            root=root,
            workers=workers,
            allow_dial=tuple(allow_dial),
            started=int(time.time()),
            limits=limits or Limits(),
            stacks=tuple(parse_stack(text) for text in stacks),
            grant=tuple(grant),
            ethers=tuple(ethers),
            namespace=None if namespace is None else _composed(namespace),
        )
        check_stacks(self._config.stacks)
        check_grants(self._config.grant)
        check_ethers(self._config.ethers)
        check_networks(self._config.allow_dial)
        self._core_name = core
        self._insecure = insecure_no_auth
        self._session_timeout_s = session_timeout_s
        self._grace_s = grace_s
        self._resolver = resolver
        self._resolvers: dict[str, SystemResolver] = {}
        self._networks: dict[str, HostNetwork] = {}
        self._il: list[Listener] = []
        self._exportfs: Exportfs | None = None
        self._ended = False
        self.addresses: list[Address] = []
        self.exportfs_addresses: list[Address] = []

    async def __aenter__(self) -> Self:
        """Bind, serve and answer. Blocks on the lookup of a listener's name only."""
        core = cores.load(self._core_name or cores.available()[0])
        async with contextlib.AsyncExitStack() as undo:
            sockets: list[socket.socket] = []
            for address in self._wanted:
                if not isinstance(address, IlAddress):
                    sockets += map(undo.enter_context, self._bind(address))
            of_old: list[socket.socket] = []
            for address in self._wanted_of_old:
                of_old += map(undo.enter_context, self._bind(address))
            self._resolvers.update(resolvers(self._config.stacks))
            undo.callback(self._close_resolvers)
            if self._resolver is None:
                self._resolvers[""] = SystemResolver()
            undo.push_async_callback(self._close_networks)
            await self._open_networks()
            ndb = await self._networks[""].ndb()
            self._core = core.Gateway(replace(self._config, ndb=ndb.encode()))
            undo.callback(self._core.abort)
            for number, network in enumerate(self._networks.values()):
                await network.watch(functools.partial(self._core.set_interfaces, number))
            undo.push_async_callback(self._close_il)
            for address in self._wanted:
                if isinstance(address, IlAddress):
                    self._il += await self._bind_il(address, core.Il)
            undo.pop_all()
        self._upcalls = Upcalls(self._core, self._answerers(Database.parse(ndb)))
        self._upcalls.start()
        for listener in sockets:
            self.addresses.append(listeners.bound_address(listener))
            listener.setblocking(False)
            self._core.listen(listener.detach())
        if of_old:
            self.exportfs_addresses += map(listeners.bound_address, of_old)
            self._exportfs = Exportfs(core, self._core, of_old)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop accepting, let conversations finish up to the grace, close."""
        await self.shutdown()

    async def shutdown(self, *, grace_s: float | None = None) -> None:
        """Stop accepting and wait for conversations up to the grace (seconds), then close all."""
        if self._ended:
            return
        self._ended = True
        grace_s = self._grace_s if grace_s is None else grace_s
        for listener in self._il:
            listener.stop()
        if self._exportfs is not None:
            await self._exportfs.close()
        self._core.stop_listening()
        self._core.shutdown(grace_s)
        try:
            if not await asyncio.to_thread(self._core.wait_closed, grace_s + CLOSE_S):
                log.warning("sessions would not end within %g s and are aborted", grace_s)
        finally:
            self._core.abort()
            await self._upcalls.stop()
            await self._close_il()
            await self._close_networks()
            self._close_resolvers()
            _unlink(self.addresses)
            self.addresses.clear()

    def abort(self) -> None:
        """Close every session now; a `shutdown` that waits returns."""
        self._core.abort()

    def set_namespace(self, namespace: Namespace) -> None:
        """What attaches see from now on; fids walk through it, and what is open goes on.

        Errors: `UsageError`, for a file in it that can't be; then all stays as it was.
        """
        self._core.set_namespace(_composed(namespace))

    def stats(self) -> dict[str, int]:
        """The core's counters: sessions, conversations, bytes and so on."""
        return self._core.stats()

    def _answerers(self, ndb: Database) -> dict[str, Answerers]:
        """Who answers questions, by the name of the stack."""
        found: dict[str, Answerers] = {}
        answering: dict[str, Resolver] = {**self._resolvers}
        if self._resolver is not None:
            answering[""] = self._resolver
        for stack, resolver in answering.items():
            netdir = f"/net.{stack}" if stack else "/net"
            cs = Cs(resolver, self._owner, ndb, netdir=netdir)
            found[stack] = Answerers(cs, Dns(resolver, self._owner), self._networks[stack])
        return found

    async def _open_networks(self) -> None:
        """The host's network as each stack has it, in the order of their numbers."""
        self._networks[""] = HostNetwork(None, self._config.grant)
        for stack in self._config.stacks:
            self._networks[stack.name] = HostNetwork(stack, self._config.grant)
        await asyncio.gather(*(network.open() for network in self._networks.values()))

    async def _close_networks(self) -> None:
        for network in self._networks.values():
            await network.close()

    async def _close_il(self) -> None:
        await asyncio.gather(*(listener.close(IL_CLOSE_S) for listener in self._il))

    def _close_resolvers(self) -> None:
        for resolver in self._resolvers.values():
            resolver.close()

    def _bind(self, address: TcpAddress | UnixAddress) -> list[socket.socket]:
        return listeners.listen(
            address, insecure_no_auth=self._insecure, session_timeout_s=self._session_timeout_s
        )

    async def _bind_il(self, address: IlAddress, il: IlFactory) -> list[Listener]:
        made = await listeners.listen_il(
            address, il, self._core.serve, insecure_no_auth=self._insecure
        )
        self.addresses += [IlAddress(address.host, listener.port) for listener in made]
        return made


async def export(
    gateway: Gateway,
    *,
    ready: Callable[[Gateway], None] = lambda _: None,
    ending: Callable[[Gateway], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then shut down with grace; a second signal ends it at once.

    `ready` is called when all listeners are up, `ending` at the first signal.
    """
    with stop_signals() as stop:
        async with gateway:
            ready(gateway)
            await stop.asked.wait()
            ending(gateway)
            closing = asyncio.ensure_future(gateway.shutdown())
            insisting = asyncio.ensure_future(stop.insisted.wait())
            await asyncio.wait((closing, insisting), return_when=asyncio.FIRST_COMPLETED)
            insisting.cancel()
            if not closing.done():
                gateway.abort()
            await closing


def _of_tcp(text: str) -> TcpAddress:
    """Where old import is served. Errors: `UsageError`."""
    address = parse_address(text)
    if not isinstance(address, TcpAddress):
        raise UsageError(f"old import calls by TCP, and {text} is none: write tcp!host!port")
    return address


def _unlink(addresses: Sequence[Address]) -> None:
    for address in addresses:
        if isinstance(address, UnixAddress):
            Path(address.path).unlink(missing_ok=True)


def _composed(namespace: Namespace) -> NamespaceConfig:
    """What a core is told of a name space. Errors: `UsageError`."""
    if namespace.sessions:
        address = namespace.sessions[0].address
        raise UsageError(f"the name space mounts {address}: gateways bind trees of their own only")
    return namespace.config
