"""The import side for scripts without an event loop; see `netrelay.client.sync`."""

from netrelay.client.sync import connect

__all__ = ["connect"]
