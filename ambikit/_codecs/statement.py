"""What a file says its channels are, and the track of sound that it says it of."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ambikit._typing import FloatArray

FUMA = "WXYZRSTUVKLMNOPQ"
"""Letters of the Furse-Malham channels, in their order."""
_AMBIX = "WYZXVTRSUQOMKLNP"
"""The same letters in the order of ACN."""
_FULL = (16, 9, 4)
"""Channels of whole orders that letters name."""
_NUMBERED = re.compile(r"ACN[ _-]?(\d{1,3})")
MIXED_ORDER = {
    3: "WXY",
    5: "WXYUV",
    6: "WXYZUV",
    7: "WXYUVPQ",
    8: "WXYZUVPQ",
    11: "WXYZRSTUVPQ",
}
"""Channels of the .amb format that are not a full sphere: horizontal, or of mixed order."""
_CAPSULES = ({"FLU", "FRD", "BLD", "BRU"}, {"LFU", "RFD", "LBD", "RBU"})
# fmt: off
_LOUDSPEAKERS = {
    "L", "R", "C", "LFE", "LS", "RS", "LSS", "RSS", "LRS", "RRS", "LB", "RB", "LF", "RF", "LR",
    "RR", "CS", "LC", "RC", "FL", "FR", "FC", "BL", "BR", "BC", "SL", "SR",
}
# fmt: on


@dataclass(frozen=True)
class Statement:
    """What a file says its channels are.

    Attributes
    ----------
    by : str
        Which field of the file says it.
    convention : str or None
        The convention, None if it says that this is no Ambisonic sound.
    matrix : ndarray, shape (components, channels), or None
        Gains that make the components of that convention out of the channels; None if they are the
        channels in order.
    what : str
        What the channels are said to be instead.
    firm : bool
        Whether someone must have meant it. A mask of loudspeakers may be a program's default.
    """

    by: str
    convention: str | None
    matrix: FloatArray | None = None
    what: str = ""
    firm: bool = True


@dataclass(frozen=True)
class Track:
    """A track of sound in a file.

    Attributes
    ----------
    number : int
        Counted among the tracks of sound, from 0.
    channels, sample_rate : int
        Its size.
    codec : str
        Codec or sample type.
    channel_layout : str
        The decoder's name of the channels, or an empty string.
    statement : Statement or None
        What the file says about the channels.
    notes : tuple of str
        What whoever reads it should know.
    """

    number: int
    channels: int
    sample_rate: int
    codec: str
    channel_layout: str = ""
    statement: Statement | None = None
    notes: tuple[str, ...] = ()

    def stating(self, statement: Statement | None) -> Track:
        """Return the track with a statement, if there is none yet."""
        return replace(self, statement=self.statement or statement)


def picked(positions: Sequence[int | None], channels: int) -> FloatArray | None:
    """Return the matrix that takes component k from channel positions[k], or from none.

    None if the components are all the channels, in order.
    """
    if list(positions) == list(range(channels)):
        return None
    matrix = np.zeros((len(positions), channels), np.float32)
    for component, channel in enumerate(positions):
        if channel is not None:
            matrix[component, channel] = 1.0
    return matrix


def from_letters(by: str, channels: int) -> Statement:
    """Return what a Furse-Malham file of so many channels says: which harmonics they are."""
    letters = MIXED_ORDER.get(channels)
    if letters is None:
        return Statement(by, "fuma")
    full = FUMA[: 4 if channels == 3 else 9 if channels < 7 else 16]
    positions = [letters.index(name) if name in letters else None for name in full]
    return Statement(by, "fuma", picked(positions, channels))


def from_names(by: str, names: Sequence[str]) -> Statement | None:
    """Return what the names of tracks say, one for each channel, "" where one has none."""
    upper = [name.strip().upper() for name in names]
    numbers = [int(found[1]) if (found := _NUMBERED.fullmatch(name)) else None for name in upper]
    numbered = sorted(number for number in numbers if number is not None)
    count = len(numbered)
    if count >= 4 and numbered == list(range(count)) and math.isqrt(count) ** 2 == count:
        positions = [numbers.index(component) for component in range(count)]
        return Statement(by, "ambix", picked(positions, len(names)))
    letters = [name for name in upper if name in tuple(FUMA)]
    for count in _FULL:
        for convention, components in (("ambix", _AMBIX[:count]), ("fuma", FUMA[:count])):
            order = [name for name in letters if name in components]
            whole = count == 4 or order == letters  # R and L may be loudspeakers
            if whole and order == list(components):
                positions = [upper.index(name) for name in components]
                return Statement(by, convention, picked(positions, len(names)))
    if sorted(upper) == sorted(FUMA[: len(upper)]) and len(upper) in _FULL:
        what = f"components {' '.join(upper)}, which is the order of no convention"
        return Statement(by, None, what=what)
    if set(upper) in _CAPSULES:
        return Statement(by, None, what=f"A-format capsules {' '.join(upper)}")
    if set(upper) <= _LOUDSPEAKERS and len(set(upper)) == len(upper):
        return Statement(by, None, what=f"loudspeakers {' '.join(upper)}")
    return None
