"""The oracle: against a plain loop over scenes, and where the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.evaluation.ceiling import (
    RESOLUTION,
    SHOWN,
    Contents,
    ceiling,
    contradicted,
    label_shown,
    most_shown,
)
from tests.ambikit_learn.world.worlds import vector


@pytest.fixture(scope="module")
def world():
    """80 scenes of the standard world, and four crops of each."""
    dataset = WorldDataset("standard", "test", seed=3, span=0.2, epoch_length=80)
    contents = Contents.of_dataset(dataset)
    rng = np.random.default_rng(0)
    centres = rng.uniform([-180, -30], [180, 30], (80, 4, 2))
    views = np.concatenate([centres, rng.uniform(25, 90, (80, 4, 2))], axis=-1)
    return dataset, contents, np.deg2rad(views)


def in_crop(azimuth, elevation, view):
    """Whether a direction lies in a crop, by a basis of the crop: degrees."""
    a, e, width, height = np.rad2deg(view)
    forward, left = vector(a, e), vector(a + 90, 0)
    up = np.cross(forward, left)
    x, y, z = (vector(azimuth, elevation) @ axis for axis in (forward, left, up))
    return (
        x > 0
        and abs(np.rad2deg(np.arctan(y / x))) <= width / 2
        and abs(np.rad2deg(np.arctan(z / x))) <= height / 2
    )


def things(scene):
    for number, thing in enumerate(scene.objects):
        azimuth, elevation, _ = (
            np.rad2deg(x[0]) for x in scene.track(number, [scene.duration / 2])
        )
        yield thing, azimuth, elevation


def slow(picture, sound, view):
    """Whether one crop contradicts one sound: names and degrees, a case at a time."""
    seen, heard = (
        [(o.instance.label, a, e) for o, a, e in things(s) if o.sounding] for s in (picture, sound)
    )

    def matches(one, other):
        angle = np.rad2deg(np.arccos(np.clip(vector(*one[1:]) @ vector(*other[1:]), -1, 1)))
        return one[0] == other[0] and angle <= RESOLUTION

    for here, there in ((seen, heard), (heard, seen)):
        for one in here:
            if in_crop(*one[1:], view) and not any(matches(one, other) for other in there):
                return True
    return False


def test_it_agrees_with_a_loop_over_objects(world):
    dataset, contents, views = world
    yaw = np.random.default_rng(1).uniform(-np.pi, np.pi, len(views))
    turned = contradicted(contents, contents.turned(yaw), views)
    other = contradicted(contents, contents.take(np.roll(np.arange(len(views)), 1)), views)
    scenes = [dataset.scene(i) for i in range(len(views))]
    for i, scene in enumerate(scenes):
        for k, view in enumerate(views[i]):
            assert turned[i, k] == slow(scene, scene.turned(yaw[i]), view)
            assert other[i, k] == slow(scene, scenes[i - 1], view)
    assert 0.15 < turned.mean() < 0.6
    assert 0.15 < other.mean() < 0.6


def test_the_right_sound_is_never_contradicted(world):
    _, contents, views = world
    assert not contradicted(contents, contents, views).any()
    assert not contradicted(contents, contents, views, resolution=0.0).any()


def test_a_turn_within_the_resolution_is_not_told(world):
    _, contents, views = world
    small = contents.turned(np.full(len(views), np.deg2rad(0.9 * RESOLUTION)))
    assert not contradicted(contents, small, views).any()
    assert contradicted(contents, small, views, resolution=1.0).any()


def test_what_crops_show_is_what_is_in_them(world):
    dataset, contents, views = world
    shown = most_shown(contents, views)
    for i in range(len(views)):
        scene = dataset.scene(i)
        for k, view in enumerate(views[i]):
            there = [o.sounding for o, a, e in things(scene) if in_crop(a, e, view)]
            assert shown[i, k] == (2 if any(there) else 1 if there else 0)
    assert set(shown.ravel()) == {0, 1, 2} == set(range(len(SHOWN)))


def test_a_crop_of_a_sounding_object_tells_every_turn_and_a_silent_scene_tells_none(world):
    _, contents, views = world
    half = contents.turned(np.full(len(views), np.pi))
    told = contradicted(contents, half, views)
    single = contents.sounding.sum(1) == 1
    assert told[(most_shown(contents, views) == 2) & single[:, None]].all()
    silent = replace(contents, sounding=np.zeros_like(contents.sounding))
    assert not contradicted(silent, silent.turned(np.full(len(views), np.pi)), views).any()


def test_the_ceiling_counts_what_is_not_told_as_a_guess():
    assert ceiling(np.array([True, False, False, True])).mean() == 0.75


def test_the_class_that_a_crop_shows():
    contents = Contents(
        np.array([[3, 5], [2, -1]]),
        np.deg2rad([[0.0, 90.0], [0.0, 0.0]]),
        np.zeros((2, 2)),
        np.array([[True, False], [True, False]]),
    )
    ahead, left = [0.0, 0.0, 60.0, 60.0], [90.0, 0.0, 60.0, 60.0]
    views = np.deg2rad([[ahead, left], [left, ahead]])
    # The object to the left is silent
    assert label_shown(contents, views).tolist() == [[3, -1], [-1, 2]]
