"""The texts of status and stats: Linux's numbers in the original's words (ip(3)).

What Linux does not tell is 0. The fields of TCP_INFO are those of linux/tcp.h, by their offsets.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from pathlib import Path
from typing import Final

_WORDS: Final = {
    1: "Established",
    2: "Syn_sent",
    3: "Syn_received",
    4: "Finwait1",
    5: "Finwait2",
    6: "Time_wait",
    7: "Closed",
    8: "Close_wait",
    9: "Last_ack",
    10: "Listen",
    11: "Closing",
}
# state, then scales (low nibble: the peer's), as in struct tcp_info.
_HEAD: Final = struct.Struct("<5xBxx")
_WORDS_32: Final = struct.Struct("<24I")
_UNLIMITED: Final = 0x7FFF_FFFF

# Name in the original, name in /proc/net/snmp's Tcp lines.
_STATS: Final = (
    ("MaxConn", ""),
    ("MaxSegment", ""),
    ("ActiveOpens", "ActiveOpens"),
    ("PassiveOpens", "PassiveOpens"),
    ("EstabResets", "EstabResets"),
    ("CurrEstab", "CurrEstab"),
    ("InSegs", "InSegs"),
    ("OutSegs", "OutSegs"),
    ("RetransSegs", "RetransSegs"),
    ("RetransSegsSent", "RetransSegs"),
    ("RetransTimeouts", ""),
    ("InErrs", "InErrs"),
    ("OutRsts", "OutRsts"),
    ("CsumErrs", "InCsumErrors"),
    ("HlenErrs", ""),
    ("LenErrs", ""),
    ("OutOfOrder", ""),
)


def text(word: str, *, sock: socket.socket | None = None, keepalive_ms: int = 0) -> str:
    """The line of a conversation; with a socket, the kernel's state and counts."""
    qin = qout = srtt = mdev = ssthresh = cwin = rwin = scale_out = scale_in = 0
    if sock is not None:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        word = _WORDS.get(info[0], word)
        (scales,) = _HEAD.unpack_from(info)
        values = _WORDS_32.unpack_from(info, 8)
        mss, rcv_ssthresh = values[2], values[14]
        srtt, mdev = values[15] // 1000, values[16] // 1000
        ssthresh = 0 if values[17] >= _UNLIMITED else values[17] * mss
        cwin, rwin = values[18] * mss, rcv_ssthresh
        scale_out, scale_in = scales & 15, scales >> 4
        qin, qout = _queued(sock, termios.FIONREAD), _queued(sock, termios.TIOCOUTQ)
    return (
        f"{word} qin {qin} qout {qout} rq 0.0 srtt {srtt} mdev {mdev} sst {ssthresh} "
        f"cwin {cwin} swin 0>>{scale_out} rwin {rwin}>>{scale_in} qscale 0 timer.start 0 "
        f"timer.count 0 rerecv 0 katimer.start {keepalive_ms} katimer.count 0\n"
    )


def _queued(sock: socket.socket, request: int) -> int:
    (count,) = struct.unpack("=i", fcntl.ioctl(sock, request, b"\0" * 4))
    return int(count)


def stats(conversations: int) -> str:
    """One `Name: N` a line; the counts are those of the gateway's whole host."""
    lines = [
        line.split()[1:]
        for line in Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
        if line.startswith("Tcp:")
    ]
    counts = dict(zip(*lines, strict=True)) if len(lines) == 2 else {}
    counts[""] = "0"
    rows = [f"{name}: {counts.get(theirs, '0')}\n" for name, theirs in _STATS]
    rows[0] = f"MaxConn: {conversations}\n"
    return "".join(rows)
