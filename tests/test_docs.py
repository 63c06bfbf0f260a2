"""What the README and docs/embedding.md say works when it is typed in, and links lead somewhere.

The blocks run as a reader would run them: the demo of `make run` first, then each console line and
each Python example, in order, in one shell. Where we are root the shell gets a network of its own,
so that the ports which the README names are free whatever else runs here.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benches").glob("*.md")]
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "-- next --"

# The demo says three lines when it serves; a shell that ends early takes it along.
PRELUDE = """\
set -u
[ "$OWN_NETWORK" = no ] || ip link set lo up
exec 3< <(exec "$PYTHON" -m netrelay.cli.demo)
demo=$!
trap 'kill $demo $(jobs -p) 2>/dev/null' EXIT
for line in 1 2 3; do read -r -t 30 -u 3 || exit 1; done
"""


def console(page: str) -> list[tuple[str, str]]:
    """A page's commands, each with what it is said to print."""
    found: list[tuple[str, str]] = []
    for language, body in BLOCK.findall(page):
        if language == "console":
            for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = step.partition("\n")
                found.append((command, output))
        elif language == "python":
            found.append((f"\"$PYTHON\" - <<'EXAMPLE'\n{body}EXAMPLE", "…"))
    return found


def in_a_shell(commands: list[str]) -> list[str]:
    """What each command prints."""
    own_network = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip")
    shell = ["unshare", "--net", "bash"] if own_network else ["bash"]
    steps = (f"{command}\necho '{MARK}'\n" for command in commands)
    script = PRELUDE + "".join(steps).replace(".venv/bin/netrelay", '"$PYTHON" -m netrelay')
    done = subprocess.run(
        [*shell, "-s"],
        input=script,
        env=os.environ
        | {
            "PYTHON": sys.executable,
            "OWN_NETWORK": "yes" if own_network else "no",
            "PYTHONPATH": str(ROOT / "python"),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    parts = done.stdout.split(f"{MARK}\n")
    assert len(parts) == len(commands) + 1, done.stdout + done.stderr
    return parts[:-1]


@pytest.mark.timeout(180)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("name", ["README.md", "docs/embedding.md"])
def test_a_page_does_what_it_says(name: str) -> None:
    steps = console((ROOT / name).read_text())
    assert len(steps) > 5
    printed = in_a_shell([command for command, _ in steps])
    for (command, wanted), got in zip(steps, printed, strict=True):
        assert fnmatch.fnmatchcase(got, wanted.replace("[", "[[]").replace("…", "*")), command
        assert got or command.endswith("&"), f"nothing printed by: {command}"


def test_readme_names_the_targets_that_make_has() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^make ([a-z-]+)", told.stdout, re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= listed


def test_every_dependency_has_its_reason_and_its_price() -> None:
    table = (ROOT / "docs/dependencies.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=]", package)[0] for package in project["dependencies"]}
    for crate in ("proto", "engine", "pyext"):
        manifest = tomllib.loads((ROOT / "rust" / crate / "Cargo.toml").read_text())
        wanted |= {name for name in manifest["dependencies"] if not name.startswith("netrelay")}
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == wanted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
