"""What arp, iproute and an interface's ctl take, and refuse in which words (docs/host.md)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest

from netrelay.errors import NetError
from netrelay.gateway.host import arp, control, routes
from netrelay.gateway.host.values import FOREVER, Ip, Network

if TYPE_CHECKING:
    from collections.abc import Callable

BAD_ARP = "bad arp"
BAD_ARG = "bad arg in system call"
BAD_CONTROL = "bad process or channel control request"
BAD_IP = "bad ip address syntax"
SHORT = "short control request"

IP = ipaddress.ip_address("10.0.0.7")
IP6 = ipaddress.ip_address("2001:db8::7")
MAC = "02:00:00:00:00:0a"


def net(text: str) -> Network:
    return ipaddress.ip_network(text)


def ip(text: str) -> Ip:
    return ipaddress.ip_address(text)


def front(text: str) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(text)


def refused(parse: Callable[[str], object], text: str) -> str:
    with pytest.raises(NetError) as refusal:
        parse(text)
    return refusal.value.text


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("flush", arp.Flush()),
        ("flush\n", arp.Flush()),
        ("add 10.0.0.7 02000000000a", arp.Add(IP, MAC)),
        ("add 10.0.0.7 02:00:00:00:00:0A\n", arp.Add(IP, MAC)),
        ("add  ether   2001:db8::7 02000000000a", arp.Add(IP6, MAC)),
        ("add ether 10.0.0.7 02000000000a 10.0.0.1", arp.Add(IP, MAC, ip("10.0.0.1"))),
        ("del 10.0.0.7", arp.Delete(IP)),
        ("garp 10.0.0.7", arp.Announce(IP)),
    ],
)
def test_a_command_of_arp(text: str, command: arp.Command) -> None:
    assert arp.parse(text) == command


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", BAD_ARP),
        ("\n", BAD_ARP),
        ("remove 10.0.0.7", BAD_ARP),
        ("add 10.0.0.7", BAD_ARG),
        ("add ether 10.0.0.7 02000000000a 10.0.0.1 10.0.0.1", BAD_ARG),
        ("del", BAD_ARG),
        ("del 10.0.0.7 10.0.0.8", BAD_ARG),
        ("garp", BAD_ARG),
        ("add 10.0.0 02000000000a", BAD_IP),
        ("add ether 10.0.0.7 02000000000a x", BAD_IP),
        ("del x", BAD_IP),
        ("garp x", BAD_IP),
        ("add 10.0.0.7 0200000000", BAD_ARP),
        ("add 10.0.0.7 02000000000a0b", BAD_ARP),
        ("add 10.0.0.7 02000000000g", BAD_ARP),
        ("add loopback 10.0.0.7 02000000000a", BAD_ARP),
        ("add gbe 10.0.0.7 02000000000a 10.0.0.1", BAD_ARP),
        ("del " + "1" * 252, BAD_ARP),
        ("del\t10.0.0.7", BAD_ARP),
    ],
)
def test_what_arp_refuses(text: str, why: str) -> None:
    assert refused(arp.parse, text) == why


TARGET, GATE = net("10.9.0.0/16"), ip("10.0.0.1")
TARGET6, SOURCE6, GATE6 = net("2001:db8:9::/48"), net("2001:db8::/64"), ip("fe80::1")
WAY = routes.Way(TARGET, gateway=GATE)
WAY6 = routes.Way(TARGET6, SOURCE6, GATE6)


@pytest.mark.parametrize(
    ("words", "way"),
    [
        ("10.9.0.0 /112 10.0.0.1", WAY),
        ("10.9.0.0 255.255.0.0 10.0.0.1", WAY),
        ("10.9.8.7 /16 10.0.0.1", WAY),
        ("10.9.0.0 /112 10.0.0.1 0.0.0.0 /96", WAY),
        ("10.9.0.0 /112 10.0.0.1 4 - 0.0.0.0 /96", WAY),
        ("2001:db8:9:: /48 fe80::1 2001:db8:: /64", WAY6),
        (
            "2001:db8:9:: /48 fe80::1 3 2001:db8:: /64",
            routes.Way(TARGET6, SOURCE6, GATE6, interface="3"),
        ),
        (
            "2001:db8:9:: /48 fe80::1 6 eth0 2001:db8:: /64",
            routes.Way(TARGET6, SOURCE6, GATE6, interface="eth0"),
        ),
        (
            "2001:db8:9:: /48 fe80::1 6 ra6 10.0.0.1 2001:db8:: /64",
            routes.Way(TARGET6, SOURCE6, GATE6, False, 9, "10.0.0.1"),
        ),
        (
            "10.9.0.0 /112 10.9.0.0 4i ifc 2 0.0.0.0 /96",
            routes.Way(TARGET, of_interface=True, protocol=2, interface="2"),
        ),
        (
            "10.9.0.7 /128 10.9.0.7 4ip 250 2 :: /0",
            routes.Way(net("10.9.0.7/32"), of_interface=True, protocol=250, interface="2"),
        ),
    ],
)
def test_a_route_is_written_with_as_many_words_as_it_takes(words: str, way: routes.Way) -> None:
    assert routes.parse(f"add {words}\n") == routes.Add(way)
    for verb in ("del", "remove"):
        assert routes.parse(f"{verb} {words}") == routes.Delete(way)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("add 10.9.0.0 /112 10.0.0.1 2", routes.Add(routes.Way(TARGET, None, GATE, interface="2"))),
        ("add 10.9.0.0 /112 0.0.0.0 2", routes.Add(routes.Way(TARGET, interface="2"))),
        ("del 10.9.0.0 /112", routes.Delete(routes.Way(TARGET))),
        ("del 2001:db8:9:: /48 2001:db8:: /64", routes.Delete(routes.Way(TARGET6, SOURCE6))),
        ("flush", routes.Flush()),
        ("flush dhcp", routes.Flush(frozenset({16}))),
        ("flush none", routes.Flush(frozenset({0, 3}))),
        ("flush mine", routes.Flush(frozenset())),
        ("flush 'ifc '", routes.Flush(frozenset({2}))),
        ("tag dhcp", routes.Tag(16)),
        ("tag none", routes.Tag(3)),
        ("tag staticroute", routes.Tag(4)),
    ],
)
def test_a_command_of_iproute(text: str, command: routes.Command) -> None:
    assert routes.parse(text) == command


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", SHORT),
        ("\n", SHORT),
        ("replace 10.9.0.0 /112 10.0.0.1", BAD_CONTROL),
        ("add", BAD_CONTROL),
        ("add 10.9.0.0 /112", BAD_CONTROL),
        ("del 10.9.0.0", BAD_CONTROL),
        ("add 1 2 3 4 5 6 7 8 9", BAD_CONTROL),
        ("tag", BAD_ARG),
        ("tag mine", BAD_ARG),
        ("tag 256", BAD_ARG),
        ("add x /112 10.0.0.1", BAD_IP),
        ("add 10.9.0.0 x 10.0.0.1", BAD_IP),
        ("add 10.9.0.0 255.0.255.0 10.0.0.1", BAD_IP),
        ("add 10.9.0.0 /112 x", BAD_IP),
        ("add 10.9.0.0 /112 fe80::1", BAD_IP),
        ("add 2001:db8:9:: /48 10.0.0.1", BAD_IP),
        ("add 2001:db8:9:: /48 fe80::1 10.0.0.0 /120", BAD_IP),
        ("add 10.9.0.0 /112 10.0.0.1 10.0.0.0 /120", BAD_ARG),
        ("add 10.9.0.0 /112 10.0.0.1 4 mine 2 0.0.0.0 /96", BAD_ARG),
        ("add 10.9.0.0 /112 10.0.0.1 4t 2 0.0.0.0 /96", BAD_ARG),
        ("add 10.9.0.0 /112 10.0.0.1 4y 2 0.0.0.0 /96", BAD_ARG),
        ("add 10.9.0.0 /112 10.0.0.1 4u 2 0.0.0.0 /96", BAD_ARG),
        ("add 10.9.0.0 /112 10.0.0.1 6 2 0.0.0.0 /96", BAD_IP),
        ("add 10.9.0.0 /112 10.0.0.1 i 2 0.0.0.0 /96", BAD_CONTROL),
        ("add 10.9.0.0 /112 10.0.0.1 4x 2 0.0.0.0 /96", BAD_CONTROL),
        ("add 10.9.0.0 /112 10.0.0.1 '' 2 0.0.0.0 /96", BAD_CONTROL),
    ],
)
def test_what_iproute_refuses(text: str, why: str) -> None:
    assert refused(routes.parse, text) == why


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("add 10.0.0.7", control.Add(IP, 8)),
        ("add 10.0.0.7 /24", control.Add(IP, 24)),
        ("add 10.0.0.7 255.255.255.0\n", control.Add(IP, 24)),
        ("try 2001:db8::7 /64", control.Add(IP6, 64, tentative=True)),
        # ip/ipconfig says the network, and 0 for the mtu.
        ("add 10.0.0.7 /120 10.0.0.0 0", control.Add(IP, 24)),
        ("add 10.0.0.7 /120 0.0.0.0 1400", control.Add(IP, 24, mtu=1400)),
        ("add 10.0.0.7 /128 10.2.0.9", control.Add(IP, 32, ip("10.2.0.9"))),
        ("add 2001:db8::7 /128 ::", control.Add(IP6, 128)),
        ("del 10.0.0.7 /120", control.Delete(IP, 24, ip("10.0.0.0"))),
        ("remove 10.0.0.7 /128 10.2.0.9", control.Delete(IP, 32, ip("10.2.0.9"))),
        ("add6 2001:db8::", control.AddPrefix(front("2001:db8::"))),
        ("add6 2001:db8:0:5:: 48 0 1 200 100",
         control.AddPrefix(front("2001:db8:0:5::"), 48, False, 200, 100)),
        ("add6 2001:db8:: 64 1 1 4294967295 100", control.AddPrefix(front("2001:db8::"), 64, True,
         FOREVER, 100)),
        ("del6", control.DeleteExpired()),
        ("remove6", control.DeleteExpired()),
        ("mtu 1400", control.Mtu(1400)),
        ("iprouting", control.Forward(True)),
        ("iprouting 0", control.Forward(False)),
        ("iprouting 2", control.Forward(True)),
        ("bind ether eth0", control.Bind("ether", "eth0")),
        ("bind loopback", control.Bind("loopback")),
        ("unbind", control.Unbind()),
    ],
)  # fmt: skip
def test_a_command_of_an_interface(text: str, command: control.Command) -> None:
    assert control.parse(text) == command


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", SHORT),
        (" \n", SHORT),
        ("add", BAD_ARG),
        ("add x", BAD_IP),
        ("add 10.0.0.7 x", BAD_IP),
        ("add 10.0.0.7 /24 x", BAD_IP),
        ("add 10.0.0.7 /24 2001:db8::1", BAD_IP),
        ("add 10.0.0.7 /24 10.0.0.0 x", BAD_ARG),
        ("add 10.0.0.7 /24 10.0.0.0 0 proxy", BAD_ARG),
        ("add 10.0.0.7 /24 10.0.0.0 0 trans", BAD_ARG),
        ("add ::", BAD_ARG),
        ("add 0.0.0.0 /0", BAD_ARG),
        ("del", BAD_ARG),
        ("del 10.0.0.7", BAD_ARG),
        ("del x /24", BAD_IP),
        ("add6", BAD_ARG),
        ("add6 10.0.0.0", BAD_ARG),
        ("add6 fe80:: 64", BAD_ARG),
        ("add6 2001:db8:: 65", BAD_ARG),
        ("add6 2001:db8:: 64 1 1 100 200", BAD_ARG),
        ("add6 2001:db8:: 64 1 1 9999999999 100", BAD_ARG),
        ("add6 2001:db8:: 64 1 1 200 100 9", BAD_ARG),
        ("del6 x", BAD_ARG),
        ("mtu", BAD_ARG),
        ("mtu big", BAD_ARG),
        ("iprouting no", BAD_ARG),
        ("bind", BAD_ARG),
        ("bind token eth0", "unknown interface type"),
        ("connect 10.0.0.7", "connection in use"),
        ("announce 80", "connection in use"),
        ("speed 1000", "unsupported ctl"),
        ("ra6 recvra 1", "unsupported ctl"),
        ("frob", "unsupported ctl"),
    ],
)
def test_what_an_interface_refuses(text: str, why: str) -> None:
    assert refused(control.parse, text) == why
