"""How well a detector finds what is there: average precision with boxes on the sphere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ambikit_learn.equirect import Boxes, overlap


def average_precision(
    found: Sequence[Boxes], truth: Sequence[Boxes], *, least_overlap: float = 0.5
) -> dict[str, float]:
    """Average precision of every class.

    Parameters
    ----------
    found, truth : sequences of Boxes
        One each a frame.
    least_overlap : float
        Common area over joint area from which a find is a hit.

    Returns
    -------
    dict of str to float
        Area under the precision-recall curve by label, 0 to 1; their mean is mAP50.

    Notes
    -----
    From the highest score down, a find is a hit if it overlaps an object of its label that no
    find before it took. Precision is made to fall with recall before the area is summed, at every
    recall reached, as COCO does at 101 of them.

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


def _matches(found: Boxes, truth: Boxes, least: float) -> npt.NDArray[np.bool_]:
    """Which finds of a frame hit an object."""
    union, _ = overlap(found, truth)
    union[np.array(found.label)[:, None] != np.array(truth.label)[None]] = 0.0
    hit = np.zeros(len(found), dtype=bool)
    for i in np.argsort(-found.score, kind="stable"):
        best = int(np.argmax(union[i])) if len(truth) else 0
        if len(truth) and union[i, best] >= least:
            hit[i] = True
            union[:, best] = 0.0
    return hit


def _area(hit: npt.NDArray[np.bool_], objects: int) -> float:
    """Area under the curve of finds in falling order of score."""
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_from_here[hit].sum() / objects)
