"""The identification header of an Opus stream: how its channels are mapped.

FFmpeg decodes mapping families 0, 1, 2 and 255. A stream of family 3 is given to it as one of
family 255, which hands the coded channels on as they are, and the demixing matrix is applied here.
Reference: J. Skoglund, M. Graczyk, "Ambisonics in an Ogg Opus Container", RFC 8486, 2018.
"""

from __future__ import annotations

import math

import numpy as np

from ambikit._codecs.statement import Statement
from ambikit._typing import FloatArray

FAMILY_3 = "Opus mapping family 3"
_MAGIC = b"OpusHead"
_FIXED = 18
_Q15 = 32768.0
_FAMILY, _DISCRETE, _DEMIXED = 18, 255, 3


def demixing(header: bytes) -> FloatArray | None:
    """Return the matrix (channels, coded channels) of family 3, None of any other family.

    It has no columns if the header is cut short.
    """
    if not header.startswith(_MAGIC) or len(header) < _FIXED + 3 or header[_FAMILY] != _DEMIXED:
        return None
    rows, columns = header[9], header[19] + header[20]
    if len(header) < _FIXED + 3 + 2 * rows * columns:
        return np.zeros((rows, 0), np.float32)
    gains = np.frombuffer(header, "<i2", rows * columns, _FIXED + 3)
    return np.asarray(gains.reshape(columns, rows).T / _Q15, np.float32)


def as_discrete(header: bytes) -> bytes:
    """Return the header of family 3 as one of family 255, with the coded channels in order."""
    streams, coupled = header[19], header[20]
    count = streams + coupled
    fixed = header[:9] + bytes([count]) + header[10:_FAMILY]
    return fixed + bytes([_DISCRETE, streams, coupled, *range(count)])


def statement(by: str, channels: int) -> Statement:
    """Return what families 2 and 3 say of so many channels: AmbiX, or AmbiX and stereo."""
    if math.isqrt(channels) ** 2 == channels:
        return Statement(by, "ambix")
    if channels > 2 and math.isqrt(channels - 2) ** 2 == channels - 2:
        return Statement(by, "ambix+stereo")
    return Statement(by, None, what=f"{channels} channels, which are no whole order")
