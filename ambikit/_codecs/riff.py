"""Chunks of WAV, RF64, BW64, W64 and AIFF files: what they state, and whether sizes fit the file.

libsndfile repairs sizes in silence and reads none of what is stated, so both are read here.
References: Microsoft, "Multiple Channel Audio Data and WAVE Files", 2007; EBU Tech 3285 (bext),
3285 s5 and s7 (axml, chna), 3306 (RF64); ITU-R BS.2088 (BW64); R. Dobson, "The AMB Ambisonic File
Format", 2001; Apple, "Audio Interchange File Format AIFF-C", 1991.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from ambikit._codecs import adm, apple
from ambikit._codecs.statement import Statement, from_letters, from_names
from ambikit._codecs.xml import parse, text_of

_EXTENSIBLE = 0xFFFE
_NUMBERS = (1, 3)
"""Sample types that are integers or floats, and no companded ones."""
# The sub-format of an extensible WAVE file is a GUID whose first word is the sample type; the
# other three words say "plain" or "B-format" (FuMa order).
PLAIN_GUID = bytes.fromhex("00001000800000aa00389b71")
B_FORMAT_GUID = bytes.fromhex("2107d3118644c8c1ca000000")
# GUIDs of W64 end alike; the first four bytes are the name of the chunk.
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_LARGEST = 1 << 24
"""Bytes of a chunk of text or XML that are read; more would be no description."""
_WORD = 1 << 32
# What programs write as a size that they do not know: near 4 GiB, or near 2 GiB.
_UNKNOWN = (range(0xFFFF0000, _WORD), range(0x7FFF0000, 0x80010000))
_NEVER = 1 << 62
"""Sizes of 64 bits from which on they say that it is unknown."""
_PADDING = 1024
"""Bytes behind the sound that may be no chunk: padding, or a tag that a program appended."""
# fmt: off
_SPEAKERS = [
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR",
    "TBL", "TBC", "TBR",
]
# fmt: on
"""Loudspeakers by the bits of a channel mask."""


class Chunk(NamedTuple):
    """A chunk of a file."""

    name: bytes
    start: int
    size: int
    """As the file says, which may be more than there is."""


@dataclass(frozen=True)
class Wave:
    """The headers of a file that is made of chunks."""

    form: str
    """``"RIFF"``, ``"RIFX"``, ``"RF64"``, ``"BW64"``, ``"W64"`` or ``"AIFF"``."""
    chunks: tuple[Chunk, ...]
    file_size: int
    sample_type: int
    """The format tag of a WAVE file, the sub-format's where there is one; 0 for AIFF."""
    channels: int
    sample_rate: int
    block: int
    """Bytes of a sample of all channels."""
    bits: int
    mask: int
    b_format: bool
    data: Chunk
    """The sound, of the size that is there."""
    missing: int
    """Bytes of sound that the header counts and the file has not, if samples are among them."""
    notes: tuple[str, ...]

    @property
    def irregular(self) -> bool:
        """Whether libsndfile would refuse the file, or take the sound for longer or shorter."""
        stated = next(chunk for chunk in self.chunks if chunk.start == self.data.start)
        unknown = self.form == "BW64" or (self.b_format and self.sample_type not in _NUMBERS)
        read_on = self.form in ("RF64", "W64") and bool(self.notes)  # by libsndfile, to the end
        return unknown or read_on or stated.size != self.data.size


def read_headers(stream: BinaryIO) -> Wave | None:
    """Return the headers of an open file, None where it is none of these or lacks one."""
    file_size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(40)
    form = _form(head)
    if form is None:
        return None
    chunks = tuple(_chunks(stream, form, file_size))
    sound = next((c for c in chunks if c.name in (b"data", b"SSND")), None)
    described = next((c for c in chunks if c.name in (b"fmt ", b"COMM")), None)
    if sound is None or described is None:
        return None
    payload = _payload(stream, described)
    try:
        fields = _common(payload) if form == "AIFF" else _format(payload, form)
    except struct.error:
        return None
    sizes = _sizes(form, sound, chunks, file_size, block=max(1, fields[3]))
    return Wave(form, chunks, file_size, *fields, *sizes)


