"""Linkwitz-Riley crossovers of fourth order: two bands whose sum has a flat spectrum."""

from __future__ import annotations

import math

import numpy as np

from ambikit import checks
from ambikit._typing import FloatArray


class Crossover:
    """Split signals (C, n) into two bands (2, C, n), block by block.

    Each band is a Butterworth filter of second order, twice. Both are in phase with each other, and
    their sum is an all-pass filter.
    """

    def __init__(self, frequency: float, sample_rate: float, channels: int) -> None:
        k = math.tan(math.pi * frequency / sample_rate)
        norm = 1.0 + math.sqrt(2.0) * k + k * k
        feedback = (2.0 * (k * k - 1.0) / norm, (1.0 - math.sqrt(2.0) * k + k * k) / norm)
        low, high = k * k / norm, 1.0 / norm
        self._sections = np.array(
            [[(low, 2 * low, low, *feedback)] * 2, [(high, -2 * high, high, *feedback)] * 2]
        )
        self._state = np.zeros((2, channels, 2, 2))

    def process(self, x: FloatArray, out: FloatArray) -> None:
        """Fill out (2, C, n) with the lower and the upper band of the next block (C, n)."""
        from ambikit._kernels import filters as kernels

        kernels.crossover(x, self._sections, self._state, out)
        checks.stayed_finite(self._state)

    def reset(self) -> None:
        """Forget the sound so far."""
        self._state[...] = 0.0
