"""Take the kernel proper out of a bzImage: `python unpack_kernel.py VMLINUZ VMLINUX`.

QEMU starts an ELF kernel by its PVH note, without BIOS and without the kernel unpacking itself,
which takes seconds under emulation. The boot protocol (Documentation/arch/x86/boot.rst) says where
the packed part is: setup_sects at 0x1f1, payload_offset and payload_length at 0x248.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
import sys
from pathlib import Path


def unpacked(image: bytes) -> bytes:
    """The ELF kernel in a bzImage."""
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = ((image[0x1F1] or 4) + 1) * 512 + offset
    packed = image[begin : begin + length]
    # A packed kernel of these kinds ends with its size, which is no part of the format.
    if packed.startswith(b"\xfd7zXZ\0"):
        kernel = lzma.LZMADecompressor().decompress(packed)
    elif packed.startswith(b"\x1f\x8b"):
        kernel = gzip.decompress(packed[:-4])
    elif packed.startswith(b"\x28\xb5\x2f\xfd"):
        zstd = ["zstd", "--decompress", "--quiet", "--stdout"]
        kernel = subprocess.run(zstd, input=packed[:-4], capture_output=True, check=True).stdout
    else:
        sys.exit(f"unknown compression of the kernel: {packed[:6]!r}")
    if not kernel.startswith(b"\x7fELF"):
        sys.exit("what was unpacked is no ELF file")
    return kernel


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(unpacked(Path(sys.argv[1]).read_bytes()))
