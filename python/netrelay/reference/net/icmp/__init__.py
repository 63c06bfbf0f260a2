"""ICMP's conversations, of both versions: whole packets, with one host or of one id."""
