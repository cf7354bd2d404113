"""Annotated directions of STARSS23 as boxes of a nominal size."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.data.dataset import AlignmentDataset
from ambikit_learn.data.record import read_objects
from ambikit_learn.data.shards import member
from ambikit_learn.detection.annotated import NOMINAL, annotated_tracks
from ambikit_learn.preparation.command import prepare
from tests.ambikit_learn.preparation.outputs import SMALL, rows_of


@pytest.fixture
def labels(tmp_path):
    """Write lines of labels: frame, class, source, azimuth, elevation, distance."""
    path = tmp_path / "labels.csv"

    def write(*rows):
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        return path

    return write


def test_each_object_is_a_track_with_the_name_of_its_class(labels):
    path = labels(
        *((frame, 1, 0, frame, 10, 200) for frame in range(21)),
        *((frame, 1, 1, -90, 0, 200) for frame in range(10, 21)),
        *((frame, 12, 0, 180, -45, 200) for frame in (5, 6)),
    )
    first, second, knock = annotated_tracks(path, np.arange(5) / 2, 2.0)
    assert first.steps.tolist() == [0, 1, 2, 3, 4]
    assert first.boxes.azimuth.tolist() == [0, 5, 10, 15, 20]
    assert first.boxes.label == ("male speech",) * 5
    assert (second.steps.tolist(), second.boxes.azimuth.tolist()) == ([2, 3, 4], [-90] * 3)
    assert (knock.steps.tolist(), knock.boxes.label) == ([1], ("knock",))
    assert knock.boxes.elevation.tolist() == [-45]
    for track in (first, second, knock):
        assert set(track.boxes.width) == set(track.boxes.height) == {NOMINAL}


def test_times_count_from_the_begin_of_the_recording(labels):
    path = labels((100, 8, 0, 30, 0), (105, 8, 0, 40, 0))
    (track,) = annotated_tracks(path, 10.0 + np.arange(3) / 2, 2.0)
    assert (track.steps.tolist(), track.boxes.azimuth.tolist()) == ([0, 1], [30, 40])
    assert annotated_tracks(path, np.arange(3) / 2, 2.0) == []
    assert annotated_tracks(labels(), np.arange(3) / 2, 2.0) == []


def test_a_pause_begins_a_new_track(labels):
    path = labels((0, 0, 0, 0, 0), (20, 0, 0, 5, 0), (45, 0, 0, 90, 0))
    first, second = annotated_tracks(path, np.arange(10) / 2, 2.0)
    assert (first.steps.tolist(), second.steps.tolist()) == ([0, 4], [9])


def test_labels_that_are_given_twice_count_once(labels):
    (track,) = annotated_tracks(labels((0, 0, 0, 7, 0), (0, 0, 0, 9, 0)), np.zeros(1), 1.0)
    assert track.boxes.azimuth.tolist() == [7]


def test_an_unknown_class_is_refused(labels):
    with pytest.raises(InputError, match="has classes 0 to 13: STARSS23 has 0 to 12"):
        annotated_tracks(labels((0, 0, 0, 0, 0), (0, 13, 0, 0, 0)), np.zeros(1), 1.0)


@pytest.mark.parametrize("kind", ["annotated", "file"])
def test_they_stand_for_boxes_where_there_are_none(clip_folder, tmp_path, kind):
    """Crops at objects look in the annotated direction; the manifest names the source."""
    root, part = tmp_path / "starss", "dev-train-sony"
    clip_folder.add("fold3_room1_mix001", azimuth=90.0, elevation=0.0)
    clip_folder.add("fold3_room1_mix002")
    places = [("video", "video_dev"), ("audio", "foa_dev")]
    places += [("boxes", "boxes_dev")] if kind == "file" else []
    for old, new in places:
        shutil.copytree(clip_folder.root / old, root / new / part)
    (root / "metadata_dev" / part).mkdir(parents=True)
    lines = "".join(f"{frame},8,0,90,0,250\n" for frame in range(20))
    (root / "metadata_dev" / part / "fold3_room1_mix001.csv").write_text(lines)
    (root / "metadata_dev" / part / "fold3_room1_mix002.csv").write_text("frame,class\n")
    prepare(root, tmp_path / "out", source="starss23", detector="file", **SMALL)
    rows = rows_of(tmp_path / "out")
    good, bad = rows["fold3_room1_mix001"], rows["fold3_room1_mix002"]
    assert (good["detector"], good["status"], good["boxes"]) == (kind, "ok", 4)
    with member(tmp_path / "out", good, "record") as record:
        (track,) = read_objects(record).tracks
        assert f'"detector":"{kind}"'.encode() in record
    if kind == "file":
        assert (bad["status"], track.boxes.label[0]) == ("ok", "disc")
        return
    assert (bad["reason"], track.boxes.label[0]) == ("unreadable boxes", "music")
    item = AlignmentDataset(tmp_path / "out", strategy="objects", views=1)[0]
    assert item.azimuth.item() == pytest.approx(np.pi / 2)
