"""A stack of the host by its configuration: what puts a socket into it (docs/tree.md 9).

A core written in Python, the resolver and whoever asks the kernel about a stack all go through
here. A socket is in its stack from its making on, so that nothing that is done with it later need
know of stacks. Nothing here blocks.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from netrelay import netns
from netrelay.errors import NetError, UsageError
from netrelay.types import MAX_STACKS, STACK_KINDS, StackConfig

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME: Final = re.compile(r"[a-z0-9_-]{1,32}\Z")


def parse_stack(text: str) -> StackConfig:
    """`NAME=netns:NS`, `NAME=dev:IFACE` or `NAME=addr:IP`. Errors: `UsageError`."""
    name, equals, rest = text.partition("=")
    kind, colon, value = rest.partition(":")
    if not equals or not colon or not value or kind not in STACK_KINDS:
        raise UsageError(
            f"not a stack: {text!r} (it is NAME=netns:NAMESPACE, NAME=dev:INTERFACE "
            "or NAME=addr:ADDRESS)"
        )
    if not _NAME.match(name):
        raise UsageError(f"not a stack's name: {name!r} (up to 32 of a-z, 0-9, _ and -)")
    return StackConfig(name, kind, value)


def check_stacks(stacks: tuple[StackConfig, ...]) -> None:
    """Whether they can be served beside each other. Errors: `UsageError`."""
    if len(stacks) > MAX_STACKS:
        raise UsageError(f"{len(stacks)} stacks are more than {MAX_STACKS}")
    names = [stack.name for stack in stacks]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two stacks are called {name}")


class StackSockets:
    """Makes the sockets of one stack; without a configuration, of the process's own.

    Errors: `UsageError`, `NetError`, which name the stack, if there can be none.
    """

    def __init__(self, config: StackConfig | None = None) -> None:
        self.address: Ip | None = None
        self.device: str | None = None
        self._namespace: int | None = None
        if config is None:
            return
        try:
            self._begin(config)
        except OSError as err:
            self.close()
            raise NetError(
                f"stack {config.name}: {config.kind} {config.value}: {os.strerror(err.errno or 0)}",
                err.errno,
            ) from None

    def close(self) -> None:
        """No socket is made any more."""
        if self._namespace is not None:
            os.close(self._namespace)
            self._namespace = None

    def make(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that does not block. Errors: OSError."""
        with self.inside():
            sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            if self.device is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.device.encode())
        except OSError:
            sock.close()
            raise
        return sock

    @property
    def family(self) -> socket.AddressFamily:
        """The only family that it has, or AF_UNSPEC."""
        return socket.AF_UNSPEC if self.address is None else family_of(self.address)

    def inside(self) -> AbstractContextManager[None]:
        """This thread is in the stack's network namespace while the block lasts."""
        return nullcontext() if self._namespace is None else netns.inside(self._namespace)

    def enter(self) -> None:
        """This thread is in the stack's network namespace from now on. Errors: OSError."""
        if self._namespace is not None:
            netns.enter(self._namespace)

    def _begin(self, config: StackConfig) -> None:
        match config.kind:
            case "netns":
                self._namespace = netns.open_namespace(config.value)
            case "dev":
                self.device = config.value
            case "addr":
                try:
                    self.address = ipaddress.ip_address(config.value)
                except ValueError:
                    raise UsageError(
                        f"stack {config.name}: not an address: {config.value!r}"
                    ) from None
        # What can't be had is refused now and not at the first dial.
        own = self.address or ipaddress.IPv4Address(0)
        with self.make(family_of(own), socket.SOCK_DGRAM) as probe:
            probe.bind((str(own), 0))


def family_of(ip: Ip) -> socket.AddressFamily:
    """The family of an address."""
    return socket.AF_INET if isinstance(ip, ipaddress.IPv4Address) else socket.AF_INET6
