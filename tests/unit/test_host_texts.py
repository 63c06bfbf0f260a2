"""The texts of the host's network against the original's own formats.

The formats are those of arp.c, iproute.c, ipifc.c and ip.c, letter by letter, carried out by
Python's %-operator, which pads and cuts as C does; what stands for %I, %M and %lud is in the test.
"""

from __future__ import annotations

import ipaddress
import re

import pytest

from netrelay.gateway.host import arp, interfaces, routes, selftab, stats
from netrelay.gateway.host.values import (
    Counters,
    Discovery,
    Group,
    Hop,
    Kind,
    Link,
    Local,
    Neighbour,
    Route,
)
from tests.gateway.readipifc import Address, readipifc

ARP = "%-6.6s %-4.4s %-40.40I %-16.16s %I\n"
ROUTE = "%-15I %-4M %-15I %-4s %4.4s %3s %-15I %-4M\n"
SELFTAB = "%-44.44I %2.2d %4.4s\n"
HEADER = (
    "device %s maxtu %d sendra %d recvra %d mflag %d oflag %d"
    " maxraint %d minraint %d linkmtu %d reachtime %d rxmitra %d ttl %d routerlt %d"
    " pktin %lud pktout %lud errin %lud errout %lud speed %d delay %d\n"
)
ADDRESS = "	%-40I %-10M %-40I %-12lud %-12lud\n"
LOCAL = "%-40.40I ->"
SELF = " %-40.40I"
ZEROS = "0.0.0.0"  # noqa: S104 (an address to print, not to bind)


def c(formats: str, *values: object) -> str:
    """What the original prints."""
    stand_in = {"I": "s", "M": "s", "lud": "d"}
    return (
        re.sub(r"(%[-.\d]*)(I|M|lud)", lambda verb: verb[1] + stand_in[verb[2]], formats) % values
    )


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def test_the_formats_stand_for_what_they_say() -> None:
    assert c(ROUTE, ZEROS, "/96", "192.168.1.1", "4", "none", "0", ZEROS, "/96") == (
        "0.0.0.0         /96  192.168.1.1     4    none   0 0.0.0.0         /96 \n"
    )
    assert c(SELFTAB, "::1", 1, "6u") == "::1" + " " * 41 + " 01   6u\n"


NEIGHBOURS = [
    (Neighbour(2, ip("10.0.0.7"), "02:00:00:00:00:07", True),
     ("ether", "OK", "10.0.0.7", "020000000007", "10.0.0.1")),
    (Neighbour(2, ip("10.0.0.8"), "", False),
     ("ether", "WAIT", "10.0.0.8", "000000000000", "10.0.0.1")),
    (Neighbour(2, ip("2001:db8::7"), "02:00:00:00:00:07", True),
     ("ether", "OK", "2001:db8::7", "020000000007", "2001:db8::1")),
    (Neighbour(2, ip("fe80::7"), "02:00:00:00:00:07", True),
     ("ether", "OK", "fe80::7", "020000000007", "fe80::1")),
    (Neighbour(3, ip("10.0.0.9"), "02:00:00:00:00:09", True),
     ("pkt", "OK", "10.0.0.9", "020000000009", "::")),
    # An infiniband address of 20 bytes is cut.
    (Neighbour(2, ip("10.9.0.1"), ":".join(["ab"] * 20), True),
     ("ether", "OK", "10.9.0.1", "ab" * 20, "10.9.8.1")),
]  # fmt: skip


@pytest.mark.parametrize(("neighbour", "values"), NEIGHBOURS)
def test_a_neighbour_is_a_line_of_arp(neighbour: Neighbour, values: tuple[str, ...]) -> None:
    links = {2: Link(2, "eth0", "ether"), 3: Link(3, "tun0", "pkt")}
    local = [
        Local(2, ip("10.0.0.1"), 24), Local(2, ip("10.9.8.1"), 8), Local(2, ip("fe80::1"), 64),
        Local(2, ip("2001:db8::1"), 64),
    ]  # fmt: skip
    assert list(arp.lines([neighbour], links, local)) == [c(ARP, *values)]


def test_a_neighbour_on_a_link_that_is_not_shown_has_no_line() -> None:
    assert list(arp.lines([NEIGHBOURS[0][0]], {}, [])) == []


def route(target: str, *hops: Hop, kind: Kind = Kind.UNICAST, protocol: int = 3) -> Route:
    network = ipaddress.ip_network(target)
    everybody = ipaddress.ip_network("0.0.0.0/0" if network.version == 4 else "::/0")
    return Route(network, everybody, hops, kind, protocol)


