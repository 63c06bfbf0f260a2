"""The import side as an API: a gateway's files, its network, and the pumps of a core."""

from netrelay.client.session import Session, connect

__all__ = ["Session", "connect"]
