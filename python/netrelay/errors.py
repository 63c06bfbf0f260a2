"""What can go wrong, typed by whose fault it is, and every text that leaves a gateway.

Clients branch on these texts, so they are API: the catalogue is rendered to docs/errors.md and
compared with the Rust core's by a test. The words follow the original system (ip(3);
dial(2) looks for `refused`, `interrupted`, `does not exist`, `translate`).
"""

from __future__ import annotations

import errno
from typing import Final


class NetrelayError(Exception):
    """Anything that netrelay raises of its own accord."""


class FrameError(NetrelayError):
    """The bytes can't be cut into frames: they are not 9P."""


class DecodeError(NetrelayError):
    """A frame's body does not fit its type: it is not 9P."""

    def __init__(self, reason: str, message: str, name: str) -> None:
        super().__init__(f"{reason} in {message}.{name}")
        self.reason = reason
        self.message = message
        self.name = name


class PeerError(NetrelayError):
    """The other side speaks 9P but breaks its rules."""


class UsageError(NetrelayError):
    """Our own API was misused: a bug in the caller."""


class NetError(NetrelayError, OSError):
    """The other side, or its host, said no: `text` is its word, `errno` the nearest number."""

    def __init__(self, text: str, number: int | None = None) -> None:
        found = errno_of(text) if number is None else number
        super().__init__(found, text)
        self.text = text

    def __str__(self) -> str:
        return self.text


