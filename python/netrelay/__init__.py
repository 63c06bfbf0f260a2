"""Another host's network over 9P: share a /net, use one.

This package's modules are the API: `netrelay.gateway` to export, `netrelay.client` to import,
`netrelay.proxy` to forward, `netrelay.core` for the protocol itself. Importing it does no work.
"""

from __future__ import annotations

__all__: list[str] = []
