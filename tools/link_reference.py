"""Make the package usable from the environment that runs this, without building it.

maturin installs an editable package only after it has built the extension. Where there is no Rust
toolchain this links the source tree instead; the reference core needs nothing built.
"""

from __future__ import annotations

import sys
import sysconfig
import tomllib
from pathlib import Path

SCRIPT = """\
#!{python}
import sys

from netrelay.cli.main import main

sys.exit(main())
"""


def main() -> None:
    """Write a path file, the package's name card and the command into the environment."""
    root = Path(__file__).resolve().parent.parent
    packages = Path(sysconfig.get_path("purelib"))
    (packages / "netrelay.pth").write_text(f"{root / 'python'}\n")
    version = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    card = packages / f"netrelay-{version}.dist-info"
    card.mkdir(exist_ok=True)
    (card / "METADATA").write_text(f"Metadata-Version: 2.1\nName: netrelay\nVersion: {version}\n")
    command = Path(sysconfig.get_path("scripts"), "netrelay")
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    main()
