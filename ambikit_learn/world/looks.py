"""What individuals and rooms look like, in the numbers that the painting kernels take."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats
from ambikit_learn.world.places import TEXTURES
from ambikit_learn.world.scene import CLASSES, SURFACES, Instance, Scene

if TYPE_CHECKING:
    from ambikit_learn.world._kernels.room import Decor


@dataclass(frozen=True)
class Kind:
    """What all individuals of a class have in common.

    `main`: hue, spread of the hue (degrees), saturation and value; `second`: hue and saturation of
    the second colour; `texture`: that of the main colour; `extent`: half width and half height in
    units of the object's radius; `beat`: rate of its swinging in radians per second; `spin`: rate
    of its rotation at full activity in radians per second.
    """

    main: tuple[float, float, float, float]
    second: tuple[float, float]
    texture: int
    extent: tuple[float, float]
    beat: float
    spin: float = 0.0


KINDS = {
    "accordion": Kind((350, 10, 0.7, 0.6), (40, 0.35), 0, (0.9, 0.63), 9.0),
    "bell": Kind((46, 7, 0.75, 0.95), (15, 0.7), 0, (0.92, 0.98), 13.0),
    "bird": Kind((150, 22, 0.65, 0.75), (170, 0.5), 2, (1.0, 0.88), 27.0),
    "clock": Kind((178, 14, 0.65, 0.75), (48, 0.6), 0, (0.8, 0.93), 70.0, -8.0),
    "dog": Kind((28, 8, 0.5, 0.6), (22, 0.55), 4, (0.83, 0.82), 16.0),
    "drum": Kind((318, 16, 0.75, 0.75), (50, 0.4), 0, (0.96, 0.92), 40.0),
    "engine": Kind((225, 14, 0.28, 0.62), (28, 0.8), 0, (0.97, 0.97), 90.0, 5.0),
    "knock": Kind((26, 7, 0.7, 0.55), (32, 0.15), 1, (0.66, 1.0), 22.0),
    "siren": Kind((0, 7, 0.9, 0.9), (52, 0.9), 0, (0.9, 0.9), 9.0),
    "speech": Kind((26, 6, 0.4, 0.9), (28, 0.7), 4, (0.86, 0.97), 18.0),
    "telephone": Kind((268, 14, 0.5, 0.6), (30, 0.5), 0, (0.94, 0.7), 45.0, 2.0),
    "water": Kind((204, 10, 0.75, 0.9), (195, 0.2), 1, (0.68, 0.98), 20.0),
}
assert tuple(KINDS) == CLASSES
WINDOWED = 0.45
"""Odds that a wall of a room has a window."""
_SHIFT = np.array([12.0, 0.04, 0.06])  # hue, saturation, value from room to room


@functools.lru_cache(maxsize=2048)
def aspect_and_style(instance: Instance) -> tuple[float, Floats]:
    """Draw an individual's looks.

    Returns
    -------
    aspect : float
        Width over that of its class.
    style : (10,) ndarray
        For the kernel: main and second colour, texture, its frequency and contrast, detail. All
        calls return the same array, which must not be written to.
    """
    rng, kind = instance.looks(), KINDS[instance.label]
    hue, spread, saturation, value = kind.main
    hue += rng.uniform(-spread, spread)
    saturation += rng.uniform(-0.15, 0.1)
    value += rng.uniform(-0.15, 0.1)
    other = (kind.second[0] + rng.uniform(-25, 25), kind.second[1], rng.uniform(0.35, 0.95))
    colours = rgb(np.array([(hue, saturation, value), other]))
    contrast, aspect, frequency = rng.uniform(0.15, 0.45), rng.uniform(0.9, 1.0), rng.uniform(8, 14)
    style = [*colours.ravel(), kind.texture, frequency, contrast, rng.integers(7, 13)]
    return aspect, np.array(style, dtype=np.float64)


def decor(scene: Scene) -> Decor:
    """Draw the looks of the walls of a scene's room, and the position of its light."""
    from ambikit_learn.world._kernels.room import Decor

    rng, room = scene.generator(SURFACES), scene.room
    surfaces = room.kind.surfaces
    if room.kind.open_sky:
        height, side = math.radians(rng.uniform(25, 60)), rng.uniform(-math.pi, math.pi)
        flat = math.cos(height)
        lamp = flat * math.cos(side), flat * math.sin(side), math.sin(height)
    else:
        along, across = rng.uniform(-0.5, 0.5, 2).tolist()
        lamp = along * room.walls[0], across * room.walls[2], room.walls[4] - 0.05
    shift = (2.0 * rng.random((3, 3)) - 1.0) * _SHIFT
    colours = rgb(shift + [(one.hue, one.saturation, one.value) for one in surfaces])
    windows = [
        (1.2 * centre - 0.6, 0.5 + 0.5 * wide if odds < WINDOWED else 0.0)
        for centre, wide, odds in rng.random((4, 3)).tolist()
    ]
    return Decor(
        room.walls,
        room.kind.open_sky,
        tuple(TEXTURES.index(surface.material) for surface in surfaces),
        tuple(map(tuple, colours.tolist())),
        lamp,
        tuple(windows),
        int(rng.integers(1000)),
    )


def rgb(hsv: npt.ArrayLike) -> Floats:
    """Return red, green and blue of hues in degrees, saturations and values, all (..., 3).

    Examples
    --------
    >>> rgb([[0, 1, 1], [120, 0.5, 0.8], [240, 2, 1]]).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.4, 0.8, 0.4], [0.0, 0.0, 1.0]]
    """
    h = np.asarray(hsv, dtype=np.float64)
    sixth = (h[..., :1] / 60.0 + np.array([5.0, 3.0, 1.0])) % 6.0
    strength = np.minimum(np.maximum(np.minimum(sixth, 4.0 - sixth), 0.0), 1.0)
    saturation, value = (np.minimum(np.maximum(h[..., i, None], 0.0), 1.0) for i in (1, 2))
    colours: Floats = value * (1.0 - saturation * strength)
    return colours
