"""What 9P2000.u adds: a number beside the text of an error, and owners by number."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import claim, expect
from netrelay.conform.expectations import refused
from netrelay.conform.files import ROOT
from netrelay.types import NOFID, Dialect

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

UNIX = (Dialect.U,)
# Linux takes a number below 512 as an errno and reads the text otherwise.
MAX_ERRNO = 511


@claim("Rerror has the number that goes with its text", "9P2000.u", dialects=UNIX)
async def errors_have_numbers(stage: Stage) -> None:
    session = await stage.session()
    refusal = await refused(session.walk("no-such-file", start=ROOT))
    expect(refusal.errno == errno.ENOENT, f"errno {errno.ENOENT}", refusal.seen)


@claim("Every number is one that Linux takes for an errno", "9P2000.u", dialects=UNIX)
async def numbers_are_errnos(stage: Stage) -> None:
    session = await stage.session()
    for request in (m.Tclunk(4242), m.Tread(ROOT, 0, 16), m.Twalk(ROOT, ROOT, ("no-such",))):
        refusal = await refused(session.rpc(request, object))
        expect(0 < refusal.errno <= MAX_ERRNO, f"errno 1 to {MAX_ERRNO}", refusal.seen)


@claim("An attach may name its user by number", "9P2000.u", dialects=UNIX)
async def attach_takes_n_uname(stage: Stage) -> None:
    raw = await stage.raw()
    await raw.version(stage.dialect.value)
    options = stage.subject.options
    request = m.Tattach(ROOT, NOFID, options.uname, options.aname, 0)
    await raw.rpc(request, m.Rattach)
