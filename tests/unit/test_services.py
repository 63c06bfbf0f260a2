"""Ports of services."""

from __future__ import annotations

from netrelay.names.services import port_of


def test_plan_9_s_services_need_no_table_of_the_host() -> None:
    assert (port_of("tcp", "9fs"), port_of("tcp", "exportfs")) == (564, 17007)


def test_a_service_is_that_of_its_network() -> None:
    assert (port_of("udp", "tftp"), port_of("tcp", "tftp")) == (69, None)
    assert port_of("udp", "9fs") is None
    assert (port_of("il", "9fs"), port_of("il", "http")) == (17008, None)


def test_a_word_that_nobody_knows_has_no_port() -> None:
    assert port_of("tcp", "no such service") is None
