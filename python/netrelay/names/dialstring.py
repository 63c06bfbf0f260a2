"""Dial strings, the way everything here says where to call: `[netdir/]net!host!service`.

The grammar is dial(2)'s: what stands before the last `/` ahead of the first `!` is the net
directory, then come the network, the host and the service. A gateway's own address is a dial
string too, or its URL form (`tcp://host:564`, `unix:///path`; IL has none). Splitting and checking
only: nothing is looked up here, and a service stays the word that was written.
"""

from __future__ import annotations

from dataclasses import dataclass

from netrelay.errors import UsageError
from netrelay.names.services import port_of

DEFAULT_SERVICE = "9fs"
MAX_PORT = 65535
_SHAPES = "tcp!host!port, tcp://host:port, il!host!port, unix!/path or unix:///path"
_FIELDS = 4  # net, host, service, and the rest that cs passes through


@dataclass(frozen=True, slots=True)
class Dial:
    """A parsed dial string; `netdir` is None when the string names none."""

    net: str
    host: str
    service: str | None = None
    rem: str | None = None
    netdir: str | None = None

    def query(self) -> str:
        """The question for cs: the string without its net directory."""
        fields = (self.net, self.host, self.service, self.rem)
        return "!".join(field for field in fields if field is not None)

    def __str__(self) -> str:
        return self.query() if self.netdir is None else f"{self.netdir}/{self.query()}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where a gateway listens or is called; `*` as host means every address of the machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp!{self.host}!{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A gateway on a Unix socket."""

    path: str

    def __str__(self) -> str:
        return f"unix!{self.path}"


@dataclass(frozen=True, slots=True)
class IlAddress:
    """A gateway on IL, of IPv4 only; `*` as for TCP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"il!{self.host}!{self.port}"


Address = TcpAddress | IlAddress | UnixAddress


def parse_dial(text: str) -> Dial:
    """Split a dial string the way dial(2) does; a missing network is `net`.

    Errors: `UsageError`, when the string can't be one.
    """
    if not text or any(char.isspace() or char == "\0" for char in text):
        raise UsageError(f"bad dial string {text!r}: write [netdir/]net!host!service")
    head, bang, tail = text.partition("!")
    netdir: str | None = None
    if "/" in head:
        netdir, _, head = head.rpartition("/")
        netdir = netdir or "/"
        if not netdir.startswith(("/", "#")):
            raise UsageError(f"bad net directory {netdir!r} in {text!r}: begin it with /")
    if not bang:
        # dial(2): with no `!` the network is `net` and the whole is the host.
        return Dial("net", _host(head, text), None, None, netdir)
    if not head:
        raise UsageError(f"no network in dial string {text!r}: write net!host!service")
    host, *rest = tail.split("!", _FIELDS - 2)
    service = rest[0] if rest else None
    if service == "":
        raise UsageError(f"no service in dial string {text!r}: write net!host!service")
    return Dial(head, _host(host, text), service, rest[1] if len(rest) > 1 else None, netdir)


def parse_address(text: str) -> Address:
    """The address of a gateway, a dial string or a URL; without a port it is that of 9fs.

    Errors: `UsageError`, which says what a good one looks like.
    """
    if "://" in text:
        return _parse_url(text)
    kind, bang, rest = text.partition("!")
    if not bang:
        raise UsageError(f"bad address {text!r}: write {_SHAPES}")
    match kind:
        case "unix":
            return _unix(rest, text)
        case "tcp" | "net":
            host, _, service = rest.partition("!")
            return TcpAddress(unbracketed(_host(host, text)), _port("tcp", service, text))
        case "il":
            host, _, service = rest.partition("!")
            return IlAddress(_host(host, text), _port("il", service, text))
    raise UsageError(f"unknown network {kind!r} in {text!r}: write {_SHAPES}")


def format_remote(host: str, port: int | str) -> str:
    """`host!port`, the form that ctl's connect takes."""
    return f"{host}!{port}"


def split_remote(text: str) -> tuple[str, int]:
    """The address and port of an `addr!port` line, as in the files `remote` and `local`.

    Errors: `UsageError`, when there is no such pair in the line.
    """
    host, _, rest = text.strip().partition("!")
    port = rest.partition("!")[0]
    if not port.isdecimal():
        raise UsageError(f"no addr!port in {text!r}")
    return host, int(port)


def unbracketed(host: str) -> str:
    """`[::1]` is written so where a colon follows; the address is what it holds."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def split_host_port(text: str, *, default_host: str | None = None) -> tuple[str, int]:
    """`HOST:PORT`, `[V6]:PORT`, or only `PORT` where a default host is given.

    Errors: `UsageError`, which says what a good one looks like.
    """
    host, colon, port = text.rpartition(":")
    if not colon and default_host is not None:
        host = default_host
    if not host or (":" in host and not host.startswith("[")):
        raise UsageError(f"bad address {text!r}: write HOST:PORT, or [HOST]:PORT for IPv6")
    return unbracketed(host), numeric_port(port, text)


def checked_host(host: str, text: str) -> str:
    """A host that stays one when it becomes part of a dial string. Errors: `UsageError`."""
    if not host or any(char in "!/\0" or char.isspace() for char in host):
        raise UsageError(f"bad host {host!r} in {text!r}: write a name or an address")
    return host


def numeric_port(port: str, text: str) -> int:
    """A port of digits; 0 is legal and means that one is chosen."""
    if not (port.isascii() and port.isdecimal() and int(port) <= MAX_PORT):
        raise UsageError(f"bad port {port!r} in {text!r}: write a number up to {MAX_PORT}")
    return int(port)


def _parse_url(text: str) -> Address:
    kind, _, rest = text.partition("://")
    match kind:
        case "unix":
            return _unix(rest, text)
        case "tcp":
            rest = rest.removesuffix("/")
            bracket = rest.rfind("]")
            colon = rest.rfind(":")
            if colon > bracket:
                host, service = rest[:colon], rest[colon + 1 :]
                if ":" in host and bracket < 0:
                    raise UsageError(f"bad host in {text!r}: write IPv6 as tcp://[::1]:564")
                if not service:
                    raise UsageError(f"no port behind the colon in {text!r}")
            else:
                host, service = rest, ""
            return TcpAddress(unbracketed(_host(host, text)), _port("tcp", service, text))
    raise UsageError(f"unknown scheme {kind!r} in {text!r}: write {_SHAPES}")


def _unix(path: str, text: str) -> UnixAddress:
    if not path.startswith("/"):
        raise UsageError(f"bad path in {text!r}: write unix!/path with an absolute path")
    return UnixAddress(path)


def _host(host: str, text: str) -> str:
    if not host or host == "[]":
        raise UsageError(f"no host in {text!r}: write net!host!service")
    return host


def _port(net: str, service: str, text: str) -> int:
    service = service or DEFAULT_SERVICE
    if service.isdecimal():
        return numeric_port(service, text)
    port = port_of(net, service)
    if port is None:
        raise UsageError(f"unknown service {service!r} in {text!r}: write a port number")
    return port
