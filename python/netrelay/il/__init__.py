"""IL on this host: raw sockets, ports and clocks around a core's IL conversations (docs/il.md 10).

The kernel does not know IL. What it does know is used: a raw socket for each conversation, with a
filter so that it gets its own packets only, and names of Unix sockets for ports, which are then one
program's of all in a network namespace. Nothing here decides what a packet means: that is a core's.
"""
