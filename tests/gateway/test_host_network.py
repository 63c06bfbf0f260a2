"""A gateway's own network as files, beside what iproute2 says of the same kernel (docs/host.md).

Each test has a namespace of its own with a wire to a neighbour's, and a whole gateway in it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.netns.lab import until

from .hostnet import ANY, DENIED, MAC, PATIENCE_S, WRITES, device, interfaces, lines, refusal, text
from .readipifc import readipifc

if TYPE_CHECKING:
    from pathlib import Path

    import netrelay

    from .hostnet import Setting
    from .namespaces import Namespace


def knock(host: Namespace, address: str) -> None:
    """Three packets each way: calls that are refused."""
    with host.inside():
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, 9), PATIENCE_S)


def test_readipifc_knows_what_ip_addr_shows(setting: Setting) -> None:
    setting.own.ip("addr add 10.2.0.1 peer 10.2.0.9/32 dev eth0")
    setting.own.ip("addr add 2001:db8:1::1/64 dev eth0 nodad valid_lft 2000 preferred_lft 1000")
    setting.own.ip("link add tun0 type veth peer name tun1")

    async def act(session: netrelay.Session) -> None:
        found = await interfaces(session)
        assert [one.device for one in found.values()][-1] == "lo"
        shown = {link["ifname"]: link for link in setting.own.show("-s -s addr")}
        assert (
            {one.device for one in found.values()} == set(shown) == {"lo", "eth0", "tun0", "tun1"}
        )
        for one in found.values():
            link = shown[one.device]
            assert one.mtu == link["mtu"]
            assert [(each.ip, each.prefix) for each in one.addresses] == [
                (each["local"], each["prefixlen"]) for each in link["addr_info"]
            ]
            for each, shows in zip(one.addresses, link["addr_info"], strict=True):
                network = ipaddress.ip_network(f"{each.ip}/{each.prefix}", strict=False)
                assert each.net == shows.get("address", str(network.network_address))
                assert shows["valid_life_time"] - each.valid in {0, 1}
                assert shows["preferred_life_time"] - each.preferred in {0, 1}
        eth0 = next(one for one in found.values() if one.device == "eth0")
        assert eth0.numbers["ttl"] == 64
        assert eth0.numbers["recvra"] == 1
        assert " speed 10000000000 " in await text(
            session, f"{await device(session, 'eth0')}/status"
        )

    setting.play(act)


def test_counters_are_the_links(setting: Setting) -> None:
    setting.neighbour.ip("addr add 10.0.0.2/24 dev eth0")
    knock(setting.neighbour, "10.0.0.1")

    async def act(session: netrelay.Session) -> None:
        where = await device(session, "eth0")
        (link,) = setting.own.show("-s link show eth0")
        found = readipifc(await text(session, f"{where}/status"))
        assert found is not None
        assert found.numbers["pktin"] >= link["stats64"]["rx"]["packets"] >= 3
        assert found.numbers["pktout"] >= link["stats64"]["tx"]["packets"] >= 3

    setting.play(act)


def test_the_other_files_of_an_interface(setting: Setting) -> None:
    async def act(session: netrelay.Session) -> None:
        where = await device(session, "eth0")
        assert await text(session, f"{where}/ctl") == where.rpartition("/")[2]
        assert await text(session, f"{where}/remote") == "::!0\n"
        four, six = await lines(session, f"{where}/local")
        assert four == ["10.0.0.1", "->", "224.0.0.1", "10.0.0.255", "10.0.0.1"]
        assert six[:2] + six[-1:] == ["2001:db8::1", "->", "2001:db8::1"]
        groups = setting.own.show("-6 maddr show eth0")[0]["maddr"]
        joined = {each["address"] for each in groups if each.get("family") == "inet6"}
        assert set(six[2:-1]) == joined
        assert "ff02::1:ff00:1" in joined
        assert await text(session, "/net/bootp") == ""

    setting.play(act)


def test_arp_has_the_neighbours_that_ip_neigh_shows(setting: Setting) -> None:
    setting.own.ip(f"neigh add 10.0.0.7 lladdr {MAC} dev eth0")
    setting.own.ip(f"neigh add 2001:db8::7 lladdr {MAC} dev eth0 nud stale")
    setting.own.ip("neigh add 10.0.0.8 dev eth0 nud incomplete")
    setting.own.ip("neigh add 10.0.0.9 dev eth0 nud failed")

    async def act(session: netrelay.Session) -> None:
        mac = MAC.replace(":", "")
        assert sorted(await lines(session, "/net/arp")) == [
            ["ether", "OK", "10.0.0.7", mac, "10.0.0.1"],
            ["ether", "OK", "2001:db8::7", mac, "2001:db8::1"],
            ["ether", "WAIT", "10.0.0.8", "000000000000", "10.0.0.1"],
        ]

    setting.play(act)


def test_iproute_has_the_routes_that_ip_route_shows(setting: Setting) -> None:
    setting.own.ip("route add default via 10.0.0.254 proto dhcp metric 100")
    setting.own.ip("route add 10.3.0.0/16 via 10.0.0.2")
    setting.own.ip("route add 10.4.0.0/16 nexthop via 10.0.0.3 nexthop via 10.0.0.4")
    setting.own.ip("route add blackhole 10.5.0.0/16")
    setting.own.ip("route add 10.6.0.0/16 via 10.0.0.2 table 77")
    setting.own.ip("-6 route add default via 2001:db8::2 proto static")
    setting.own.ip("-6 route add unreachable 2001:db8:5::/48")

    async def act(session: netrelay.Session) -> None:
        number = (await device(session, "eth0")).rpartition("/")[2]
        found = await lines(session, "/net/iproute")
        assert [line for line in found if line[0] != "fe80::"] == [
            [ANY, "/96", "10.0.0.254", "4", "dhcp", number, ANY, "/96"],
            ["10.0.0.0", "/120", "10.0.0.0", "4i", "ifc", number, ANY, "/96"],
            ["10.3.0.0", "/112", "10.0.0.2", "4", "none", number, ANY, "/96"],
            ["10.4.0.0", "/112", "10.0.0.3", "4", "none", number, ANY, "/96"],
            ["10.4.0.0", "/112", "10.0.0.4", "4", "none", number, ANY, "/96"],
            ["10.5.0.0", "/112", "10.5.0.0", "4", "none", "-", ANY, "/96"],
            ["2001:db8::", "/64", "2001:db8::", "6i", "ifc", number, "::", "/0"],
            ["2001:db8:5::", "/48", "2001:db8:5::", "6", "none", "-", "::", "/0"],
            ["::", "/0", "2001:db8::2", "6", "stat", number, "::", "/0"],
        ]

    setting.play(act)


def test_ipselftab_has_the_addresses_of_the_local_table(setting: Setting) -> None:
    async def act(session: netrelay.Session) -> None:
        found = {line[0]: line[1:] for line in await lines(session, "/net/ipselftab")}
        kinds = {"local": "u", "broadcast": "b", "anycast": "u", "multicast": "m"}
        for family in (4, 6):
            for route in setting.own.show(f"-{family} route show table local"):
                if "/" not in route["dst"]:
                    assert found[route["dst"]] == ["01", f"{family}{kinds[route['type']]}"]
        assert found["224.0.0.1"] == ["02", "4m"]
        assert "127.0.0.0" not in found

    setting.play(act)


def test_stats_are_the_namespaces(setting: Setting) -> None:
    setting.neighbour.ip("addr add 10.0.0.2/24 dev eth0")
    knock(setting.neighbour, "10.0.0.1")

    async def act(session: netrelay.Session) -> None:
        found = dict(
            line.split(": ") for line in (await text(session, "/net/ipifc/stats")).splitlines()
        )
        rows = [line.split() for line in setting.own.run("cat", "/proc/net/snmp").splitlines()]
        names, numbers = (row for row in rows if row[0] == "Ip:")
        counted = dict(zip(names, numbers, strict=True))
        assert found == {name: counted[name] for name in found}
        assert int(found["InReceives"]) >= 3
        assert len(found) == 19

    setting.play(act)


def test_interfaces_come_and_go_and_keep_their_numbers(setting: Setting) -> None:
    own = setting.own

    async def see(session: netrelay.Session, wanted: dict[int, str]) -> None:
        """Ask again until the kernel's notice has come."""
        found: dict[int, str] = {}
        try:
            async with asyncio.timeout(PATIENCE_S / 2):
                while found != wanted:
                    found = {at: one.device for at, one in (await interfaces(session)).items()}
        except TimeoutError:
            pytest.fail(f"{found} is not {wanted}")

    async def act(session: netrelay.Session) -> None:
        await see(session, {0: "eth0", 1: "lo"})
        own.ip("link add tun0 type veth peer name tun1")
        await see(session, {0: "eth0", 1: "lo", 2: "tun1", 3: "tun0"})
        own.ip("link del tun0")
        await see(session, {0: "eth0", 1: "lo"})
        assert [entry.name for entry in await session.ls("/net/ipifc")] == [
            "0", "1", "2", "3", "clone", "stats",
        ]  # fmt: skip
        assert (await text(session, "/net/ipifc/2/status")).startswith("device  maxtu 0 ")
        assert await text(session, "/net/ipifc/2/local") == ""
        assert await refusal(session, "/net/ipifc/2/ctl", "mtu 1400") == "interface not bound"
        own.ip("link add wg0 type veth peer name tun0")
        await see(session, {0: "eth0", 1: "lo", 3: "tun0", 4: "wg0"})
        own.ip("link set wg0 name wg1")
        await see(session, {0: "eth0", 1: "lo", 3: "tun0", 4: "wg1"})

    setting.play(act)


