"""Boxes of mp4 and mov files: what they state, and whether their sizes fit the file.

FFmpeg neither reads nor writes the SA3D box, by which an mp4 file says that its sound is Ambisonic.
It sits in the sample entry of the sound track, moov/trak/mdia/minf/stbl/stsd/<entry>/SA3D; so does
QuickTime's ``chan``. References: Google, "Spatial Audio RFC", of the project spatial-media; Apple,
"QuickTime File Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ambikit._codecs import apple
from ambikit._codecs.statement import Statement, picked

_PATH = (b"mdia", b"minf", b"stbl", b"stsd")
_OUTERMOST = (b"ftyp", b"moov", b"wide", b"skip", b"free", b"mdat", b"styp", b"sidx", b"moof")
# Bytes before the children: a stsd box counts its entries, a sound entry describes its samples,
# at more length in QuickTime's versions 1 and 2; chan begins with its version and flags.
_STSD_HEADER = 8
_ENTRY_HEADER = {0: 28, 1: 44, 2: 64}
_CHAN_HEADER = 4
_HEAD_LOCKED_STEREO = 0x80
_ACN, _SN3D = 0, 0
_SA3D = struct.Struct(">BBIBBI")
_LARGEST_INDEX = 1 << 30


def is_cut(stream: BinaryIO) -> bool:
    """Tell whether the outermost boxes of an open file reach beyond its end."""
    file_size = stream.seek(0, 2)
    return any(offset + size > file_size for _, offset, size in _outermost(stream, file_size))


def is_indexed(stream: BinaryIO) -> bool:
    """Tell whether an open file has its whole index in one place, and so is not in fragments."""
    file_size = stream.seek(0, 2)
    names = [name for name, _, _ in _outermost(stream, file_size)]
    return b"moov" in names and not {b"moof", b"sidx", b"styp"} & set(names)


def lacks_beginning(stream: BinaryIO) -> bool:
    """Tell whether an open file has fragments, and nothing that says how to decode them."""
    file_size = stream.seek(0, 2)
    names = {name for name, _, _ in _outermost(stream, file_size)}
    return b"moof" in names and b"moov" not in names


def has_segment_index(stream: BinaryIO) -> bool:
    """Tell whether an open file lists its fragments with their times (sidx), as DASH has it."""
    file_size = stream.seek(0, 2)
    return any(name == b"sidx" for name, _, _ in _outermost(stream, file_size))


def statements(stream: BinaryIO) -> dict[int, tuple[bytes, bytes]]:
    """Return the payloads of SA3D and chan, b"" where there is none, by the number of the track."""
    found = _moov(stream)
    if found is None:
        return {}
    moov = found[1]
    stated = {}
    for track, entry in _sound_entries(moov):
        try:
            first, last = entry[-1] + _entry_header(moov, entry[-1]), _end(moov, entry[-1])
        except struct.error:  # the sample description is cut short
            continue
        boxes = {name: moov[start:stop] for name, start, stop in _children(moov, first, last)}
        stated[track] = (boxes.get(b"SA3D", b""), boxes.get(b"chan", b""))
    return stated


def statement(sa3d: bytes, chan: bytes, channels: int) -> Statement | None:
    """Return what the two boxes say of a track of so many channels."""
    if sa3d:
        return _spatial_audio(sa3d, channels)
    return apple.statement("channel layout of QuickTime", chan[_CHAN_HEADER:], channels)


def write_box(path: Path, order: int) -> None:
    """Add an SA3D box to a file whose only sound track holds ACN/SN3D channels of that order."""
    channels = (order + 1) ** 2
    payload = _SA3D.pack(0, 0, order, _ACN, _SN3D, channels)
    payload += struct.pack(f">{channels}I", *range(channels))
    box = struct.pack(">I4s", 8 + len(payload), b"SA3D") + payload
    with path.open("r+b") as stream:
        found = _moov(stream)
        if found is None:
            raise ValueError(f"{path} has no moov box")
        offset, moov = found
        stream.seek(offset + len(moov))
        if stream.read(1):
            raise ValueError("moov must come last, or every chunk offset would be wrong")
        entries = list(_sound_entries(moov))
        if not entries:
            raise ValueError(f"{path} has no sound track")
        entry = entries[0][1]
        grown = bytearray(moov)
        grown[_end(moov, entry[-1]) : _end(moov, entry[-1])] = box
        for start in entry:
            struct.pack_into(
                ">I", grown, start, struct.unpack_from(">I", moov, start)[0] + len(box)
            )
        stream.seek(offset)
        stream.write(grown)


def _spatial_audio(payload: bytes, channels: int) -> Statement:
    """Return what an SA3D box says, or that it contradicts the track."""
    by = "SA3D box"
    if len(payload) < _SA3D.size:
        return Statement(by, None, what="channels that a box which is cut short describes")
    version, kind, order, ordering, normalization, count = _SA3D.unpack_from(payload)
    stereo, form = kind & _HEAD_LOCKED_STEREO, kind & ~_HEAD_LOCKED_STEREO
    if (version, form, ordering, normalization) != (0, 0, _ACN, _SN3D):
        what = (
            f"Ambisonics of version {version}, type {form}, ordering {ordering} and normalisation "
            f"{normalization}, of which only 0, 0, 0 and 0 are defined"
        )
        return Statement(by, None, what=what)
    if count != channels or len(payload) < _SA3D.size + 4 * count:
        return Statement(by, None, what=f"{count} channels of Ambisonics")
    if count != (order + 1) ** 2 + (2 if stereo else 0):
        return Statement(by, None, what=f"{count} channels, which are not those of order {order}")
    components = list(struct.unpack_from(f">{count}I", payload, _SA3D.size))
    if sorted(components) != list(range(count)):
        return Statement(by, None, what=f"the components {components}, which are no whole set")
    convention = "ambix+stereo" if stereo else "ambix"
    return Statement(by, convention, picked([components.index(k) for k in range(count)], count))


def _outermost(stream: BinaryIO, file_size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, offset, size) of the outermost boxes, sizes as the file says."""
    offset = 0
    while offset + 8 <= file_size:
        stream.seek(offset)
        head = stream.read(16)
        size, name = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            size = struct.unpack_from(">Q", head, 8)[0]
        elif size == 0:
            size = file_size - offset
        if size < 8 or (offset == 0 and name not in _OUTERMOST):
            return
        yield name, offset, size
        offset += size


def _moov(stream: BinaryIO) -> tuple[int, bytes] | None:
    """Find the moov box among the outermost ones: its place in the file and its bytes."""
    file_size = stream.seek(0, 2)
    for name, offset, size in _outermost(stream, file_size):
        if name == b"moov":
            stream.seek(offset)
            return offset, stream.read(min(size, file_size - offset, _LARGEST_INDEX))
    return None


def _children(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, payload start, payload stop) of the boxes between two offsets."""
    while start + 8 <= stop:
        size, name = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > stop:
            return
        yield name, start + 8, start + size
        start += size


def _sound_entries(moov: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the number of each sound track, and where the boxes down to its sample entry are."""
    for name, start, stop in _children(moov, 8, len(moov)):
        if name == b"trak" and (found := _descend(moov, start, stop, _PATH)):
            yield _track_number(moov, start, stop), (0, start - 8, *found)


def _track_number(moov: bytes, start: int, stop: int) -> int:
    """Return the number that the header of a track gives it."""
    for name, first, last in _children(moov, start, stop):
        if name == b"tkhd" and last - first >= 24:
            return int(struct.unpack_from(">I", moov, first + (20 if moov[first] else 12))[0])
    return 0


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