EVERYBODY4, EVERYBODY6 = (ZEROS, "/96"), ("::", "/0")
ROUTES = [
    (route("0.0.0.0/0", Hop(ip("10.0.0.254"), 2), protocol=16),
     [(ZEROS, "/96", "10.0.0.254", "4", "dhcp", "0", *EVERYBODY4)]),
    (route("10.0.0.0/24", Hop(None, 2), protocol=2),
     [("10.0.0.0", "/120", "10.0.0.0", "4i", "ifc ", "0", *EVERYBODY4)]),
    (route("10.2.0.9/32", Hop(None, 3), protocol=2),
     [("10.2.0.9", "/128", "10.2.0.9", "4ip", "ifc ", "11", *EVERYBODY4)]),
    (route("::/0", Hop(ip("fe80::1"), 2), protocol=9),
     [("::", "/0", "fe80::1", "6", "ra6", "0", *EVERYBODY6)]),
    (route("2001:db8:1234:5678::/64", Hop(None, 2), protocol=0),
     [("2001:db8:1234:5678::", "/64", "2001:db8:1234:5678::", "6i", "none", "0", *EVERYBODY6)]),
    (route("10.3.0.0/16", Hop(ip("10.0.0.2"), 2), Hop(ip("10.0.0.3"), 3), protocol=189),
     [("10.3.0.0", "/112", "10.0.0.2", "4", "rip", "0", *EVERYBODY4),
      ("10.3.0.0", "/112", "10.0.0.3", "4", "rip", "11", *EVERYBODY4)]),
    (route("10.4.0.0/16", kind=Kind.NOWHERE, protocol=4),
     [("10.4.0.0", "/112", "10.4.0.0", "4", "stat", "-", *EVERYBODY4)]),
    (route("224.0.0.0/4", Hop(None, 2), kind=Kind.MULTICAST),
     [("224.0.0.0", "/100", "224.0.0.0", "4m", "none", "0", *EVERYBODY4)]),
    (route("10.5.0.0/16", Hop(ip("fe80::1"), 9), protocol=250),
     [("10.5.0.0", "/112", "fe80::1", "4", "250", "-", *EVERYBODY4)]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "lines"), ROUTES)
def test_a_way_of_a_route_is_a_line_of_iproute(one: Route, lines: list[tuple[str, ...]]) -> None:
    numbers = {2: 0, 3: 11}
    assert list(routes.lines([one], numbers.get)) == [c(ROUTE, *values) for values in lines]


def test_a_route_for_some_senders_says_for_whom() -> None:
    one = Route(
        ipaddress.ip_network("2000::/3"),
        ipaddress.ip_network("2001:db8::/64"),
        (Hop(ip("fe80::1"), 2),),
        protocol=9,
    )
    assert list(routes.lines([one], {2: 0}.get)) == [
        c(ROUTE, "2000::", "/3", "fe80::1", "6", "ra6", "0", "2001:db8::", "/64")
    ]


def test_ipselftab_has_each_address_once_with_the_number_of_its_interfaces() -> None:
    local = [
        route("10.0.0.1/32", Hop(None, 2), kind=Kind.LOCAL),
        route("10.0.0.255/32", Hop(None, 2), kind=Kind.BROADCAST),
        route("127.0.0.0/8", Hop(None, 1), kind=Kind.LOCAL),
        route("127.0.0.1/32", Hop(None, 1), kind=Kind.LOCAL),
        route("fe80::1/128", Hop(None, 2), kind=Kind.LOCAL),
        route("fe80::1/128", Hop(None, 3), kind=Kind.LOCAL),
        route("ff00::/8", Hop(None, 2), kind=Kind.MULTICAST),
    ]
    groups = [Group(index, ip("224.0.0.1")) for index in range(1, 13)]
    assert list(selftab.lines(local, groups)) == [
        c(SELFTAB, "10.0.0.1", 1, "4u"),
        c(SELFTAB, "10.0.0.255", 1, "4b"),
        c(SELFTAB, "127.0.0.1", 1, "4u"),
        c(SELFTAB, "224.0.0.1", 12, "4m"),
        c(SELFTAB, "fe80::1", 2, "6u"),
    ]


