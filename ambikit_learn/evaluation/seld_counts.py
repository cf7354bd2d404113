"""Counts of found, missed and extra sound events, from which `seld_scores` follow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from ambikit_learn._typing import Floats, Integers

_FILE, _FRAME, _CLASS, _TRACK, _AZIMUTH, _ELEVATION, _DISTANCE = range(7)
_ENUMERATED = 3
"""Largest number of candidates on either side whose assignments are all compared at once."""
_TIE = 1e-9
"""Degrees within which two assignments count as equal, so that scipy decides."""


@dataclass(frozen=True)
class Definition:
    """What a set of rules counts, and how.

    Attributes
    ----------
    angle : callable
        Angle in degrees between rows (..., 7) of two kinds.
    segment : int
        Frames of a segment, in which events are counted and angles averaged.
    length : {"last", "before last", "all"}
        Which frames count: those of the segments that begin before the last frame of the reference,
        those before it, or all.
    by_track : bool
        Whether angles are averaged by reference track and each prediction is credited once;
        otherwise by the place of a row among those of its frame and class.
    distances : bool
        Whether a right event must have the right distance too.
    """

    angle: Callable[[Floats, Floats], Floats]
    segment: int
    length: Literal["last", "before last", "all"]
    by_track: bool = False
    distances: bool = False


@dataclass(frozen=True)
class Counts:
    """Counts for each file and class, shape (files, classes).

    Attributes
    ----------
    right, displaced : ndarray
        Reference events that were found, within the limits and beyond them.
    extra, missed : ndarray
        Predictions without a reference event, and the reverse.
    reference : ndarray
        Reference events.
    angle, distance : ndarray
        Sums over the found events of their mean angles and relative errors of distance.
    errors : ndarray, shape (files,)
        Substitutions, deletions and insertions, over all classes.
    """

    right: Floats
    displaced: Floats
    extra: Floats
    missed: Floats
    reference: Floats
    angle: Floats
    distance: Floats
    errors: Floats

    def total(self) -> Counts:
        """Return the sums over files, shape (classes,)."""
        return Counts(**{f.name: getattr(self, f.name).sum(0) for f in fields(self)})

    def without_each(self) -> list[Counts]:
        """Return the sums over all files but one, for each file."""
        every = {f.name: getattr(self, f.name) for f in fields(self)}
        rest = {name: values.sum(0) - values for name, values in every.items()}
        return [
            Counts(**{name: values[i] for name, values in rest.items()})
            for i in range(len(self.errors))
        ]


def count_events(
    reference: Sequence[Floats],
    prediction: Sequence[Floats],
    classes: int,
    rules: Definition,
    *,
    angle_limit: float,
    distance_limit: float,
) -> Counts:
    """Count events.

    Parameters
    ----------
    reference, prediction : sequences of ndarray, shape (n, 5) or (n, 6)
        Checked rows of each file.
    classes : int
        Number of classes.
    rules : Definition
        What counts.
    angle_limit, distance_limit : float
        Largest angle in degrees and largest relative error of the distance of a right event.
    """
    files = len(reference)
    truth, guess = _stack(reference), _stack(prediction)
    if rules.length != "all":
        last = np.array([rows[:, 0].max(initial=0) for rows in reference])
        step = rules.segment if rules.length == "last" else 1
        end = np.ceil(last / step) * step
        truth, guess = (x[x[:, _FRAME] < end[x[:, _FILE].astype(int)]] for x in (truth, guess))
    segments = 1 + int(max(x[:, _FRAME].max(initial=0) for x in (truth, guess))) // rules.segment
    true, said = (_Side.of(x, rules, segments, classes) for x in (truth, guess))
    cells = _distinct(np.concatenate([true.cell, said.cell]))
    n_truth, n_guess = true.largest(cells), said.largest(cells)

    found = _pooled(true, said, cells, rules)
    credit = np.minimum(n_truth, n_guess)
    if rules.by_track:
        found = found.at_most(credit)
    within = found.angle <= angle_limit
    if rules.distances:
        within &= found.distance <= distance_limit
    matched = np.bincount(found.cell, minlength=len(cells))
    right = np.bincount(found.cell[within], minlength=len(cells))
    if rules.by_track:
        missed, extra = n_truth - matched, n_guess - matched
    else:
        missed, extra = np.maximum(n_truth - n_guess, 0), np.maximum(n_guess - n_truth, 0)
        apart = (matched == 0) & (credit > 0)
        missed[apart], extra[apart] = n_guess[apart], 0
    displaced = matched - right

    kind, segment = cells % classes, cells // classes
    owner = segment // segments * classes + kind

    def by_class(values: npt.NDArray[Any], index: Integers = owner) -> Floats:
        sums = np.bincount(index, values.astype(np.float64), files * classes)
        return np.asarray(sums, np.float64).reshape(files, classes)

    # S + D + I = min(FP, FN) + max(0, FN - FP) + max(0, FP - FN), the larger of both
    pieces, place = np.unique(segment, return_inverse=True)
    false = np.bincount(place, displaced + extra, len(pieces))
    wrong = np.maximum(false, np.bincount(place, missed, len(pieces)))
    return Counts(
        right=by_class(right),
        displaced=by_class(displaced),
        extra=by_class(extra),
        missed=by_class(missed),
        reference=by_class(n_truth),
        angle=by_class(found.angle, owner[found.cell]),
        distance=by_class(found.distance, owner[found.cell]),
        errors=np.bincount(pieces // segments, wrong, files).astype(np.float64),
    )


@dataclass(frozen=True)
class _Side:
    """Rows of all files in order of file, frame and class, in groups that share these.

    `cell` numbers the file, segment and class of each group, `moment` its file, frame and class;
    a group begins at row `start` and has `count` rows; `lane` pools rows over a segment.
    """

    rows: Floats
    lane: Integers
    moment: Integers
    cell: Integers
    start: Integers
    count: Integers

    @classmethod
    def of(cls, rows: Floats, rules: Definition, segments: int, classes: int) -> _Side:
        """Sort and group rows."""
        file, frame, kind = (rows[:, c].astype(np.int64) for c in (_FILE, _FRAME, _CLASS))
        moment = (file * (segments * rules.segment) + frame) * classes + kind
        order = np.argsort(moment, kind="stable")
        rows, moment = rows[order], moment[order]
        moments, start, count = np.unique(moment, return_index=True, return_counts=True)
        place = np.arange(len(rows)) - np.repeat(start, count)
        lane = _tracks(rows, moment) if rules.by_track else place
        cell = moments // classes // rules.segment * classes + moments % classes
        return cls(rows, lane, moments, cell, start, count)

    def largest(self, cells: Integers) -> Integers:
        """Return the largest number of rows in a frame, for each of the cells."""
        out = np.zeros(len(cells), dtype=np.int64)
        np.maximum.at(out, np.searchsorted(cells, self.cell), self.count)
        return out


@dataclass(frozen=True)
class _Found:
    """Reference events with their mean angle and distance error, and the frames they share."""

    cell: Integers
    angle: Floats
    distance: Floats
    frames: Integers

    def at_most(self, limit: Integers) -> _Found:
        """Return at most so many events of each cell: the longest, then the closest."""
        order = np.lexsort((self.angle, -self.frames, self.cell))
        cell = self.cell[order]
        rank = np.arange(len(cell)) - np.searchsorted(cell, cell)
        kept = order[rank < limit[cell]]
        return _Found(self.cell[kept], self.angle[kept], self.distance[kept], self.frames[kept])


def _stack(files: Sequence[Floats]) -> Floats:
    """Return the rows of all files with the number of their file, (n, 7)."""
    out = np.full((sum(map(len, files)), 7), np.nan)
    out[:, _FILE] = np.repeat(np.arange(len(files)), [len(rows) for rows in files])
    first = 0
    for rows in files:
        out[first : first + len(rows), 1 : 1 + rows.shape[1]] = rows
        first += len(rows)
    return out


def _distinct(values: Integers) -> Integers:
    """Return the distinct values, sorted; for many of them faster than the hashes of numpy."""
    ordered = np.sort(values, kind="stable")
    distinct: Integers = ordered[np.diff(ordered, prepend=-1) != 0]  # all are at least 0
    return distinct


def _tracks(rows: Floats, moment: Integers) -> Integers:
    """Return a number for the track of each row; repeated in a moment, a track is another one."""
    _, track = np.unique(rows[:, _TRACK], return_inverse=True)
    order = np.lexsort((track, moment))
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = (np.diff(moment[order]) != 0) | (np.diff(track[order]) != 0)
    starts = np.flatnonzero(fresh)
    again = np.empty(len(rows), dtype=np.int64)
    again[order] = np.arange(len(rows)) - starts[np.cumsum(fresh) - 1]
    lane: Integers = track + again * (1 + track.max(initial=0))
    return lane


def _pooled(truth: _Side, guess: _Side, cells: Integers, rules: Definition) -> _Found:
    """Match rows in every frame, and average by lane over each cell."""
    _, first, second = np.intersect1d(
        truth.moment, guess.moment, assume_unique=True, return_indices=True
    )
    row, angle, distance = [], [], []
    rows_of, columns_of = truth.count[first], guess.count[second]
    shape = rows_of * (1 + columns_of.max(initial=0)) + columns_of
    for number in _distinct(shape):
        here = shape == number
        many, some = rows_of[here][0], columns_of[here][0]
        a = truth.start[first[here]][:, None] + np.arange(many)
        b = guess.start[second[here]][:, None] + np.arange(some)
        cost = rules.angle(truth.rows[a][:, :, None], guess.rows[b][:, None])
        i, j = _assignments(cost)
        group = np.arange(len(cost))[:, None]
        row.append(a[group, i].ravel())
        angle.append(cost[group, i, j].ravel())
        true = truth.rows[row[-1], _DISTANCE]
        said = guess.rows[b[group, j].ravel(), _DISTANCE]
        distance.append(np.abs(true - said) / (true + np.finfo(float).eps))
    if not row:
        nothing = np.empty(0, dtype=np.int64)
        return _Found(nothing, np.empty(0), np.empty(0), nothing)
    rows = np.concatenate(row)
    order = np.argsort(rows)  # so that sums over a lane run along time
    rows = rows[order]
    group = np.searchsorted(truth.start, rows, side="right") - 1
    lanes = 1 + int(truth.lane.max())
    pool = np.searchsorted(cells, truth.cell[group]) * lanes + truth.lane[rows]
    pools, place, frames = np.unique(pool, return_inverse=True, return_counts=True)
    angles, distances = (
        np.bincount(place, np.concatenate(values)[order]) / frames for values in (angle, distance)
    )
    return _Found(pools // lanes, angles, distances, frames.astype(np.int64))


def _assignments(cost: Floats) -> tuple[Integers, Integers]:
    """Return rows and columns (G, K) of the cheapest assignment of each matrix (G, n, m)."""
    groups, n, m = cost.shape
    size = min(n, m)
    rows, columns = np.zeros((2, groups, size), dtype=np.int64)
    undecided = np.ones(groups, dtype=bool)
    if max(n, m) <= _ENUMERATED:
        choices = np.array(
            [
                (left, right)
                for left in itertools.combinations(range(n), size)
                for right in itertools.permutations(range(m), size)
            ]
        )
        sums = cost[:, choices[:, 0], choices[:, 1]].sum(-1)
        best = sums.argmin(1)
        rows, columns = choices[best, 0], choices[best, 1]
        undecided = (sums <= sums.min(1, keepdims=True) + _TIE).sum(1) > 1
    for group in np.flatnonzero(undecided):
        rows[group], columns[group] = linear_sum_assignment(cost[group])
    return rows, columns


def polar_angle(a: Floats, b: Floats) -> Floats:
    """Return angles in degrees by the cosine rule, as the baselines of 2022 and 2023 compute them.

    30° and 50° are 20.00000000000001° apart, 0° and 20° are 20°.
    """
    (az_a, el_a), (az_b, el_b) = (_radians(x) for x in (a, b))
    cosine = np.sin(el_a) * np.sin(el_b) + np.cos(el_a) * np.cos(el_b) * np.cos(np.abs(az_a - az_b))
    return _arc(cosine)


def cartesian_angle(a: Floats, b: Floats) -> Floats:
    """Return angles in degrees of unit vectors, as the baseline of 2024 computes them.

    It lengthens the vectors by 5e-11, so that equal directions are 0.0008° apart.
    """
    first, second = _vectors(a), _vectors(b)
    first = first / np.sqrt(np.square(first).sum(-1, keepdims=True) + 1e-10)
    second = second / np.sqrt(np.square(second).sum(-1, keepdims=True) + 1e-10)
    return _arc((first * second).sum(-1))


def exact_angle(a: Floats, b: Floats) -> Floats:
    """Return angles in degrees that are exact near 0° and 180° too, to 1e-9°."""
    first, second = _vectors(a), _vectors(b)
    apart, along = (np.square(x).sum(-1) for x in (first - second, first + second))
    angle: Floats = np.rad2deg(2.0 * np.arctan2(np.sqrt(apart), np.sqrt(along)))
    return angle.round(9)


def _radians(rows: Floats) -> tuple[Floats, Floats]:
    return rows[..., _AZIMUTH] * np.pi / 180.0, rows[..., _ELEVATION] * np.pi / 180.0


def _vectors(rows: Floats) -> Floats:
    azimuth, elevation = _radians(rows)
    level = np.cos(elevation)
    return np.stack([np.cos(azimuth) * level, np.sin(azimuth) * level, np.sin(elevation)], axis=-1)


def _arc(cosine: Floats) -> Floats:
    angle: Floats = np.arccos(np.clip(cosine, -1.0, 1.0)) * 180.0 / np.pi
    return angle
