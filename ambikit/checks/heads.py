"""Heads: directions and responses of two ears."""

from __future__ import annotations

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.checks.arrays import numbers

_LOUDEST = 1e12
"""Largest sample of a response: beyond integers of 32 bits, and its square is a number."""


def fits_responses(needed: int, taps: int) -> None:
    """Refuse spheres whose responses are longer than asked for."""
    if needed > taps:
        raise InputError(f"a sphere of this radius needs responses of {needed} taps, got {taps}")


def responses(values: ArrayLike, directions: int) -> FloatArray:
    """Return finite responses (M, 2, taps) of as many directions."""
    r = numbers(values, "responses")
    if np.iscomplexobj(r):
        raise TypeError(f"responses must be real impulse responses, got {r.dtype}")
    if r.ndim != 3 or r.shape[1] != 2 or r.shape[2] < 2:
        raise InputError(
            f"responses must be (M, 2, taps), of directions and left and right ear; got {r.shape}"
        )
    if len(r) != directions:
        raise InputError(f"responses of {len(r)} directions, but {directions} azimuths")
    peak = float(np.abs(r).max())
    if not 0.0 < peak <= _LOUDEST:
        raise InputError(
            f"responses have a peak of {peak:g}: give impulse responses, which are not all zero "
            f"and at most {_LOUDEST:g}"
        )
    return r.astype(np.float64)


def left_is_louder_at_the_left(vectors: FloatArray, responses_: FloatArray, name: str) -> None:
    """Refuse heads whose azimuth runs clockwise, or whose ears are swapped."""
    energy = (responses_**2).sum(axis=-1)
    side = np.sign(vectors[:, 1]) * (np.abs(vectors[:, 1]) > 0.5)
    level = np.log10(energy[:, 0] + 1e-30) - np.log10(energy[:, 1] + 1e-30)
    if (side * level).sum() < -0.1 * np.abs(side).sum():
        raise InputError(
            f"{name}: sound from the left (azimuth +90°) is louder at the right ear: its azimuth "
            "runs clockwise or its ears are swapped; pass (-azimuth, elevation, responses), or "
            "responses[:, ::-1]"
        )


def enough_directions(count: int, order: int, condition: float) -> None:
    """Refuse orders that the directions of a head cannot carry."""
    channels = (order + 1) ** 2
    if count < channels or not condition < 1e4:
        raise InputError(
            f"the head's {count} directions do not carry order {order} ({channels} channels): "
            "they are too few or leave a part of the sphere without any; take a lower order or a "
            "head with more directions"
        )