ETHER = Link(
    2, "eth0", "ether", "02:00:00:00:00:01", True, 1500,
    Counters(5_000_000_000, 42322, 1, 2), Discovery(True, True, False, 30000, 1000, 64),
)  # fmt: skip
LOCALS = [
    Local(2, ip("144.32.112.83"), 23, None, ip("144.32.113.255")),
    Local(2, ip("10.2.0.1"), 32, ip("10.2.0.9")),
    Local(2, ip("2001:db8::1"), 64, None, None, 200, 100),
]


def test_status_is_a_line_of_names_and_values_and_a_line_an_address() -> None:
    forever = 4294967295
    assert interfaces.status(ETHER, LOCALS, 1_000_000_000) == (
        c(HEADER, "eth0", 1500, 0, 1, 1, 0, 0, 0, 0, 30000, 1000, 64, 0,
          5_000_000_000, 42322, 1, 2, 1_000_000_000, 0)
        + c(ADDRESS, "144.32.112.83", "/119", "144.32.112.0", forever, forever)
        + c(ADDRESS, "10.2.0.1", "/128", "10.2.0.9", forever, forever)
        + c(ADDRESS, "2001:db8::1", "/64", "2001:db8::", 200, 100)
    )  # fmt: skip


def test_status_without_addresses_ends_in_an_empty_line() -> None:
    header = c(HEADER, "eth0", 1500, 0, 1, 1, 0, 0, 0, 0, 30000, 1000, 64, 0,
               5_000_000_000, 42322, 1, 2, 0, 0)  # fmt: skip
    assert interfaces.status(ETHER, []) == header + "\n"


def test_readipifc_reads_the_originals_own_status_in_this_tests_words() -> None:
    """An example that Inferno's reader gives in a comment."""
    found = readipifc(
        "device /net/ether0 maxtu 1514 sendra 0 recvra 0 mflag 0 oflag 0 maxraint 600000 minraint "
        "200000 linkmtu 0 reachtime 0 rxmitra 0 ttl 255 routerlt 1800000 pktin 47609 pktout 42322 "
        "errin 0 errout 0\n\t144.32.112.83 /119 144.32.112.0 4294967295   4294967295\n"
    )
    assert found is not None
    assert (found.device, found.mtu, found.numbers["pktin"]) == ("/net/ether0", 1514, 47609)
    assert found.addresses == [Address("144.32.112.83", 23, "144.32.112.0", 4294967295, 4294967295)]


def test_readipifc_reads_ours_and_passes_over_what_is_gone() -> None:
    found = readipifc(interfaces.status(ETHER, LOCALS))
    assert found is not None
    assert (found.device, found.mtu, found.numbers["ttl"]) == ("eth0", 1500, 64)
    assert [(one.ip, one.prefix, one.net) for one in found.addresses] == [
        ("144.32.112.83", 23, "144.32.112.0"),
        ("10.2.0.1", 32, "10.2.0.9"),
        ("2001:db8::1", 64, "2001:db8::"),
    ]
    assert readipifc(interfaces.status(interfaces.GONE, [])) is None


def test_local_has_for_each_address_what_it_answers_to() -> None:
    groups = [ip("224.0.0.1"), ip("ff02::1")]
    assert interfaces.local(LOCALS, groups) == "".join(
        c(LOCAL, first) + "".join(c(SELF, each) for each in rest) + "\n"
        for first, rest in (
            ("144.32.112.83", ("224.0.0.1", "144.32.113.255", "144.32.112.83")),
            ("10.2.0.1", ("224.0.0.1", "10.2.0.1")),
            ("2001:db8::1", ("ff02::1", "2001:db8::1")),
        )
    )


def test_stats_are_the_kernels_by_the_originals_names_and_in_their_order() -> None:
    snmp = (
        "Ip: InReceives Forwarding DefaultTTL OutTransmits\nIp: 39894796 2 64 9\n"
        "Icmp: InMsgs\nIcmp: 7\n"
    )
    lines = stats.text(snmp).splitlines(keepends=True)
    assert lines[:4] == ["Forwarding: 2\n", "DefaultTTL: 64\n", "InReceives: 39894796\n",
                         "InHdrErrors: 0\n"]  # fmt: skip
    assert [line.split(":")[0] for line in lines] == [
        "Forwarding", "DefaultTTL", "InReceives", "InHdrErrors", "InAddrErrors", "ForwDatagrams",
        "InUnknownProtos", "InDiscards", "InDelivers", "OutRequests", "OutDiscards", "OutNoRoutes",
        "ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails", "FragOKs", "FragFails",
        "FragCreates",
    ]  # fmt: skip
    assert set(stats.text("").splitlines()[2:]) > {"FragCreates: 0"}
