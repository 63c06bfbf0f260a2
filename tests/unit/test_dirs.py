"""Stat records and directory entries, byte for byte as stat(5) and Rreaddir have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay.errors import DecodeError, UsageError
from netrelay.types import Dialect, Dirent, Qid, Stat

if TYPE_CHECKING:
    from netrelay.core import Core

RECORD = Stat(
    type=73,
    dev=0,
    qid=Qid(0x80, 0, 8),
    mode=0x8000_016D,
    atime=1,
    mtime=2,
    length=3,
    name="tcp",
    uid="network",
    gid="bob",
    muid="é",
    n_uid=10,
    n_gid=11,
    n_muid=12,
)
PLAIN = bytes.fromhex(
    "3e00" "4900" "00000000" "80" "00000000" "0800000000000000" "6d010080" "01000000" "02000000"
    "0300000000000000" "0300746370" "07006e6574776f726b" "0300626f62" "0200c3a9"
)  # fmt: skip


def test_a_record_has_its_size_in_front_and_its_texts_behind(core: Core) -> None:
    assert core.pack_stat(RECORD, Dialect.P2000) == PLAIN


def test_the_unix_record_goes_on_with_an_extension_and_numbers(core: Core) -> None:
    packed = core.pack_stat(RECORD, Dialect.U)
    assert packed[:2] == (0x3E + 14).to_bytes(2, "little")
    assert packed[2:] == PLAIN[2:] + bytes.fromhex("00000a0000000b0000000c000000")
    assert core.unpack_stats(packed, Dialect.U) == [RECORD]


def test_a_directory_read_is_records_one_behind_the_other(core: Core) -> None:
    found = core.unpack_stats(PLAIN + PLAIN, Dialect.P2000)
    assert [record.name for record in found] == ["tcp", "tcp"]
    assert core.unpack_stats(b"", Dialect.P2000) == []


@pytest.mark.parametrize("cut", [1, 2, 40, len(PLAIN) - 1])
def test_a_record_that_is_cut_is_refused(core: Core, cut: int) -> None:
    with pytest.raises(DecodeError):
        core.unpack_stats(PLAIN[:cut], Dialect.P2000)


def test_a_record_with_bytes_behind_its_last_text_is_refused(core: Core) -> None:
    longer = (0x3F).to_bytes(2, "little") + PLAIN[2:] + b"x"
    with pytest.raises(DecodeError):
        core.unpack_stats(longer, Dialect.P2000)


def test_a_name_that_does_not_fit_its_count_is_our_own_fault(core: Core) -> None:
    with pytest.raises(UsageError):
        core.pack_stat(RECORD._replace(name="x" * 65536), Dialect.P2000)


def test_an_entry_of_readdir_is_qid_offset_type_and_name(core: Core) -> None:
    entry = Dirent(Qid(0x80, 0, 8), 1, 4, "tcp")
    packed = core.pack_dirents([entry])
    assert packed == bytes.fromhex("800000000008000000000000000100000000000000040300746370")
    assert core.unpack_dirents(packed) == [entry]