def test_a_stack_of_a_namespace_has_its_network(setting: Setting) -> None:
    other = setting.neighbour
    other.ip("addr add 10.0.0.2/24 dev eth0")

    async def act(session: netrelay.Session) -> None:
        assert [one.device for one in (await interfaces(session, "/net.in")).values()] == [
            "eth0", "lo",
        ]  # fmt: skip
        ctl = f"{await device(session, 'eth0', '/net.in')}/ctl"
        await session.write(ctl, b"add 10.8.0.1 /24")
        await session.write("/net.in/iproute", b"add 10.9.0.0 /112 10.8.0.2")
        await session.write("/net.in/arp", b"add 10.8.0.2 020000000007")
        (link,) = other.show("-4 addr show eth0")
        assert [each["local"] for each in link["addr_info"]] == ["10.0.0.2", "10.8.0.1"]
        assert other.show("route show 10.9.0.0/16")[0]["gateway"] == "10.8.0.2"
        assert other.show("neigh show 10.8.0.2")[0]["lladdr"] == MAC
        stats = await lines(session, "/net.in/ipifc/stats")
        assert int(stats[2][1]) == int(
            [line.split() for line in other.run("cat", "/proc/net/snmp").splitlines()][1][3]
        )
        other.ip("link add tun0 type veth peer name tun1")
        async with asyncio.timeout(PATIENCE_S / 2):
            while len(await interfaces(session, "/net.in")) < 4:
                pass
        assert len(await interfaces(session)) == 2

    setting.play(act, stacks=(f"in=netns:{other.path}",))


