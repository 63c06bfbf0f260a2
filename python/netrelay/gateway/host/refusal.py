"""What is refused about the host's network, in the original's words (docs/host.md).

What the kernel said exactly goes to the log; the importer gets the word that it knows from ip(3).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from netrelay.errors import CATALOGUE, NetError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KERNEL: Final = {
    errno.EPERM: "PERMISSION_DENIED",
    errno.EACCES: "PERMISSION_DENIED",
    errno.EROFS: "PERMISSION_DENIED",
    errno.EINVAL: "BAD_ARG",
    errno.ERANGE: "BAD_ARG",
    errno.EOPNOTSUPP: "BAD_ARG",
    errno.EADDRNOTAVAIL: "NOT_ON_INTERFACE",
    errno.ENODEV: "NO_INTERFACE",
    errno.ENOBUFS: "NO_FREE_DEVICES",
    errno.ENOMEM: "NO_FREE_DEVICES",
}


def refusal(name: str) -> NetError:
    """The refusal of that catalogue name."""
    return NetError(*CATALOGUE[name])


def of_kernel(number: int | None, otherwise: Mapping[int, str] | None = None) -> NetError:
    """What an errno of the kernel's is called; `otherwise` is what it means in this file."""
    names = {**_KERNEL, **(otherwise or {})}
    return refusal(names.get(number or 0, "IO"))
