"""A pool manager for urllib3, and so for all that is built on it: `PoolManager(session)`.

Names are resolved at the gateway; TLS is between this program and the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

if TYPE_CHECKING:
    import socket

    from netrelay.client.sync import SyncSession


class PoolManager(urllib3.PoolManager):
    """Requests go out from the gateway of a blocking session; `options` are urllib3's.

    Errors: urllib3's; how long a call may take to come up is the gateway's to say.
    """

    def __init__(self, session: SyncSession, *, netdir: str | None = None, **options: Any) -> None:  # noqa: ANN401 (theirs)
        super().__init__(**options)
        calls = {"session": session, "prefix": f"{netdir}/" if netdir is not None else ""}
        plain = type("Plain", (_Calls, HTTPConnection), calls)
        encrypted = type("Encrypted", (_Calls, HTTPSConnection), calls)
        self.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("EncryptedPool", (HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
        }


class _Calls(HTTPConnection):
    """A call of a gateway; urllib3 makes them, so which gateway is the class's to know."""

    session: SyncSession
    prefix: str

    def _new_conn(self) -> socket.socket:
        try:
            call = self.session.dial_socket(f"{self.prefix}tcp!{self._dns_host}!{self.port}")
        except OSError as error:
            raise NewConnectionError(self, f"no call to {self.host}: {error}") from error
        if isinstance(self.timeout, int | float):
            call.settimeout(self.timeout)
        return call
