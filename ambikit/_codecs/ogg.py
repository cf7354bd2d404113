"""The last page of an Ogg file: whether the file has its end, and one stream after another.

Reference: S. Pfeiffer, "The Ogg Encapsulation Format Version 0", RFC 3533, 2003.
"""

from __future__ import annotations

from typing import BinaryIO

from ambikit._codecs.source import Source
from ambikit._errors import InputError

_MAGIC = b"OggS"
_HEADER = 27
_LARGEST = _HEADER + 255 + 255 * 255
_BEGIN_OF_STREAM, _END_OF_STREAM = 2, 4

_UNENDED = (
    "its last page does not end the stream: it was recorded while it ran, or cut between two pages"
)


def notes(source: Source) -> tuple[str, ...]:
    """Return what is to be noted of the end of a file; refuse one that is cut, or a chain.

    Of streams that follow each other, libraries read the first, or take the length of the last.
    """
    with source.open() as stream:
        page, complete = _last_page(stream)
        if not complete:
            raise InputError(
                f"{source} is truncated: its last page is not whole; copy or download it again"
            )
        if page is not None and _serial(page) not in _first_serials(stream):
            raise InputError(
                f"{source} holds several Ogg streams one after the other: decode it to .wav with "
                "another program, or cut it between them"
            )
    return () if page is None or page[5] & _END_OF_STREAM else (_UNENDED,)


def _last_page(stream: BinaryIO) -> tuple[bytes | None, bool]:
    """Return the last page of an open file, None if none is near the end, and if it is complete."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 2 * _LARGEST))
    tail = stream.read()
    at = tail.rfind(_MAGIC)
    while at >= 0:
        end = _page_end(tail, at)
        if end is None:
            return None, False
        version, flags = tail[at + 4 : at + 6]
        if version == 0 and flags < 8:  # else these four bytes are sound
            ended = bool(flags & _END_OF_STREAM)
            return tail[at:end], end == len(tail) or (end < len(tail) and ended)
        at = tail.rfind(_MAGIC, 0, at)
    return None, True


def _serial(page: bytes) -> bytes:
    """Return the number of the stream that a page belongs to."""
    return page[14:18]


def _first_serials(stream: BinaryIO) -> set[bytes]:
    """Return the numbers of the streams that begin together, at the beginning of an open file."""
    stream.seek(0)
    head, at, serials = stream.read(2 * _LARGEST), 0, set()
    while head.startswith(_MAGIC, at) and at + _HEADER <= len(head):
        if not head[at + 5] & _BEGIN_OF_STREAM:
            break
        serials.add(_serial(head[at : at + _HEADER]))
        at = _page_end(head, at) or len(head)
    return serials


def _page_end(tail: bytes, at: int) -> int | None:
    """Return where the page that begins there ends, None where its header is cut."""
    if at + _HEADER > len(tail):
        return None
    segments = tail[at + 26]
    table = tail[at + _HEADER : at + _HEADER + segments]
    return None if len(table) < segments else at + _HEADER + segments + sum(table)
