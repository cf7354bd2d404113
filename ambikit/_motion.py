"""Motion along time: keys on a sphere become straight lines between control points.

Keys are unit vectors, of directions (3 numbers) or of rotations (quaternions). Between two keys
the path is the great circle, at constant speed. It is cut into control points so close together
that whatever follows from them (harmonics, matrices) may change along a straight line in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ambikit._typing import FloatArray

CHORD = 0.02
"""Angle between control points times the order: a chord stays within CHORD**2 / 8 (-86 dB)."""

_KEYS = 1 << 16
"""Keys of which the paths are found at once."""

LONGEST = 1024
"""Samples from one control point to the next, so that a line's signals stay in the cache."""

KERNEL_PAYS = 1 << 16
"""Output values above which a compiled kernel wins over numpy, its first call included."""


class Lines(NamedTuple):
    """Straight lines, one after the other, over all samples.

    Line i covers the samples ``start[i] <= t < start[i + 1]``, of which the first need not be 0,
    and leads from control point ``control[i]`` to the next one: its fraction of the way is
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
        passed = np.arange(self.start[0], self.start[-1]) - self.start[line]
        return self.control[line], (self.first[line] + passed * self.slope[line]).astype(dtype)

    def some(self, which: slice, origin: int) -> Lines:
        """Return some lines, with samples counted from an origin."""
        start = self.start[which.start : which.stop + 1]
        _, control, first, slope = self
        return Lines(start - origin, control[which], first[which], slope[which])


def key_positions(keys: int, samples: int) -> FloatArray:
    """Spread keys evenly from the first sample to the last."""
    return np.linspace(0.0, max(samples - 1, 1), keys)


class _Sliced(Protocol):
    """Keys of which some are taken at a time."""

    def __getitem__(self, some: slice, /) -> npt.NDArray[Any]: ...


def runs(
    keys: _Sliced,
    position: FloatArray,
    samples: int,
    chord: float,
    most: int,
    unit_vectors: Callable[[npt.NDArray[Any]], FloatArray] = np.asarray,
) -> Iterator[tuple[FloatArray, Lines]]:
    """Refine keys (K, ...) at positions (K,) along great circles, some control points at a time.

    Yields control points (C, D) at most `chord` apart, or one a sample where those would be more,
    and the straight lines between them; the lines of all runs cover all samples, one after the
    other. There are `most` points in a run, or a few more, so that memory does not grow with the
    sound; `unit_vectors` makes the keys of a run into vectors. Points depend on the two keys around
    them alone. Outside the keys' range the nearest key is held. Opposite keys leave the path open;
    it is taken counter-clockwise about the third axis.
    """
    last = len(position) - 1
    for first in range(0, last, _KEYS):
        stop = min(first + _KEYS, last)
        vectors, place = unit_vectors(keys[first : stop + 1]), position[first : stop + 1]
        begin = 0 if first == 0 else int(np.clip(np.ceil(place[0]), 0, samples))
        end = samples if stop == last else int(np.clip(np.ceil(place[-1]), 0, samples))
        if place[0] > begin:
            vectors, place = np.concatenate([vectors[:1], vectors]), np.append(begin, place)
        if place[-1] < end:
            vectors, place = np.concatenate([vectors, vectors[-1:]]), np.append(place, end)
        if begin < end:
            yield from _runs_between(vectors, place, begin, end, chord, most)


def _runs_between(
    keys: FloatArray, position: FloatArray, begin: int, end: int, chord: float, most: int
) -> Iterator[tuple[FloatArray, Lines]]:
    """Yield the runs of the samples from begin to end, within the range of the keys (K, D)."""
    path = np.ascontiguousarray(keys.T)
    here, there = path[:, :-1], path[:, 1:]
    length = np.diff(position)
    if len(position) <= most and _dense(there - here, length, chord):
        lines = lines_between(position, end, begin)
        if len(lines.control):
            yield keys, lines
        return
    angle, tangent = _arcs(here, there)
    parts = np.ceil(np.maximum(np.maximum(angle / chord, length / LONGEST), 1.0))
    each = parts > length  # the key itself, then every sample up to the next
    sample = np.ceil(position)
    count = np.where(each, 1 + np.diff(sample), parts)
    spacing = np.where(each, 1.0, length / parts)
    low = np.clip(np.floor((begin - position[:-1]) / spacing) - 1, 0, count).astype(np.int64)
    high = np.clip(np.ceil((end - position[:-1]) / spacing) + 2, low, count).astype(np.int64)
    after = np.cumsum(high - low)
    total = int(after[-1]) + 1  # the last key is a point as well
    for first in range(0, total - 1, most):
        number = np.arange(first, min(first + most, total - 1) + 1)
        key = np.minimum(np.searchsorted(after, number, side="right"), len(count) - 1)
        step = number + (high - after)[key]
        even = position[key] + step * spacing[key]
        place = np.where(each[key] & (step > 0), sample[key] + step - 1, even)
        if number[-1] == total - 1:
            place[-1] = position[-1]
        turned = (place - position[key]) / length[key] * angle[key]
        points = np.cos(turned) * here.take(key, 1) + np.sin(turned) * tangent.take(key, 1)
        lines = lines_between(place, end, begin)
        if len(lines.control):
            yield points.T, lines


def _dense(steps: FloatArray, length: FloatArray, chord: float) -> bool:
    """Whether keys are control points as they are, by the steps (D, K) and samples between them."""
    if length.min() < 1 or length.max() > LONGEST:
        return False
    farthest = float(np.einsum("dk,dk->k", steps, steps).max())
    return farthest <= (2 * math.sin(chord / 2)) ** 2


def between(here: FloatArray, there: FloatArray, share: float) -> FloatArray:
    """Return the unit vectors (K, D) after a share of the great circles from here to there."""
    angle, tangent = _arcs(here.T, there.T)
    turned = share * angle
    return np.asarray(np.cos(turned) * here.T + np.sin(turned) * tangent).T


def lines_between(position: FloatArray, end: int, begin: int = 0) -> Lines:
    """Return the lines between control points at rising positions, for samples begin to end."""
    bound = np.clip(np.ceil(position), begin, end).astype(np.int64)
    control = np.flatnonzero(np.diff(bound))
    slope = 1.0 / (position[control + 1] - position[control])
    start = bound[control]
    return Lines(np.append(start, bound[-1]), control, (start - position[control]) * slope, slope)


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
