"""Network namespaces of Linux: opened by name, entered by one thread for a moment.

The namespace is the thread's own, and a socket stays for ever in the one it was made in. Python
has os.setns from 3.12 on only, so it is the C library's that is called.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where ip-netns(8) keeps them.
NAMED: Final = "/run/netns"
_CLONE_NEWNET: Final = 0x4000_0000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def open_namespace(name: str) -> int:
    """A descriptor of the namespace of that name, or at that path if it has a `/`.

    Errors: OSError. The caller closes it.
    """
    return os.open(name if "/" in name else f"{NAMED}/{name}", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """This thread is in the namespace while the block lasts; nothing in it may await.

    Errors: OSError, of a namespace that is none or that may not be entered.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(namespace)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(home)


def enter(namespace: int) -> None:
    """This thread is in the namespace from now on. Errors: OSError."""
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
