"""The texts of status and stats: Linux's numbers in the original's words (ip(3)).

What Linux does not tell is 0. The fields of TCP_INFO are those of linux/tcp.h, by their offsets.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from netrelay.reference.net.sockets import qin, qout

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
# struct tcp_info: state and scales (low nibble: the peer's), 24 words from byte 8, snd_wnd and
# rcv_wnd at byte 228; kernels before 6.2 end before the latter.
_HEAD: Final = struct.Struct("<B5xBx24I")
_WINDOWS: Final = struct.Struct("<2I")
_WINDOWS_AT: Final = 228
_INFO_SIZE: Final = 248
_UNLIMITED: Final = 0x7FFF_FFFF

_STATS: Final = (
    "MaxConn", "MaxSegment", "ActiveOpens", "PassiveOpens", "EstabResets", "CurrEstab", "InSegs",
    "OutSegs", "RetransSegs", "RetransSegsSent", "RetransTimeouts", "InErrs", "OutRsts",
    "CsumErrs", "HlenErrs", "LenErrs", "OutOfOrder", "Resequenced", "ReseqBytelim", "ReseqPktlim",
    "Delayack", "Wopenack", "Recovery", "RecoveryDone", "RecoveryRTO", "RecoveryNoSeq",
    "RecoveryCwind", "RecoveryPA",
)  # fmt: skip
# What /proc/net/snmp calls the counts that it has.
_TOLD: Final = {
    **{name: name for name in _STATS[2:9]},
    "InErrs": "InErrs",
    "OutRsts": "OutRsts",
    "CsumErrs": "InCsumErrors",
}


def text(word: str, *, sock: socket.socket | None = None, keepalive_ms: int = 0) -> str:
    """The line of a conversation; with a socket, the kernel's state and counts."""
    arrived = unsent = srtt = mdev = ssthresh = cwin = swin = rwin = out_scale = in_scale = rto = 0
    if sock is not None:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        state, scales, *words = _HEAD.unpack_from(info)
        word = _WORDS.get(state, word)
        out_scale, in_scale = scales & 15, scales >> 4
        mss = words[2]
        rto, srtt, mdev = words[0] // 1000, words[15] // 1000, words[16] // 1000
        ssthresh = words[17] * mss if words[17] < _UNLIMITED else 0
        cwin = words[18] * mss
        swin, rwin = _WINDOWS.unpack_from(info.ljust(_INFO_SIZE, b"\0"), _WINDOWS_AT)
        arrived, unsent = qin(sock), qout(sock)
    return (
        f"{word} qin {arrived} qout {unsent} rq 0.0 srtt {srtt} mdev {mdev} sst {ssthresh} "
        f"cwin {cwin} swin {swin}>>{out_scale} rwin {rwin}>>{in_scale} qscale 0 "
        f"timer.start {rto} timer.count 0 rerecv 0 katimer.start {keepalive_ms} "
        f"katimer.count 0\n"
    )


def stats(conversations: int, snmp: str) -> str:
    """One `Name: N` a line; `conversations` is their limit, the counts are the whole stack's.

    `snmp` is the text of the host's file of that name.
    """
    lines = [line.split()[1:] for line in snmp.splitlines() if line.startswith("Tcp:")]
    counts = dict(zip(*lines, strict=True)) if len(lines) == 2 else {}
    told = {name: counts.get(theirs, "0") for name, theirs in _TOLD.items()}
    told["MaxConn"] = str(conversations)
    return "".join(f"{name}: {told.get(name, '0')}\n" for name in _STATS)
