"""Loudspeakers in the horizontal plane: panning between pairs, with imaginary ones in wide gaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ambikit._typing import FloatArray

GAPE = np.deg2rad(144.0)
"""A wider gap between neighbours gets an imaginary loudspeaker in its middle."""


class Ring(NamedTuple):
    """Azimuths (V,) that rise round the circle, and what each sends to the loudspeakers (V, L)."""

    azimuth: FloatArray
    shares: FloatArray

    def pairs(self) -> tuple[FloatArray, FloatArray]:
        """Return where each arc between neighbours begins (V,) and how wide it is (V,)."""
        return self.azimuth, np.diff(self.azimuth, append=self.azimuth[0] + 2 * np.pi)

    def pan(self, azimuth: FloatArray) -> FloatArray:
        """Return gains (P, L) for azimuths (P,), before they are normalised."""
        begin, width = self.pairs()
        passed = (azimuth - begin[0]) % (2 * np.pi)
        arc = np.searchsorted(begin - begin[0], passed, side="right") - 1
        passed = passed - (begin[arc] - begin[0])
        return self.between(arc, passed, width[arc])

    def between(
        self, arc: npt.NDArray[np.intp], passed: FloatArray, width: FloatArray
    ) -> FloatArray:
        """Return gains (P, L) at so many radians into arcs."""
        pair = np.stack([np.sin(width - passed), np.sin(passed)], axis=-1)
        pair = np.maximum(pair, 0.0)
        pair /= np.linalg.norm(pair, axis=-1, keepdims=True)
        there = (arc + 1) % len(self.azimuth)
        gains: FloatArray = pair[:, :1] * self.shares[arc] + pair[:, 1:] * self.shares[there]
        return gains


def ring_of(azimuth: FloatArray) -> Ring:
    """Return the ring of loudspeakers (L,) and of imaginary ones in its gaps."""
    order = np.argsort(azimuth % (2 * np.pi))
    rising = (azimuth % (2 * np.pi))[order]
    width = np.diff(rising, append=rising[0] + 2 * np.pi)
    place, shares = [], []
    for index, (begin, gap) in enumerate(zip(rising, width, strict=True)):
        parts = int(np.ceil(gap / GAPE - 1e-9))
        for part in range(max(parts, 1)):
            # what stands between is shared by its distances to the two real neighbours
            there = part / max(parts, 1)
            share = np.zeros(len(azimuth))
            share[order[index]] += 1.0 - there
            share[order[(index + 1) % len(order)]] += there
            place.append(begin + there * gap)
            shares.append(share)
    return Ring(np.array(place), np.array(shares))
