"""Filters in the language of pcap-filter(7), compiled and run by libpcap itself.

libpcap is looked for when the first filter is made, so that a capture without one needs nothing.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import weakref
from functools import cache
from typing import Final

from netrelay.errors import UsageError

_ETHERNET: Final = 1
_LONGEST_FRAME: Final = 1 << 18
_NETMASK_UNKNOWN: Final = 0xFFFF_FFFF


class _Program(ctypes.Structure):
    """`struct bpf_program`."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class _Header(ctypes.Structure):
    """`struct pcap_pkthdr`."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )


@cache
def _library() -> ctypes.CDLL:
    name = ctypes.util.find_library("pcap")
    if name is None:
        raise UsageError("a filter needs libpcap (Debian: apt install libpcap0.8)")
    pcap = ctypes.CDLL(name)
    pcap.pcap_open_dead.restype = ctypes.c_void_p
    pcap.pcap_geterr.restype = ctypes.c_char_p
    pcap.pcap_geterr.argtypes = [ctypes.c_void_p]
    pcap.pcap_close.argtypes = [ctypes.c_void_p]
    pcap.pcap_compile.argtypes = [
        ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
    ]  # fmt: skip
    pcap.pcap_offline_filter.argtypes = [
        ctypes.POINTER(_Program), ctypes.POINTER(_Header), ctypes.c_char_p,
    ]  # fmt: skip
    pcap.pcap_freecode.argtypes = [ctypes.POINTER(_Program)]
    return pcap


class Filter:
    """Which Ethernet frames are wanted; `text` is the expression.

    Errors: `UsageError` with libpcap's own words for an expression that it does not take, or
    without libpcap.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._program = program = _Program()
        self._library = pcap = _library()
        handle = pcap.pcap_open_dead(_ETHERNET, _LONGEST_FRAME)
        try:
            about = ctypes.byref(program)
            if pcap.pcap_compile(handle, about, text.encode(), 1, _NETMASK_UNKNOWN) != 0:
                why = pcap.pcap_geterr(handle).decode(errors="replace")
                raise UsageError(f"filter {text!r}: {why}")
        finally:
            pcap.pcap_close(handle)
        weakref.finalize(self, pcap.pcap_freecode, about)

    def wants(self, frame: bytes) -> bool:
        """Whether a frame passes."""
        header = _Header(0, 0, len(frame), len(frame))
        program, about = ctypes.byref(self._program), ctypes.byref(header)
        return bool(self._library.pcap_offline_filter(program, about, frame))
