"""Name spaces: which trees are bound and mounted on which (bind(2), namespace(6))."""

from netrelay.namespace.namespace import Namespace
from netrelay.namespace.places import Order

__all__ = ["Namespace", "Order"]
