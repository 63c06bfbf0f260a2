"""Where names come from: the system's resolver for addresses, DNS itself for other records.

Addresses go through getaddrinfo, so that /etc/hosts and the rest of nsswitch mean here what
they mean to every other program of the gateway. It tells no time to live, so those answers
are kept for a short while only; records are kept as long as they say. Refusals are kept too.
The cache is bounded: the entry that was used longest ago goes first. Questions that are the
same at the same time are asked once.

getaddrinfo blocks, for a minute where no name server answers. So it has threads of its own, and as
many that names which nobody knows about hold up no other: asyncio's few are also those of the
embedding program and of the gateway's own end.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dns._asyncbackend import Backend

# nscd keeps positive answers about as long; short enough to follow a moved name.
ADDRESS_TTL_S = 30.0
REFUSAL_TTL_S = 5.0
LONGEST_TTL_S = 3600.0
# Plan 9's dns gives up after about 15 s.
PATIENCE_S = 15.0
_ETC: Final = Path("/etc")
CACHE_ENTRIES = 4096
# Names that may be slow at the same time before one waits for another.
LOOKUPS = 256

NO_NAME = "name does not exist"
FAILURE = "dns failure"


class LookupRefused(Exception):  # noqa: N818 (a refusal is an answer, and is cached as one)
    """The name can't be resolved; the text is dns's."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Resolver(Protocol):
    """What cs and dns need; tests bring their own."""

    async def addresses(self, name: str, family: socket.AddressFamily) -> list[str]:
        """Numeric addresses of a name, in the system's order; AF_UNSPEC asks for both kinds."""
        ...

    async def records(self, name: str, kind: str) -> list[str]:
        """The data of DNS records, in the text form of dns(8)."""
        ...

    def refresh(self) -> None:
        """Forget everything."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and until when, by the resolver's clock, it is one."""

    answer: list[str] | LookupRefused
    until: float


_Key = tuple[str, str]


class SystemResolver:
    """The resolver of a real gateway."""

    def __init__(
        self, *, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._kept: OrderedDict[_Key, Kept] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[Kept]] = {}
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="netrelay-names")
        # Where DNS's sockets come from, if not from asyncio.
        self._backend: Backend | None = None
        self._dns: dns.asyncresolver.Resolver | None = None

    async def addresses(self, name: str, family: socket.AddressFamily) -> list[str]:
        """See `Resolver`. Errors: `LookupRefused`."""
        return await self._ask((name.lower(), family.name), lambda: self._addresses(name, family))

    async def records(self, name: str, kind: str) -> list[str]:
        """See `Resolver`; `kind` is a DNS type's name, e.g. `MX`. Errors: `LookupRefused`."""
        return await self._ask((name.lower(), kind), lambda: self._records(name, kind))

    def refresh(self) -> None:
        """Forget every answer; questions under way are not disturbed but not kept either."""
        self._kept.clear()
        self._asking.clear()
        self._dns = None

    def close(self) -> None:
        """Ask nothing more, and wait for nothing that is being asked."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, key: _Key, ask: Callable[[], Awaitable[Kept]]) -> list[str]:
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock():
            task = self._asking.get(key)
            if task is None:
                task = asyncio.ensure_future(self._patiently(ask))
                self._asking[key] = task
                task.add_done_callback(lambda done: self._keep(key, done))
            # Others may wait for the same answer: one that leaves must not take it with him.
            kept = await asyncio.shield(task)
        else:
            self._kept.move_to_end(key)
        if isinstance(kept.answer, LookupRefused):
            raise LookupRefused(kept.answer.text)
        return kept.answer

    def _keep(self, key: _Key, task: asyncio.Task[Kept]) -> None:
        if self._asking.get(key) is not task:
            return
        del self._asking[key]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[key] = task.result()
        self._kept.move_to_end(key)
        while len(self._kept) > CACHE_ENTRIES:
            self._kept.popitem(last=False)

    async def _patiently(self, ask: Callable[[], Awaitable[Kept]]) -> Kept:
        try:
            async with asyncio.timeout(self._patience_s):
                return await ask()
        except TimeoutError:
            return self._refusal(FAILURE)

    async def _addresses(self, name: str, family: socket.AddressFamily) -> Kept:
        look_up = functools.partial(
            socket.getaddrinfo, name, None, family=family, type=socket.SOCK_STREAM
        )
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        except socket.gaierror as error:
            gone = (socket.EAI_NONAME, socket.EAI_NODATA)
            return self._refusal(NO_NAME if error.errno in gone else FAILURE)
        except UnicodeError:
            return self._refusal(NO_NAME)
        unique = dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found)
        return self._for_a_while(list(unique))

    async def _records(self, name: str, kind: str) -> Kept:
        try:
            if self._dns is None:
                self._dns = dns.asyncresolver.Resolver(str(self._file("resolv.conf")))
            answer = await self._dns.resolve(
                name,
                kind,
                lifetime=self._patience_s,
                search=not name.endswith("."),
                backend=self._backend,
            )
        except dns.resolver.NXDOMAIN:
            return self._refusal(NO_NAME)
        except dns.resolver.NoAnswer:
            return self._refusal("resource does not exist; negrcode 0 (no error)")
        except (dns.exception.DNSException, OSError, UnicodeError):
            return self._refusal(FAILURE)
        ttl = min(float(answer.rrset.ttl if answer.rrset else 0), LONGEST_TTL_S)
        return Kept([_data(record.to_text()) for record in answer], self._clock() + ttl)

    def _file(self, name: str) -> Path:
        """One of the files in /etc that say how names are resolved."""
        return _ETC / name

    def _for_a_while(self, addresses: list[str]) -> Kept:
        return Kept(addresses, self._clock() + ADDRESS_TTL_S)

    def _refusal(self, text: str) -> Kept:
        return Kept(LookupRefused(text), self._clock() + REFUSAL_TTL_S)


def _data(text: str) -> str:
    """A record as dns(8) prints it: names without their last dot, one string without quotes."""
    if text.startswith('"'):
        return text.replace('" "', "").strip('"')
    return " ".join(
        word[:-1] if len(word) > 1 and word.endswith(".") else word for word in text.split()
    )
