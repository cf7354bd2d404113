"""Detections are matched with objects."""

from __future__ import annotations

import numpy as np
import pytest

from ambikit_learn.detection.metrics import match_detections
from ambikit_learn.sphere.boxes import Boxes


def test_each_object_has_one_find():
    truth = Boxes([0, 6, 180], [0, 0, -80], [9] * 3, [9] * 3, [1] * 3, ("cat", "dog", "cat"))
    found = Boxes(
        [5, 7, 0, 177], [0, 0, 30, -80], [9] * 4, [9] * 4, [1] * 4, ("dog", "dog", "cat", "cup")
    )
    result = match_detections([found, Boxes.empty()], [truth, truth.take([0])])
    # The nearest find to either of the first two is the same: each gets one all the same.
    assert result.error[:2] == pytest.approx([5, 1])
    assert result.error[2] == pytest.approx(3 * np.cos(np.deg2rad(80)), abs=0.01)
    assert result.hit.tolist() == [True, True, True, False]
    assert result.named.tolist() == [False, True, False, False]
    assert result.precision == 0.75
    nothing = match_detections([Boxes.empty()], [Boxes.empty()])
    assert len(nothing.objects) == nothing.detections == 0
    assert np.isnan(nothing.precision)
    far = match_detections(
        [Boxes([9], [0], [9], [9], [1], "a")], [Boxes([0], [0], [9], [9], [1], "a")]
    )
    assert not far.hit[0]


def test_what_is_known_to_be_beside_the_objects_does_not_count():
    truth = Boxes([0], [0], [20], [20], [1], ("cat",))
    found = Boxes([1, 60, 60, -90], [0] * 4, [20, 20, 5, 20], [20] * 4, [1] * 4, ["cup"] * 4)
    beside = Boxes([0, 63], [0, 0], [20, 20], [20, 20], [1, 1], ("rock", "window"))
    result = match_detections([found], [truth], beside=[beside])
    # A detection of an object counts wherever it is; one of a fifth of the window's width as well.
    assert (result.detections, result.neutral) == (3, 1)
    assert result.precision == pytest.approx(1 / 3)
    nothing = match_detections([found], [truth], beside=[Boxes.empty()])
    assert (nothing.detections, nothing.neutral) == (4, 0)
    with pytest.raises(ValueError, match="zip"):
        match_detections([found], [truth], beside=[])
