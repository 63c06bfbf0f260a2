"""Another host's network over 9P: share a /net, use one.

`Gateway` exports, `connect` imports, `netrelay.sync.connect` does it without an event loop;
`netrelay.proxy` forwards, `netrelay.core` is the protocol itself. Importing this does no work: a
name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netrelay.client.session import Session, connect
    from netrelay.errors import (
        DecodeError,
        FrameError,
        NetError,
        NetrelayError,
        PeerError,
        UsageError,
    )
    from netrelay.gateway.gateway import Gateway, export
    from netrelay.names.dialstring import (
        Dial,
        IlAddress,
        TcpAddress,
        UnixAddress,
        parse_address,
        parse_dial,
    )
    from netrelay.namespace import Namespace, Order

__all__ = [
    "DecodeError",
    "Dial",
    "FrameError",
    "Gateway",
    "IlAddress",
    "Namespace",
    "NetError",
    "NetrelayError",
    "Order",
    "PeerError",
    "Session",
    "TcpAddress",
    "UnixAddress",
    "UsageError",
    "connect",
    "export",
    "parse_address",
    "parse_dial",
]

_HOMES = {
    "Dial": "netrelay.names.dialstring",
    "Gateway": "netrelay.gateway",
    "IlAddress": "netrelay.names.dialstring",
    "Namespace": "netrelay.namespace",
    "Order": "netrelay.namespace",
    "Session": "netrelay.client",
    "TcpAddress": "netrelay.names.dialstring",
    "UnixAddress": "netrelay.names.dialstring",
    "connect": "netrelay.client",
    "export": "netrelay.gateway",
    "parse_address": "netrelay.names.dialstring",
    "parse_dial": "netrelay.names.dialstring",
}


def __getattr__(name: str) -> object:
    """Load a public name, or the module `sync`, when it is first used (PEP 562)."""
    if name == "sync":
        return importlib.import_module("netrelay.sync")
    if name not in __all__:
        raise AttributeError(f"module 'netrelay' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "netrelay.errors")), name)
