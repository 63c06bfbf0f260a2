"""Print the packages that pyproject.toml asks for, one a line: the runtime's, or an extra's.

`make` installs them before the package itself, so that a change of Rust code does not
resolve packages again and a machine without Rust has them at all.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Print the packages of the extras named on the command line, or of the runtime."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    lists = [project["optional-dependencies"][extra] for extra in sys.argv[1:]]
    for packages in lists or [project["dependencies"]]:
        print(*(package.replace(" ", "") for package in packages), sep="\n")


if __name__ == "__main__":
    main()
