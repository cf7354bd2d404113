"""Merging of detections that show the same object, on the sphere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats
from ambikit_learn.detection.views import View, forward
from ambikit_learn.sphere.boxes import Boxes, outlines, overlap

SAME = 0.3
"""Intersection over union from which two boxes of one label are one object; also the
fraction of a box in a stronger one from which it is a piece of it, if its view shows only a
part."""
OTHER = 0.4
"""The same for boxes of different labels."""
PART = 0.6
"""Fraction of a box in a stronger one of the same label from which it is a part of it."""
CUT_SCORE, CUT_WEIGHT = 0.5, 0.3
"""Smallest score of a box that the edge of its view cuts, and its weight relative to whole ones."""


def merge(
    boxes: Boxes,
    cut: npt.NDArray[np.bool_],
    *,
    trust: Floats | None = None,
    shown: npt.NDArray[np.bool_] | None = None,
) -> Boxes:
    """Merge the boxes that show the same object.

    Parameters
    ----------
    boxes : Boxes
        Detections of several views.
    cut : (N,) bool array
        Whether a box ends at the edge of its view.
    trust : (N,) array, optional
        Weights of the boxes in addition to their scores.
    shown : (N, N) bool array, optional
        Whether the view of one box (rows) shows the whole of another (columns); by default all do.

    Returns
    -------
    Boxes
        The highest score first.

    Notes
    -----
    In the order of falling score, a box absorbs those that overlap it by `SAME`, or by `OTHER` if
    they have another label, since one object often gets two; and its parts, of which `PART` lies in
    it, or `SAME` for a part that is cut or comes from a view that shows only a part of the stronger
    box: an object cut in one view is whole in another. Direction and extent are the mean of the
    overlapping boxes that are not cut more, weighted by score; the label is that of the strongest.
    """
    weight = boxes.score * np.where(cut, CUT_WEIGHT, 1.0)
    weight = weight if trust is None else weight * trust
    piece = cut[:, None] if shown is None else cut[:, None] | ~shown
    union, inside = overlap(boxes, boxes)
    label = np.array(boxes.label)
    part = inside >= np.where(piece, SAME, np.where(label[:, None] == label, PART, np.inf))
    left = np.ones(len(boxes), dtype=bool)
    merged = [Boxes.empty()]
    for leader in np.argsort(-weight, kind="stable"):
        if left[leader]:
            same = left & (union[leader] >= np.where(label == label[leader], SAME, OTHER))
            same[leader] = True
            # A box that is cut says nothing about the extent of the whole object.
            merged.append(_mean(boxes, leader, weight * (same & (cut <= cut[leader]))))
            left &= ~(same | part[:, leader])
    together = Boxes.concatenate(merged)
    return together.take(np.argsort(-together.score, kind="stable"))


def merge_views(
    views: Sequence[View],
    found: Sequence[Boxes],
    edge: npt.NDArray[np.bool_],
) -> Boxes:
    """Merge the detections of all views, without those that are too weak.

    Parameters
    ----------
    views : sequence of View
    found : sequence of Boxes
        Detections in each view.
    edge : (N,) bool array
        Whether the edge of its view cuts each of all detections.

    Returns
    -------
    Boxes
        The highest score first.
    """
    of = np.repeat(np.arange(len(views)), [len(boxes) for boxes in found])
    together = Boxes.concatenate(found)
    least = np.array([view.confidence for view in views])[of]
    sure = together.score >= np.where(edge, np.maximum(least, CUT_SCORE), least)
    trust = np.concatenate([view.trust(b) for view, b in zip(views, found, strict=True)])
    boxes = together.take(sure)
    points = outlines(boxes)
    shown = np.stack([view.shows(points).all(axis=-1) for view in views])
    return merge(boxes, edge[sure], trust=trust[sure], shown=shown[of[sure]])


def _mean(boxes: Boxes, leader: int, weight: Floats) -> Boxes:
    """Return the mean of boxes, with the label and score of the leader."""
    share = weight / weight.sum()
    x, y, z = share @ forward(boxes)
    return Boxes(
        np.rad2deg(np.arctan2(y, x)),
        np.rad2deg(np.arctan2(z, np.hypot(x, y))),
        share @ boxes.width,
        share @ boxes.height,
        boxes.score[leader],
        (boxes.label[leader],),
    )
