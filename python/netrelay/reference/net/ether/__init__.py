"""etherN: whole Ethernet frames of an interface, in and out (ether(3), docs/ether.md)."""
