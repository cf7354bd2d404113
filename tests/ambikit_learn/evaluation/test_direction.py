"""Directions from frozen embeddings, and from crops that are swept around real clips."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ambikit
from ambikit import InputError
from ambikit_learn.evaluation import direction, rendered_sounds
from ambikit_learn.evaluation.direction import (
    CONDITIONS,
    angle_between,
    estimated,
    evaluate_direction,
    loudest,
    still_scenes,
)
from ambikit_learn.evaluation.intervals import bootstrap_mean
from ambikit_learn.evaluation.results import TaskResults
from ambikit_learn.evaluation.swept_crops import around, read_frames, read_places, sweep
from ambikit_learn.evaluation.worlds import World
from ambikit_learn.sources import Clip
from ambikit_learn.video.files import resize, write_video
from tests.ambikit_learn.sphere import panoramas

RATE = 24000


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Results with baselines only, of scenes in which the intensity tells much."""
    out = tmp_path_factory.mktemp("direction")
    return evaluate_direction("world:easy", baseline=["intensity"], scenes=10, out=out), out


def test_the_intensity_tells_the_direction_of_easy_scenes(measured):
    results, out = measured
    names = [row.name for row in results.table.rows]
    assert names == ["intensity vector", "intensity histogram"]
    for name in names:
        assert results.row(name).values["median angle"].mean < 25.0
    stored = json.loads((out / "evaluation" / "direction.json").read_text())
    assert stored["settings"]["scenes"] == 10
    assert TaskResults.load(out / "evaluation" / "direction.json").table == results.table
    by_sources = results.details[-1]
    assert sum(int(m.name.split("(")[1][:-1]) for m in by_sources.measures) == 10


def test_an_encoder_stands_beside_random_weights_and_resumes(tmp_path, new_encoder, monkeypatch):
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    options = {"baseline": ["random"], "scenes": 6, "train_scenes": 12, "viewpoints": 2}
    results = evaluate_direction("world:easy", run, **options)
    names = [row.name for row in results.table.rows]
    assert names == [
        "encoder, linear", "encoder, mlp", "random weights, linear", "random weights, mlp"
    ]  # fmt: skip
    assert [row.kind for row in results.table.rows] == ["learned"] * 2 + ["baseline"] * 2
    assert "encoder, linear − random weights, linear: mean angle" in results.comparisons
    monkeypatch.setattr(rendered_sounds, "render_sound", None)
    again = evaluate_direction("world:easy", run, **options)
    assert again.table == results.table


def test_a_regression_finds_directions_that_are_in_the_embedding():
    rng = np.random.default_rng(0)
    towards = rng.normal(size=(600, 3))
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    flat = np.concatenate([towards, rng.normal(size=(600, 5))], 1) @ rng.normal(size=(8, 8))
    bent = np.tanh(3.0 * flat) + 2.0
    for probe in ("linear", "mlp"):
        found = direction.regress(bent[:500], towards[:500], bent[500:], probe, 0)
        assert np.median(angle_between(found, towards[500:])) < 30.0
        other = direction.regress(bent[:500], towards[500:0:-1], bent[500:], probe, 0)
        assert np.median(angle_between(other, towards[500:])) > 60.0


def test_too_few_scenes_for_a_regression():
    few = np.eye(4)[:, :3]
    with pytest.raises(InputError, match="probe 'mlp' cannot be trained on 4 vectors"):
        direction.regress(np.eye(4), few, np.eye(4), "mlp", 0)


def test_the_target_is_the_loudest_object_that_stands_still():
    scenes = still_scenes(World.of("world:hard", 3), "test", 8, 1.0)
    targets = loudest(scenes)
    for scene, target in zip(scenes, targets, strict=True):
        heard = [i for i, thing in enumerate(scene.objects) if thing.sounding]
        level = {i: scene.objects[i].level for i in heard}
        first = max(level, key=level.get)
        for time in (0.0, 0.9):
            azimuth, elevation, _ = scene.track(first, [time])
            assert ambikit.angles_to_vector(azimuth[0], elevation[0]) == pytest.approx(target)
    train = still_scenes(World.of("world:hard", 3), "train", 8, 1.0)
    individuals = [
        {(t.instance.label, t.instance.index) for s in some for t in s.objects}
        for some in (scenes, train)
    ]
    assert not individuals[0] & individuals[1]


def test_angles_of_vectors_of_any_length():
    a = [[1, 0, 0], [0, 2, 0], [1, 1, 0], [0, 0, 0], [-1, 0, 0]]
    b = [[5, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert angle_between(a, b) == pytest.approx([0, 90, 45, 90, 180])


def test_intervals_take_the_draws_of_the_bootstrap_over_clips():
    values = np.random.default_rng(1).normal(size=40)
    one, other = estimated(np.mean, values), bootstrap_mean(values, np.arange(40))
    assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high))


def test_bins_part_scenes_by_their_values():
    scenes = still_scenes(World.of("world:hard", 0), "test", 12, 1.0)
    for condition in CONDITIONS:
        assert len(condition.bins) == len(condition.bounds) + 1
        parts = condition.parts(scenes)
        assert np.sum(list(parts.values()), axis=0).tolist() == [1] * 12
    by_sources = CONDITIONS[-1].parts(scenes)
    for name, some in by_sources.items():
        for scene, inside in zip(scenes, some, strict=True):
            assert inside == (str(min(sum(o.sounding for o in scene.objects), 3)) == name[0])


