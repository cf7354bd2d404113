"""Where sound comes from, and crops that look there."""

from __future__ import annotations

import numpy as np
import pytest

import ambikit
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import SPACING, random_crops, select_crops, sounding_crops
from ambikit_learn.sphere.equirect import angular_distance
from ambikit_learn.sphere.listening import listen

RATE = 24000


def noise(seed, seconds=1.0):
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def sources(*places, diffuse=0.0):
    """Talkers one after another, at azimuth, elevation and level."""
    turn = np.arange(RATE) * len(places) // RATE
    sound = sum(
        ambikit.encode(level * noise(i) * (turn == i), a, e, degrees=True)
        for i, (a, e, level) in enumerate(places)
    )
    field = [ambikit.encode(noise(50 + i), *d, degrees=True) for i, d in enumerate(ALL_AROUND)]
    return (sound + diffuse * sum(field)).astype(np.float32)


ALL_AROUND = np.rad2deg(np.stack(ambikit.vector_to_angles(ambikit.icosphere(0)), axis=1))


def boxes_at(*rows):
    """Boxes of rows azimuth, elevation, width, height, score."""
    return Boxes(*np.array(rows, float).reshape(-1, 5).T, label=["thing"] * len(rows))


def test_the_share_of_each_box():
    heard = listen(sources((30, 10, 1.0), (-120, -20, 2.0)), RATE)
    boxes = boxes_at([30, 10, 20, 20, 1], [-120, -20, 20, 20, 1], [150, 0, 40, 40, 1])
    quiet, loud, silent = heard.towards(boxes)
    # Four times the power, for as long; edges of turns mix both.
    assert loud / quiet == pytest.approx(4.0, rel=0.25)
    assert quiet + loud > 0.9
    assert silent < 0.02


def test_level_of_the_sound_does_not_matter():
    sound = sources((30, 10, 1.0), (-120, -20, 2.0), diffuse=0.1)
    boxes = boxes_at([30, 10, 20, 20, 1], [-120, -20, 20, 20, 1])
    loud = listen(sound, RATE).towards(boxes)
    quiet = listen(sound * np.float32(1e-7), RATE).towards(boxes)
    np.testing.assert_allclose(loud, quiet, rtol=1e-3)


@pytest.mark.parametrize("azimuth", [0.0, 179.0, -179.0, 90.0])
def test_peaks_are_where_no_box_is(azimuth):
    heard = listen(sources((azimuth, 20, 1.0), (azimuth + 100, -30, 1.0), diffuse=0.05), RATE)
    for boxes, expected in (
        (Boxes.empty(), [(azimuth, 20), (azimuth + 100, -30)]),
        (boxes_at([azimuth, 20, 25, 25, 0.4]), [(azimuth + 100, -30)]),
    ):
        a, e, share = heard.peaks(boxes, len(expected), 36.0)
        assert len(a) == len(expected)
        for place in expected:
            assert angular_distance(a, e, *place, degrees=True).min() < 3.0
        assert (share > 0.2).all()


def test_peaks_keep_apart():
    heard = listen(sources((0, 0, 1.0), (25, 0, 0.7), (120, 0, 0.7)), RATE)
    a, e, _ = heard.peaks(Boxes.empty(), 4, 36.0)
    apart = angular_distance(a[:, None], e[:, None], a, e, degrees=True)
    assert (apart[np.triu_indices(len(a), 1)] > 30.0).all()


def test_without_height_azimuth_decides():
    sound = sources((60, 40, 1.0))
    sound[2] = 0.0
    heard = listen(sound, RATE)
    assert heard.level
    low, elsewhere = heard.towards(boxes_at([60, -50, 20, 20, 1], [150, 40, 20, 20, 1]))
    assert low > 0.99
    assert elsewhere < 0.01
    azimuth, elevation, _ = heard.peaks(Boxes.empty(), 1, 36.0)
    assert azimuth[0] == pytest.approx(60, abs=1)
    assert elevation[0] == 0.0


@pytest.mark.parametrize("kind", ["W only", "silence", "short", "quiet dipoles"])
def test_sound_without_direction(kind):
    sound = sources((60, 0, 1.0))
    if kind == "short":
        sound = sound[:, :500]
    elif kind == "silence":
        sound[:] = 0.0
    else:
        sound[1:] *= np.float32(0.0 if kind == "W only" else 1e-4)
    heard = listen(sound, RATE)
    assert heard is None
    boxes = boxes_at([60, 0, 20, 20, 1])
    crops = select_crops("sounding", boxes, np.random.default_rng(3), 4, heard=heard)
    assert crops.origin == ("fallback",) * 4
    expected = random_crops(np.random.default_rng(3), 4)
    assert (crops.azimuth == expected.azimuth).all()


def test_sounding_objects_come_first():
    """Score times share: a quiet object of a high score loses against a loud one of a low score."""
    boxes = boxes_at([40, 0, 30, 30, 0.9], [-60, 0, 30, 30, 0.3], [170, 0, 30, 30, 0.9])
    heard = listen(sources((-60, 0, 1.0), diffuse=0.02), RATE)
    first = [
        sounding_crops(boxes, heard, np.random.default_rng(seed), 2).box[0] for seed in range(100)
    ]
    assert np.mean(np.array(first) == 1) > 0.9


def test_drawn_by_score_times_share():
    boxes = boxes_at([90, 0, 30, 30, 0.8], [-90, 0, 30, 30, 0.4])
    heard = listen(sources((90, 0, 1.0), (-90, 0, 2**0.5)), RATE)
    share = heard.towards(boxes)
    first = [
        sounding_crops(boxes, heard, np.random.default_rng(seed), 1).box[0] for seed in range(1000)
    ]
    weight = boxes.score * share
    # Binomial with standard error 0.016
    assert np.mean(np.array(first) == 0) == pytest.approx(weight[0] / weight.sum(), abs=0.05)


def test_a_sound_without_an_object_is_looked_at():
    boxes = boxes_at([90, 0, 30, 30, 0.9])
    heard = listen(sources((-100, 15, 1.0)), RATE)
    crops = sounding_crops(boxes, heard, np.random.default_rng(0), 4)
    assert crops.origin[0] == "sound"
    assert crops.box[0] == -1
    assert angular_distance(
        crops.azimuth[0], crops.elevation[0], -100, 15, degrees=True
    ) == pytest.approx(0, abs=2)
    assert set(crops.origin[1:]) <= {"object", "fallback"}
    centres = np.stack([crops.azimuth, crops.elevation])
    apart = angular_distance(*centres[:, :, None], *centres[:, None], degrees=True)
    assert apart[np.triu_indices(4, 1)].min() >= SPACING - 1e-6
    again = sounding_crops(boxes, heard, np.random.default_rng(0), 4)
    assert (again.azimuth == crops.azimuth).all()
