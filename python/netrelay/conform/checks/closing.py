"""How calls end: FIN and RST, from either side, and what readers and writers are told of it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import claim, expect, same
from netrelay.conform.conversations import ends
from netrelay.conform.expectations import refused
from netrelay.conform.peer import RESET

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

HUNGUP = "i/o on hungup channel"
REFUSED = "connection refused"
SOURCE = "qio.c"
# Below the least that a send queue holds, so that the writes wait for nobody.
QUEUED = 32 << 10
PIECE = 8 << 10


@claim(
    "When the peer has closed, a read gives what is left and then the end", SOURCE, needs=("dial",)
)
async def what_is_left_is_read_first(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await peer.send(b"the last words")
    peer.close()
    same(await data.exactly(14), b"the last words")
    same(await data.read(), b"")


@claim(
    "The end is read three times; from then on it is `i/o on hungup channel`",
    SOURCE,
    needs=("dial",),
)
async def the_end_is_read_three_times(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    peer.close()
    await ends(data, reads=3)
    for _ in range(2):
        await refused(data.read(), HUNGUP, errno=errno.EIO)


@claim("When the peer has ended its direction, writes go on", "ip(3), tcp.c", needs=("dial",))
async def a_peers_half_close_leaves_writing(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    peer.shut()
    same(await data.read(), b"")
    await data.write(b"still talking")
    same(await peer.exactly(13), b"still talking")


@claim("With the last clunk the peer reads the end: FIN and no reset", "tcp.c", needs=("dial",))
async def the_last_clunk_is_a_fin(stage: Stage) -> None:
    conversation, _, peer = await stage.connected()
    await conversation.hang_up()
    same(await peer.end(), b"")


@claim(
    "What was written before the last clunk arrives whole, then the end", "tcp.c", needs=("dial",)
)
async def queued_output_is_delivered(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    text = bytes(range(256)) * (QUEUED // 256)
    for at in range(0, QUEUED, PIECE):
        same(await data.write(text[at : at + PIECE], at), PIECE)
    await conversation.hang_up()
    same(await peer.exactly(QUEUED), text)
    same(await peer.end(), b"")


@claim(
    "Input that nobody read is no reason for a reset: the peer reads the end",
    "tcp.c",
    needs=("dial",),
)
async def unread_input_is_no_reset(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    await peer.send(bytes(PIECE))
    await data.exactly(1)
    await conversation.hang_up()
    same(await peer.end(), b"")


@claim("`hangup` resets the call: the peer is told so", "ip(3), tcp.c", needs=("dial",))
async def hangup_is_a_reset(stage: Stage) -> None:
    conversation, _, peer = await stage.connected()
    await conversation.command("hangup")
    same(await peer.end(), RESET)


@claim(
    "After `hangup` a read gives the end, and a write `i/o on hungup channel`",
    "tcp.c, qio.c",
    needs=("dial",),
)
async def after_hangup_nothing_goes(stage: Stage) -> None:
    conversation, data, _ = await stage.connected()
    await conversation.command("hangup")
    same(await data.read(), b"")
    await refused(data.write(b"x"), HUNGUP)


@claim("`hangup` ends a read that waits", "tcp.c, qio.c", needs=("dial",))
async def hangup_ends_a_parked_read(stage: Stage) -> None:
    conversation, data, _ = await stage.connected()
    reading = data.begin_read()
    await conversation.session.round_trip()
    await conversation.command("hangup")
    await reading.reply()
    status = await conversation.text("status")
    expect(status.startswith("Closed"), "Closed …", status)


@claim(
    "A reset by the peer is `connection refused` for reads and writes, also of a call that was up",
    "tcp.c",
    needs=("dial",),
)
async def a_peers_reset_is_told(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    peer.reset()
    for _ in range(2):
        await refused(data.read(), REFUSED, errno=errno.ECONNRESET)
    await refused(data.write(b"x"), REFUSED, errno=errno.ECONNRESET)


@claim("A reset ends a read that waits", "tcp.c, qio.c", needs=("dial",))
async def a_reset_ends_a_parked_read(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    reading = data.begin_read()
    await conversation.session.round_trip()
    peer.reset()
    await refused(reading.expect(object), REFUSED, errno=errno.ECONNRESET)


@claim("What had come before a reset is still read", SOURCE, needs=("dial",))
async def bytes_before_a_reset_are_read(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await peer.send(b"abcdef")
    same(await data.exactly(3), b"abc")
    peer.reset()
    same(await data.exactly(3), b"def")
    await refused(data.read(), REFUSED, errno=errno.ECONNRESET)


@claim(
    "`close` is a FIN with the fids kept: both directions are over for us",
    "ip(3), tcp.c",
    needs=("dial",),
)
async def close_is_a_fin_with_fids_kept(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    await conversation.command("close")
    same(await peer.end(), b"")
    await refused(data.write(b"x"), HUNGUP)
    same((await conversation.ctl.read()).decode(), conversation.number)


@claim(
    "A conversation that was hung up can't be used again: `connection in use`",
    "devip.c",
    needs=("dial",),
)
async def a_hung_up_one_is_spent(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    await conversation.command("hangup")
    await refused(conversation.command(f"connect {stage.nowhere()}"), "connection in use")


@claim("`hangup` of a conversation that never was anything is granted", "tcp.c", needs=("tcp",))
async def hangup_of_nothing_is_granted(stage: Stage) -> None:
    conversation = await stage.clone()
    await conversation.command("hangup")


@claim(
    "A write to a conversation that never called is answered and harms nothing",
    "qio.c",
    needs=("announce",),
)
async def a_write_too_early_is_answered(stage: Stage) -> None:
    conversation = await stage.clone()
    data = await conversation.open_data()
    request = conversation.session.begin(m.Twrite(data.fid, 0, b"x"))
    await conversation.session.round_trip()
    if not request.answered:
        await conversation.session.flush(request)
    await (await stage.clone()).command("announce 0")
