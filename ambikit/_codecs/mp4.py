"""The SA3D box: how an mp4 file says that its sound is Ambisonic. FFmpeg does not write it.

The box sits in the sample entry of the sound track, moov/trak/mdia/minf/stbl/stsd/<entry>/SA3D.
Reference: Google, Spatial Audio RFC, github.com/google/spatial-media.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
# Bytes before the children: a stsd box counts its entries, a sound entry describes its samples,
# at more length in QuickTime's versions 1 and 2.
_STSD_HEADER = 8
_ENTRY_HEADER = {0: 28, 1: 44, 2: 64}
_HEAD_LOCKED_STEREO = 0x80
_ACN, _SN3D = 0, 0


class SpatialAudio(NamedTuple):
    """The contents of an SA3D box."""

    order: int
    channel_map: tuple[int, ...]
    """channel_map[i] is the Ambisonic component that channel i of the track holds."""
    head_locked_stereo: bool

    def plane_order(self, channels: int) -> tuple[int, ...] | None:
        """Return the planes in the order of the components, None if they are in order."""
        if len(self.channel_map) != channels or sorted(self.channel_map) != list(range(channels)):
            return None
        order = tuple(self.channel_map.index(component) for component in range(channels))
        return None if order == tuple(range(channels)) else order


def read_box(path: Path) -> SpatialAudio | None:
    """Return what the SA3D box says, or None where there is none that can be understood."""
    with path.open("rb") as stream:
        if stream.read(8)[4:] not in (b"ftyp", b"moov", b"wide", b"skip", b"free"):
            return None
        found = _moov(stream)
    if found is None:
        return None
    moov = found[1]
    try:
        entry = _sound_entry(moov)
        if entry is None:
            return None
        first, last = entry[-1] + _entry_header(moov, entry[-1]), _end(moov, entry[-1])
    except struct.error:  # the sample description is cut short
        return None
    boxes = {name: moov[start:stop] for name, start, stop in _children(moov, first, last)}
    return _parse(boxes[b"SA3D"]) if b"SA3D" in boxes else None


def write_box(path: Path, order: int) -> None:
    """Add an SA3D box to a file whose only sound track holds ACN/SN3D planes of that order."""
    channels = (order + 1) ** 2
    payload = struct.pack(
        f">BBIBBI{channels}I", 0, 0, order, _ACN, _SN3D, channels, *range(channels)
    )
    box = struct.pack(">I4s", 8 + len(payload), b"SA3D") + payload
    with path.open("r+b") as stream:
        found = _moov(stream)
        if found is None:
            raise ValueError(f"{path} has no moov box")
        offset, moov = found
        if stream.read(1):
            raise ValueError("moov must come last, or every chunk offset would be wrong")
        entry = _sound_entry(moov)
        if entry is None:
            raise ValueError(f"{path} has no sound track")
        grown = bytearray(moov)
        grown[_end(moov, entry[-1]) : _end(moov, entry[-1])] = box
        for start in entry:
            struct.pack_into(
                ">I", grown, start, struct.unpack_from(">I", moov, start)[0] + len(box)
            )
        stream.seek(offset)
        stream.write(grown)


def _parse(payload: bytes) -> SpatialAudio | None:
    """Decode an SA3D payload; an order or normalisation that no one defined is not understood."""
    head = struct.Struct(">BBIBBI")
    if len(payload) < head.size:
        return None
    version, kind, order, ordering, normalization, count = head.unpack_from(payload)
    if version != 0 or (ordering, normalization) != (_ACN, _SN3D):
        return None
    if len(payload) < head.size + 4 * count:
        return None
    mapping = struct.unpack_from(f">{count}I", payload, head.size)
    return SpatialAudio(order, mapping, bool(kind & _HEAD_LOCKED_STEREO))


def _moov(stream: BinaryIO) -> tuple[int, bytes] | None:
    """Find the moov box among the outermost ones: its place in the file and its bytes."""
    offset = 0
    while True:
        stream.seek(offset)
        head = stream.read(16)
        if len(head) < 8:
            return None
        size, name = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            size = struct.unpack_from(">Q", head, 8)[0]
        if name == b"moov":
            stream.seek(offset)
            return offset, stream.read(size) if size else stream.read()
        if size < 8:
            return None
        offset += size


def _children(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, payload start, payload stop) of the boxes between two offsets."""
    while start + 8 <= stop:
        size, name = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > stop:
            return
        yield name, start + 8, start + size
        start += size


def _sound_entry(moov: bytes) -> tuple[int, ...] | None:
    """Return the offsets of the boxes from moov down to the first sound track's sample entry."""
    for name, start, stop in _children(moov, 8, len(moov)):
        if name == b"trak" and (found := _descend(moov, start, stop, _PATH[2:])):
            return (0, start - 8, *found)
    return None


def _descend(data: bytes, start: int, stop: int, path: tuple[bytes, ...]) -> tuple[int, ...] | None:
    """Follow `path` to the sample entry, through a sound track's boxes only (they hold a smhd)."""
    names = {name: (first, last) for name, first, last in _children(data, start, stop)}
    if path[0] not in names or (path[0] == b"stbl" and b"smhd" not in names):
        return None
    first, last = names[path[0]]
    if path[0] == b"stsd":
        return first - 8, first + _STSD_HEADER
    deeper = _descend(data, first, last, path[1:])
    return (first - 8, *deeper) if deeper else None


def _end(data: bytes, box: int) -> int:
    """Return the offset just after the box."""
    return box + int(struct.unpack_from(">I", data, box)[0])


def _entry_header(data: bytes, entry: int) -> int:
    """Return how many bytes of a sound sample entry come before its child boxes."""
    version = struct.unpack_from(">H", data, entry + 16)[0]
    return 8 + _ENTRY_HEADER.get(version, _ENTRY_HEADER[0])
