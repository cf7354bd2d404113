"""Kinds of places: their materials, their size and their ambience."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ambikit_learn._typing import Floats

Peak = tuple[float, float, float]

BANDS = 125.0 * 2.0 ** np.arange(7)
"""Centres of the octave bands, in Hz."""
REFERENCE = slice(2, 4)
"""The bands in which reverberation times are stated, 0.5 and 1 kHz."""

# Absorbed fraction of the power by octave. The order is that of the painting kernel's textures.
_ABSORPTION = {
    "plaster": (0.02, 0.02, 0.03, 0.04, 0.05, 0.05, 0.05),
    "brick": (0.03, 0.03, 0.03, 0.04, 0.05, 0.07, 0.08),
    "paper": (0.29, 0.10, 0.06, 0.05, 0.04, 0.04, 0.04),
    "panels": (0.28, 0.22, 0.17, 0.09, 0.10, 0.11, 0.11),
    "hedge": (0.10, 0.20, 0.40, 0.60, 0.70, 0.80, 0.80),
    "stone": (0.01, 0.01, 0.02, 0.02, 0.02, 0.03, 0.04),
    "planks": (0.15, 0.11, 0.10, 0.07, 0.06, 0.07, 0.07),
    "tiles": (0.01, 0.01, 0.01, 0.01, 0.02, 0.02, 0.02),
    "carpet": (0.08, 0.24, 0.57, 0.69, 0.71, 0.73, 0.73),
    "grass": (0.11, 0.26, 0.60, 0.69, 0.92, 0.95, 0.95),
    "paving": (0.02, 0.03, 0.03, 0.03, 0.03, 0.04, 0.05),
}
TEXTURES = tuple(_ABSORPTION)


@dataclass(frozen=True)
class Surface:
    """The surface of a wall: its material, and hue (degrees), saturation and value."""

    material: str
    hue: float
    saturation: float
    value: float


_CEILING = Surface("plaster", 40, 0.05, 0.92)


@dataclass(frozen=True)
class Place:
    """A kind of place.

    `room` is the distance of the walls beyond the objects, relative to a living room; `dryness` in
    dB is added to the direct-to-tail ratio; `ambience` has two peaks of (Hz, octaves, dB).
    """

    wall: Surface
    floor: Surface
    ambience: tuple[Peak, Peak]
    room: float = 1.0
    open_sky: bool = False
    dryness: float = 0.0

    @property
    def surfaces(self) -> tuple[Surface, Surface, Surface]:
        """Side walls, ceiling and floor."""
        return self.wall, _CEILING, self.floor

    @cached_property
    def exponents(self) -> Floats:
        """−ln(1 − α) of the surfaces by octave, (3, 7); α is the absorbed fraction of the power."""
        exponents: Floats = -np.log1p(-np.array([_ABSORPTION[s.material] for s in self.surfaces]))
        return exponents


PLACES = {
    "bathroom": Place(
        Surface("stone", 190, 0.15, 0.85),
        Surface("tiles", 200, 0.1, 0.8),
        ((300, 0.5, 0.0), (6000, 0.7, 0.0)),
        room=0.4,
    ),
    "church": Place(
        Surface("stone", 40, 0.15, 0.7),
        Surface("paving", 35, 0.1, 0.6),
        ((90, 0.7, 0.0), (420, 0.8, -4.0)),
        room=2.5,
    ),
    "field": Place(
        Surface("hedge", 95, 0.45, 0.5),
        Surface("grass", 75, 0.5, 0.6),
        ((220, 1.5, 0.0), (1300, 1.2, -2.0)),
        room=8.0,
        open_sky=True,
        dryness=12.0,
    ),
    "forest": Place(
        Surface("hedge", 120, 0.6, 0.4),
        Surface("grass", 100, 0.45, 0.45),
        ((2900, 0.5, 0.0), (7000, 0.6, 0.0)),
        open_sky=True,
        dryness=4.0,
    ),
    "garden": Place(
        Surface("brick", 14, 0.5, 0.65),
        Surface("grass", 95, 0.5, 0.55),
        ((520, 0.8, -2.0), (4200, 0.6, 0.0)),
        open_sky=True,
    ),
    "hall": Place(
        Surface("panels", 30, 0.4, 0.6),
        Surface("planks", 30, 0.5, 0.6),
        ((180, 0.8, 0.0), (800, 0.7, -2.0)),
        room=1.8,
    ),
    "kitchen": Place(
        Surface("plaster", 110, 0.15, 0.8),
        Surface("tiles", 30, 0.08, 0.75),
        ((250, 0.4, 0.0), (5000, 0.8, -2.0)),
    ),
    "library": Place(
        Surface("paper", 30, 0.25, 0.75),
        Surface("carpet", 350, 0.4, 0.5),
        ((100, 0.5, 0.0), (3000, 0.8, -6.0)),
    ),
    "office": Place(
        Surface("plaster", 45, 0.12, 0.85),
        Surface("carpet", 215, 0.3, 0.5),
        ((125, 0.3, 0.0), (2000, 1.0, -3.0)),
    ),
    "parlour": Place(
        Surface("paper", 200, 0.2, 0.85),
        Surface("planks", 25, 0.5, 0.55),
        ((400, 0.6, -2.0), (1100, 0.5, 0.0)),
    ),
    "street": Place(
        Surface("stone", 40, 0.15, 0.75),
        Surface("paving", 35, 0.1, 0.7),
        ((80, 0.8, 0.0), (1000, 1.2, -3.0)),
        room=1.5,
        open_sky=True,
    ),
    "workshop": Place(
        Surface("brick", 14, 0.45, 0.65),
        Surface("planks", 35, 0.3, 0.5),
        ((600, 0.5, 0.0), (2400, 0.5, 0.0)),
        room=1.4,
    ),
}