# Constant name: (text, errno for 9P2000.u and 9P2000.L).
CATALOGUE: Final[dict[str, tuple[str, int]]] = {
    "PERMISSION_DENIED": ("permission denied", errno.EACCES),
    "FILE_DOES_NOT_EXIST": ("file does not exist", errno.ENOENT),
    "NOT_A_DIRECTORY": ("not a directory", errno.ENOTDIR),
    "BAD_DIRECTORY_OFFSET": ("bad offset in directory read", errno.ESPIPE),
    "NO_VERSION": ("no version negotiated", errno.EPROTO),
    "MSIZE_TOO_SMALL": ("version: message size too small", errno.EINVAL),
    "UNKNOWN_MESSAGE": ("unknown message type", errno.EOPNOTSUPP),
    "DUPLICATE_TAG": ("duplicate tag", errno.EPROTO),
    "TOO_MANY_REQUESTS": ("too many requests", errno.EAGAIN),
    "BAD_TAG": ("bad tag", errno.EPROTO),
    "UNKNOWN_FID": ("unknown fid", errno.EBADF),
    "DUPLICATE_FID": ("duplicate fid", errno.EBADF),
    "TOO_MANY_FIDS": ("too many fids", errno.EMFILE),
    "BAD_USE_OF_FID": ("bad use of fid", errno.EBADF),
    "BAD_OFFSET": ("bad offset", errno.EINVAL),
    "NO_AUTHENTICATION": ("authentication not required", errno.ENOENT),
    "NO_FREE_DEVICES": ("no free devices", errno.ENFILE),
    "NOT_ANNOUNCED": ("not announced", errno.EINVAL),
    "LISTEN_HUNGUP": ("listen hungup", errno.ECONNABORTED),
    "INTERRUPTED": ("interrupted", errno.EINTR),
    "HUNGUP": ("i/o on hungup channel", errno.EPIPE),
    "IO": ("i/o error", errno.EIO),
    "REFUSED": ("connection refused", errno.ECONNREFUSED),
    "RESET": ("connection refused", errno.ECONNRESET),
    "TIMED_OUT": ("connection timed out", errno.ETIMEDOUT),
    "CONNECTION_REJECTED": ("connection rejected", errno.ECONNREFUSED),
    "REMOTE_CLOSE": ("remote close", errno.ECONNRESET),
    "NO_ROUTE": ("no route", errno.ENETUNREACH),
    "HOST_UNREACHABLE": ("host unreachable", errno.EHOSTUNREACH),
    "ADDRESS_IN_USE": ("address in use", errno.EADDRINUSE),
    "NOT_LOCAL": ("not a local IP address", errno.EADDRNOTAVAIL),
    "NO_PORTS": ("no ports available", errno.EADDRNOTAVAIL),
    "SHORT_CONTROL": ("short control request", errno.EINVAL),
    "UNKNOWN_CONTROL": ("unknown control request", errno.EINVAL),
    "CONNECTION_IN_USE": ("connection in use", errno.EADDRINUSE),
    "BAD_ARGS_TO_CONNECT": ("bad args to connect", errno.EINVAL),
    "BAD_ARGS_TO_ANNOUNCE": ("bad args to announce", errno.EINVAL),
    "BAD_ARGS_TO_BIND": ("bad args to bind", errno.EINVAL),
    "BAD_ARGS_TO_SHUTDOWN": ("bad args to shutdown", errno.EINVAL),
    "BAD_ARGS_TO_KEEPALIVE": ("bad args to keepalive", errno.EINVAL),
    "BAD_ARGS_TO_TTL": ("bad args to ttl", errno.EINVAL),
    "BAD_ARGS_TO_TOS": ("bad args to tos", errno.EINVAL),
    "MALFORMED_ADDRESS": ("malformed address", errno.EINVAL),
    "BAD_IP": ("bad ip address syntax", errno.EINVAL),
    "BAD_PORT": ("bad numeric port", errno.EINVAL),
    "NOT_ESTABLISHED": ("connection must be in Establised state", errno.EINVAL),
    "WRITE_QUEUE_FULL": ("write queue full", errno.ENOBUFS),
    "TOO_LARGE": ("read or write too large", errno.EMSGSIZE),
    "TOO_SMALL": ("read or write too small", errno.EINVAL),
    "ADDMULTI_NEEDS_INTERFACE": ("addmulti needs interface address", errno.EINVAL),
    "DELMULTI_NEEDS_INTERFACE": ("delmulti needs interface address", errno.EINVAL),
    "NOT_MULTICAST": ("addmulti for a non multicast address", errno.EINVAL),
    "INCOMPATIBLE_MULTICAST": ("incompatible multicast/interface ip address", errno.EINVAL),
    "NET_UNREACHABLE": ("net unreachable", errno.ENETUNREACH),
    "PROTOCOL_UNREACHABLE": ("protocol unreachable", errno.ENOPROTOOPT),
    "PORT_UNREACHABLE": ("port unreachable", errno.ECONNREFUSED),
    "SOURCE_ROUTE_FAILED": ("source route failed", errno.EOPNOTSUPP),
    "NETWORK_UNKNOWN": ("destination network unknown", errno.ENETUNREACH),
    "HOST_UNKNOWN": ("destination host unknown", errno.EHOSTDOWN),
    "HOST_ISOLATED": ("source host isolated", errno.ENONET),
    "NETWORK_PROHIBITED": ("network administratively prohibited", errno.ENETUNREACH),
    "HOST_PROHIBITED": ("host administratively prohibited", errno.EHOSTUNREACH),
    "NETWORK_UNREACHABLE_FOR_TOS": ("network unreachable for tos", errno.ENETUNREACH),
    "HOST_UNREACHABLE_FOR_TOS": ("host unreachable for tos", errno.EHOSTUNREACH),
    "COMMUNICATION_PROHIBITED": ("communication administratively prohibited", errno.EHOSTUNREACH),
    "PRECEDENCE_VIOLATION": ("host precedence violation", errno.EHOSTUNREACH),
    "PRECEDENCE_CUTOFF": ("precedence cutoff in effect", errno.EHOSTUNREACH),
    "TTL_EXCEEDED": ("ttl exceeded", errno.EHOSTUNREACH),
    "IP_FOUR_ONLY": ("only IP version 4 supported", errno.EINVAL),
    "FRAG_TIME_EXCEEDED": ("frag time exceeded", errno.EHOSTUNREACH),
    "NO_ROUTE_TO_DESTINATION": ("no route to destination", errno.ENETUNREACH),
    "DESTINATION_PROHIBITED": (
        "comm with destination administratively prohibited",
        errno.EHOSTUNREACH,
    ),
    "BEYOND_SCOPE": ("beyond scope of source address", errno.EHOSTUNREACH),
    "ADDRESS_UNREACHABLE": ("address unreachable", errno.EHOSTUNREACH),
    "SOURCE_FAILED_POLICY": ("source address failed ingress/egress policy", errno.EHOSTUNREACH),
    "ROUTE_REJECTED": ("reject route to destination", errno.EHOSTUNREACH),
    "UNKNOWN_CODE": ("icmp unreachable: unknown code", errno.EHOSTUNREACH),
    "GRE_ANNOUNCE": ("gre does not support announce", errno.EOPNOTSUPP),
    "ALREADY_CONNECTED": ("already connected to that addr/proto", errno.EADDRINUSE),
    "INCORRECT_NUMBER": ("incorrect number of arguments", errno.EINVAL),
    "NO_SUCH_COMMAND": ("no such command", errno.EINVAL),
    "IPMUX_ANNOUNCE": ("ipmux does not support announce", errno.EOPNOTSUPP),
    "NO_ANNOUNCE": ("announce not supported", errno.EOPNOTSUPP),
    "BAD_FORMAT": ("bad format", errno.EINVAL),
    "UNKNOWN_ALGORITHM": ("unknown algorithm", errno.EINVAL),
    "KEY_LENGTH": ("key not required length", errno.EINVAL),
    "KEY_NOT_HEX": ("non-hex character in key", errno.EINVAL),
    "BAD_ARG": ("bad arg in system call", errno.EINVAL),
    "BAD_CONTROL": ("bad process or channel control request", errno.EINVAL),
    "IN_USE": ("device or object already in use", errno.EBUSY),
    "BAD_ADDRESS": ("bad address", errno.EINVAL),
    "BAD_ARP": ("bad arp", errno.EINVAL),
    "NO_INTERFACE": ("no interface", errno.ENODEV),
    "DESTINATION_UNREACHABLE": ("destination unreachable", errno.EHOSTUNREACH),
    "INTERFACE_NOT_FOUND": ("interface not found", errno.ENODEV),
    "INTERFACE_BOUND": ("interface already bound", errno.EBUSY),
    "INTERFACE_NOT_BOUND": ("interface not bound", errno.ENODEV),
    "UNKNOWN_INTERFACE_TYPE": ("unknown interface type", errno.EINVAL),
    "NOT_ON_INTERFACE": ("address not on this interface", errno.EADDRNOTAVAIL),
    "UNSUPPORTED_CTL": ("unsupported ctl", errno.EOPNOTSUPP),
    "CS_IN_PROGRESS": ("cs: query already in progress", errno.EBUSY),
    "DNS_IN_PROGRESS": ("dns: query already in progress", errno.EBUSY),
    "CS_TOO_LONG": ("cs: request too long", errno.EINVAL),
    "DNS_TOO_LONG": ("dns: request too long", errno.EINVAL),
    "DNS_OFFSET": ("dns: writing at non-zero offset", errno.EINVAL),
    "LOG_TOO_FEW": ("too few arguments for netlog control message", errno.EINVAL),
    "LOG_UNKNOWN": ("unknown ip control message", errno.EINVAL),
}

