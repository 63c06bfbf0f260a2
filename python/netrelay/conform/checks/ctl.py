"""ctl: what a write to it does, how it is parsed, and in which words it is refused (ip(3))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.conform.claims import EVERY, Check, NotOffered, claim, expect, same
from netrelay.conform.exchange import Refusal
from netrelay.conform.expectations import refused, refused_with
from netrelay.names.dialstring import split_remote
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

IN_USE = "connection in use"
UNKNOWN = "unknown control request"
BAD_IP = "bad ip address syntax"


def _refusal(name: str, command: str, text: str, what: str, source: str) -> Check:
    """The claim that a fresh conversation refuses a command in these words."""

    async def run(stage: Stage) -> None:
        conversation = await stage.clone()
        await refused(conversation.command(command), text)

    return Check(f"ctl.{name}", f"{what}: `{text}`", source, run, ("tcp",), EVERY)


REFUSALS = (
    _refusal("an-unknown-verb", "frob", UNKNOWN, "A verb that nobody knows is refused", "devip.c"),
    _refusal("only-spaces", "   ", "short control request", "Spaces are no command", "devip.c"),
    _refusal("nothing", "", "short control request", "An empty write is no command", "devip.c"),
    _refusal("verbs-are-lower-case", "CONNECT 192.0.2.1!1", UNKNOWN,
             "Verbs are lower case", "devip.c"),
    _refusal("accept", "accept 1", UNKNOWN,
             "`accept` is no verb of tcp, and accept(2) forgives it", "dial(2), tcp.c"),
    _refusal("reject", "reject 1 busy", UNKNOWN,
             "`reject` is no verb of tcp, and reject(2) reports it", "dial(2), tcp.c"),
    _refusal("headers", "headers", UNKNOWN, "`headers` is no verb of tcp", "ip(3), tcp.c"),
    _refusal("connect-alone", "connect", "bad args to connect",
             "`connect` needs an address", "devip.c"),
    _refusal("connect-with-too-much", "connect 192.0.2.1!1 0 1", "bad args to connect",
             "`connect` takes an address and a local port", "devip.c"),
    _refusal("connect-without-a-port", "connect 192.0.2.1", "malformed address",
             "An address to connect to has a port", "devip.c"),
    _refusal("connect-to-a-name", "connect x!1", BAD_IP,
             "ctl knows no names, only addresses", "devip.c"),
    _refusal("connect-to-a-service", "connect 192.0.2.1!http", "bad numeric port",
             "ctl knows no services, only numbers", "devip.c"),
    _refusal("announce-alone", "announce", "bad args to announce",
             "`announce` needs a port", "devip.c"),
    _refusal("announce-with-too-much", "announce 0 0", "bad args to announce",
             "`announce` takes one address", "devip.c"),
    _refusal("announce-a-service", "announce http", "bad numeric port",
             "A port to announce is a number", "devip.c"),
    _refusal("announce-at-a-name", "announce x!0", BAD_IP,
             "An address to announce is no name", "devip.c"),
    _refusal("bind-alone", "bind", "bad args to bind", "`bind` needs a port", "devip.c"),
    _refusal("keepalive-too-early", "keepalive", "connection must be in Establised state",
             "`keepalive` is for a call that is up, and says so misspelt", "tcp.c"),
    _refusal("addmulti-alone", "addmulti", "addmulti needs interface address",
             "`addmulti` needs the address of an interface", "devip.c"),
    _refusal("delmulti-alone", "delmulti", "delmulti needs interface address",
             "`delmulti` needs the address of an interface", "devip.c"),
)  # fmt: skip


@claim(
    "A connect where nobody listens is refused in words that have `refused`",
    "ip(3), dial(2)",
    needs=("dial",),
)
async def connect_to_nobody_is_refused(stage: Stage) -> None:
    conversation = await stage.clone()
    await refused_with(conversation.command(f"connect {stage.nowhere()}"), "connection refused")


@claim(
    "A connect that was refused has spent the conversation: `connection in use`",
    "devip.c",
    needs=("dial",),
)
async def a_refused_connect_spends_it(stage: Stage) -> None:
    conversation = await stage.clone()
    nowhere = stage.nowhere()
    await refused(conversation.command(f"connect {nowhere}"))
    await refused(conversation.command(f"connect {nowhere}"), IN_USE)


@claim(
    "A connect with bad syntax has spent the conversation too: `connection in use`",
    "devip.c",
    needs=("tcp",),
)
async def a_bad_connect_spends_it(stage: Stage) -> None:
    conversation = await stage.clone()
    await refused(conversation.command("connect x!1"), BAD_IP)
    await refused(conversation.command("connect x!1"), IN_USE)


@claim("A verb that nobody knows spends nothing", "devip.c", needs=("announce",))
async def an_unknown_verb_spends_nothing(stage: Stage) -> None:
    conversation = await stage.clone()
    await refused(conversation.command("frob"), UNKNOWN)
    await conversation.command("announce 0")


@claim(
    "A conversation that is up can neither connect nor announce: `connection in use`",
    "devip.c",
    needs=("dial",),
)
async def one_that_is_up_is_in_use(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    await refused(conversation.command(f"connect {stage.nowhere()}"), IN_USE)
    await refused(conversation.command("announce 0"), IN_USE)


@claim(
    "connect is answered when the call is up: remote is the peer, status Established",
    "ip(3)",
    needs=("dial",),
)
async def connect_waits_for_the_call(stage: Stage) -> None:
    listener = stage.listener()
    conversation = await stage.clone()
    await conversation.command(f"connect {stage.peer}!{listener.port}")
    same(await conversation.text("remote"), f"{stage.peer}!{listener.port}\n")
    status = await conversation.text("status")
    expect(status.startswith("Established"), "Established …", status)
    call = await listener.accept()
    same(split_remote(await conversation.text("local"))[1], call.theirs[1])


@claim(
    "A command's offset means nothing: connect goes where the number was read",
    "dial(2)",
    needs=("dial",),
)
async def offsets_are_ignored(stage: Stage) -> None:
    listener = stage.listener()
    conversation = await stage.clone()
    await conversation.command(f"connect {stage.peer}!{listener.port}", offset=1)
    await listener.accept()


@claim("The count of Rwrite is the whole command's, newline and all", "devip.c", needs=("tcp",))
async def the_whole_command_is_taken(stage: Stage) -> None:
    conversation = await stage.clone()
    for command in ("ttl 64", "ttl 64\n", "  tos 0  \n"):
        same(await conversation.command(command), len(command))


@claim(
    "Words may be quoted, and a newline at the end is none of them", "parse.c", needs=("announce",)
)
async def words_may_be_quoted(stage: Stage) -> None:
    conversation = await stage.clone()
    await conversation.command("'announce' '0'\n")
    expect(await conversation.port() > 0, "a port", "0")


@claim(
    "ttl and tos take a number, or none for the default; ignoreadvice takes nothing",
    "ip(3)",
    needs=("tcp",),
)
async def settings_are_taken(stage: Stage) -> None:
    conversation = await stage.clone()
    for command in ("ttl 17", "ttl", "tos 8", "tos", "ignoreadvice"):
        await conversation.command(command)


@claim(
    "keepalive is taken by a call that is up, with milliseconds or without",
    "ip(3), tcp.c",
    needs=("dial",),
)
async def keepalive_is_taken(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    await conversation.command("keepalive")
    await conversation.command("keepalive 30000")


@claim("connect calls from the local port that it is given", "ip(3)", needs=("dial", "announce"))
async def connect_takes_a_local_port(stage: Stage) -> None:
    port = await _free_port(stage)
    listener = stage.listener()
    conversation = await stage.clone()
    await conversation.command(f"connect {stage.peer}!{listener.port} {port}")
    same((await listener.accept()).theirs[1], port)
    same(await conversation.port(), port)


@claim("connect calls from the local address that it is given", "ip(3)", needs=("dial", "call"))
async def connect_takes_a_local_address(stage: Stage) -> None:
    listener = stage.listener()
    conversation = await stage.clone()
    local = stage.subject.gateway
    await conversation.command(f"connect {stage.peer}!{listener.port} {local}!0")
    same(split_remote(await conversation.text("local"))[0], local)


@claim(
    "A local address that is not the gateway's is `not a local IP address`",
    "devip.c",
    needs=("dial",),
)
async def connect_from_elsewhere_is_refused(stage: Stage) -> None:
    conversation = await stage.clone()
    command = f"connect {stage.nowhere()} 192.0.2.1!0"
    await refused(conversation.command(command), "not a local IP address")


@claim("`!r` calls from a port that is restricted, below 1024", "ip(3), devip.c", needs=("dial",))
async def connect_may_be_restricted(stage: Stage) -> None:
    listener = stage.listener()
    conversation = await stage.clone()
    try:
        await conversation.command(f"connect {stage.peer}!{listener.port}!r")
    except Refusal as refusal:
        raise NotOffered(f"the gateway may use no such port ({refusal.seen})") from None
    port = (await listener.accept()).theirs[1]
    expect(600 <= port < 1024, "a port from 600 to 1023", port)


@claim("An IPv4 address in IPv6 dress is that IPv4 address", "ip(3)", needs=("dial",))
async def mapped_addresses_are_ipv4(stage: Stage) -> None:
    if ":" in stage.peer:
        raise NotOffered("--peer is no IPv4 address")
    listener = stage.listener()
    conversation = await stage.clone()
    await conversation.command(f"connect ::ffff:{stage.peer}!{listener.port}")
    same(await conversation.text("remote"), f"{stage.peer}!{listener.port}\n")
    await listener.accept()


@claim("bind remembers a port without announcing it", "ip(3)", needs=("announce",))
async def bind_shows_the_local_port(stage: Stage) -> None:
    port = await _free_port(stage)
    conversation = await stage.clone()
    await conversation.command(f"bind {port}")
    same(await conversation.port(), port)
    status = await conversation.text("status")
    expect(not status.startswith("Listen"), "no Listen …", status)


@claim("bind to port 0 chooses one", "ip(3)", needs=("tcp",))
async def bind_to_0_chooses_a_port(stage: Stage) -> None:
    conversation = await stage.clone()
    await conversation.command("bind 0")
    expect(await conversation.port() > 0, "a port", await conversation.text("local"))


@claim("Two ctls of one conversation command the same one", "devip.c", needs=("announce",))
async def two_ctls_are_one(stage: Stage) -> None:
    first = await stage.announced()
    second = await stage.session()
    ctl = await second.open("tcp", first.number, "ctl", mode=ORDWR)
    await refused(ctl.write(b"announce 0"), IN_USE)


async def _free_port(stage: Stage) -> int:
    """A port of the gateway that nobody has: one that was chosen, and given back."""
    announced = await stage.announced()
    port = await announced.port()
    await announced.hang_up()
    return port
