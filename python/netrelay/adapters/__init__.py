"""HTTP libraries whose connections are calls of a gateway; each module needs its library.

`httpx`, `aiohttp`, `urllib3` and `requests` are here because they make their connections
themselves. Whatever takes a socket, as anyio, database drivers and `ssl` do, needs no adapter: see
`Session.dial_socket`.
"""
