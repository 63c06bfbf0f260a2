"""The /net tree in plain Python: its files, its conversations and their sockets (ip(3))."""