def test_a_stack_of_an_interface_has_its_part_and_changes_nothing(setting: Setting) -> None:
    own = setting.own
    own.ip("link add tun0 type veth peer name tun1")
    for command in (
        "link set tun0 up", "link set tun1 up", "addr add 10.8.0.1/24 dev tun0",
        "route add 10.9.0.0/16 via 10.8.0.2", "route add default via 10.0.0.254",
        f"neigh add 10.8.0.2 lladdr {MAC} dev tun0", f"neigh add 10.0.0.7 lladdr {MAC} dev eth0",
    ):  # fmt: skip
        own.ip(command)

    async def act(session: netrelay.Session) -> None:
        ((number, one),) = (await interfaces(session, "/net.wan")).items()
        assert (number, one.device) == (0, "tun0")
        assert [line[2] for line in await lines(session, "/net.wan/arp")] == ["10.8.0.2"]
        routes = [line for line in await lines(session, "/net.wan/iproute") if line[3][0] == "4"]
        assert [line[0] for line in routes] == ["10.8.0.0", "10.9.0.0"]
        assert {line[5] for line in routes} == {"0"}
        selves = {line[0] for line in await lines(session, "/net.wan/ipselftab")}
        assert {"10.8.0.1", "10.8.0.255"} <= selves
        assert not {"10.0.0.1", "127.0.0.1"} & selves
        for _, path, command in WRITES:
            assert await refusal(session, path.replace("/net", "/net.wan"), command) == DENIED

    setting.play(act, stacks=("wan=dev:tun0",))


