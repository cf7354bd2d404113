"""Apple's description of channels: ``chan`` in CAF and QuickTime, ``CHAN`` in AIFF-C.

Reference: CoreAudioBaseTypes.h, AudioChannelLayout.
"""

from __future__ import annotations

import struct

from ambikit._codecs.statement import Statement, from_names, picked

_DESCRIPTIONS, _BITMAP = 0, 1 << 16
_B_FORMAT, _DISCRETE, _SN3D, _N3D, _UNKNOWN = 107, 147, 190, 191, 0xFFFF
_HEADER = 12
_DESCRIPTION = 20
_LETTERS = {200: "W", 201: "X", 202: "Y", 203: "Z"}
_NAMED = range(1, 200)
"""Labels of loudspeakers."""
_STEREO = (*range(204, 210), 301, 302)
"""Labels of mid-side, X-Y, binaural and headphone signals."""
_NORMS = {2: "ambix", 3: "n3d"}
"""Upper halves of labels whose lower half is the number of a harmonic (ACN)."""
TAGS = {"ambix": _SN3D << 16, "n3d": _N3D << 16}


def statement(by: str, payload: bytes, channels: int) -> Statement | None:
    """Return what an AudioChannelLayout says of so many channels."""
    if len(payload) < _HEADER:
        return None
    tag, _, count = struct.unpack_from(">III", payload)
    kind, size = tag >> 16, tag & 0xFFFF
    if tag == _DESCRIPTIONS:
        count = min(count, (len(payload) - _HEADER) // _DESCRIPTION)
        at = range(_HEADER, _HEADER + _DESCRIPTION * count, _DESCRIPTION)
        return _labelled(by, [struct.unpack_from(">I", payload, k)[0] for k in at], channels)
    if kind in (_SN3D, _N3D):
        if size in (0, channels):
            return Statement(by, "ambix" if kind == _SN3D else "n3d")
        return _of_another_size(by, size)
    if kind == _B_FORMAT:
        return Statement(by, "fuma") if channels == 4 else _of_another_size(by, size)
    if kind in (_DISCRETE, _UNKNOWN):
        return None
    return Statement(by, None, what="loudspeakers", firm=False)


def layout(convention: str, channels: int) -> bytes | None:
    """Return the AudioChannelLayout of a convention, None where there is none."""
    if convention == "fuma" and channels == 4:
        return struct.pack(">III", _B_FORMAT << 16 | 4, 0, 0)
    if convention in TAGS:
        return struct.pack(">III", TAGS[convention] | channels, 0, 0)
    return None


def _labelled(by: str, labels: list[int], channels: int) -> Statement | None:
    """Return what the labels of single channels say."""
    ambisonic = [label for label in labels if label in _LETTERS or label >> 16 in _NORMS]
    if len(labels) != channels:
        return _of_another_size(by, len(labels)) if ambisonic else None
    if all(label in _LETTERS for label in labels):
        return from_names(by, [_LETTERS[label] for label in labels])
    if 0 < len(ambisonic) < channels:
        return Statement(by, None, what=f"{len(ambisonic)} Ambisonic channels among others")
    norm = _NORMS.get(labels[0] >> 16)
    components = [label & 0xFFFF for label in labels]
    if norm and all(_NORMS.get(label >> 16) == norm for label in labels):
        if sorted(components) != list(range(channels)):
            return Statement(by, None, what=f"harmonics {components}, which are no whole order")
        return Statement(by, norm, picked([components.index(k) for k in range(channels)], channels))
    if ambisonic:
        return Statement(by, None, what="Ambisonic channels of several conventions")
    if any(label in _NAMED for label in labels):
        return Statement(by, None, what="loudspeakers", firm=False)
    if any(label in _STEREO for label in labels):
        return Statement(by, None, what="stereo or binaural signals", firm=False)
    return None


def _of_another_size(by: str, size: int) -> Statement:
    """Return the statement of a layout that does not fit the number of channels."""
    return Statement(by, None, what=f"an Ambisonic layout of {size} channels")