# What a refusal says to Linux where only words go, in plain 9P2000: its client makes the errno of
# the words and knows these for the number (net/9p/error.c). It has none for 98 and 99, whose
# texts here are its words for EBUSY and ENXIO.
LINUX_TEXTS: Final[dict[int, str]] = {
    errno.ENOENT: "No such file or directory",
    errno.EINTR: "Interrupted system call",
    errno.EIO: "Input/output error",
    errno.EBADF: "Bad file descriptor",
    errno.EAGAIN: "Resource temporarily unavailable",
    errno.EACCES: "Permission denied",
    errno.EBUSY: "Device or resource busy",
    errno.ENODEV: "No such device",
    errno.ENOTDIR: "Not a directory",
    errno.EINVAL: "Invalid argument",
    errno.ENFILE: "Too many open files in system",
    errno.EMFILE: "Too many open files",
    errno.ESPIPE: "Illegal seek",
    errno.EPIPE: "Broken pipe",
    errno.ENONET: "Machine is not on the network",
    errno.EPROTO: "Protocol error",
    errno.EMSGSIZE: "Message too long",
    errno.ENOPROTOOPT: "Protocol not available",
    errno.EOPNOTSUPP: "Operation not supported",
    errno.EADDRINUSE: "Device or resource busy",
    errno.EADDRNOTAVAIL: "No such device or address",
    errno.ENETUNREACH: "Network is unreachable",
    errno.ECONNABORTED: "Software caused connection abort",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ENOBUFS: "No buffer space available",
    errno.ETIMEDOUT: "Connection timed out",
    errno.ECONNREFUSED: "Connection refused",
    errno.EHOSTDOWN: "Host is down",
    errno.EHOSTUNREACH: "No route to host",
}

# How the answers of cs and dns begin that are refusals, without the prefix, and their errnos. The
# rest of the text is the query's own.
NAME_TEXTS: Final[dict[str, int]] = {
    "can't translate address": errno.ENOENT,
    "can't translate service": errno.ENOENT,
    "name does not exist": errno.ENOENT,
    "resource does not exist; negrcode 0 (no error)": errno.ENOENT,
    "no match": errno.ENOENT,
    "bad query": errno.EINVAL,
    "illegal request": errno.EINVAL,
    "unknown type": errno.EINVAL,
    "dns failure": errno.EIO,
    "i/o error": errno.EIO,
}

_NUMBERS: Final = dict(reversed(CATALOGUE.values()))


def errno_of(text: str) -> int:
    """The errno that goes with a text: that of a table, else by the words dial(2) looks for."""
    for known in (text, text.partition(" at ")[0]):
        if known in _NUMBERS:
            return _NUMBERS[known]
    answer = text.removeprefix("cs: ").removeprefix("dns: ")
    for words, number in NAME_TEXTS.items():
        if answer.startswith(words):
            return number
    for words, number in (
        ("refused", errno.ECONNREFUSED),
        ("does not exist", errno.ENOENT),
        ("translate", errno.ENOENT),
        ("timed out", errno.ETIMEDOUT),
        ("in use", errno.EADDRINUSE),
        ("denied", errno.EACCES),
    ):
        if words in text:
            return number
    return errno.EIO


def linux_text(number: int) -> str:
    """What Linux's client is told for an errno in plain 9P2000."""
    return LINUX_TEXTS.get(number, LINUX_TEXTS[errno.EIO])
