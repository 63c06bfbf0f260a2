"""A connector for aiohttp: `aiohttp.ClientSession(connector=Connector(session))`.

Names are resolved at the gateway; TLS is between this program and the server. aiohttp has no public
place where connections come from: this is the one that its proxies' packages use, too.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from netrelay.errors import NetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.client_reqrep import ClientRequest, ConnectionKey

    from netrelay.client.session import Session


class Connector(aiohttp.TCPConnector):
    """Requests go out from the gateway of a session; `options` are those of `TCPConnector`.

    Errors: aiohttp's.
    """

    def __init__(self, session: Session, *, netdir: str | None = None, **options: Any) -> None:  # noqa: ANN401 (theirs)
        super().__init__(resolver=Resolver(session, netdir=netdir), **options)
        self._gateway = session
        self._prefix = f"{netdir}/" if netdir is not None else ""

    async def _wrap_create_connection(
        self,
        *args: Any,  # noqa: ANN401 (theirs)
        addr_infos: Sequence[tuple[Any, ...]],
        req: ClientRequest,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,  # noqa: ANN401 (theirs)
    ) -> tuple[asyncio.Transport, Any]:
        key = req.connection_key
        try:
            async with asyncio.timeout(timeout.sock_connect):
                call = await self._dial(addr_infos)
                try:
                    return await self._loop.create_connection(*args, **kwargs, sock=call)
                except BaseException:
                    call.close()
                    raise
        except tls.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(key, error) from error
        except tls.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(key, error) from error
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"timeout of a call to {_shown(key)}") from error
        except OSError as error:
            raise client_error(key, error) from error

    async def _dial(self, addresses: Sequence[tuple[Any, ...]]) -> socket.socket:
        """Call the first of these addresses that answers."""
        refusal: NetError | None = None
        for *_, (host, port, *_) in addresses:
            try:
                return await self._gateway.dial_socket(f"{self._prefix}tcp!{host}!{port}")
            except NetError as error:
                refusal = error
        raise refusal or NetError("cs: can't translate address")


class Resolver(AbstractResolver):
    """Names as the gateway knows them."""

    def __init__(self, session: Session, *, netdir: str | None = None) -> None:
        self._session = session
        self._netdir = netdir

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily | int = 0
    ) -> list[ResolveResult]:
        """The addresses of a host. Errors: `NetError`."""
        found = await self._session.getaddrinfo(
            host, port or 80, family=family, type=socket.SOCK_STREAM, netdir=self._netdir
        )
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=its,
                proto=number,
                flags=socket.AI_NUMERICHOST,
            )
            for its, _, number, _, address in found
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _shown(key: ConnectionKey) -> str:
    return f"{key.host}:{key.port}"
