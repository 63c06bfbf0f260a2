"""Make the package usable from the environment that runs this, without building it.

maturin installs an editable package only after it has built the extension. Where there is no Rust
toolchain this links the source tree instead; the reference core needs nothing built.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

SCRIPT = """\
#!{python}
import sys

from netrelay.cli.main import main

sys.exit(main())
"""


def main() -> None:
    """Write a path file and the command into the environment."""
    source = Path(__file__).resolve().parent.parent / "python"
    Path(sysconfig.get_path("purelib"), "netrelay.pth").write_text(f"{source}\n")
    command = Path(sysconfig.get_path("scripts"), "netrelay")
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    main()