@pytest.fixture
def clip_folder(tmp_path):
    """Clips in the layout of Sphere360: a white stripe at 120°, noise from −60°."""
    root = tmp_path / "sphere360"
    (root / "dataset" / "split").mkdir(parents=True)
    (root / "media").mkdir()
    lists = root / "dataset" / "split"
    (lists / "train.txt").write_text("")
    (lists / "test.txt").write_text("abc_0\n")
    frames = np.zeros((16, 60, 120, 3), np.uint8)
    frames[:, :, 17:23] = 255  # columns around (1 − 120/180) / 2 · 120 = 20
    write_video(root / "media" / "abc_0.mp4", frames, 8.0, quality=10)
    noise = np.random.default_rng(0).normal(size=2 * RATE).astype(np.float32)
    ambikit.write(
        root / "media" / "abc_0.flac", 0.1 * ambikit.encode(noise, -60, degrees=True), RATE
    )
    (root / "places.csv").write_text("abc_0,-60\n")
    return root


def test_the_crop_that_agrees_best_is_found(clip_folder):
    """With a model for which sound and crop agree as much as the crop is bright in its middle."""

    class Bright:
        def __init__(self, value):
            self.value = value

        def similarity(self):
            return torch.diag(self.value)[None]

    def middle(video):
        return video[..., 20:28, 20:28, :].float().mean((0, 2, 3, 4, 5))

    model = SimpleNamespace(
        net=SimpleNamespace(heads=lambda video, audio: Bright(video), settings={"frames": 2}),
        encode=lambda video, sound, *_: (middle(video), sound),
    )
    encoder = SimpleNamespace(
        model=model, sample_rate=RATE, window=1.0, record=SimpleNamespace(settings={})
    )
    media = clip_folder / "media"
    clip = Clip("abc_0", media / "abc_0.mp4", media / "abc_0.flac")
    sound, _ = ambikit.read(clip.audio)
    assert sweep(encoder, clip, sound, np.arange(0.0, 360.0, 10.0)) == 120.0
    with pytest.raises(InputError, match="shorter than 1 s"):
        sweep(encoder, clip, sound[:, :1000], np.arange(0.0, 360.0, 10.0))


def test_frames_of_clips_are_made_equirectangular(tmp_path):
    """What states a cubemap, shows one or is turned by its file; what is flat is refused."""
    path, times = tmp_path / "a.mp4", np.array([0.0, 0.5])
    sphere = panoramas.scene(panoramas.directions(240, 480))

    def as_in(options):
        return panoramas.v360(sphere, options)

    def difference(picture, change=None):
        write_video(path, np.tile(picture, (16, 1, 1, 1)), 8.0, quality=1)
        if change is not None:
            change()
        found = resize(read_frames(path, times), (120, 240))
        assert len(found) == 2
        return np.abs(found[0].astype(int) - resize(sphere, (120, 240))).mean()

    assert difference(sphere) < 4
    assert difference(as_in("e:c3x2:w=480:h=320")) < 6
    assert difference(as_in("e:eac:w=480:h=270")) < 6
    turned = np.ascontiguousarray(np.rot90(sphere))
    assert difference(turned, lambda: panoramas.set_matrix(path, (0, 1, -1, 0))) < 4
    stated = panoramas.spherical_boxes(panoramas.EQUI, 1)
    two = np.tile(sphere, (2, 1, 1))
    assert difference(two, lambda: panoramas.insert_boxes(path, stated)) < 4
    with pytest.raises(InputError, match=r"a\.mp4: the left and right side of its picture"):
        difference(as_in("e:flat:w=480:h=270:yaw=60"))
    difference(sphere)
    with pytest.raises(InputError, match=r"a\.mp4 ends before 9\.00 s"):
        read_frames(path, np.array([0.0, 9.0]))


def test_swept_crops_of_a_folder(clip_folder, new_encoder, tmp_path):
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    places = clip_folder / "places.csv"
    results = evaluate_direction(clip_folder, run, places=places)
    errors = {row.name: row.values["azimuth error"].mean for row in results.table.rows}
    assert set(errors) == {
        "encoder", "random weights", "power map", "intensity vector", "intensity histogram"
    }  # fmt: skip
    assert max(errors[name] for name in errors if name not in ("encoder", "random weights")) < 3.0
    assert results.details[0].measures[0].name == "abc_0"
    (clip_folder / "media" / "abc_0.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"abc_0\.mp4"):
        evaluate_direction(clip_folder, run, places=places)
    with pytest.raises(InputError, match="no clip could be measured"):
        evaluate_direction(clip_folder, run, places=places, skip_bad=True)


def test_bad_input_is_named(clip_folder, tmp_path, new_encoder):
    run = tmp_path / "run"
    new_encoder().save_pretrained(run)
    places = clip_folder / "places.csv"
    with pytest.raises(InputError, match="none of the 5 clips whose place is known"):
        evaluate_direction(clip_folder, run)
    places.write_text("abc_0,-60\nabc_0,190\n")
    with pytest.raises(InputError, match=r"places\.csv, line 2: 'abc_0,190'"):
        read_places(places)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_places(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="preset of a world"):
        evaluate_direction("world:none", baseline=["intensity"], out=tmp_path)
    with pytest.raises(InputError, match="nothing to measure"):
        evaluate_direction("world:easy", baseline=["random"], out=tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        evaluate_direction(tmp_path / "absent", baseline=["intensity"], out=tmp_path)


def test_differences_of_azimuths_wrap():
    assert [around(x) for x in (-350.0, 180.0, 190.0, 10.0)] == [10.0, 180.0, 170.0, 10.0]
