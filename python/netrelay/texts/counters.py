"""`stats` of a protocol or an interface: `Name: value` a line."""

from __future__ import annotations


def parse(text: str) -> dict[str, str]:
    """The values by name, in the order of the lines; a line without a name is under ``""``."""
    found = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        found[name.strip() if colon else ""] = (value if colon else line).strip()
    return found
