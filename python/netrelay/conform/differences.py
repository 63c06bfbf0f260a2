"""Where a server may differ from the manual without being wrong, in writing.

A difference belongs to one check and to what is seen there: anything else that this check sees is a
failure still. `server` is who is known to differ, and the reason says why that is no fault to
mend. A server is not asked who it is, so a difference is accepted of whoever shows it.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Difference:
    """`seen` are shell patterns for what the check sees."""

    server: str
    check: str
    seen: tuple[str, ...]
    reason: str


EXPORTFS: Final = "9front's exportfs(4)"
FOURTH: Final = "the 4th edition"
EMU: Final = "Inferno's emu"

# Ours first: these are what a user of netrelay can meet.
NETRELAY: Final = (
    Difference(
        "netrelay",
        "walk.from-an-open-fid-is-refused",
        ("Rwalk *",),
        "The walk starts where the fid was walked to, not at what the open made of it. Linux walks "
        "from open fids of clone, and diod's tools from open directories.",
    ),
    Difference(
        "netrelay",
        "ctl.a-bad-connect-spends-it",
        ('Rerror ename "bad ip address syntax"*', "Rlerror ecode 22"),
        "A command that does not parse leaves the conversation as it was. The original leaves it "
        "Connecting, in which nothing ever happens.",
    ),
    Difference(
        "netrelay",
        "ctl.addmulti-alone",
        ('Rerror ename "unknown control request"*',),
        "Groups are udp's: a stream can't join one, and Linux lets none.",
    ),
    Difference(
        "netrelay",
        "ctl.delmulti-alone",
        ('Rerror ename "unknown control request"*',),
        "Groups are udp's: a stream can't leave what it can't join.",
    ),
    Difference(
        "netrelay",
        "ctl.bind-to-0-chooses-a-port",
        ("::!0*",),
        "Linux chooses a port when a socket is bound, and the socket is made by the connect that "
        "follows, whose family is known only then.",
    ),
    Difference(
        "netrelay",
        "announce.at-one-address-goes-before-all",
        ('Rerror ename "address in use"*', "Rlerror ecode 98"),
        "Linux lets both be only where both share the port with whoever asks (SO_REUSEPORT), and "
        "then nobody is told `address in use`.",
    ),
    Difference(
        "netrelay",
        "listen.a-parked-listen-keeps-it",
        ("connection refused",),
        "The announcement ends with its last ctl, and a listen that waits is told `interrupted`: "
        "a port of the gateway is held by who announced it and by nobody else. Programs keep ctl "
        "open as long as they listen, as the example in dial(2) does.",
    ),
    Difference(
        "netrelay",
        "attributes.data-has-the-length-of-what-waits",
        ("0",),
        "What waits stays in Linux's socket until it is asked for, and a stat is answered without "
        "asking the conversation. Linux's 9P client would take the length for the file's size.",
    ),
)

# Read from their sources; whoever has seen one of these run is asked to say so.
ELSEWHERE: Final = (
    Difference(
        EXPORTFS,
        "session.a-second-version-frees-all-fids",
        ("Rclunk",),
        "A client that begins anew on the same connection finds its old fids; Plan 9's own never "
        "does.",
    ),
    Difference(
        EXPORTFS,
        "session.a-second-version-ends-the-conversations",
        ("none",),
        "The same: nothing is clunked by Tversion.",
    ),
    Difference(
        EXPORTFS,
        "session.a-second-version-aborts-requests",
        ('Rerror ename "Bad fid"*',),
        "The same: what waits goes on to wait, and the old root fid is in the way of the attach.",
    ),
    Difference(
        EXPORTFS,
        "session.attach-with-a-strange-afid-is-refused",
        ("Rattach *",),
        "It authenticates before 9P begins and looks at no afid.",
    ),
    Difference(
        EXPORTFS,
        "walk.dotdot-at-the-root-stays",
        ('Rerror ename "Cannot .. past mount point"*',),
        "It refuses instead of staying. No kernel sends it: the mount driver resolves `..` itself.",
    ),
    Difference(
        f"{EXPORTFS}, diod",
        "walk.to-a-fid-in-use-is-refused",
        ("Rwalk *",),
        "The fid in use is closed and replaced, so that a client which lost count is served.",
    ),
    Difference(
        EXPORTFS,
        "walk.in-place-that-fails-moves-nothing",
        ("Qid*",),
        "The fid has moved as far as the walk got. Plan 9's kernel walks in place never.",
    ),
    Difference(
        EXPORTFS,
        "opening.twice-is-refused",
        ("no error*",),
        "The file is closed and opened again.",
    ),
    Difference(
        EXPORTFS,
        "opening.remove-frees-the-fid",
        ("Rclunk",),
        "A refused remove keeps the fid; Plan 9's kernel forgets it, so that it leaks until the "
        "session ends.",
    ),
    Difference(
        EXPORTFS,
        "opening.remove-of-ctl-ends-the-conversation",
        ('Rerror ename "address in use"*',),
        "The same: the fid that was to be removed still holds the conversation.",
    ),
    Difference(
        EXPORTFS,
        "directories.every-entry-is-there",
        ("[0-9]*",),
        "Where two of the trees that it exports have the same qid path, one is given another by "
        "walk and stat, and keeps its own in the directory.",
    ),
    Difference(
        "diod",
        "session.attach-to-a-fid-in-use-is-refused",
        ("Rattach *",),
        "The fid in use is closed and replaced.",
    ),
    Difference(
        "diod",
        "opening.a-large-count-is-cut",
        ("Rlerror ecode 5",),
        "A count above msize is refused. A client that knows msize asks for no more.",
    ),
    Difference(
        FOURTH,
        "ctl.connect-to-a-service",
        ("none",),
        "Its ports are read by atoi, and what is no number is port 0.",
    ),
    Difference(
        FOURTH,
        "ctl.announce-a-service",
        ("no error*",),
        "Its ports are read by atoi, and what is no number is port 0, which chooses one.",
    ),
    Difference(
        FOURTH,
        "ctl.delmulti-alone",
        ('Rerror ename "unknown control request"*',),
        "Its verb is `remmulti` alone.",
    ),
    Difference(
        FOURTH,
        "closing.close-is-a-fin-with-fids-kept",
        ('Rerror ename "unknown control request"*',),
        "Its tcp has no `close`.",
    ),
    Difference(
        FOURTH,
        "parking.many-may-wait-at-once",
        ("the end of the session",),
        "Its exportfs has room for 50 requests and exits at the next.",
    ),
    Difference(
        EMU,
        "announce.gives-the-status-listen",
        ("Announced*",),
        "Its status is the state of the conversation and not of tcp.",
    ),
    Difference(
        EMU,
        "ctl.connect-to-a-name",
        ('Rerror ename "invalid IP address"*',),
        "It has words of its own.",
    ),
    Difference(
        EMU,
        "ctl.connect-to-a-service",
        ('Rerror ename "non-numeric port number"*',),
        "It has words of its own.",
    ),
)

DIFFERENCES: Final[tuple[Difference, ...]] = NETRELAY + ELSEWHERE


def find(check: str, seen: str) -> Difference | None:
    """The accepted difference that explains what a check has seen."""
    for difference in DIFFERENCES:
        if difference.check == check:
            for pattern in difference.seen:
                if fnmatch.fnmatchcase(seen, pattern):
                    return difference
    return None
