"""Modes and owners of the tree's files, and the few that wstat may change (ip(3), stat(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform import dialects
from netrelay.conform.claims import PLAIN, claim, expect, same
from netrelay.conform.expectations import refused
from netrelay.types import Dialect

if TYPE_CHECKING:
    from netrelay.conform.conversations import Conversation
    from netrelay.conform.stage import Stage

SOURCE = "devip.c"
MODES = {
    "ctl": 0o660, "data": 0o660, "err": 0o660, "listen": 0o660,
    "local": 0o444, "remote": 0o444, "status": 0o444,
}  # fmt: skip


@claim(
    "The files of a conversation have their modes: 0660 for what is used, 0444 for what tells",
    SOURCE,
    needs=("tcp",),
)
async def conversation_modes(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    found = {
        name: (await session.attributes("tcp", conversation.number, name)).permissions
        for name in MODES
    }
    same(found, MODES)


@claim("clone is 0666, stats 0444, and directories are 0555", SOURCE, needs=("tcp",))
async def protocol_modes(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    same((await session.attributes("tcp", "clone")).permissions, 0o666)
    same((await session.attributes("tcp", "stats")).permissions, 0o444)
    for names in (("tcp",), ("tcp", conversation.number)):
        same((await session.attributes(*names)).permissions, 0o555)


@claim("A conversation's files belong to who opened it", SOURCE, needs=("tcp",), dialects=PLAIN)
async def the_opener_owns_it(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    owner = (await conversation.ctl.attributes()).uid
    expect(owner not in ("network", "", None), "the user who opened it", repr(owner))
    for name in MODES:
        same((await session.attributes("tcp", conversation.number, name)).uid, owner)


@claim("clone and stats belong to `network`", SOURCE, needs=("tcp",), dialects=PLAIN)
async def the_network_owns_the_rest(stage: Stage) -> None:
    session = await stage.session()
    for name in ("clone", "stats"):
        same((await session.attributes("tcp", name)).uid, "network")


@claim(
    "Who last changed a file is its owner, and every file has a group",
    "dev.c",
    needs=("tcp",),
    dialects=PLAIN,
)
async def muid_is_the_owner(stage: Stage) -> None:
    conversation = await stage.clone()
    found = await conversation.ctl.attributes()
    same(found.muid, found.uid)
    expect(bool(found.gid), "a group", repr(found.gid))


@claim("Texts and ctl have length 0", SOURCE, needs=("tcp",), dialects=PLAIN)
async def texts_have_no_length(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    for name in ("ctl", "listen", "local", "remote", "status"):
        same((await session.attributes("tcp", conversation.number, name)).length, 0)


@claim("data's length is what waits to be read", SOURCE, needs=("dial",), dialects=PLAIN)
async def data_has_the_length_of_what_waits(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await peer.send(b"0123456789")
    await data.exactly(4)
    same((await data.attributes()).length, 6)


@claim("The owner may change the mode of ctl and data", "devip.c, tlssrv(8)", needs=("tcp",))
async def the_owner_sets_the_mode(stage: Stage) -> None:
    conversation = await stage.clone()
    data = await conversation.open_data()
    await _chmod(conversation, conversation.ctl.fid, 0o600)
    same((await data.attributes()).permissions, 0o600)
    await _chmod(conversation, data.fid, 0o666)
    same((await conversation.ctl.attributes()).permissions, 0o666)


@claim("A wstat that touches nothing is granted on ctl", "stat(5)", needs=("tcp",), dialects=PLAIN)
async def an_empty_wstat_is_granted(stage: Stage) -> None:
    conversation = await stage.clone()
    before = await conversation.ctl.attributes()
    request = m.Twstat(conversation.ctl.fid, dialects.untouched())
    await conversation.session.rpc(request, m.Rwstat)
    same((await conversation.ctl.attributes()).permissions, before.permissions)


@claim(
    "The owner may give a conversation to oneself, as services do",
    "devip.c, tlssrv(8)",
    needs=("tcp",),
    dialects=PLAIN,
)
async def the_owner_sets_the_owner(stage: Stage) -> None:
    conversation = await stage.clone()
    owner = (await conversation.ctl.attributes()).uid or ""
    record = dialects.untouched()._replace(uid=owner)
    await conversation.session.rpc(m.Twstat(conversation.ctl.fid, record), m.Rwstat)
    same((await conversation.ctl.attributes()).uid, owner)


@claim("Nothing else takes a wstat: `permission denied`", SOURCE, needs=("tcp",))
async def other_files_refuse_wstat(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    for names in (("tcp",), ("tcp", "clone"), ("tcp", conversation.number, "status")):
        fid = await session.walk(*names)
        request = dialects.changing_mode(stage.dialect, fid, 0o600)
        await refused(session.rpc(request, object), "permission denied")


@claim("A file can't be renamed", SOURCE, needs=("tcp",), dialects=PLAIN)
async def names_stay(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk("tcp", "clone")
    request = m.Twstat(fid, dialects.untouched()._replace(name="conform"))
    await refused(session.rpc(request, m.Rwstat))


async def _chmod(conversation: Conversation, fid: int, mode: int) -> None:
    session = conversation.session
    want = m.Rsetattr if session.dialect is Dialect.L else m.Rwstat
    await session.rpc(dialects.changing_mode(session.dialect, fid, mode), want)
