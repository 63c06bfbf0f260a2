"""An adapter for requests: `requests.Session().mount("https://", Adapter(session))`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests.adapters

from netrelay.adapters.urllib3 import PoolManager

if TYPE_CHECKING:
    from netrelay.client.sync import SyncSession


class Adapter(requests.adapters.HTTPAdapter):
    """Requests go out from the gateway of a blocking session; `options` are `HTTPAdapter`'s.

    Errors: requests' own.
    """

    def __init__(self, session: SyncSession, *, netdir: str | None = None, **options: Any) -> None:  # noqa: ANN401 (theirs)
        # Before theirs, which makes the pool.
        self._gateway = session
        self._netdir = netdir
        super().__init__(**options)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,
        **options: Any,  # noqa: ANN401 (theirs)
    ) -> None:
        """Make the pool of connections, as calls of the gateway's."""
        self.poolmanager = PoolManager(
            self._gateway,
            netdir=self._netdir,
            num_pools=connections,
            maxsize=maxsize,
            block=block,
            **options,
        )
