"""The verbs of ctl that only udp has (ip(3), docs/tree.md 10); words beyond theirs are ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net import ctl
from netrelay.reference.net.address import parse_ip
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip


@dataclass(frozen=True, slots=True)
class Headers(ctl.Command):
    """Give and take datagrams with their addresses before them."""


@dataclass(frozen=True, slots=True)
class AddMulti(ctl.Command):
    """Join a group, none is the remote address, on the interface with that address."""

    interface: Ip
    group: Ip | None


@dataclass(frozen=True, slots=True)
class DelMulti(ctl.Command):
    """Leave it."""

    interface: Ip
    group: Ip | None


def _headers(_args: list[bytes]) -> Headers:
    return Headers()


def _addmulti(args: list[bytes]) -> AddMulti:
    if not args:
        raise refusal("ADDMULTI_NEEDS_INTERFACE")
    return AddMulti(*_group(args))


def _delmulti(args: list[bytes]) -> DelMulti:
    if not args:
        raise refusal("DELMULTI_NEEDS_INTERFACE")
    return DelMulti(*_group(args))


def _group(args: list[bytes]) -> tuple[Ip, Ip | None]:
    return parse_ip(args[0]), parse_ip(args[1]) if args[1:] else None


VERBS: Final[ctl.Verbs] = {
    b"headers": _headers,
    b"addmulti": _addmulti,
    b"delmulti": _delmulti,
    b"remmulti": _delmulti,
}