def statement(stream: BinaryIO, wave: Wave) -> Statement | None:
    """Return what a file says of its channels, the most explicit field first."""
    found = {chunk.name: chunk for chunk in reversed(wave.chunks)}

    def payload(name: bytes) -> bytes:
        return _payload(stream, found[name]) if name in found else b""

    if wave.b_format:
        return from_letters("B-format WAVE", wave.channels)
    said = adm.statement(payload(b"chna"), payload(b"axml"), wave.channels)
    said = said or _track_names(payload(b"iXML"), payload(b"bext"), wave.channels)
    if said is None and b"CHAN" in found:
        said = apple.statement("channel layout of AIFF", payload(b"CHAN"), wave.channels)
    if said is None and wave.mask:
        named = [name for bit, name in enumerate(_SPEAKERS) if wave.mask >> bit & 1]
        what = f"loudspeakers {' '.join(named)}"
        return Statement("channel mask of WAVE", None, what=what, firm=False)
    return said


def state_b_format(stream: BinaryIO) -> bool:
    """Mark an extensible file, open for change, as B-format; return whether it is extensible."""
    offset = _extension(stream)
    if offset is None:
        return False
    stream.seek(offset)
    stream.write(struct.pack("<I", 0))  # no loudspeakers
    stream.seek(offset + 8)
    stream.write(B_FORMAT_GUID)
    return True


def clear_mask(stream: BinaryIO) -> None:
    """Take the names of loudspeakers, which libsndfile adds, from an extensible file."""
    offset = _extension(stream)
    if offset is not None:
        stream.seek(offset)
        stream.write(struct.pack("<I", 0))


def clear_time(stream: BinaryIO) -> None:
    """Take from a file, open for change, when it was written: the same sound is the same bytes."""
    wave = read_headers(stream)
    for chunk in wave.chunks if wave else ():
        if chunk.name == b"PEAK":
            stream.seek(chunk.start + 4)
            stream.write(bytes(4))


def is_cut(stream: BinaryIO) -> bool:
    """Tell whether an open AVI file, which may have several parts, reaches beyond its end."""
    file_size = stream.seek(0, 2)
    offset = 0
    while offset + 12 <= file_size:
        stream.seek(offset)
        name, size, form = struct.unpack("<4sI4s", stream.read(12))
        if name != b"RIFF" or form not in (b"AVI ", b"AVIX"):
            return False
        if offset + 8 + size > file_size:
            return True
        offset += 8 + size + size % 2
    return False


def _extension(stream: BinaryIO) -> int | None:
    """Return where the mask of an extensible file is."""
    wave = read_headers(stream)
    if wave is None or wave.form == "AIFF":
        return None
    described = next(c for c in wave.chunks if c.name == b"fmt ")
    if described.size < 40:
        return None
    return described.start + 20


def _form(head: bytes) -> str | None:
    """Return the kind of file by its first bytes."""
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return head[:4].decode()
    if head[:16] == _W64_RIFF:
        return "W64"
    return "AIFF" if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC") else None


def _chunks(stream: BinaryIO, form: str, file_size: int) -> Iterator[Chunk]:
    """Yield chunks as long as they look like chunks; RF64 keeps the sizes of some in the first."""
    if form == "W64":
        yield from _wide_chunks(stream, file_size)
        return
    order = ">" if form in ("RIFX", "AIFF") else "<"
    wide: dict[bytes, int] = {}
    offset = 12
    while offset + 8 <= file_size:
        stream.seek(offset)
        name, size = struct.unpack(f"{order}4sI", stream.read(8))
        if not _is_name(name):
            return
        if size == _WORD - 1:
            size = wide.get(name, size)
        chunk = Chunk(name, offset + 8, size)
        if name == b"ds64":
            wide = _wide_sizes(_payload(stream, chunk))
        yield chunk
        offset += 8 + size + size % 2


def _wide_chunks(stream: BinaryIO, file_size: int) -> Iterator[Chunk]:
    """Yield the chunks of a W64 file: names are GUIDs, sizes count the header."""
    offset = 40
    while offset + 24 <= file_size:
        stream.seek(offset)
        name, tail, size = struct.unpack("<4s12sQ", stream.read(24))
        if size < 24 or tail != _W64_TAIL:
            return
        yield Chunk(name, offset + 24, size - 24)
        offset += (size + 7) // 8 * 8


