"""What may happen to a server session: requests from few fids and tags, and the tree's answers.

Fids and tags are few, so that they meet: most of a session's rules are about two requests
at a time.
"""

from __future__ import annotations

from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.types import MAXWELEM, NOFID, NOTAG, Dialect
from tests.strategies.messages import kinds, of_kind, qids

FID_FIELDS = ("fid", "newfid", "afid", "dfid", "olddirfid", "newdirfid", "dirfd")
NAMES = ("net", "tcp", "clone", "..", ".", "", "/", "a/b", "x" * 300)
VERSIONS = (
    "9P2000", "9P2000.netrelay", "9P2000.u", "9P2000.L", "9P2000.x", "9P2000.L.x.7", "9P2000.",
    "9P1999", "9P1999.L", ".", "", "9P",
)  # fmt: skip
REFUSALS: list[m.Message] = [m.Rlerror(2), m.Rerror("no"), m.Rerror("no", 13)]
# The messages that make, open, use and end fids, oftener than the rest.
OFTEN = (m.Tattach, m.Twalk, m.Twalk, m.Topen, m.Tlopen, m.Tread, m.Twrite, m.Tclunk, m.Tflush)

fids = st.one_of(st.integers(0, 3), st.integers(0, 3), st.sampled_from((NOFID, 255, 256, 1 << 31)))
tags = st.one_of(st.integers(0, 4), st.integers(0, 4), st.sampled_from((255, 256, NOTAG)))
names = st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)
offsets = st.one_of(st.integers(0, 9), st.sampled_from(((1 << 64) - 1, (1 << 64) - 4096, 1 << 63)))
counts = st.sampled_from((0, 1, 4072, 4073, 8192, (1 << 32) - 1))
hellos = st.builds(
    m.Tversion, st.sampled_from((0, 4095, 4096, 4097, 8192, (1 << 32) - 1)),
    st.sampled_from(VERSIONS),
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn, dialect: Dialect) -> m.Message:
    """A request of the dialect; a Tversion is not among them."""
    asked = [kind for kind in kinds(dialect) if m.TYPES[kind] % 2 == 0 and kind is not m.Tversion]
    often = [kind for kind in OFTEN if kind in asked]
    kind = draw(st.one_of(st.sampled_from(often), st.sampled_from(asked)))
    fields = draw(of_kind(kind, dialect))._asdict()
    for name in FID_FIELDS:
        if name in fields:
            fields[name] = draw(fids)
    if kind is m.Tattach:
        fields["afid"] = draw(st.sampled_from((NOFID, NOFID, 0, 1)))
        fields["uname"] = draw(st.sampled_from(("glenda", "nobody", "")))
    few = {"wname": names, "oldtag": tags, "offset": offsets, "count": counts}
    for name in few.keys() & fields.keys():
        fields[name] = draw(few[name])
    return kind(**fields)


@st.composite
def answers(draw: st.DrawFn, request: m.Message, dialect: Dialect) -> m.Message:
    """What the tree may say to a request, now and then something that it may not."""
    others = st.sampled_from(kinds(dialect)).flatmap(lambda kind: of_kind(kind, dialect))
    chance = draw(st.integers(0, 19))
    if chance == 0:
        return draw(others)
    if chance == 1:
        return m.Rread(bytes(draw(st.sampled_from((4085, 4086, 9000)))))
    if chance < 5:
        return draw(st.sampled_from(REFUSALS))
    if isinstance(request, m.Twalk):
        most = min(len(request.wname) + (chance == 5), MAXWELEM)
        least = 0 if chance == 6 else min(most, 1 + draw(st.integers(0, most)))
        return m.Rwalk(tuple(draw(st.lists(qids, min_size=least, max_size=most))))
    return draw(of_kind(m.MESSAGES[m.TYPES[type(request)] + 1], dialect))
