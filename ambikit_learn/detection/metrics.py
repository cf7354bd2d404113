"""Quality of detectors: direction errors, recall, and average precision on the sphere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ambikit_learn._typing import Booleans, Floats
from ambikit_learn.sphere.boxes import Boxes, overlap
from ambikit_learn.sphere.equirect import angular_distance

BESIDE = 0.5
"""Overlap from which a detection shows what is known to be there without being an object."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Matches between objects and detections of some frames.

    Parameters
    ----------
    objects : Boxes
        All objects.
    error : (N,) array
        Angle in degrees from each object to its detection; NaN where it was missed.
    named : (N,) bool array
        Whether its detection has its label.
    extent : (N, 2) array
        Width and height of its detection relative to its own; NaN where it was missed.
    detections : int
        Number of detections in all frames, right or wrong, without those that do not count.
    neutral : int
        Number of detections that do not count.
    """

    objects: Boxes
    error: Floats
    named: Booleans
    extent: Floats
    detections: int
    neutral: int = 0

    @property
    def hit(self) -> Booleans:
        """Whether each object was found."""
        return np.isfinite(self.error)

    @property
    def precision(self) -> float:
        """Fraction of the detections that are matched to an object."""
        return float(self.hit.sum() / self.detections) if self.detections else float("nan")


def match_detections(
    found: Sequence[Boxes],
    truth: Sequence[Boxes],
    *,
    beside: Sequence[Boxes] | None = None,
    within: float = 8.0,
) -> Matches:
    """Match detections with objects by direction.

    Parameters
    ----------
    found, truth : sequences of Boxes
        Detections and objects, one `Boxes` per frame.
    beside : sequence of Boxes, optional
        What else there is in each frame: detections that match no object and overlap one of these
        by `BESIDE`, in intersection over union, do not count.
    within : float
        Greatest angle in degrees between an object and its detection.

    Returns
    -------
    Matches

    Notes
    -----
    Each object has at most one detection, and each detection at most one object: of all matchings,
    the one with the most pairs and the smallest sum of angles is taken.

    Examples
    --------
    >>> there = Boxes([0, 90], [0, 0], [20, 20], [20, 20], [1, 1], ("bell", "bell"))
    >>> seen = Boxes([1, 3, 180], [0, 0, 0], [9] * 3, [9] * 3, [1] * 3, ("bell", "cup", "bell"))
    >>> result = match_detections([seen], [there])
    >>> result.error.round(3).tolist(), result.detections
    ([1.0, nan], 3)
    """
    pairs = [_nearest(f, t, within) for f, t in zip(found, truth, strict=True)]
    error, named, extent, matched = zip(*pairs, strict=True)
    neutral = 0
    for f, right, others in zip(found, matched, beside or (), strict=beside is not None):
        neutral += int((overlap(f.take(~right), others)[0] >= BESIDE).any(axis=1).sum())
    return Matches(
        Boxes.concatenate(truth),
        np.concatenate(error),
        np.concatenate(named),
        np.concatenate(extent),
        sum(map(len, found)) - neutral,
        neutral,
    )


def average_precision(
    found: Sequence[Boxes], truth: Sequence[Boxes], *, least_overlap: float = 0.5
) -> dict[str, float]:
    """Return the average precision of every class.

    Parameters
    ----------
    found, truth : sequences of Boxes
        Detections and objects, one `Boxes` per frame.
    least_overlap : float
        Smallest intersection over union of a hit.

    Returns
    -------
    dict of str to float
        Area under the precision-recall curve by label, 0 to 1; their mean is mAP50.

    Notes
    -----
    In the order of falling score, a detection is a hit if it overlaps an object of its label that
    no earlier detection has matched. Precision is made non-increasing in recall before the area is
    summed over every recall that is reached; COCO does so at 101 recalls.

    Examples
    --------
    >>> there = Boxes([0, 90], [0, 0], [20, 20], [20, 20], [1, 1], ("bell", "bell"))
    >>> average_precision([there.take([0])], [there])
    {'bell': 0.5}
    """
    matches = [_matches(f, t, least_overlap) for f, t in zip(found, truth, strict=True)]
    score = np.concatenate([f.score for f in found])
    hit = np.concatenate(matches)
    label = np.array([name for f in found for name in f.label])
    objects = np.array([name for t in truth for name in t.label])
    order = np.argsort(-score, kind="stable")
    return {
        str(name): _area(hit[order][label[order] == name], int((objects == name).sum()))
        for name in np.unique(objects)
    }


def _nearest(
    found: Boxes, truth: Boxes, within: float
) -> tuple[Floats, Booleans, Floats, Booleans]:
    """Return the angle to each object's detection, whether that has its label, and its size.

    And, for each detection, whether it is that of an object.
    """
    angle = angular_distance(
        truth.azimuth[:, None],
        truth.elevation[:, None],
        found.azimuth,
        found.elevation,
        degrees=True,
    )
    # Greater than any sum of admissible angles.
    rows, columns = linear_sum_assignment(np.where(angle <= within, angle, 1e6))
    near = angle[rows, columns] <= within
    rows, columns = rows[near], columns[near]
    error, named = np.full(len(truth), np.nan), np.zeros(len(truth), dtype=bool)
    matched = np.zeros(len(found), dtype=bool)
    matched[columns] = True
    error[rows] = angle[rows, columns]
    named[rows] = np.array(truth.label)[rows] == np.array(found.label)[columns]
    extent = np.full((len(truth), 2), np.nan)
    for k, side in enumerate(("width", "height")):
        extent[rows, k] = getattr(found, side)[columns] / getattr(truth, side)[rows]
    return error, named, extent, matched


def _matches(found: Boxes, truth: Boxes, least: float) -> Booleans:
    """Return which detections of a frame hit an object."""
    union, _ = overlap(found, truth)
    union[np.array(found.label)[:, None] != np.array(truth.label)[None]] = 0.0
    hit = np.zeros(len(found), dtype=bool)
    for i in np.argsort(-found.score, kind="stable"):
        best = int(np.argmax(union[i])) if len(truth) else 0
        if len(truth) and union[i, best] >= least:
            hit[i] = True
            union[:, best] = 0.0
    return hit


def _area(hit: Booleans, objects: int) -> float:
    """Return the area under the curve of detections in the order of falling score."""
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_from_here[hit].sum() / objects)
