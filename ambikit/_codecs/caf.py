"""Chunks of CAF files: what they state, and whether sizes fit the file.

References: Apple, "Core Audio Format Specification 1.0"; C. Nachbar, F. Zotter, E. Deleflie,
A. Sontacchi, "AmbiX - A suggested Ambisonics format", 3rd Ambisonics Symposium, 2011, and the
program libambix of its authors for the bytes of the adaptor matrix.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from ambikit._codecs import apple
from ambikit._codecs.statement import Statement

_HEADER = 12
_EDITS = 4
"""Bytes that count edits, before the sound in its chunk."""
_PADDING = 1024
"""Bytes behind the sound that may be no chunk."""
_AMBIX_UUIDS = (bytes.fromhex("1ad318c300e55576be2d0dca2460bc89"), b"IEM.AT/AMBIX/XML")
_LARGEST = 1 << 20
_ADAPTOR = "AmbiX adaptor matrix"


class Sound(NamedTuple):
    """The chunk of the sound, by the size of the file."""

    missing: int
    """Bytes that the header counts and the file has not."""
    head: bytes
    """The file up to the sound with the right size in it, empty where that is there already."""
    notes: tuple[str, ...]


class Chunk(NamedTuple):
    """A chunk of a file."""

    name: bytes
    start: int
    size: int
    """As the file says: -1 where it runs to the end, perhaps more than there is."""


def read_chunks(stream: BinaryIO) -> list[Chunk]:
    """Return the chunks of an open file, none where it is no CAF."""
    return list(_chunks(stream))


def sound(stream: BinaryIO, chunks: list[Chunk]) -> Sound:
    """Return how the size of the sound that an open file states fits what is there."""
    file_size = stream.seek(0, 2)
    chunk = next((chunk for chunk in chunks if chunk.name == b"data"), None)
    if chunk is None:
        return Sound(0, b"", ())
    after = file_size - chunk.start - max(chunk.size, 0)
    last = chunk == chunks[-1]
    if chunk.size == -1 or (last and chunk.size <= _EDITS and after > _EDITS):
        stream.seek(0)
        size = struct.pack(">q", file_size - chunk.start)
        head = stream.read(chunk.start - len(size)) + size
        note = "its header was never completed: the sound is read to the end of the file"
        return Sound(0, head, () if chunk.size == -1 else (note,))
    if last and after > _PADDING:
        note = (
            f"{after} bytes behind the sound are no part of it by the header: if the recording "
            "broke off, its end is among them"
        )
        return Sound(0, b"", (note,))
    return Sound(max(0, -after), b"", ())


def statement(stream: BinaryIO, chunks: list[Chunk], channels: int) -> Statement | None:
    """Return what the file says of its channels."""
    for chunk in chunks:
        if chunk.name == b"uuid" and (said := _adaptor(_payload(stream, chunk), channels)):
            return said
    for chunk in chunks:
        if chunk.name == b"chan":
            return apple.statement("channel layout of CAF", _payload(stream, chunk), channels)
    return None


def state(stream: BinaryIO, convention: str, channels: int) -> bool:
    """Say of a file, open for change, what convention its channels have; return whether it can.

    The chunk is cut out of the free room that libsndfile leaves before the sound.
    """
    layout = apple.layout(convention, channels)
    free = next((chunk for chunk in _chunks(stream) if chunk.name == b"free"), None)
    if layout is None or free is None or free.size < _HEADER + len(layout):
        return False
    rest = free.size - _HEADER - len(layout)
    stream.seek(free.start - _HEADER)
    stream.write(struct.pack(">4sq", b"chan", len(layout)) + layout)
    stream.write(struct.pack(">4sq", b"free", rest))
    return True


def _chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks of a file."""
    file_size = stream.seek(0, 2)
    stream.seek(0)
    if stream.read(4) != b"caff":
        return
    offset = 8
    while offset + _HEADER <= file_size:
        stream.seek(offset)
        name, size = struct.unpack(">4sq", stream.read(_HEADER))
        if not all(32 <= byte < 127 for byte in name):
            return
        yield Chunk(name, offset + _HEADER, size)
        if size < 0:
            return
        offset += _HEADER + size


def _payload(stream: BinaryIO, chunk: Chunk) -> bytes:
    """Return the contents of a chunk of description."""
    stream.seek(chunk.start)
    return stream.read(min(max(chunk.size, 0), _LARGEST))


def _adaptor(payload: bytes, channels: int) -> Statement | None:
    """Return the matrix by which extended AmbiX makes a full sphere out of fewer channels.

    It takes the first channels; those behind them are no part of the sound field.
    """
    if payload[:16] not in _AMBIX_UUIDS or len(payload) < 24:
        return None
    rows, columns = struct.unpack_from(">II", payload, 16)
    if not 0 < rows * columns <= (len(payload) - 24) // 4 or columns > channels:
        return Statement(_ADAPTOR, None, what=f"channels of a damaged matrix, {rows} x {columns}")
    if rows < 4 or math.isqrt(rows) ** 2 != rows:
        return Statement(_ADAPTOR, None, what=f"{rows} components, which are no whole order")
    gains = np.frombuffer(payload, ">f4", rows * columns, 24).reshape(rows, columns)
    if not np.isfinite(gains).all():
        return Statement(_ADAPTOR, None, what="channels of a matrix with NaN or infinity in it")
    matrix = np.zeros((rows, channels), np.float32)
    matrix[:, :columns] = gains
    return Statement(_ADAPTOR, "ambix", matrix)
