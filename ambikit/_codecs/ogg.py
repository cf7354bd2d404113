"""The last page of an Ogg file: whether the file has its end.

Reference: S. Pfeiffer, "The Ogg Encapsulation Format Version 0", RFC 3533, 2003.
"""

from __future__ import annotations

from typing import BinaryIO

_MAGIC = b"OggS"
_HEADER = 27
_LARGEST = _HEADER + 255 + 255 * 255
_END_OF_STREAM = 4

TRUNCATED = "truncated"
UNENDED = (
    "its last page does not end the stream: it was recorded while it ran, or cut between two pages"
)


def fault(stream: BinaryIO) -> str | None:
    """Return what is wrong with the end of an open file, None where nothing is."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 2 * _LARGEST))
    tail = stream.read()
    at = tail.rfind(_MAGIC)
    while at >= 0:
        end = _page_end(tail, at)
        if end is None:
            return TRUNCATED
        version, flags = tail[at + 4 : at + 6]
        if version == 0 and flags < 8:  # else these four bytes are sound
            if end > len(tail):
                return TRUNCATED
            if flags & _END_OF_STREAM:
                return None
            return TRUNCATED if end < len(tail) else UNENDED
        at = tail.rfind(_MAGIC, 0, at)
    return None


def _page_end(tail: bytes, at: int) -> int | None:
    """Return where the page that begins there ends, None where its header is cut."""
    if at + _HEADER > len(tail):
        return None
    segments = tail[at + 26]
    table = tail[at + _HEADER : at + _HEADER + segments]
    return None if len(table) < segments else at + _HEADER + segments + sum(table)
