"""The outermost elements of Matroska and WebM files: whether the file has its end.

Reference: "Extensible Binary Meta Language", RFC 8794, 2020; "Matroska Media Container Format",
RFC 9559, 2024.
"""

from __future__ import annotations

from typing import BinaryIO

_EBML = bytes.fromhex("1a45dfa3")
_SEGMENT = bytes.fromhex("18538067")


def is_cut(stream: BinaryIO) -> bool:
    """Tell whether the segment of an open file, if it states its size, reaches beyond the end."""
    file_size = stream.seek(0, 2)
    stream.seek(0)
    if stream.read(4) != _EBML:
        return False
    header = _size(stream)
    if header is None:
        return False
    stream.seek(header, 1)
    if stream.read(4) != _SEGMENT:
        return False
    size = _size(stream)
    return size is not None and stream.tell() + size > file_size


def _size(stream: BinaryIO) -> int | None:
    """Read the size of an element, None where it is unknown or there is none."""
    first = stream.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    rest = stream.read(length - 1)
    value = int.from_bytes(first + rest, "big") & ((1 << 7 * length) - 1)
    unknown = value == (1 << 7 * length) - 1
    return None if unknown or len(rest) < length - 1 else value
