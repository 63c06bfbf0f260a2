"""Make the package usable from the environment that runs this, without building it.

maturin installs an editable package only after it has built the extension. Where there is no Rust
toolchain this links the source tree instead; the reference core needs nothing built.
"""

from __future__ import annotations

import sys
import sysconfig
import tomllib
from pathlib import Path

# A path with a blank in it can't stand behind `#!`: sh finds the interpreter, which takes the lines
# for a string. So do the scripts that pip writes.
SCRIPT = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from netrelay.cli.main import main

sys.exit(main())
"""


def main() -> None:
    """Write a path file, the command and the package's name card into the environment."""
    root = Path(__file__).resolve().parent.parent
    packages = Path(sysconfig.get_path("purelib"))
    version = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    command = Path(sysconfig.get_path("scripts"), "netrelay")
    card = packages / f"netrelay-{version}.dist-info"
    card.mkdir(exist_ok=True)
    written = {
        packages / "netrelay.pth": f"{root / 'python'}\n",
        command: SCRIPT.format(python=sys.executable),
        card / "METADATA": f"Metadata-Version: 2.1\nName: netrelay\nVersion: {version}\n",
        # pip takes away what is listed here when the built package comes in its place.
        card / "RECORD": "",
    }
    written[card / "RECORD"] = "".join(f"{path},,\n" for path in written)
    for path, text in written.items():
        path.write_text(text)
    command.chmod(0o755)


if __name__ == "__main__":
    main()
