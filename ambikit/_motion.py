"""Motion along time: keys on a sphere become straight lines between control points.

Keys are unit vectors, of directions (3 numbers) or of rotations (quaternions). Between two keys
the path is the great circle, at constant speed. It is cut into control points so close together
that whatever follows from them (harmonics, matrices) may change along a straight line in between.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ambikit._typing import FloatArray

CHORD = 0.02
"""Angle between control points times the order: a chord stays within CHORD**2 / 8 (-86 dB)."""

LONGEST = 1024
"""Samples from one control point to the next, so that a line's signals stay in the cache."""

KERNEL_PAYS = 1 << 16
"""Output values above which a compiled kernel wins over numpy, its first call included."""


class Lines(NamedTuple):
    """Straight lines, one after the other, over all samples.

    Line i covers the samples ``start[i] <= t < start[i + 1]`` and leads from control point
    ``control[i]`` to the next one: its fraction of the way is
    ``first[i] + (t - start[i]) * slope[i]``.
    """

    start: npt.NDArray[np.int64]
    control: npt.NDArray[np.int64]
    first: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]

    def per_sample(self, dtype: np.dtype[np.generic]) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Return control point and fraction of the way of each sample."""
        length = np.diff(self.start)
        line = np.repeat(np.arange(len(length)), length)
        passed = np.arange(self.start[-1]) - self.start[line]
        return self.control[line], (self.first[line] + passed * self.slope[line]).astype(dtype)

    def some(self, which: slice) -> Lines:
        """Return some lines, from sample 0 on."""
        start = self.start[which.start : which.stop + 1]
        _, control, first, slope = self
        return Lines(start - start[0], control[which], first[which], slope[which])


def key_positions(keys: int, samples: int) -> FloatArray:
    """Spread keys evenly from the first sample to the last."""
    return np.linspace(0.0, max(samples - 1, 1), keys)


def control_points(
    keys: FloatArray, position: FloatArray, samples: int, chord: float
) -> tuple[FloatArray, FloatArray]:
    """Refine unit-vector keys (K, D) at positions (K,) along great circles.

    Returns control points (C, D) at most `chord` apart, or one a sample where those would be more,
    and their positions (C,), from 0 or before to beyond the last sample. They depend on the two
    keys around them alone, not on which samples are asked for. Outside the keys' range the nearest
    key is held. Opposite keys leave the path open; it is taken counter-clockwise about the third
    axis.
    """
    if position[0] > 0:
        keys, position = np.concatenate([keys[:1], keys]), np.append(0.0, position)
    if position[-1] < samples:
        keys, position = np.concatenate([keys, keys[-1:]]), np.append(position, samples)

    path = np.ascontiguousarray(keys.T)
    here, there = path[:, :-1], path[:, 1:]
    angle, tangent = _arcs(here, there)
    length = np.diff(position)
    parts = np.ceil(np.maximum(np.maximum(angle / chord, length / LONGEST), 1.0))
    each = parts > length  # the key itself, then every sample up to the next
    sample = np.ceil(position)
    count = np.where(each, 1 + np.diff(sample), parts)
    spacing = np.where(each, 1.0, length / parts)
    low = np.clip(np.floor(-position[:-1] / spacing) - 1, 0, count).astype(np.int64)
    high = np.clip(np.ceil((samples - position[:-1]) / spacing) + 2, low, count).astype(np.int64)

    key = np.repeat(np.arange(len(count)), high - low)
    step = np.arange(len(key)) + (high - np.cumsum(high - low))[key]
    even = position[key] + step * spacing[key]
    place = np.where(each[key] & (step > 0), sample[key] + step - 1, even)
    key, place = np.append(key, len(count) - 1), np.append(place, position[-1])
    turned = (place - position[key]) / length[key] * angle[key]
    points = np.cos(turned) * here.take(key, 1) + np.sin(turned) * tangent.take(key, 1)
    return points.T, place


def between(here: FloatArray, there: FloatArray, share: float) -> FloatArray:
    """Return the unit vectors (K, D) after a share of the great circles from here to there."""
    angle, tangent = _arcs(here.T, there.T)
    turned = share * angle
    return np.asarray(np.cos(turned) * here.T + np.sin(turned) * tangent).T


def lines_between(position: FloatArray, samples: int) -> Lines:
    """Return the lines between control points at rising positions around all samples."""
    bound = np.clip(np.ceil(position), 0, samples).astype(np.int64)
    control = np.flatnonzero(np.diff(bound))
    slope = 1.0 / (position[control + 1] - position[control])
    start = bound[control]
    return Lines(np.append(start, samples), control, (start - position[control]) * slope, slope)


def _arcs(here: FloatArray, there: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the angles (K,) between unit vectors (D, K), and the ways at their begin (D, K)."""
    cosine = np.einsum("dk,dk->k", here, there)
    tangent = there - cosine * here
    sine = np.sqrt(np.einsum("dk,dk->k", tangent, tangent))
    open_way = sine <= 1e-9
    tangent /= np.where(open_way, 1.0, sine)
    tangent[:, open_way] = _sideways(here[:, open_way])
    return np.arctan2(sine, cosine), tangent


def _sideways(vectors: FloatArray) -> FloatArray:
    """Return unit vectors at right angles to unit vectors (D, K): counter-clockwise, level."""
    side = np.zeros_like(vectors)
    side[0], side[1] = -vectors[1], vectors[0]
    size = np.linalg.norm(side, axis=0)
    front = np.eye(len(vectors), 1)
    return np.where(size > 1e-9, side / np.maximum(size, 1e-9), front)
