"""Render docs/errors.md from the catalogue in `netrelay.errors`: `python tools/render_errors.py`.

A test compares the page with what this renders, and the catalogue with the Rust core's.
"""

from __future__ import annotations

import errno
from pathlib import Path

from netrelay.errors import CATALOGUE, NAME_TEXTS, linux_text

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"

_HEAD = """\
# Errors

Every text of its own that a gateway sends in an Rerror, and the errno that goes with it in 9P2000.u
and 9P2000.L (where the text is not sent at all). Clients branch on these texts, so they are API:
changing one is a breaking change. Rendered from `netrelay.errors` by `tools/render_errors.py`;
`rust/proto/src/error.rs` holds the same table.

The words are the original system's, misspellings included. dial(2) and scripts look for `refused`,
`in use`, `does not exist`, `translate`. Behind `ttl exceeded` and `frag time exceeded` comes ` at `
and the address of the host that says so.

In plain 9P2000 there is no number, and Linux's client makes one of the text, by a table of its own
that has few of these words. A session of plain 9P2000 in which the user `nobody` has attached (as
which Linux attaches unless it is told otherwise) is sent the third column instead. Linux has no
words for 98 and 99: they arrive as EBUSY and ENXIO. Any other number has the text of EIO.

| text | errno | to `nobody` in plain 9P2000 | constant |
|---|---|---|---|
"""

_NAMES = """\

## Answers of cs and dns

Behind `cs: ` or `dns: `; more may follow, such as the query's own words. What is not listed has
the errno of the word that dial(2) would find in it, and else EIO.

| begins with | errno |
|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = (
        f"| `{text}` | {number} {errno.errorcode[number]} | {linux_text(number)} | `{name}` |\n"
        for name, (text, number) in CATALOGUE.items()
    )
    names = (
        f"| `{text}` | {number} {errno.errorcode[number]} |\n"
        for text, number in NAME_TEXTS.items()
    )
    return "".join((_HEAD, *rows, _NAMES, *names))


if __name__ == "__main__":
    PAGE.write_text(page())
