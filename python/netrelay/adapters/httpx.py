"""Transports for httpx: `httpx.AsyncClient(transport=Transport(session))`.

Names are resolved at the gateway; certificates are checked here, against the name in the URL, since
TLS is between this program and the server. The pool of connections is httpcore's, as httpx's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl as tls
from typing import TYPE_CHECKING, Protocol, cast

import httpcore
import httpx

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterable, Iterator

    from netrelay.client.session import Session
    from netrelay.client.sync import SyncSession

DEFAULT_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)


class Transport(httpx.AsyncBaseTransport):
    """Requests of an `httpx.AsyncClient` go out from the gateway of a session.

    `verify` is a context, or whether certificates are checked against the system's authorities.
    `netdir` is another net directory of the gateway's. Errors: httpx's.
    """

    def __init__(
        self,
        session: Session,
        *,
        verify: tls.SSLContext | bool = True,
        http2: bool = False,
        limits: httpx.Limits = DEFAULT_LIMITS,
        retries: int = 0,
        netdir: str | None = None,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(verify),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http2=http2,
            retries=retries,
            network_backend=_Backend(session, netdir),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give the response, whose body is read by whoever wants it."""
        with _httpx_errors():
            response = await self._pool.handle_async_request(_core(request))
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_AsyncBody(cast("_AsyncParts", response.stream)),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections that wait for another request."""
        await self._pool.aclose()


class SyncTransport(httpx.BaseTransport):
    """The same for `httpx.Client`, over a blocking session."""

    def __init__(
        self,
        session: SyncSession,
        *,
        verify: tls.SSLContext | bool = True,
        http2: bool = False,
        limits: httpx.Limits = DEFAULT_LIMITS,
        retries: int = 0,
        netdir: str | None = None,
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(verify),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            http2=http2,
            retries=retries,
            network_backend=_SyncBackend(session, netdir),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give the response, whose body is read by whoever wants it."""
        with _httpx_errors():
            response = self._pool.handle_request(_core(request))
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(cast("_Parts", response.stream)),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close the connections that wait for another request."""
        self._pool.close()


class _Backend(httpcore.AsyncNetworkBackend):
    """Where httpcore's connections come from."""

    def __init__(self, session: Session, netdir: str | None) -> None:
        self._session = session
        self._netdir = netdir

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del local_address, socket_options  # the gateway's call has its own
        with _core_errors(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                streams = await self._session.open_connection(host, port, netdir=self._netdir)
        return _Stream(*streams)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A call as httpcore reads and writes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        with _core_errors(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _core_errors(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def start_tls(
        self,
        ssl_context: tls.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        with _core_errors(httpcore.ConnectTimeout, httpcore.ConnectError):
            try:
                async with asyncio.timeout(timeout):
                    await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
            except BaseException:
                self._writer.transport.abort()
                raise
        return self

    def get_extra_info(self, info: str) -> object:
        if info == "is_readable":
            return self._reader.at_eof()
        return self._writer.get_extra_info(info)


class _SyncBackend(httpcore.NetworkBackend):
    """The same, blocking."""

    def __init__(self, session: SyncSession, netdir: str | None) -> None:
        self._session = session
        self._prefix = f"{netdir}/" if netdir is not None else ""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        del timeout, local_address, socket_options  # the gateway gives up by itself
        with _core_errors(httpcore.ConnectTimeout, httpcore.ConnectError):
            return _SyncStream(self._session.dial_socket(f"{self._prefix}tcp!{host}!{port}"))


class _SyncStream(httpcore.NetworkStream):
    def __init__(self, call: socket.socket) -> None:
        self._call = call

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _core_errors(httpcore.ReadTimeout, httpcore.ReadError):
            self._call.settimeout(timeout)
            return self._call.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _core_errors(httpcore.WriteTimeout, httpcore.WriteError):
            self._call.settimeout(timeout)
            self._call.sendall(buffer)

    def close(self) -> None:
        self._call.close()

    def start_tls(
        self,
        ssl_context: tls.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        with _core_errors(httpcore.ConnectTimeout, httpcore.ConnectError):
            try:
                self._call.settimeout(timeout)
                wrapped = ssl_context.wrap_socket(self._call, server_hostname=server_hostname)
            except BaseException:
                self.close()
                raise
        return _SyncStream(wrapped)

    def get_extra_info(self, info: str) -> object:
        if info == "ssl_object" and isinstance(self._call, tls.SSLSocket):
            return self._call
        return self._call if info == "socket" else None


class _AsyncParts(Protocol):
    """A body of httpcore's."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Its parts."""

    async def aclose(self) -> None:
        """Give the connection back."""


class _Parts(Protocol):
    """The same, blocking."""

    def __iter__(self) -> Iterator[bytes]:
        """Its parts."""

    def close(self) -> None:
        """Give the connection back."""


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, stream: _AsyncParts) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: _Parts) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._stream

    def close(self) -> None:
        self._stream.close()


def _core(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


@contextlib.contextmanager
def _core_errors(timeout: type[Exception], other: type[Exception]) -> Iterator[None]:
    """What a connection raises, as httpcore's."""
    try:
        yield
    except TimeoutError as error:
        # The gateway's own patience, or ours.
        raise timeout(str(error) or "timed out") from error
    except OSError as error:
        raise (timeout if error.errno == errno.ETIMEDOUT else other)(str(error)) from error


@contextlib.contextmanager
def _httpx_errors() -> Iterator[None]:
    """What httpcore raises, as httpx's: both have the same names."""
    try:
        yield
    except Exception as error:
        known = getattr(httpx, type(error).__name__, None)
        if type(error).__module__.partition(".")[0] != "httpcore" or known is None:
            raise
        raise known(str(error)) from error
