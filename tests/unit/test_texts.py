"""What a gateway prints, its importer reads: and whatever else comes costs only its line."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.gateway.host import arp as printed_arp
from netrelay.gateway.host import interfaces as printed_interfaces
from netrelay.gateway.host import routes as printed_routes
from netrelay.gateway.host.formats import print_ip, print_mask
from netrelay.gateway.host.values import (
    Counters,
    Hop,
    Kind,
    Link,
    Local,
    Neighbour,
    Route,
)
from netrelay.texts import counters, interfaces, neighbours, routes
from netrelay.texts.notation import address, network, prefix

# An IPv4-mapped one is written as IPv4's, and is that.
IPS = st.ip_addresses().filter(lambda ip: ip.version == 4 or ip.ipv4_mapped is None)
COUNTS = st.integers(0, (1 << 64) - 1)


@st.composite
def locals_(draw: st.DrawFn) -> Local:
    ip = draw(IPS)
    length = draw(st.integers(0, ip.max_prefixlen))
    lifetimes = draw(st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1)))
    return Local(2, ip, length, None, None, *lifetimes)


@st.composite
def networks(draw: st.DrawFn) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    ip = draw(IPS)
    return ipaddress.ip_network((ip, draw(st.integers(0, ip.max_prefixlen))), strict=False)


@given(IPS, st.data())
def test_notation_is_read_as_it_is_printed(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, ip.max_prefixlen))
    assert address(print_ip(ip)) == ip
    assert prefix(print_mask(length, ip), ip) == length


def test_notation_of_other_systems() -> None:
    assert prefix("/24", address("10.0.0.0")) == 24
    assert address("::ffff:10.0.0.1") == address("10.0.0.1")
    assert str(network("10.0.0.7", "/120")) == "10.0.0.0/24"
    for mask in ("/95", "/129", "/x", "255.255.255.0", ""):
        with pytest.raises(ValueError, match=r".*"):
            prefix(mask, address("10.0.0.0"))


@given(
    st.from_regex(r"[a-z][a-z0-9.-]{0,14}", fullmatch=True),
    st.integers(0, 65536),
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    st.lists(locals_(), max_size=4),
)
def test_an_interface_is_read_as_it_is_printed(
    name: str, mtu: int, counted: tuple[int, int, int, int], local: list[Local]
) -> None:
    link = Link(2, name, "ether", mtu=mtu, counters=Counters(*counted))
    found = interfaces.parse(7, printed_interfaces.status(link, local, 10**9))
    assert found is not None
    assert (found.number, found.device, found.mtu) == (7, name, mtu)
    names = ("pktin", "pktout", "errin", "errout", "speed")
    assert [found.numbers[each] for each in names] == [*counted, 10**9]
    assert [
        (each.ip, each.prefix, each.remote, each.valid_s, each.preferred_s)
        for each in found.addresses
    ] == [(one.ip, one.prefix, one.remote, one.valid_s, one.preferred_s) for one in local]
    assert [each.network for each in found.addresses] == [one.network for one in local]


@pytest.mark.parametrize("text", ["", "\n", "no interface\n", printed_interfaces.status(
    printed_interfaces.GONE, [])])  # fmt: skip
def test_what_is_no_interface(text: str) -> None:
    assert interfaces.parse(0, text) is None


def test_an_address_that_can_not_be_read_is_passed_over() -> None:
    text = "device eth0 maxtu 1500 speed fast odd\n\tnonsense\n\t10.0.0.1 /120 10.0.0.0 1 2 more\n"
    found = interfaces.parse(0, text)
    assert found is not None
    assert (found.numbers, list(map(str, found.addresses))) == ({"maxtu": 1500}, ["10.0.0.1/24"])


@given(networks(), st.data())
def test_a_route_is_read_as_it_is_printed(
    target: ipaddress.IPv4Network | ipaddress.IPv6Network, data: st.DataObject
) -> None:
    same = {4: st.ip_addresses(v=4), 6: st.ip_addresses(v=6)}[target.version]
    gateway = data.draw(st.none() | same.filter(lambda ip: ip != target.network_address))
    everybody = ipaddress.ip_network("0.0.0.0/0" if target.version == 4 else "::/0")
    route = Route(target, everybody, (Hop(gateway, 2),), protocol=16)
    if gateway is not None and gateway.version == 6 and gateway.ipv4_mapped is not None:
        return
    (found,) = routes.parse("".join(printed_routes.lines([route], {2: 5}.get)))
    flags = str(target.version) + ("" if gateway is not None else "i")
    whole = gateway is None and target.prefixlen == target.max_prefixlen
    assert found == routes.Route(target, gateway, flags + "p" * whole, "dhcp", 5, None)


def test_a_route_that_leads_nowhere_or_is_for_some() -> None:
    nowhere = Route(
        ipaddress.ip_network("10.4.0.0/16"), ipaddress.ip_network("0.0.0.0/0"), (), Kind.NOWHERE
    )
    some = Route(
        ipaddress.ip_network("2000::/3"), ipaddress.ip_network("2001:db8::/64"),
        (Hop(address("fe80::1"), 2),),
    )  # fmt: skip
    text = "".join(printed_routes.lines([nowhere, some], {2: 0}.get))
    assert list(routes.parse(text)) == [
        routes.Route(nowhere.target, None, "4", "none", None, None),
        routes.Route(some.target, address("fe80::1"), "6", "none", 0, some.source),
    ]


@given(IPS, st.booleans(), st.binary(min_size=6, max_size=6))
def test_a_neighbour_is_read_as_it_is_printed(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, known: bool, mac: bytes
) -> None:
    neighbour = Neighbour(2, ip, mac.hex(":") if known else "", known)
    local = Local(2, address("10.0.0.1") if ip.version == 4 else address("2001:db8::1"), 24)
    text = "".join(printed_arp.lines([neighbour], {2: Link(2, "eth0", "ether")}, [local]))
    (found,) = neighbours.parse(text)
    assert found == neighbours.Neighbour(
        "ether", known, ip, mac.hex() if known else "0" * 12, local.ip
    )
    (elsewhere,) = neighbours.parse(
        "".join(printed_arp.lines([neighbour], {2: Link(2, "eth0", "ether")}, []))
    )
    assert elsewhere == replace(found, interface=None)


def test_an_older_system_does_not_say_by_which_interface() -> None:
    (found,) = neighbours.parse("ether  OK   10.0.0.7    020000000007\n")
    assert found.interface is None


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    interfaces.parse(0, text)
    list(routes.parse(text))
    list(neighbours.parse(text))
    counters.parse(text)


def test_counters_keep_their_order_and_what_has_no_name() -> None:
    text = "InSegs: 7\nOut Segs: 8\naddr: 020000000001\n"
    assert counters.parse(text) == {"InSegs": "7", "Out Segs": "8", "addr": "020000000001"}
    assert counters.parse("3 4\n") == {"": "3 4"}
