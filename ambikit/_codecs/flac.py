"""The length of FLAC files by their last frame, which is numbered, and not by their header alone.

Encoders that write to a pipe do not state it, and libsndfile cannot read such a file up to its end:
the length is written into the header that libsndfile is shown. Where one is stated, libsndfile
reads no further, whatever follows. Reference: RFC 9639.
"""

from __future__ import annotations

from functools import lru_cache
from typing import BinaryIO

from ambikit._codecs.source import Overlaid, Source

MAGIC = b"fLaC"
_HEADER = 26
# STREAMINFO is the first block: the smallest and the largest block of samples, and 36 bits, from
# the middle of a byte on, that count the samples.
_BLOCKS, _COUNT = 8, 21
_MOST = (1 << 36) - 1
_TAIL = 1 << 20
"""Bytes in which the last frame is looked for."""
_TRIES = 16
"""Frames whose headers are right and whose sum is not, after which there is no last one."""
_ID3 = 128


def states_no_length(source: Source) -> bool:
    """Tell whether a file is FLAC of unknown length."""
    head = source.head(_HEADER)
    known = int.from_bytes(head[_COUNT:_HEADER], "big") & _MOST
    return head.startswith(MAGIC) and len(head) == _HEADER and known == 0


def of_length(source: Source, samples: int) -> Overlaid:
    """Return the file with that many samples in its header."""
    head = source.head(_HEADER)
    return Overlaid(source, head[:_COUNT] + (head[_COUNT] >> 4 << 36 | samples).to_bytes(5, "big"))


def length(stream: BinaryIO, beyond: int = 0) -> int | None:
    """Return how many samples an open file has, None if its last frame is not whole.

    If the last frame ends within the samples that are known, nothing is read beyond its header.
    """
    stream.seek(0)
    block = int.from_bytes(stream.read(_HEADER)[_BLOCKS : _BLOCKS + 2], "big")
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL))
    tail = stream.read()
    if tail[-_ID3:].startswith(b"TAG"):
        tail = tail[:-_ID3]
    tries, at = 0, len(tail)
    while tries < _TRIES and (at := tail.rfind(b"\xff", 0, at)) >= 0:
        end = _frame_end(tail, at, block)
        if end is not None:
            if end <= beyond or _sum(tail[at:], 16, 0x8005) == 0:
                return end
            tries += 1
    return None


def _frame_end(tail: bytes, at: int, block: int) -> int | None:
    """Return the number of the sample after a frame, None if no frame begins there."""
    head = tail[at : at + 16]
    if len(head) < 6 or head[1] not in (0xF8, 0xF9) or head[3] & 1:
        return None
    number, used = _coded(head[4:])
    size_code, rate_code = head[2] >> 4, head[2] & 15
    place = 4 + used
    if size_code in (6, 7):
        size = int.from_bytes(head[place : place + size_code - 5], "big") + 1
        place += size_code - 5
    else:
        size = 192 if size_code == 1 else 144 << size_code if size_code < 6 else 1 << size_code
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if used == 0 or size_code == 0 or place >= len(head) or _sum(head[: place + 1], 8, 0x07):
        return None
    variable = head[1] == 0xF9
    return (number if variable else number * block) + size


def _coded(data: bytes) -> tuple[int, int]:
    """Return a number that is coded as UTF-8 codes characters, and its bytes, 0 if it is none."""
    ones = 8 - (data[0] ^ 0xFF).bit_length()
    if ones == 0:
        return data[0], 1
    rest = data[1:ones]
    if ones == 1 or ones > 7 or len(rest) < ones - 1 or any(byte >> 6 != 2 for byte in rest):
        return 0, 0
    number = data[0] & (0x7F >> ones)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, ones


def _sum(data: bytes, bits: int, polynomial: int) -> int:
    """Return the cyclic sum of some bytes, 0 if the last of them are the sum of the others."""
    mask, total, table = (1 << bits) - 1, 0, _remainders(bits, polynomial)
    for byte in data:
        total = (total << 8 ^ table[total >> bits - 8 ^ byte]) & mask
    return total


@lru_cache
def _remainders(bits: int, polynomial: int) -> list[int]:
    """Return the cyclic sums of all bytes."""
    top, mask = 1 << bits - 1, (1 << bits) - 1
    table = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ polynomial if value & top else value << 1
        table.append(value & mask)
    return table
