"""Front ends of an imported network: SOCKS, local forwards, published ports."""

from netrelay.proxy.forward import Forward
from netrelay.proxy.publish import Publish
from netrelay.proxy.socks import Socks

__all__ = ["Forward", "Publish", "Socks"]
