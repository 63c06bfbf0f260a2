"""Render docs/errors.md from the catalogue in `netrelay.errors`: `python tools/render_errors.py`.

A test compares the page with what this renders, and the catalogue with the Rust core's.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from netrelay.errors import CATALOGUE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"

_HEAD = """\
# Errors

Every text of its own that a gateway sends in an Rerror, and the errno that goes with it in 9P2000.u
and 9P2000.L (where the text is not sent at all). Clients branch on these texts, so they are API:
changing one is a breaking change. Rendered from `netrelay.errors` by `tools/render_errors.py`;
`rust/proto/src/error.rs` holds the same table.

The words are the original system's, misspellings included. dial(2) and scripts look for `refused`,
`in use`, `does not exist`, `translate`. Answers of the connection server and the resolver carry
`cs: ` or `dns: ` before a text that is not listed here.

| text | errno | | constant |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = (
        f"| `{text}` | {number} {errno.errorcode[number]} | {os.strerror(number)} | `{name}` |\n"
        for name, (text, number) in CATALOGUE.items()
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
