"""Cached scenes are those that would be rendered, in blocks that can be filled in any order."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ambikit import InputError
from ambikit_learn import FrontEnd, cache_scenes, evaluate, fit, open_items
from ambikit_learn._typing import Covariance
from ambikit_learn.data.cache_folder import block_path, write_block
from ambikit_learn.data.cached import CachedDataset
from ambikit_learn.evaluation.ceiling import Contents
from ambikit_learn.sphere.crops import ORIGINS, sounding_weights
from ambikit_learn.sphere.equirect import angular_distance
from ambikit_learn.sphere.listening import listen
from ambikit_learn.training.batches import StreamDataset
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.scene import Scene
from ambikit_learn.world.sounds import perform

RATE = 24000
FRONT_END = FrontEnd("foa_iv", preset="tiny", source_rate=24000)
COVARIANCE = FRONT_END.covariance_settings
READING = {"size": 12, "covariance": COVARIANCE}
OPTIONS = {"preset": "standard", "seed": 3, "size": 12, "random": 3, "objects": 2, "workers": 0}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "scenes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ambikit_learn.training.cache.BLOCK", 4)
        cache_scenes(folder, train=7, validation=0, test=3, **OPTIONS)
    return folder


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr("ambikit_learn.training.cache.BLOCK", 4)


def test_scenes_are_those_of_the_world(root: Path) -> None:
    world = open_items("world:standard", "test", seed=3, scenes=3, size=12, covariance=COVARIANCE)
    items = open_items(root, "test", views=3, **READING)
    assert len(items) == 4
    for index in range(3):
        # The first draws of a scene's crops are the random ones: three of them, or of four.
        item, rendered = items[index], world[index]
        np.testing.assert_array_equal(item.sound.values, rendered.sound.values)
        for name in ("azimuth", "elevation", "width", "height"):
            np.testing.assert_allclose(getattr(item, name), getattr(rendered, name)[:3])
        np.testing.assert_array_equal(item.video, rendered.video[:3])
        assert items.scene(index) == world.scene(index)
        assert item.key == rendered.key.replace(str(2**40 + index), str(index))
    assert Contents.of_dataset(items).label.shape[0] == 4


def test_crops_are_drawn_by_strategy_and_anew_in_each_epoch(root: Path) -> None:
    items = open_items(root, views=2, strategy="mixed", seed=1, **READING)
    assert len(items) == 8
    seen = set()
    for epoch in range(6):
        items.set_epoch(epoch)
        item = items[1]
        assert not item.on_object[1]  # the last crop is a random one
        seen.add(tuple(item.azimuth.tolist()))
        again = open_items(root, views=2, strategy="mixed", seed=1, **READING)
        again.set_epoch(epoch)
        assert torch.equal(again[1].video, item.video)
    assert len(seen) > 1
    objects = open_items(root, views=2, strategy="objects", **READING)
    assert any(objects[index].on_object.any() for index in range(8))
    completed = open_items(root, views=5, strategy="objects", **READING)
    assert not any(completed[index].on_object[2:].any() for index in range(8))
    one = open_items(root, views=1, strategy="mixed", **READING)
    assert len({bool(one[index].on_object) for index in range(8)}) == 2


def weights_of(items: CachedDataset, index: int) -> np.ndarray:
    """The weights of a scene's crops, from the sound that is rendered anew and not from bands."""
    scene = items.scene(index)
    sound = render_sound(scene, [perform(scene, i, RATE) for i in range(len(scene.objects))], RATE)
    block = block_path(items.root, items.split, index // 4)
    views, on_object = (
        np.load(block / f"{name}.npy")[index % 4] for name in ("views", "on_object")
    )
    return sounding_weights(np.rad2deg(views, dtype=float), on_object, listen(sound, RATE))


def places_of(scene: Scene) -> list[tuple[float, float]]:
    """Azimuth and elevation of the objects of a scene in its middle, in degrees."""
    middle = np.array([scene.duration / 2])
    directions = (scene.track(i, middle) for i in range(len(scene.objects)))
    return [(np.rad2deg(a[0]), np.rad2deg(e[0])) for a, e, _ in directions]


def test_crops_are_drawn_where_it_sounds(root: Path) -> None:
    """In proportion to the sound from there, by what `listen` hears in the sound itself."""
    items = open_items(root, views=1, strategy="sounding", **READING)
    draws = 200
    drawn: Counter[tuple[int, float, str]] = Counter()
    for epoch in range(draws):
        items.set_epoch(epoch)
        for index in range(8):
            item = items[index]
            name = ORIGINS[int(item.origin[0])]
            assert bool(item.on_object[0]) == (name == "object")
            drawn[index, float(item.azimuth[0]), name] += 1
    for index in range(8):
        views = np.load(block_path(root, "train", index // 4) / "views.npy")[index % 4]
        weight = weights_of(items, index)
        if not weight.any():
            continue
        share = np.array(
            [sum(drawn[index, float(v[0]), n] for n in ORIGINS) / draws for v in views]
        )
        # Bands of the covariance part sources a little less than bins do.
        np.testing.assert_allclose(share, weight / weight.sum(), atol=0.2)
        assert np.abs(share - weight / weight.sum()).mean() < 0.08


def test_silent_objects_are_seldom_drawn_where_it_sounds(root: Path) -> None:
    shown = {}
    for strategy in ("objects", "sounding"):
        items = open_items(root, views=1, strategy=strategy, **READING)
        silent = []
        for epoch in range(20):
            items.set_epoch(epoch)
            for index in range(8):
                item = items[index]
                if item.on_object[0]:
                    centre = np.rad2deg([float(item.azimuth[0]), float(item.elevation[0])])
                    scene = items.scene(index)
                    away = [
                        angular_distance(*centre, *where, degrees=True)
                        for where in places_of(scene)
                    ]
                    silent.append(not scene.objects[int(np.argmin(away))].sounding)
        shown[strategy] = np.mean(silent)
    assert shown["objects"] > 0.25
    assert shown["sounding"] < 0.5 * shown["objects"]


def test_all_crops_can_be_asked_for_where_it_sounds(root: Path) -> None:
    """Each once, and those without sound last; another seed draws others."""
    drawn = set()
    for seed in range(8):
        items = open_items(root, views=5, strategy="sounding", seed=seed, **READING)
        again = open_items(root, views=5, strategy="sounding", seed=seed, **READING)
        for index in range(8):
            item = items[index]
            assert len(set(item.azimuth.tolist())) == 5
            names = [ORIGINS[i] for i in item.origin.tolist()]
            if "fallback" in names:
                assert "sound" not in names[names.index("fallback") :]
            assert torch.equal(item.azimuth, again[index].azimuth)
            assert torch.equal(item.video, again[index].video)
        drawn.add(tuple(items[1].azimuth.tolist()))
    assert len(drawn) > 1


def test_sound_without_direction_has_random_crops(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(root, folder)
    for block in folder.glob("*/0*"):
        sound = np.load(block / "sound.npy")
        sound[:, 1:] = 0.0
        np.save(block / "sound.npy", sound)
    items = open_items(folder, views=3, strategy="sounding", **READING)
    for index in range(8):
        assert items[index].origin.tolist() == [ORIGINS.index("fallback")] * 3
        assert not items[index].on_object.any()


def test_outside_of_training_the_loudest_crops_are_taken(root: Path) -> None:
    for seed in range(3):
        items = open_items(root, "test", views=2, strategy="sounding", seed=seed, **READING)
        for index in range(4):
            weight = weights_of(items, index)
            block = block_path(root, "test", 0)
            views = np.load(block / "views.npy")[index]
            best = [int(np.flatnonzero(views[:, 0] == a)[0]) for a in items[index].azimuth.numpy()]
            assert weight[best[0]] > 0.8 * weight.max()


def test_origins_are_recorded(root: Path) -> None:
    for strategy in ("random", "mixed", "objects"):
        items = open_items(root, views=3, strategy=strategy, **READING)
        for index in range(8):
            item = items[index]
            names = [ORIGINS[i] for i in item.origin.tolist()]
            at_objects = item.on_object.tolist()
            assert [name == "object" for name in names] == at_objects
            if strategy != "mixed":
                others = {name for name in names if name != "object"}
                assert others <= {"random" if strategy == "random" else "fallback"}
            if strategy == "objects":
                assert names[2] == "fallback"  # two were rendered
            if strategy == "mixed":
                assert names[2] == "random"


@pytest.mark.parametrize("strategy", ["objects", "sounding"])
def test_a_mirrored_item_is_the_mirrored_scene(root: Path, strategy) -> None:
    plain = open_items(root, views=2, strategy=strategy, seed=5, **READING)
    mirrored = open_items(root, views=2, strategy=strategy, seed=5, mirror=True, **READING)
    turned = 0
    for index in range(8):
        a, b = plain[index], mirrored[index]
        if torch.equal(a.azimuth, b.azimuth):
            assert torch.equal(a.video, b.video)
            continue
        turned += 1
        assert torch.equal(a.azimuth, -b.azimuth)
        assert torch.equal(a.video.flip(-2), b.video)
        # Seen from its crops, a mirrored field has the opposite intensity along y alone.
        one, other = (
            FRONT_END.raw(Covariance(i.sound.values[None]), i.azimuth[None], i.elevation[None])
            for i in (a, b)
        )
        sign = torch.tensor([-1.0 if name == "Iy" else 1.0 for name in FRONT_END.channel_names])
        torch.testing.assert_close(other[0], one[0] * sign[:, None, None], atol=1e-4, rtol=1e-4)
    assert turned in range(1, 8)


def test_blocks_are_kept_extended_and_completed(tmp_path: Path) -> None:
    cache_scenes(tmp_path, train=4, validation=0, test=0, **OPTIONS)
    first = (block_path(tmp_path, "train", 0) / "sound.npy").stat().st_mtime_ns
    write_block(tmp_path, "train", 2)  # another machine was faster with the last block
    assert len(open_items(tmp_path, views=2, **READING)) == 4
    cache_scenes(tmp_path, train=12, validation=0, test=0, **OPTIONS)
    assert len(open_items(tmp_path, views=2, **READING)) == 12
    assert (block_path(tmp_path, "train", 0) / "sound.npy").stat().st_mtime_ns == first
    cache_scenes(tmp_path, train=4, validation=0, test=0, **OPTIONS)  # asks for no more
    assert len(open_items(tmp_path, views=2, **READING)) == 12
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_not_complete_is_not_read(tmp_path: Path, monkeypatch) -> None:
    """A killed call leaves blocks in any order, and parts of one."""
    written = []

    def write(root, split, number):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(number)
        write_block(root, split, number)

    monkeypatch.setattr("ambikit_learn.training.cache.write_block", write)
    with pytest.raises(KeyboardInterrupt):
        cache_scenes(tmp_path, train=12, validation=0, test=0, **OPTIONS)
    with pytest.raises(InputError, match="1 of 3 blocks of 'train' are missing: run the same"):
        open_items(tmp_path, views=2, **READING)
    old, young = (tmp_path / "train" / f".0000{n}.1.part" for n in (0, 1))
    for part in (old, young):
        part.mkdir()
        (part / "video.npy").write_bytes(b"cut")
    os.utime(old, (0, 0))
    monkeypatch.undo()
    monkeypatch.setattr("ambikit_learn.training.cache.BLOCK", 500)  # as a later version may have it
    cache_scenes(tmp_path, train=9, validation=0, test=0, **OPTIONS)
    assert len(open_items(tmp_path, views=2, **READING)) == 12
    assert young.exists()  # perhaps of a process that is at work
    assert not old.exists()


def test_the_stream_sets_the_epoch(root: Path) -> None:
    stream = StreamDataset(CachedDataset(root, views=2, **READING))
    same = {tuple(stream[1 + 8 * epoch].azimuth.tolist()) for epoch in range(6)}
    assert len(same) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 24}, "size 12, asked for 24"),
        ({"covariance": None}, "the features need sound"),
        ({"covariance": COVARIANCE | {"n_mels": 40}}, "cache for these features"),
        ({"views": 4}, "4 random views of each scene are more than .* has: 3 random crops"),
        ({"views": 6, "strategy": "objects"}, "6 objects views of each scene are more"),
        ({"views": 6, "strategy": "sounding"}, "6 sounding views of each scene are more"),
        ({"views": 7, "strategy": "mixed"}, "7 mixed views of each scene are more"),
        ({"strategy": "everything"}, "unknown strategy 'everything'"),
        ({"scenes": 9}, "has 8 scenes of 'train', asked for 9"),
        ({"colour_jitter": 0.1}, "does not take colour_jitter"),
    ],
)
def test_what_the_folder_does_not_hold_is_refused(root: Path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        open_items(root, "train", **({"views": 2} | READING | options))


def test_an_empty_split_and_foreign_folders_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scenes of the split 'validation'"):
        open_items(root, "validation", views=2, **READING)
    with pytest.raises(InputError, match=r"seed 3, not 4: give another folder"):
        cache_scenes(root, train=1, **(OPTIONS | {"seed": 4}))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        cache_scenes(tmp_path, train=1, **OPTIONS)
    with pytest.raises(InputError, match="a scene needs crops"):
        cache_scenes(tmp_path / "new", train=1, **(OPTIONS | {"random": 0, "objects": 0}))
    assert not (tmp_path / "new").exists()
    (damaged := tmp_path / "damaged").mkdir()
    (damaged / "cache.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        open_items(damaged, **READING)
    (damaged / "cache.json").write_text(json.dumps({"format": "ambikit-cache/0"}))
    with pytest.raises(InputError, match="is not of format"):
        open_items(damaged, **READING)


@pytest.mark.parametrize("strategy", ["random", "sounding"])
def test_a_training_reads_resumes_and_is_evaluated(tmp_path: Path, strategy) -> None:
    """All of the way that the README has, with small numbers; a grown folder is another one."""
    scenes, run = tmp_path / "scenes", tmp_path / "run"
    options = OPTIONS | {"size": 48, "random": 4}
    cache_scenes(scenes, train=8, validation=4, test=4, **options)
    few = {"data.batch_size": 4, "data.workers": 0, "trainer.enable_progress_bar": False}
    few["data.strategy"] = strategy
    fit("world/avsa_foa_iv", scenes, run, settings=few | {"trainer.max_steps": 2})
    fit("world/avsa_foa_iv", scenes, run, settings=few | {"trainer.max_steps": 3})
    (result,) = evaluate("avsa", run, scenes, clips=4)
    assert result.rows["4 crops"].clips == 4
    assert result.ceiling["4 crops"] >= 0.5
    cache_scenes(scenes, train=12, validation=4, test=4, **options)
    with pytest.raises(InputError, match=r"scenes has changed since this run began \(then 12"):
        fit("world/avsa_foa_iv", scenes, run, settings=few | {"trainer.max_steps": 4})
