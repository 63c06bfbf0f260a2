"""dns's lines to the byte, its refusals to the word, and what the resolver keeps."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import closing

import pytest

from netrelay.names import resolver as resolvers
from netrelay.names.cs import QueryRefused
from netrelay.names.dns import Dns
from netrelay.names.resolver import LookupRefused, SystemResolver

RECORDS = {
    ("example.com", "MX"): ["10 mail.example.com"],
    ("4.3.2.1.in-addr.arpa", "PTR"): ["four.example.com"],
    ("example.com", "TXT"): ["two words"],
}

FOUND: list[tuple[object, ...]] = [(socket.AF_INET, 1, 6, "", ("10.0.0.1", 0))]


class Names:
    """A resolver with a few records."""

    async def addresses(self, name: str, family: socket.AddressFamily) -> list[str]:
        if name != "example.com":
            raise LookupRefused("name does not exist")
        return ["93.184.216.34"] if family == socket.AF_INET else ["2001:db8::1"]

    async def records(self, name: str, kind: str) -> list[str]:
        if (name, kind) not in RECORDS:
            raise LookupRefused("name does not exist")
        return RECORDS[name, kind]

    def refresh(self) -> None: ...


def ask(query: str) -> list[bytes]:
    return asyncio.run(Dns(Names(), "gate").answer(query, "glenda"))


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("example.com ip", [b"example.com ip\t93.184.216.34"]),
        ("example.com. ipv6\n", [b"example.com ipv6\t2001:db8::1"]),
        ("example.com mx", [b"example.com mx\t10 mail.example.com"]),
        ("1.2.3.4 ptr", [b"1.2.3.4 ptr\tfour.example.com"]),
        ("!example.com ip", [b"dom=example.com ip=93.184.216.34"]),
        ("!example.com txt", [b'dom=example.com txt="two words"']),
        (
            "example.com all",
            [
                b"example.com ip\t93.184.216.34",
                b"example.com ipv6\t2001:db8::1",
                b"example.com mx\t10 mail.example.com",
                b"example.com txt\ttwo words",
            ],
        ),
    ],
)
def test_lines_are_the_original_s(query: str, lines: list[bytes]) -> None:
    assert ask(query) == lines


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("example.com", "illegal request example.com"),
        ("", "illegal request "),
        ("example.com nope", "unknown type nope"),
        ("nobody ip", "name does not exist"),
        ("nobody all", "name does not exist"),
    ],
)
def test_refusals_have_the_exact_words(query: str, text: str) -> None:
    with pytest.raises(QueryRefused) as refusal:
        ask(query)
    assert refusal.value.text == text


def test_a_literal_of_the_hosts_file_is_found_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        now = 0.0
        system = SystemResolver(clock=lambda: now)
        asked = 0

        def getaddrinfo(*_: object, **__: object) -> list[tuple[object, ...]]:
            nonlocal asked
            asked += 1
            return FOUND

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        both = (system.addresses("h", socket.AF_INET), system.addresses("H", socket.AF_INET))
        assert list(await asyncio.gather(*both)) == [["10.0.0.1"], ["10.0.0.1"]]
        assert asked == 1, "the same question at the same time is asked once"
        now = resolvers.ADDRESS_TTL_S - 1
        await system.addresses("h", socket.AF_INET)
        assert asked == 1
        now = resolvers.ADDRESS_TTL_S
        await system.addresses("h", socket.AF_INET)
        assert asked == 2
        system.refresh()
        await system.addresses("h", socket.AF_INET)
        assert asked == 3
        system.close()

    asyncio.run(work())


class Slow:
    """getaddrinfo that answers once the body is over, but `quick` at once."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def __call__(self, name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if name != "quick":
            self._over.wait()
        return FOUND

    def close(self) -> None:
        self._over.set()


def test_a_resolver_that_never_answers_is_a_dns_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(never: Slow) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", never)
        with (
            closing(SystemResolver(patience_s=0.01)) as system,
            pytest.raises(LookupRefused, match="dns failure"),
        ):
            await system.addresses("h", socket.AF_INET)

    with closing(Slow()) as never:
        asyncio.run(work(never))


def test_names_that_nobody_answers_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """In asyncio's own threads six of them did, on a machine of two processors."""

    async def work(slow: Slow) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with closing(SystemResolver()) as system:
            asked = [
                asyncio.ensure_future(system.addresses(name, socket.AF_INET))
                for name in (*(f"slow{number}" for number in range(64)), "quick")
            ]
            assert await asked[-1] == ["10.0.0.1"]
            assert [task.done() for task in asked[:-1]] == [False] * 64
            slow.close()
            assert await asyncio.gather(*asked) == [["10.0.0.1"]] * 65

    with closing(Slow()) as slow:
        asyncio.run(work(slow))
