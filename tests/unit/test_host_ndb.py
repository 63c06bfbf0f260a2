"""What /net/ndb holds at first, as ip/ipconfig's putndb would have written it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from netrelay.gateway.host.ndb import Primary, entry, name_servers, primary
from netrelay.gateway.host.values import Hop, Local, Route
from netrelay.names.ndb import Database

if TYPE_CHECKING:
    from pathlib import Path

GATEWAY = ipaddress.ip_address("192.0.2.1")
OWN = ipaddress.ip_address("192.0.2.2")
EVERYBODY = ipaddress.ip_network("0.0.0.0/0")


def test_an_entry_has_what_putndb_writes() -> None:
    servers = [ipaddress.ip_address("192.0.2.53"), ipaddress.ip_address("2001:db8::53")]
    text = entry(Primary(OWN, 24, GATEWAY), "gw.example.com", servers)
    assert text == (
        "ip=192.0.2.2 ipmask=/120 ipgw=192.0.2.1\n"
        "\tsys=gw\n"
        "\tdom=gw.example.com\n"
        "\tdns=192.0.2.53\n"
        "\tdns=2001:db8::53\n"
    )
    assert len(Database.parse(text).entries) == 1


def test_what_the_host_does_not_know_is_left_out() -> None:
    assert entry(None, "gw", []) == "sys=gw\n"


def test_the_primary_address_is_that_of_the_first_default_route() -> None:
    local = [
        Local(2, ipaddress.ip_address("10.0.0.1"), 8),
        Local(3, ipaddress.ip_address("fe80::1"), 64),
        Local(3, OWN, 24),
    ]
    inside = Route(ipaddress.ip_network("10.9.0.0/16"), EVERYBODY, (Hop(OWN, 2),))
    on_link = Route(EVERYBODY, EVERYBODY, (Hop(None, 2),))
    default = Route(EVERYBODY, EVERYBODY, (Hop(GATEWAY, 3),))
    assert primary([inside, on_link, default], local) == Primary(OWN, 24, GATEWAY)
    assert primary([inside, on_link], local) is None
    assert primary([default], local[:2]) is None


def test_name_servers_are_those_that_others_can_reach(tmp_path: Path) -> None:
    stub, real = tmp_path / "resolv.conf", tmp_path / "resolved.conf"
    stub.write_text("# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver ::1\nnameserver\n")
    real.write_text(
        "search example.com\nnameserver fe80::1%eth0\nnameserver 192.0.2.53\nnameserver x\n"
        "nameserver 192.0.2.54 \nnameserver 192.0.2.55\n"
    )
    assert [str(ip) for ip in name_servers([stub, tmp_path / "none", real])] == [
        "fe80::1", "192.0.2.53", "192.0.2.54",
    ]  # fmt: skip
    assert name_servers([stub]) == []
