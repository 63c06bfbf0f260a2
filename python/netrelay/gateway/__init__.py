"""The export side: listeners, the core that serves them, and its questions about names."""

from netrelay.gateway.gateway import Gateway, export

__all__ = ["Gateway", "export"]
