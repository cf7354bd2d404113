"""Scenes keep the bounds that they are drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ambikit
from ambikit_learn.world import CLASSES, PRESETS, sample_scene
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.places import PLACES
from ambikit_learn.world.presets import Preset
from ambikit_learn.world.scene import Room
from tests.ambikit_learn.world.worlds import RATE, degrees_between, drawn, played, vector


def test_scenes_keep_their_bounds() -> None:
    for name, preset in PRESETS.items():
        counts = []
        for index in range(60):
            scene = drawn(index, name, seconds=6.0)
            times = np.linspace(0, 6, 31)
            tracks = [np.rad2deg(scene.track(i, times)) for i in range(len(scene.objects))]
            seen = [vector(a, e) for a, e, _ in tracks]
            for i, (_, elevation, radius) in enumerate(tracks):
                assert np.abs(elevation).max() <= preset.elevation + 1e-6
                assert preset.radius[0] - 0.02 <= radius.min()
                assert radius.max() <= preset.radius[1] + 0.02
                for other in seen[:i]:
                    assert degrees_between(seen[i], other).min() > preset.spacing - 0.1
                places = scene.objects[i].path.at(times - 3)
                assert (places.max(0) < np.array(scene.room.walls[::2])).all()
                assert (-places.min(0) < np.array(scene.room.walls[1::2])).all()
            loud = sum(thing.sounding for thing in scene.objects)
            assert preset.sounding[0] <= loud <= preset.sounding[1]
            counts.append(len(scene.objects))
        assert (min(counts), max(counts)) == preset.objects


def test_scenes_hold_twins_and_pairs_as_often_as_asked() -> None:
    twins: list[bool] = []
    pairs: list[bool] = []
    moving: list[bool] = []
    for index in range(500):
        things = drawn(index).objects
        loud = [o.instance.label for o in things if o.sounding]
        silent = [o for o in things if not o.sounding]
        if silent:
            twins.append(any(o.instance.label in loud for o in silent))
            moving.extend(o.pulsing for o in silent)
        if len(loud) >= 2:
            pairs.append(len(set(loud)) < len(loud))
        assert len({(o.instance.label, o.instance.index) for o in things}) == len(things)
    assert np.mean(twins) == pytest.approx(0.5, abs=0.07)
    assert np.mean(pairs) == pytest.approx(0.2, abs=0.07)
    assert np.mean(moving) == pytest.approx(0.5, abs=0.07)


def test_splits_share_no_individual() -> None:
    met = {
        split: {
            (o.instance.label, o.instance.index)
            for index in range(150)
            for o in drawn(index, split=split).objects
        }
        for split in ("train", "test")
    }
    assert not met["train"] & met["test"]
    assert {label for label, _ in met["test"]} == set(CLASSES)


def test_a_scene_depends_on_seed_and_index_alone() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7).objects != drawn(8).objects
    one = render_sound(drawn(7), played(drawn(7)), RATE)
    np.testing.assert_array_equal(one, render_sound(drawn(7), played(drawn(7)), RATE))


def test_objects_that_do_not_fit_are_refused() -> None:
    crowd = Preset(objects=(8, 8), spacing=90.0)
    with pytest.raises(ambikit.InputError, match=r"8 objects do not fit 90° apart"):
        sample_scene(crowd, seed=0, index=0, split="train", duration=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objects": (13, 13)}, "there are 12 classes"),
        ({"t60": (0.4, 0.2)}, r"t60 must be \(low, high\)"),
        ({"t60": (0.0, 0.2)}, "t60 must be positive"),
        ({"silent_twin": 1.2}, "silent_twin must lie between 0 and 1"),
        ({"motion": (0.5, 0.5, 0.5)}, "motion must be three probabilities"),
        ({"radius": (0.0, 10.0)}, "radius"),
    ],
)
def test_impossible_presets_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ambikit.InputError, match=message):
        sample_scene(
            replace(PRESETS["standard"], **change),  # type: ignore[arg-type]
            seed=0,
            index=0,
            split="train",
            duration=1.0,
        )


def test_impossible_rooms_are_refused() -> None:
    for walls, t60 in (((3.0, 2.0, -1.0, 2.0, 1.0, 1.0), 0.4), ((3.0,) * 6, 0.0)):
        with pytest.raises(ambikit.InputError, match="no room has its walls at"):
            Room(walls, t60, 6.0, "office")  # type: ignore[arg-type]


def test_scenes_share_the_place_only_where_they_should() -> None:
    alike = {
        preset: np.mean(
            [s.ambience == s.room.place for s in (drawn(i, preset) for i in range(150))]
        )
        for preset in ("standard", "scenes")
    }
    assert alike["scenes"] == 1.0
    assert alike["standard"] < 0.25
    places = [drawn(i, "scenes").room.place for i in range(300)]
    assert set(places) == set(PLACES)
    assert np.mean([PLACES[p].open_sky for p in places]) == pytest.approx(0.3, abs=0.08)
