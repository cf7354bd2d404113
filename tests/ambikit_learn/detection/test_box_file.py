"""Boxes in files beside the clips."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.detection import read_boxes, write_boxes

BELL = {
    "label": "bell",
    "id": 0,
    "sounding": True,
    "azimuth": [0, 10, 20],
    "elevation": [1, 2, 3],
    "width": [30, 31, 32],
    "height": [40, 41, 42],
}
DRUM = {**BELL, "label": "drum", "id": 1, "azimuth": np.array([-170, -175, 180])}


def test_boxes_at_the_nearest_entry(tmp_path):
    write_boxes(tmp_path / "a.json", 10.0, [BELL, DRUM])
    now, later, end = read_boxes(tmp_path / "a.json", [0.04, 0.11, 7.0])
    assert now.label == ("bell", "drum")
    assert now.azimuth.tolist() == [0, -170]
    assert later.azimuth.tolist() == [10, -175]
    assert end.to_records()[1] == {
        "azimuth": 180, "elevation": 3, "width": 32, "height": 42, "score": 1, "label": "drum"
    }  # fmt: skip
    assert json.loads((tmp_path / "a.json").read_text())["objects"][0]["sounding"] is True


def test_times_beyond_any_number_take_the_last_entry(tmp_path):
    write_boxes(tmp_path / "a.json", 1e308, [BELL])
    (late,) = read_boxes(tmp_path / "a.json", [1e10])
    assert late.azimuth.tolist() == [20]


def test_a_file_without_objects(tmp_path):
    write_boxes(tmp_path / "a.json", 10.0, [])
    assert [len(boxes) for boxes in read_boxes(tmp_path / "a.json", [0, 1])] == [0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"azimuth": [0, 10]},
        {"width": [1, float("nan"), 2]},
        {"height": ["tall", 1, 2]},
        {"label": None},
        {"label": "\ud800"},
        {"label": ["bell", "drum"]},
        {name: [] for name in ("azimuth", "elevation", "width", "height")},
    ],
)
def test_objects_that_are_not_tracks(tmp_path, change):
    with pytest.raises((InputError, ValueError)):
        write_boxes(tmp_path / "a.json", 10.0, [{**BELL, **change}])
    assert not list(tmp_path.iterdir())
    document = {"format": "ambikit-boxes/1", "rate": 10.0, "objects": [{**BELL, **change}]}
    (tmp_path / "b.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"b\.json"):
        read_boxes(tmp_path / "b.json", [0])


def test_files_that_hold_no_boxes(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_boxes(tmp_path / "absent.json", [0])
    for text, hint in {
        "{": "not JSON",
        "[]": "not a file of boxes",
        "{}": "ambikit-boxes/1",
    }.items():
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match=hint):
            read_boxes(tmp_path / "a.json", [0])
