"""Which interfaces a stack has, by which numbers, and which address of ours goes with another."""

from __future__ import annotations

import ipaddress

from netrelay.gateway.host.nearest import holder, nearest
from netrelay.gateway.host.numbers import Numbers
from netrelay.gateway.host.values import Link, Local
from netrelay.gateway.host.view import View, view_of
from netrelay.types import StackConfig

LO = Link(1, "lo", "loopback")
ETH0, ETH1, TUN = Link(2, "eth0", "ether"), Link(3, "eth1", "ether"), Link(4, "tun0", "pkt")


def ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def test_links_are_numbered_by_index_with_the_loopback_last() -> None:
    numbers = Numbers()
    numbers.update([LO, ETH1, ETH0])
    assert [numbers.number(link.index) for link in (ETH0, ETH1, LO)] == [0, 1, 2]
    assert [numbers.index(number) for number in range(4)] == [2, 3, 1, None]
    assert len(numbers) == 3


def test_a_link_that_is_gone_keeps_its_number_and_a_new_one_gets_the_next() -> None:
    numbers = Numbers()
    numbers.update([LO, ETH0])
    numbers.update([LO])
    assert (numbers.index(0), numbers.number(2), len(numbers)) == (None, None, 2)
    numbers.update([LO, ETH1])
    assert (numbers.index(0), numbers.number(3), len(numbers)) == (None, 2, 3)


def test_a_link_that_comes_back_under_its_name_has_its_number_again() -> None:
    numbers = Numbers()
    numbers.update([LO, ETH0, TUN])
    numbers.update([LO, ETH0])
    numbers.update([LO, ETH0, Link(9, "tun0", "pkt")])
    assert (numbers.index(1), len(numbers)) == (9, 3)


def test_a_link_that_is_renamed_keeps_its_number() -> None:
    numbers = Numbers()
    numbers.update([ETH0])
    numbers.update([Link(2, "wan", "ether"), Link(5, "eth0", "ether")])
    assert (numbers.named("wan"), numbers.named("eth0")) == (2, 5)
    assert (numbers.number(2), numbers.number(5)) == (0, 1)


LOCALS = [
    Local(1, ip("127.0.0.1"), 8),
    Local(2, ip("10.0.0.1"), 24),
    Local(2, ip("10.0.1.1"), 16),
    Local(2, ip("fe80::1"), 64),
    Local(3, ip("2001:db8::1"), 64),
    Local(4, ip("10.8.0.1"), 32, ip("10.8.0.2")),
]


def test_a_stack_shows_all_or_what_its_sockets_can_use() -> None:
    links = [LO, ETH0, ETH1, TUN]
    whole = view_of(None)
    assert whole == view_of(StackConfig("blue", "netns", "blue")) == View()
    assert whole.whole
    assert whole.links(links, []) == links
    device = view_of(StackConfig("wan", "dev", "eth1"))
    assert not device.whole
    assert device.links(links, []) == [ETH1]
    address = view_of(StackConfig("one", "addr", "10.0.0.1"))
    assert not address.whole
    assert address.links(links, LOCALS) == [ETH0]
    assert [address.has(one.ip) for one in LOCALS] == [False, True, False, False, False, False]
    assert (address.speaks(4), address.speaks(6), device.speaks(6)) == (True, False, True)


def test_the_nearest_address_is_of_the_scope_and_has_the_longest_prefix_in_common() -> None:
    assert nearest(LOCALS, ip("10.0.0.9")) == LOCALS[1]
    assert nearest(LOCALS, ip("10.0.1.9")) == LOCALS[2]
    assert nearest(LOCALS, ip("fe80::9")) == LOCALS[3]
    assert nearest(LOCALS, ip("2001:db9::9")) == LOCALS[4]
    assert nearest(LOCALS[:1], ip("::1")) is None


def test_an_address_is_held_by_itself_or_by_the_network_around_it() -> None:
    assert holder(LOCALS, ip("10.0.1.1")) == LOCALS[2]
    assert holder(LOCALS, ip("10.0.0.200")) == LOCALS[1]
    assert holder(LOCALS, ip("10.8.0.2")) == LOCALS[5]
    assert holder(LOCALS, ip("192.0.2.1")) is None
