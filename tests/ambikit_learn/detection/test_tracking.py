"""Objects followed from step to step."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ambikit_learn.detection.tracking import lasting, link, regular
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.tracks import Objects, Track

RATE = 2.0


def boxes(*rows):
    """Boxes of rows azimuth, elevation, label, and size (20) and score (0.8) if not given."""
    full = [(*row, *(20.0, 0.8)[len(row) - 3 :]) for row in rows]
    azimuth, elevation, label, size, score = zip(*full, strict=True) if full else [()] * 5
    return Boxes(azimuth, elevation, size, size, score, label)


def paths(tracks):
    """Steps and azimuths of tracks, to compare."""
    return [(t.steps.tolist(), t.boxes.azimuth.round(6).tolist()) for t in tracks]


def test_a_crowd_is_told_apart():
    """Objects that move, meet, cross the seam and pass the pole, shuffled, jittered and missed."""
    rng = np.random.default_rng(0)
    t = np.arange(20) / RATE
    truth = np.array(
        [
            (160 + 30 * t, 0 * t),  # across the seam
            (-20 + 10 * t, 20 + 0 * t),  # these two meet at 2 s, 20°
            (20 - 10 * t, 22 + 0 * t),
            (0 * t + 100, -40 + 0 * t),
            (40 * t, 75 + 0 * t),  # about the pole
            (0 * t - 90, -5 * t),
        ]
    )
    labels = ["person"] * 5 + ["dog"]
    steps, names = [], []
    for k in range(20):
        order = rng.permutation(6)
        missed = rng.random(6) < 0.15
        missed[1:3] = False
        order = order[~missed[order]]
        jitter = rng.normal(0, 1.0, (2, len(order)))
        azimuth, elevation = truth[:, :, k][order].T + jitter
        steps.append(
            boxes(*[(a, e, labels[i]) for a, e, i in zip(azimuth, elevation, order, strict=True)])
        )
        names.append(order)
    tracks = link(steps, RATE)
    assert len(tracks) == 6
    names = np.concatenate(names)
    found = np.concatenate([m.azimuth for m in steps])
    for track in tracks:
        who = {int(names[found == a][0]) for a in track.boxes.azimuth}
        assert len(who) == 1


def test_each_find_belongs_to_one_track():
    rng = np.random.default_rng(1)
    steps = [
        boxes(*[(a, e, "x") for a, e in rng.uniform((-180, -90), (180, 90), (rng.integers(6), 2))])
        for _ in range(12)
    ]
    tracks = link(steps, RATE)
    detections = sorted(
        (m, a) for t in tracks for m, a in zip(t.steps, t.boxes.azimuth, strict=True)
    )
    assert detections == sorted((k, a) for k, m in enumerate(steps) for a in m.azimuth)
    assert all((np.diff(t.steps) > 0).all() for t in tracks)


def test_how_long_an_object_may_be_unseen():
    there, nothing = boxes((10, 0, "cat")), boxes()
    gap = [nothing] * 3
    assert paths(link([there, *gap, there], RATE)) == [([0, 4], [10, 10])]
    assert len(link([there, *gap, nothing, there], RATE)) == 2
    assert len(link([there, *gap, nothing, there], 2.5)) == 1
    assert len(link([there, there], 0.2)) == 1  # steps farther apart than that: the next one
    assert len(link([there, nothing, there], 0.2)) == 2


def test_how_far_an_object_may_jump():
    for rate, step, tracks in (
        (10.0, 12, 1),
        (10.0, 13, 2),
        (2.0, 29, 1),
        (2.0, 31, 2),
        (0.5, 31, 2),
    ):
        steps = [boxes((0, 0, "cat", 4)), boxes((step, 0, "cat", 4))]
        assert len(link(steps, rate)) == tracks, (rate, step)


def test_a_box_of_a_third_of_the_size_is_another_object():
    for size, tracks in ((8, 2), (9.5, 2), (10.5, 1), (38, 1), (42, 2)):
        steps = [boxes((0, 0, "cat", 20)), boxes((2, 0, "cat", size))]
        assert len(link(steps, RATE)) == tracks, size
    # A head does not take the place of the body that is missed for a step.
    body, head = (0, 0, "person", 60), (0, 5, "person", 15)
    tracks = link([boxes(body), boxes(head), boxes(body)], RATE)
    assert [t.steps.tolist() for t in tracks] == [[0, 2], [1]]


def test_what_is_seen_once_is_no_object():
    steps = [boxes((0, 0, "cat"), (90, 0, "clock")), boxes((1, 0, "cat")), boxes((2, 0, "cat"))]
    tracks = link(steps, RATE)
    assert [t.boxes.label[0] for t in lasting(tracks, 3)] == ["cat"]
    assert len(lasting(link(steps[:2], RATE), 2)) == 2


def test_what_moves_is_expected_ahead():
    """Two cars that pass each other are each found where the other was."""
    steps = [boxes((a, 0, "car", 8), (-a, 0, "car", 8)) for a in (-30, -10, 10, 30)]
    first, second = link(steps, RATE)
    assert first.boxes.azimuth.tolist() == [-30, -10, 10, 30]
    assert second.boxes.azimuth.tolist() == [30, 10, -10, -30]


def test_labels():
    sofa, chair = (10, 0, "sofa", 40, 0.5), (11, 0, "chair", 40, 0.9)
    (track,) = link([boxes(sofa), boxes(chair), boxes(sofa)], RATE)
    assert track.boxes.label == ("sofa",) * 3  # 1.0 against 0.9
    (track,) = link([boxes(sofa), boxes(chair)], RATE)
    assert track.boxes.label == ("chair",) * 2
    beside = [boxes((10, 0, "cat")), boxes((30, 0, "dog"))]
    assert len(link(beside, RATE)) == 2
    # With both names at hand, each detections its own.
    two = boxes((10, 0, "cat"), (14, 0, "dog"))
    swapped = boxes((13, 0, "cat"), (9, 0, "dog"))
    assert [t.boxes.label for t in link([two, swapped], RATE)] == [("cat",) * 2, ("dog",) * 2]


def test_between_finds_and_beyond_them():
    track = Track(
        [2, 4, 5], boxes((170, 0, "a", 10, 0.2), (-170, 0, "a", 20, 0.4), (-170, 10, "a"))
    )
    found = track.at([0, 1.5, 2, 2.5, 3, 4.5, 5.5, 9])
    assert found.azimuth.round(6).tolist() == [160, 165, 170, 175, 180, -170, -170, -170]
    assert found.elevation.round(6).tolist() == [0, 0, 0, 0, 0, 5, 15, 20]
    assert found.width.tolist() == [10, 10, 10, 12.5, 15, 20, 20, 20]
    assert found.score[4] == pytest.approx(0.3)
    alone = Track([3], boxes((33, 44, "b"))).at([0, 3, 8.5])
    assert np.allclose([alone.azimuth, alone.elevation], [[33] * 3, [44] * 3])


def test_who_is_present():
    objects = Objects(
        2.0,
        6,
        (
            Track([0, 3], boxes((0, 0, "early"), (30, 0, "early"))),
            Track([2], boxes((90, 0, "once"))),
            Track([5], boxes((-90, 0, "late"))),
        ),
    )
    labels = {time: objects.boxes(time).label for time in (0.0, 0.7, 1.0, 1.2, 1.6, 2.0, 2.4, 9.0)}
    assert labels == {
        0.0: ("early",),
        0.7: ("early",),
        1.0: ("early", "once"),
        1.2: ("early", "once"),
        1.6: ("early",),
        2.0: (),
        2.4: ("late",),
        9.0: ("late",),  # the last step stands for the rest of the clip
    }
    assert objects.boxes(0.75).azimuth[0] == pytest.approx(15)
    assert len(Objects(2.0, 0, ()).boxes(1.0)) == 0


def test_records():
    track = Track([1, 2], boxes((10.12345, 0, "a"), (11, 5, "a")))
    record = json.loads(json.dumps(track.to_record()))
    assert record["azimuth"] == [10.123, 11.0]
    again = Track.from_record(record)
    assert again.to_record() == record
    assert again.boxes.label == ("a", "a")
    with pytest.raises(KeyError):
        Track.from_record({k: v for k, v in record.items() if k != "width"})


def test_known_objects_keep_their_order():
    steps = [boxes((a, 0, "x"), (a + 90, 0, "y")) for a in (0, 50, 100)]
    assert paths(regular(steps)) == [([0, 1, 2], [0, 50, 100]), ([0, 1, 2], [90, 140, 190])]
    assert regular([]) == regular([boxes(), boxes()]) == []
