"""Scenes of tasks: those of a named world, and of a folder of cached scenes."""

from __future__ import annotations

import dataclasses

import pytest

from ambikit import InputError
from ambikit_learn.data.cache_folder import CacheSettings
from ambikit_learn.data.rendered import SAMPLE_RATE
from ambikit_learn.evaluation.acoustic_scenes import evaluate_scenes
from ambikit_learn.evaluation.actions import evaluate_actions
from ambikit_learn.evaluation.direction import evaluate_direction
from ambikit_learn.evaluation.seld_task import evaluate_seld
from ambikit_learn.evaluation.worlds import World

SEED = 5


@pytest.fixture
def cached(tmp_path):
    """Folder of a cache whose blocks are not there: tasks need its settings alone."""
    root = tmp_path / "cached"
    counts = {"train": 20, "validation": 0, "test": 20}
    settings = CacheSettings("easy", SEED, 2, 1, 0.5, 2, 8, SAMPLE_RATE, {}, 10, counts)
    settings.save(root)
    return root


def test_scenes_are_those_of_the_cache(cached):
    world = World.of(cached, seed=0)
    for split in ("train", "test"):
        there = CacheSettings.load(cached).world(split, 20)
        assert world.scenes(split, 20) == [there.scene(i) for i in range(20)]
    assert world.scenes("test", 3, 4.0)[2].duration == 4.0
    assert world.scenes("test", 0) == []
    named = World.of("world:easy", SEED)
    assert named == dataclasses.replace(world, name="world:easy", span=1.0)
    assert named.scenes("test", 2) != World.of("world:easy", 0).scenes("test", 2)


def test_a_world_that_there_is_not(cached):
    with pytest.raises(InputError, match="preset of a world"):
        World.of("world:none", 0)
    with pytest.raises(FileNotFoundError, match="no cached scenes"):
        World.of(cached / "train", 0)
    (cached / "cache.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        World.of(cached, 0)


TASKS = {
    "direction": (evaluate_direction, {"scenes": 4, "train_scenes": 24, "baseline": ["random"]}),
    "seld": (
        evaluate_seld,
        {"scenes": 1, "train_scenes": 1, "epochs": 1, "baseline": ["features"]},
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_on_a_cache_is_that_on_its_world(cached, tmp_path, new_encoder, task):
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    evaluate, options = TASKS[task]
    found = evaluate(cached, run, seed=SEED, out=tmp_path / "cache", **options)
    named = evaluate("world:easy", run, seed=SEED, out=tmp_path / "world", **options)
    assert found.data == "world:easy, seed 5"
    assert repr(found.table) == repr(named.table)  # NaN included


def test_classes_of_a_cache(cached, tmp_path, new_encoder):
    """Places and actions come from the cache: with few scenes, each task names what it lacks."""
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    with pytest.raises(InputError, match="fold 1 trains on no recording of"):
        evaluate_scenes(cached, run, scenes=(2, 2))
    with pytest.raises(InputError, match="fold 1 tests on no recording of"):
        evaluate_actions(cached, run, scenes=(30, 2))
