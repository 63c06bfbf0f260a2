"""Ways for a server to be wrong, and the checks that must catch each.

Were one of these checks to pass, it would prove nothing of a server that passes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from netrelay import messages as m
from netrelay.types import NOTAG, Qid

from .liar import Lie, Said, Talk, honest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Where a lie moves tags to, above all that the suite uses in these checks.
ELSEWHERE: Final = 1000
# Whom the suite's own frame is for.
NOBODY: Final = bytes.fromhex("020000000001")

_M = TypeVar("_M", bound=m.Message)


def change(reply: type[_M], new: Callable[[_M], m.Message]) -> Lie:
    """A lie in every reply of a type."""

    def down(talk: Talk, said: Said) -> Iterable[Said]:
        if isinstance(said.message, reply):
            return (Said(said.tag, new(said.message)),)
        return honest(talk, said)

    return Lie(down=down)


def other_text(old: str, new: str) -> Lie:
    """A lie in the text of an error."""
    return change(m.Rerror, lambda reply: m.Rerror(reply.ename.replace(old, new), reply.errno))


def other_data(old: bytes, new: bytes) -> Lie:
    """A lie in what is read: where it is all of the answer, it is other."""
    return change(m.Rread, lambda reply: m.Rread(new) if bytes(reply.data) == old else reply)


def _ctl_qid_of_clone(reply: m.Ropen) -> m.Message:
    qid = reply.qid
    return m.Ropen(Qid(qid.type, qid.vers, qid.path & ~31 | 9), reply.iounit)


def _newline_behind_numbers(reply: m.Rread) -> m.Message:
    data = bytes(reply.data)
    return m.Rread(data + b"\n") if data.isdigit() else reply


def _without_padding(reply: m.Rread) -> m.Message:
    data = bytes(reply.data)
    return m.Rread(data.strip()) if data.strip().isdigit() else reply


def _another_source(talk: Talk, said: Said) -> Iterable[Said]:
    match said.message:
        case m.Rread(data) if bytes(data)[:6] == NOBODY:
            frame = bytes(data)
            return (Said(said.tag, m.Rread(frame[:6] + NOBODY + frame[12:])),)
    return honest(talk, said)


def _no_rflush(talk: Talk, said: Said) -> Iterable[Said]:
    return () if isinstance(said.message, m.Rflush) else honest(talk, said)


def _flush_in_name_only(talk: Talk, said: Said) -> Iterable[Said]:
    """Rflush at once; the gateway still has the request, so its tag is another from now on."""
    match said.message:
        case m.Tflush(oldtag):
            talk.notes[oldtag] = "flushed"
            talk.answers.append(Said(said.tag, m.Rflush()))
            return ()
    return (Said(said.tag + ELSEWHERE, said.message),) if said.tag in talk.notes else (said,)


def _drop_the_flushed(talk: Talk, said: Said) -> Iterable[Said]:
    if ELSEWHERE <= said.tag < NOTAG:
        return (Said(said.tag - ELSEWHERE, said.message),)
    return () if said.tag in talk.notes else (said,)


def _late_reply(talk: Talk, said: Said) -> Iterable[Said]:
    """A reply to the flushed request behind its Rflush."""
    request = talk.requests.get(said.tag)
    if isinstance(said.message, m.Rflush) and isinstance(request, m.Tflush):
        return (said, Said(request.oldtag, m.Rread(b"late")))
    return honest(talk, said)


def _clunk_in_name_only(talk: Talk, said: Said) -> Iterable[Said]:
    if isinstance(said.message, m.Tclunk):
        talk.answers.append(Said(said.tag, m.Rclunk()))
        return ()
    return honest(talk, said)


def _another_command(old: bytes, new: bytes) -> Callable[[Talk, Said], Iterable[Said]]:
    def up(talk: Talk, said: Said) -> Iterable[Said]:
        match said.message:
            case m.Twrite(fid, offset, data) if bytes(data) == old:
                return (Said(said.tag, m.Twrite(fid, offset, new)),)
        return honest(talk, said)

    return up


def _partial_walks_fail(talk: Talk, said: Said) -> Iterable[Said]:
    request = talk.requests.get(said.tag)
    match said.message:
        case m.Rwalk(wqid) if isinstance(request, m.Twalk) and len(wqid) < len(request.wname):
            return (Said(said.tag, m.Rerror("file does not exist", 0)),)
    return honest(talk, said)


def _one_end_only(talk: Talk, said: Said) -> Iterable[Said]:
    """The second end of a stream is an error at once; texts end as they should."""
    request = talk.requests.get(said.tag)
    match said.message, request:
        case m.Rread(data), m.Tread(fid, 0, _) if not data:
            if talk.notes.get(fid):
                return (Said(said.tag, m.Rerror("i/o on hungup channel", 0)),)
            talk.notes[fid] = "ended"
    return honest(talk, said)


def _cut_directories(talk: Talk, said: Said) -> Iterable[Said]:
    match said.message:
        # A stat record of `I`, which no text begins with.
        case m.Rread(data) if bytes(data)[2:4] == b"I\0":
            return (Said(said.tag, m.Rread(bytes(data)[:-3])),)
    return honest(talk, said)


def _one_conversation(talk: Talk, said: Said) -> Iterable[Said]:
    """Stat records without the number in their qids' paths."""
    match said.message:
        case m.Rread(data) if bytes(data)[2:4] == b"I\0":
            records, at = bytearray(data), 0
            while at < len(records):
                path = slice(at + 13, at + 21)
                number_less = int.from_bytes(records[path], "little") & ~(0xFFFFF << 5)
                records[path] = number_less.to_bytes(8, "little")
                at += 2 + int.from_bytes(records[at : at + 2], "little")
            return (Said(said.tag, m.Rread(bytes(records))),)
    return honest(talk, said)


