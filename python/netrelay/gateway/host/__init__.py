"""The gateway's real network as files: arp, iproute, ipifc, ipselftab, by netlink (docs/host.md).

`network` asks in a thread of the stack's; `files` makes texts and changes of the core's questions.
Texts and grammars (`arp`, `routes`, `interfaces`, `control`, `selftab`, `stats`, `ndb`) are plain
functions of `values`; `commands` carries out what is written; `reading`, `changing` and `netlink`
speak with the kernel. Nothing here relays a byte.
"""