def test_a_stack_of_an_address_has_that_alone_and_changes_nothing(setting: Setting) -> None:
    own = setting.own
    own.ip("addr add 10.0.0.5/24 dev eth0")
    own.ip("route add default via 10.0.0.254")
    own.ip(f"neigh add 10.0.0.7 lladdr {MAC} dev eth0")
    own.ip(f"neigh add 2001:db8::7 lladdr {MAC} dev eth0")

    async def act(session: netrelay.Session) -> None:
        ((number, one),) = (await interfaces(session, "/net.one")).items()
        assert (number, one.device) == (0, "eth0")
        assert [(each.ip, each.prefix) for each in one.addresses] == [("10.0.0.5", 24)]
        assert (await lines(session, "/net.one/ipifc/0/local"))[0][-1] == "10.0.0.5"
        assert [line[2:] for line in await lines(session, "/net.one/arp")] == [
            ["10.0.0.7", MAC.replace(":", ""), "10.0.0.5"]
        ]
        routes = await lines(session, "/net.one/iproute")
        assert [line[0] for line in routes] == [ANY, "10.0.0.0"]
        assert await lines(session, "/net.one/ipselftab") == [["10.0.0.5", "01", "4u"]]
        for _, path, command in WRITES:
            assert await refusal(session, path.replace("/net", "/net.one"), command) == DENIED

    setting.play(act, stacks=("one=addr:10.0.0.5",))


def test_ndb_holds_at_first_what_ipconfig_would_have_written(setting: Setting) -> None:
    setting.own.ip("route add default via 10.0.0.254")

    async def act(session: netrelay.Session) -> None:
        first, *rest = (await text(session, "/net/ndb")).splitlines()
        assert first == "ip=10.0.0.1 ipmask=/120 ipgw=10.0.0.254"
        name = socket.gethostname()
        assert rest[0] == f"\tsys={name.partition('.')[0]}"
        assert all(line.startswith(("\tdom=", "\tdns=")) for line in rest[1:])
        assert (await session.cs("!ip=10.0.0.1"))[0] == first

    setting.play(act)


def test_an_endless_table_is_read_in_part_and_holds_nobody_up(
    setting: Setting, tmp_path: Path
) -> None:
    batch = tmp_path / "routes"
    batch.write_text(
        "".join(
            f"route add 20.{at >> 8}.{at & 255}.{part}/27 via 10.0.0.2\n"
            for at in range(2500)
            for part in range(0, 256, 32)
        )
    )
    setting.own.run("ip", "-batch", str(batch))

    async def act(session: netrelay.Session) -> None:
        reading = asyncio.ensure_future(text(session, "/net/iproute"))
        answered = 0
        while not reading.done():
            assert await session.cs("tcp!127.0.0.1!80") == ["/net/tcp/clone 127.0.0.1!80"]
            answered += 1
        found = reading.result()
        assert answered > 10
        assert (1 << 20) - 100 < len(found) <= 1 << 20
        assert found.endswith("\n")

    setting.play(act)


def test_sockets_and_threads_are_given_back(setting: Setting) -> None:
    def sockets() -> int:
        """Those of programs: the kernel's own have the number 0."""
        rows = [line.split() for line in setting.own.run("cat", "/proc/net/netlink").splitlines()]
        return sum(row[2] != "0" for row in rows[1:])

    async def act(session: netrelay.Session) -> None:
        for _ in range(3):
            for path in ("arp", "iproute", "ipselftab", "ipifc/stats", "ipifc/0/status"):
                await text(session, f"/net/{path}")
            await session.write("/net/arp", b"del 10.0.0.99")
            await refusal(session, "/net/iproute", "add 10.9.0.0 /112 192.0.2.1")
            assert sockets() == 1, "the one that waits for notices"

    assert sockets() == 0
    setting.play(act)
    assert sockets() == 0
    until(
        lambda: not any(each.name.startswith("netrelay-host") for each in threading.enumerate()),
        "the gateway's threads to end",
    )