def _echo_versions(talk: Talk, said: Said) -> Iterable[Said]:
    request = talk.requests.get(said.tag)
    if isinstance(said.message, m.Rversion) and isinstance(request, m.Tversion):
        return (Said(said.tag, m.Rversion(request.msize, request.version)),)
    return honest(talk, said)


LIES: Final[dict[str, tuple[Lie, tuple[str, ...]]]] = {
    "versions are echoed": (
        Lie(down=_echo_versions),
        ("session.an-unknown-version-is-told-so", "session.an-unknown-suffix-is-not-echoed"),
    ),
    "msize is raised": (
        change(m.Rversion, lambda reply: m.Rversion(1 << 20, reply.version)),
        ("session.version-is-agreed",),
    ),
    "numbers end with a newline": (
        change(m.Rread, _newline_behind_numbers),
        ("clone.ctl-reads-as-the-number", "clone.becomes-ctl"),
    ),
    "an open clone keeps its qid": (change(m.Ropen, _ctl_qid_of_clone), ("clone.becomes-ctl",)),
    "a flush is not answered": (
        Lie(down=_no_rflush),
        ("flush.of-an-unknown-tag-is-answered", "flush.of-a-parked-listen-is-answered"),
    ),
    "a flush takes nothing back": (
        Lie(up=_flush_in_name_only, down=_drop_the_flushed),
        ("flush.of-a-read-takes-no-bytes", "flush.of-a-listen-takes-no-call"),
    ),
    "a reply comes behind Rflush": (
        Lie(down=_late_reply),
        ("flush.of-a-parked-listen-is-answered", "flush.of-an-answered-request-is-answered"),
    ),
    "a clunk frees nothing": (
        Lie(up=_clunk_in_name_only),
        (
            "session.clunk-frees-the-fid",
            "lifetime.the-last-clunk-ends-it",
            "closing.the-last-clunk-is-a-fin",
        ),
    ),
    "hangup closes in peace": (
        Lie(up=_another_command(b"hangup", b"close")),
        ("closing.hangup-is-a-reset",),
    ),
    "a partial walk is an error": (
        Lie(down=_partial_walks_fail),
        ("walk.that-fails-later-is-partial",),
    ),
    "numbers of slots have no padding": (
        change(m.Rread, _without_padding),
        ("ether.numbers-have-twelve-bytes", "ether.type-tells-what-is-taken"),
    ),
    "an interface's counters have other names": (
        change(m.Rread, lambda reply: m.Rread(bytes(reply.data).replace(b"crc errs:", b"crc:"))),
        ("ether.stats-have-their-lines",),
    ),
    "an address has colons": (
        other_data(b"000000000000", b"00:00:00:00:00:00"),
        ("ether.addr-is-twelve-digits",),
    ),
    "a frame keeps its source": (
        Lie(down=_another_source),
        ("ether.frames-have-our-address",),
    ),
    "all say busy": (
        other_text("device or object already in use", "busy"),
        ("ether.a-type-has-one-slot",),
    ),
    "all conversations have one qid": (
        Lie(down=_one_conversation),
        ("directories.names-and-qids-are-unique",),
    ),
    "the end is read once": (Lie(down=_one_end_only), ("closing.the-end-is-read-three-times",)),
    "directory entries are split": (
        Lie(down=_cut_directories),
        ("directories.entries-are-never-split", "directories.every-entry-is-there"),
    ),
    "requests are served one by one": (
        Lie(one_by_one=True),
        (
            "parking.a-parked-listen-holds-up-nothing",
            "parking.a-parked-read-holds-up-nothing",
            "tcp.reading-does-not-hold-writing-up",
        ),
    ),
    "a session that is cut off stays": (
        Lie(stays=True),
        ("lifetime.a-cut-session-ends-its-calls", "lifetime.a-cut-session-frees-its-ports"),
    ),
    "a taken conversation says busy": (
        other_text("connection in use", "busy"),
        ("ctl.one-that-is-up-is-in-use", "announce.twice-is-refused"),
    ),
    "a refused call says no": (
        other_text("connection refused", "no"),
        ("ctl.connect-to-nobody-is-refused", "closing.a-peers-reset-is-told"),
    ),
    "what is not there says 404": (
        other_text("file does not exist", "404"),
        ("walk.to-nothing-is-refused",),
    ),
    "errors are long": (
        other_text("file does not exist", "file does not exist" + "!" * 200),
        ("walk.to-nothing-is-refused", "walk.to-a-long-name-has-a-short-error"),
    ),
    "cs ends its lines": (
        other_data(b"/net/tcp/clone 127.0.0.1!564", b"/net/tcp/clone 127.0.0.1!564\n"),
        ("cs.translates-a-service",),
    ),
    "everything may be created": (
        change(
            m.Rerror,
            lambda reply: m.Rerror("no", 0) if reply == m.Rerror("permission denied", 0) else reply,
        ),
        ("opening.create-is-refused", "opening.remove-is-refused"),
    ),
}
