"""The Audio Definition Model: which track of a file is which harmonic, loudspeaker or object.

The chunk chna names the format of each track, axml holds what these names mean, where they are not
the common definitions. References: ITU-R BS.2076 (model), BS.2088 (chunks), BS.2094 (common
definitions).
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from ambikit._codecs.statement import FUMA, Statement, picked
from ambikit._codecs.xml import Element, parse, text_of

BY = "ADM"
_KINDS = {
    "0001": "loudspeakers (DirectSpeakers)",
    "0002": "a matrix of others (Matrix)",
    "0003": "objects (Objects)",
    "0005": "binaural signals (Binaural)",
}
_HOA = "0004"
_ENTRY = struct.Struct("<H12s14s11sx")
_CONVENTIONS = {"SN3D": "ambix", "N3D": "n3d", "FUMA": "acn/fuma"}


class _Channel(NamedTuple):
    """What one track holds."""

    position: int
    kind: str
    pack: str
    harmonic: tuple[str, int] | None
    """Normalisation, and ACN or, for FUMA_ORDER, the number of the Furse-Malham channel."""


_FUMA_ORDER = "FUMA_ORDER"


def statement(chna: bytes, axml: bytes, channels: int) -> Statement | None:
    """Return what the two chunks of a file of so many channels say, None where they say nothing."""
    model = _Model(parse(axml))
    found = _tracks(chna, model, channels)
    if not found:
        kinds = model.kinds()
        if not kinds:
            return None
        if kinds != {_HOA}:
            return Statement(BY, None, what=_described(kinds - {_HOA}))
        found = [
            _Channel(index, _HOA, "", harmonic) for index, harmonic in enumerate(model.harmonics())
        ]
    for pack in dict.fromkeys(channel.pack for channel in found):
        said = _full_sphere([c for c in found if c.pack == pack and c.kind == _HOA], channels)
        if said is not None:
            return said
    kinds = {channel.kind for channel in found}
    if kinds == {_HOA}:
        return Statement(BY, None, what="harmonics that are no whole set")
    return Statement(BY, None, what=_described(kinds - {_HOA}))


def _tracks(chna: bytes, model: _Model, channels: int) -> list[_Channel]:
    """Return what chna says of each track."""
    found: dict[int, _Channel] = {}
    for k in range(max(0, len(chna) - 4) // _ENTRY.size):
        index, uid, track, pack = _ENTRY.unpack_from(chna, 4 + k * _ENTRY.size)
        names = [field.partition(b"\0")[0].decode("latin-1").strip() for field in (track, pack)]
        if not 1 <= index <= channels or not names[0]:
            continue
        channel = model.channel_of(names[0], uid.partition(b"\0")[0].decode("latin-1"))
        found.setdefault(
            index, _Channel(index - 1, channel[3:7], names[1], model.harmonic(channel, names[1]))
        )
    return [found[index] for index in sorted(found)]


def _full_sphere(found: list[_Channel], channels: int) -> Statement | None:
    """Return the statement that these harmonics make; those that are not there are silent."""
    if not found or any(channel.harmonic is None for channel in found):
        return None
    norms = {channel.harmonic[0] for channel in found if channel.harmonic}
    where = {channel.harmonic[1]: channel.position for channel in found if channel.harmonic}
    if len(norms) != 1 or len(where) < len(found) or 0 not in where:
        return None
    order = math.isqrt(max(where))
    if order < 1:
        return None
    norm = norms.pop()
    convention = "fuma" if norm == _FUMA_ORDER else _CONVENTIONS[norm]
    positions = [where.get(component) for component in range((order + 1) ** 2)]
    return Statement(BY, convention, picked(positions, channels))


def _described(kinds: set[str]) -> str:
    """Name kinds of channels other than Ambisonic ones."""
    return " and ".join(_KINDS.get(kind, f"channels of type {kind}") for kind in sorted(kinds))


class _Model:
    """What axml defines, beyond the common definitions."""

    def __init__(self, root: Element | None):
        elements = [] if root is None else list(root.iter())
        self._formats = _named(elements, "audioChannelFormat")
        self._tracks = _named(elements, "audioTrackFormat")
        self._streams = _named(elements, "audioStreamFormat")
        self._packs = _named(elements, "audioPackFormat")
        self._uids = {e.get("UID", ""): e for e in elements if e.tag == "audioTrackUID"}

    def kinds(self) -> set[str]:
        """Return the types of all channels that are defined here."""
        return {name[3:7] for name in self._formats}

    def harmonics(self) -> list[tuple[str, int] | None]:
        """Return the harmonics that are defined here, in order."""
        return [self.harmonic(name, "") for name in self._formats]

    def channel_of(self, reference: str, uid: str) -> str:
        """Return the name of the channel format that a track refers to, AC_yyyyxxxx."""
        if reference.startswith("AC_"):
            return reference[:11]
        stated = text_of(_first(self._uids.get(uid), "audioChannelFormatIDRef"))
        if stated:
            return stated
        stream = text_of(_first(self._tracks.get(reference), "audioStreamFormatIDRef"))
        stated = text_of(_first(self._streams.get(stream), "audioChannelFormatIDRef"))
        return stated or f"AC_{reference[3:11]}"

    def harmonic(self, channel: str, pack: str) -> tuple[str, int] | None:
        """Return what harmonic a channel format is."""
        if channel[3:7] != _HOA:
            return None
        number = int(channel[7:11], 16) if _is_hex(channel[7:11]) else 0
        if 0x201 <= number <= 0x200 + len(FUMA):
            return _FUMA_ORDER, number - 0x201
        block = _first(self._formats.get(channel), "audioBlockFormat")
        order, degree = text_of(_first(block, "order")), text_of(_first(block, "degree"))
        if _is_integer(order) and _is_integer(degree):
            n, m = int(order), int(degree)
            norm = self._norm(block) or self._norm(self._packs.get(pack)) or "SN3D"
            return (norm, n * n + n + m) if abs(m) <= n and norm in _CONVENTIONS else None
        if 0x001 <= number <= 0x0FF:
            return "SN3D", number - 0x001
        if 0x101 <= number <= 0x1FF:
            return "N3D", number - 0x101
        return None

    def _norm(self, element: Element | None) -> str:
        """Return the normalisation that an element names; the common definitions misspell it."""
        stated = _first(element, "normalization")
        stated = _first(element, "normalisation") if stated is None else stated
        return text_of(stated).upper()


def _named(elements: list[Element], tag: str) -> dict[str, Element]:
    """Return the elements of a kind by their names."""
    return {e.get(f"{tag}ID", ""): e for e in elements if e.tag == tag}


def _first(element: Element | None, tag: str) -> Element | None:
    """Return the first child of that name."""
    return None if element is None else element.find(tag)


def _is_hex(text: str) -> bool:
    """Tell whether this is a number to the base 16."""
    return bool(text) and all(c in "0123456789abcdefABCDEF" for c in text)


def _is_integer(text: str) -> bool:
    """Tell whether this is a whole number, perhaps negative."""
    return text.lstrip("-").isdecimal() and len(text) < 6
