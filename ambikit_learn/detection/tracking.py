"""Tracking: detections of one object, linked from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ambikit_learn._typing import Indices
from ambikit_learn.sphere.boxes import Boxes, overlap
from ambikit_learn.sphere.equirect import angular_distance, between
from ambikit_learn.sphere.tracks import Track

GAP = 2.0
"""Seconds for which an object may be undetected, but at least one step."""
JITTER = 8.0
"""Degrees by which detections of a resting object may differ."""
SPEED = 45.0
"""Degrees per second by which an object may deviate from its path."""
FARTHEST = 30.0
"""Greatest angle in degrees between linked detections, for any time between them."""
SMALLEST = 0.5
"""Smallest ratio of the sizes of linked detections: what is smaller is another object."""
LASTING = 3
"""Steps from which an object must be detected twice."""
SAME = 0.4
"""Overlap from which two labels are taken as names of one object."""
_NEVER = 1e6


def link(steps: Sequence[Boxes], rate: float) -> list[Track]:
    """Link detections to tracks of objects through a clip.

    Parameters
    ----------
    steps : sequence of Boxes
        Detections at evenly spaced steps.
    rate : float
        Steps per second.

    Returns
    -------
    list of Track
        Tracks in the order of their beginning. Each detection belongs to one of them.

    Notes
    -----
    An object is expected to continue along the great circle of its last second. Of all matchings
    of the objects of the last `GAP` seconds with the detections of a step, the one with the most
    pairs is taken and, among those, the one with the smallest sum of distance (relative to the
    greatest allowed), missing overlap, and 1 for labels that differ. Partners are nearer than
    ``JITTER + SPEED · t``, `t` seconds after the object's last detection, and than `FARTHEST`; they
    have the same label, or overlap by `SAME`; and neither is smaller than `SMALLEST` of the other,
    in the geometric mean of width and height. A track has the label whose detections have the
    greatest sum of scores.

    References
    ----------
    .. [1] A. Bewley, Z. Ge, L. Ott, F. Ramos, B. Upcroft, "Simple Online and Realtime Tracking",
       ICIP 2016.

    Examples
    --------
    >>> there = Boxes([170, 60], [0, 0], [20, 20], [20, 20], [0.9, 0.8], ["cat", "cat"])
    >>> later = Boxes([62, -176], [0, 0], [20, 20], [20, 20], [0.9, 0.8], ["cat", "cat"])
    >>> [track.boxes.azimuth.tolist() for track in link([there, later], rate=2.0)]
    [[170.0, -176.0], [60.0, 62.0]]
    """
    found = Boxes.concatenate(steps)
    when = np.repeat(np.arange(len(steps)), [len(boxes) for boxes in steps])
    patience = max(GAP * rate, 1.0)
    tracks: list[list[int]] = []
    for now in range(len(steps)):
        new = np.flatnonzero(when == now)
        active = [track for track in tracks if now - when[track[-1]] <= patience]
        alone = set(new.tolist())
        for row, column in _pairs(found, when, active, new, rate):
            active[row].append(int(new[column]))
            alone.remove(int(new[column]))
        tracks += [[number] for number in sorted(alone)]
    return [Track(when[track], _of_one_label(found.take(track))) for track in tracks]


def lasting(tracks: Sequence[Track], steps: int) -> list[Track]:
    """Return the tracks without those of a single detection, which are mostly errors.

    Parameters
    ----------
    tracks : sequence of Track
    steps : int
        Number of steps of the clip: with fewer than `LASTING`, all tracks are returned.

    Returns
    -------
    list of Track
    """
    return [track for track in tracks if len(track.steps) > 1 or steps < LASTING]


def regular(steps: Sequence[Boxes]) -> list[Track]:
    """Return the tracks of steps that list the same objects in the same order."""
    found, objects = Boxes.concatenate(steps), len(steps[0]) if steps else 0
    numbers = np.arange(len(found))
    return [Track(np.arange(len(steps)), found.take(numbers[k::objects])) for k in range(objects)]


def _pairs(
    found: Boxes, when: Indices, active: list[list[int]], new: Indices, rate: float
) -> list[tuple[int, int]]:
    """Match tracks, lists of detections, with those of a step: return indices into both lists."""
    if not (active and len(new)):
        return []
    here, now = found.take(new), when[new[0]]
    last = np.array([track[-1] for track in active])
    since = (now - when[last]) / rate
    expected = _expected(found, when, active, now, rate)
    reach = np.minimum(JITTER + SPEED * since, FARTHEST)[:, None]
    distance = angular_distance(
        expected.azimuth[:, None],
        expected.elevation[:, None],
        here.azimuth,
        here.elevation,
        degrees=True,
    )
    union, _ = overlap(expected, here)
    differs = np.array(expected.label)[:, None] != np.array(here.label)
    size = [np.sqrt(b.width * b.height) for b in (expected, here)]
    ratio = size[0][:, None] / size[1]
    alike = np.minimum(ratio, 1.0 / ratio) >= SMALLEST
    possible = alike & np.where(differs, union >= SAME, distance <= reach)
    cost = np.where(possible, distance / reach + (1.0 - union) + differs, _NEVER)
    rows, columns = linear_sum_assignment(cost)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if possible[r, c]]


def _expected(found: Boxes, when: Indices, active: list[list[int]], now: int, rate: float) -> Boxes:
    """Extrapolate the boxes of tracks to a step from their motion in the last second."""
    last = np.array([track[-1] for track in active])
    past = np.array(
        [next(i for i in track if when[track[-1]] - when[i] <= rate) for track in active]
    )
    steps = np.maximum(when[last] - when[past], 1)
    azimuth, elevation = between(
        found.azimuth[past],
        found.elevation[past],
        found.azimuth[last],
        found.elevation[last],
        (now - when[past]) / steps,
    )
    return replace(found.take(last), azimuth=azimuth, elevation=elevation)


def _of_one_label(boxes: Boxes) -> Boxes:
    """Set the label of all boxes to that with the greatest sum of scores."""
    sums: dict[str, float] = {}
    for label, score in zip(boxes.label, boxes.score, strict=True):
        sums[label] = sums.get(label, 0.0) + score
    best = max(sums, key=lambda label: sums[label])
    return replace(boxes, label=(best,) * len(boxes))