def _wide_sizes(payload: bytes) -> dict[bytes, int]:
    """Return the sizes in a ds64 chunk, by the names of the chunks that they belong to."""
    if len(payload) < 28:
        return {}
    _, sound, _, entries = struct.unpack_from("<QQQI", payload)
    sizes = {b"data": sound}
    for k in range(min(entries, (len(payload) - 28) // 12)):
        name, size = struct.unpack_from("<4sQ", payload, 28 + 12 * k)
        sizes.setdefault(name, size)
    return sizes


def _is_name(name: bytes) -> bool:
    """Tell whether four bytes are printable, as the names of chunks are."""
    return all(32 <= byte < 127 for byte in name)


def _payload(stream: BinaryIO, chunk: Chunk) -> bytes:
    """Return the contents of a chunk of description."""
    stream.seek(chunk.start)
    return stream.read(min(chunk.size, _LARGEST))


def _format(payload: bytes, form: str) -> tuple[int, int, int, int, int, int, bool]:
    """Return sample type, channels, rate, block, bits, mask and B-format of a fmt chunk."""
    order = ">" if form == "RIFX" else "<"
    tag, channels, rate, _, block, bits = struct.unpack_from(f"{order}HHIIHH", payload)
    mask, b_format = 0, False
    if tag == _EXTENSIBLE and len(payload) >= 40:
        mask, tag = struct.unpack_from(f"{order}II", payload, 20)
        b_format = payload[28:40] == B_FORMAT_GUID
        tag = tag if payload[28:40] in (PLAIN_GUID, B_FORMAT_GUID) else 0
    return tag, channels, rate, block, bits, mask, b_format


def _common(payload: bytes) -> tuple[int, int, int, int, int, int, bool]:
    """Return the same of the COMM chunk of an AIFF file."""
    channels, _, bits = struct.unpack_from(">hIh", payload)
    return 0, channels, 0, channels * -(-bits // 8), bits, 0, False


def _sizes(
    form: str, sound: Chunk, chunks: tuple[Chunk, ...], file_size: int, *, block: int
) -> tuple[Chunk, int, tuple[str, ...]]:
    """Return the sound as it is, how much of it is missing, and what is to be said of that."""
    there, stated = file_size - sound.start, sound.size
    plain = form in ("RIFF", "RIFX")
    after = there - stated
    unknown = any(stated in sizes for sizes in _UNKNOWN) if plain else stated >= _NEVER
    if stated > there and unknown and form != "AIFF":
        note = "its header does not state a length: the sound is read to the end of the file"
        return sound._replace(size=there), 0, (note,)
    if stated > there:
        whole = stated // block == there // block
        return sound._replace(size=there), 0 if whole else stated - there, ()
    last = sound == chunks[-1]
    if plain and after >= _WORD:
        note = "its header counts 32 bits, the sound is longer: it is read by the size of the file"
        return sound._replace(size=stated + after // _WORD * _WORD), 0, (note,)
    if form != "AIFF" and last and stated == 0 and after > 8:
        note = "its header was never completed: the sound is read to the end of the file"
        return sound._replace(size=there), 0, (note,)
    if last and after > _PADDING:
        note = (
            f"{after} bytes behind the sound are no part of it by the header: if the recording "
            "broke off, its end is among them"
        )
        return sound, 0, (note,)
    return sound, 0, ()


def _track_names(ixml: bytes, bext: bytes, channels: int) -> Statement | None:
    """Return what the names say that a recorder gave to its tracks."""
    names = [""] * channels
    root = parse(ixml)
    tracks = [] if root is None else list(root.iter("TRACK"))
    for position, track in enumerate(tracks, 1):
        texts = {child.tag: text_of(child) for child in track}
        index = texts.get("INTERLEAVE_INDEX") or texts.get("CHANNEL_INDEX") or str(position)
        if index.isdecimal() and 1 <= int(index) <= channels:
            names[int(index) - 1] = texts.get("NAME", "")
    if any(names):
        said = from_names("track names in iXML", names)
        if said is not None:
            return said
    names = [""] * channels
    description = bext[:256].decode("latin-1").partition("\0")[0]
    for index, name in re.findall(r"[a-zA-Z]TRK(\d+)=([^\r\n]*)", description):
        if 1 <= int(index) <= channels:
            names[int(index) - 1] = name
    return from_names("track names in bext", names) if any(names) else None
