"""Where crops look, and how far apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import ambikit
from ambikit import InputError
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import object_crops, random_crops, select_crops

ANGLES = ("azimuth", "elevation")


def tangents(crops):
    return (np.tan(np.deg2rad(side / 2)) for side in (crops.width, crops.height))


def least_angle(crops):
    """Least angle between two centres, by dot products."""
    vectors = ambikit.angles_to_vector(crops.azimuth, crops.elevation, degrees=True)
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return np.rad2deg(np.arccos(np.clip(cosines.max(), -1, 1)))


def some_boxes(*rows):
    """Boxes of rows azimuth, elevation, width, height, score."""
    return Boxes(*np.array(rows, float).reshape(-1, 5).T, label=["thing"] * len(rows))


def test_distribution_of_the_paper():
    rng = np.random.default_rng(0)
    many = [random_crops(rng, 20, spacing=0.0) for _ in range(200)]
    assert {crops.origin for crops in many} == {("random",) * 20}
    azimuth, elevation = (np.concatenate([getattr(c, n) for c in many]) for n in ANGLES)
    half_width, half_height = np.concatenate([list(tangents(c)) for c in many], axis=1)
    uniform = {
        "azimuth": (azimuth, -180, 180),
        # y from 0.33 to 0.66 of the height, downwards.
        "elevation": (elevation, (1 - 2 * 0.66) * 90, (1 - 2 * 0.33) * 90),
        "half width": (half_width / np.pi, 0.0707, 0.25),
        "log aspect": (np.log(half_height / half_width), np.log(3 / 4), np.log(4 / 3)),
    }
    for name, (values, low, high) in uniform.items():
        assert low <= values.min() <= values.max() <= high, name
        assert stats.kstest(values, "uniform", (low, high - low)).pvalue > 0.01, name
    # Published bounds of the true field of view.
    width = np.concatenate([c.width for c in many])
    assert width.min() == pytest.approx(25.0, abs=0.1)
    assert width.max() == pytest.approx(76.3, abs=0.1)
    assert abs(stats.spearmanr(half_width, half_height / half_width).statistic) < 0.05


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_random_crops_keep_their_distance(seed, k):
    crops = random_crops(np.random.default_rng(seed), k)
    assert len(crops) == k
    assert k == 1 or least_angle(crops) >= 36 - 1e-6


def test_without_spacing_crops_often_touch():
    near = [
        least_angle(random_crops(np.random.default_rng(seed), 4, spacing=0.0)) < 36
        for seed in range(200)
    ]
    # Six pairs in a band of latitude: about three in four draws have a pair nearer than 36°.
    assert 0.5 < np.mean(near) < 0.9


def test_more_crops_than_fit_still_come():
    crops = random_crops(np.random.default_rng(0), 60)
    assert len(crops) == 60
    assert 5 < least_angle(crops) < 36
    assert least_angle(random_crops(np.random.default_rng(0), 8)) >= 36


def test_the_seed_decides():
    boxes = some_boxes(*[[az, 0, 20, 30, 0.5] for az in range(-180, 180, 40)])
    for strategy in ("random", "objects", "mixed"):
        one, two, other = (
            select_crops(strategy, boxes, np.random.default_rng(seed), 4) for seed in (3, 3, 4)
        )
        assert (one.azimuth == two.azimuth).all()
        assert (one.width == two.width).all()
        assert (one.azimuth != other.azimuth).any()


def test_objects_are_drawn_by_score_and_once():
    boxes = some_boxes([0, 0, 30, 30, 0.75], [90, 0, 30, 30, 0.25])
    first = [object_crops(boxes, np.random.default_rng(i), 2).azimuth for i in range(1000)]
    assert {tuple(sorted(a)) for a in first} == {(0, 90)}
    # Binomial with standard error 0.014.
    assert np.mean([a[0] == 0 for a in first]) == pytest.approx(0.75, abs=0.05)


@given(
    st.integers(0, 1000), st.lists(st.tuples(st.floats(-180, 180), st.floats(-89, 89)), max_size=9)
)
def test_object_crops_keep_their_distance(seed, centres):
    boxes = some_boxes(*[[a, e, 20, 20, 0.5] for a, e in centres])
    crops = object_crops(boxes, np.random.default_rng(seed), 4)
    assert len(crops) == 4
    assert least_angle(crops) >= 36 - 1e-6
    objects = [o == "object" for o in crops.origin]
    assert objects == sorted(objects, reverse=True)
    known = {(a, e) for a, e in centres}
    for is_object, *centre in zip(objects, crops.azimuth, crops.elevation, strict=True):
        assert not is_object or tuple(centre) in known


def test_crops_know_their_boxes():
    boxes = some_boxes(*[[az, 0, 20, 30, 0.5] for az in (-150, -100, -50, 0, 50, 100)])
    for strategy, objects in {"random": 0, "mixed": 2, "objects": 4}.items():
        crops = select_crops(strategy, boxes, np.random.default_rng(1), 4)
        assert (crops.box >= 0).tolist() == [True] * objects + [False] * (4 - objects)
        looked = crops.box[:objects]
        assert (boxes.azimuth[looked] == crops.azimuth[:objects]).all()
        assert len(set(looked)) == objects


@pytest.mark.parametrize(("spacing", "kinds"), [(0, 3), (15, 2), (36, 1)])
def test_spacing_of_objects_can_be_chosen(spacing, kinds):
    boxes = some_boxes([0, 0, 20, 20, 0.5], [10, 0, 20, 20, 0.5], [25, 0, 20, 20, 0.5])
    seen = {
        (crops.origin.count("object"), len(set(crops.box[crops.box >= 0])))
        for crops in (
            select_crops("objects", boxes, np.random.default_rng(i), 3, spacing=spacing)
            for i in range(40)
        )
    }
    assert max(seen) == (kinds, kinds)
    assert spacing or seen == {(3, 3)}  # nothing is taken twice


def test_no_objects_fall_back_to_random():
    crops = object_crops(Boxes.empty(), np.random.default_rng(0), 4)
    assert crops.origin == ("fallback",) * 4
    assert least_angle(crops) >= 36
    unsure = some_boxes([0, 0, 30, 30, 0.0])
    assert object_crops(unsure, np.random.default_rng(0), 1).origin == ("fallback",)


@pytest.mark.parametrize(
    ("box", "view"),
    [
        ((50, 50), (60, 60)),  # a margin of a fifth
        ((3, 4), (25, 25)),  # never closer than 25°
        ((150, 200), (90, 90)),  # never wider than 90°
        # A standing person: 72° high, and as wide as 3/4 of that on the tangent plane.
        ((10, 60), (2 * np.rad2deg(np.arctan(0.75 * np.tan(np.deg2rad(36)))), 72)),
    ],
)
def test_field_of_view_of_an_object(box, view):
    for (w, h), (width, height) in ((box, view), (box[::-1], view[::-1])):
        crops = object_crops(some_boxes([10, 5, w, h, 0.5]), np.random.default_rng(0), 1)
        assert (crops.width[0], crops.height[0]) == pytest.approx((width, height))
        assert (crops.azimuth[0], crops.elevation[0]) == (10, 5)


def test_mixed_is_half_and_half():
    boxes = some_boxes(*[[az, 0, 20, 30, 0.5] for az in (-150, -90, 0, 60, 120)])
    rng = np.random.default_rng(0)
    assert select_crops("mixed", boxes, rng, 4).origin == ("object",) * 2 + ("random",) * 2
    ones = [select_crops("mixed", boxes, rng, 1).origin[0] for _ in range(200)]
    assert 70 <= ones.count("object") <= 130  # four deviations of a fair coin
    assert ones.count("object") + ones.count("random") == 200
    assert select_crops("mixed", Boxes.empty(), rng, 4).origin == (
        ("fallback",) * 2 + ("random",) * 2
    )  # fmt: skip
    assert least_angle(select_crops("mixed", boxes, rng, 5)) >= 36
    assert select_crops("random", boxes, rng, 2).origin == ("random", "random")


def test_wrong_requests():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="random, objects, mixed"):
        select_crops("object", Boxes.empty(), rng, 4)
    for k in (0, -1, 2.5, True):
        for strategy in ("random", "objects", "mixed"):
            with pytest.raises(InputError, match="k must be a positive integer"):
                select_crops(strategy, Boxes.empty(), rng, k)
    with pytest.raises(InputError, match="spacing must lie between 0 and 180"):
        random_crops(rng, 4, spacing=-1)
