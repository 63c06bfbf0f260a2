"""What we write, tshark reads: every frame, its time, its length and the filter's text."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.capture import pcapng

if TYPE_CHECKING:
    from pathlib import Path

PING = bytes.fromhex(
    "0202020202020101010101010800"
    "45000021000100004001f6d70a0000010a000002"
    "0800f7fc00010002" "68656c6c6f"
)  # fmt: skip


def test_a_head_is_a_section_and_an_ethernet_interface() -> None:
    head = pcapng.head("ether0", application="netrelay")
    assert head[:12] == bytes.fromhex("0a0d0d0a2c0000004d3c2b1a")
    assert head[44:56] == bytes.fromhex("010000002c00000001000000")


@given(st.binary(max_size=70), st.integers(0, (1 << 64) - 1))
def test_a_packet_is_one_block_of_whole_words(frame: bytes, time_ns: int) -> None:
    block = pcapng.packet(frame, time_ns=time_ns)
    size = int.from_bytes(block[4:8], "little")
    assert size == len(block)
    assert size % 4 == 0
    assert block[-4:] == block[4:8]
    assert int.from_bytes(block[20:24], "little") == len(frame)
    assert block[28 : 28 + len(frame)] == frame
    high, low = block[12:16], block[16:20]
    assert int.from_bytes(low + high, "little") == time_ns


@pytest.mark.interop
def test_tshark_reads_what_we_write(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (tools/install-test-deps)")
    file = tmp_path / "seen.pcapng"
    stream = pcapng.head("ether0", application="netrelay", snaplen=64, wanted="icmp")
    stream += pcapng.packet(PING, time_ns=1_700_000_000_123_456_789)
    stream += pcapng.packet(PING[:40], time_ns=1_700_000_001_000_000_000, length=len(PING))
    file.write_bytes(stream)
    fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_name", "icmp.type"]
    command = ["tshark", "-r", str(file), "-T", "fields", "-E", "separator=,"]
    for field in fields:
        command += ["-e", field]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout
    assert found.splitlines() == [
        f"1700000000.123456789,{len(PING)},{len(PING)},ether0,8",
        f"1700000001.000000000,{len(PING)},40,ether0,8",
    ]
