"""Training straight from scenes gives what their written files give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ambikit
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.sources import open_source
from ambikit_learn.sphere.crops import ORIGINS, Crops, random_crops
from ambikit_learn.sphere.equirect import gnomonic
from ambikit_learn.video.files import read_frames
from ambikit_learn.world import PRESETS, render_world, sample_scene
from ambikit_learn.world.pictures import boxes, render_crops, render_frames
from ambikit_learn.world.sounds import perform

RATE = 24000
MEL = {"n_fft": 1024, "window_length": 1024, "hop": 480, "n_mels": 32}


def test_an_item_is_what_the_written_files_hold(tmp_path: Path) -> None:
    render_world(
        tmp_path,
        clips=3,
        seed=6,
        duration=1.0,
        test_fraction=0.0,
        frame_size=(480, 960),
        frame_rate=8.0,
        workers=0,
    )
    written = {clip.key: clip for clip in open_source("yt360", tmp_path).clips()}
    names = (tmp_path / "train.txt").read_text().split()
    dataset = WorldDataset("standard", seed=6, epoch_length=3)
    pooled = WorldDataset("standard", seed=6, epoch_length=3, covariance=MEL)
    for index, name in enumerate(names):
        item, clip = dataset[index], written[f"{name}-0"]
        x, _ = ambikit.read(clip.audio, duration=1.0)
        for straight, decoded in zip(item.sound.numpy(), x, strict=True):
            error = np.square(straight - decoded).sum() / np.square(straight).sum()
            assert 10 * np.log10(error) < -15.0
        covariance = ambikit.mel_covariance(x, RATE, **MEL)
        power = pooled[index].sound.values[[0, 4, 7, 9]].numpy()
        np.testing.assert_allclose(
            covariance[[0, 4, 7, 9]].sum((1, 2)), power.sum((1, 2)), rtol=0.03
        )
        # The item's crops lie between frames: 0.25, 0.5 and 0.75 s are frames 2, 4 and 6.
        frames = read_frames(clip.video)[[2, 4, 6]]
        angles = [x.rad2deg().numpy() for x in item[2:6]]
        for crop, view in zip(item.video.numpy(), zip(*angles, strict=True), strict=True):
            # Four samples a pixel along each axis, since a ray is as wide as its pixel.
            cut = gnomonic(frames, *view, 192, degrees=True)
            difference = crop - cut.reshape(3, 48, 4, 48, 4, 3).mean((2, 4))
            assert np.abs(difference).mean() < 4.5
            assert np.abs(difference.mean((1, 2))).max() < 3.5


def test_crops_are_those_of_sharp_frames() -> None:
    scene = sample_scene(PRESETS["standard"], seed=1, index=2, split="train", duration=1.0)
    played = [perform(scene, i, RATE) for i in range(len(scene.objects))]
    tracks = [np.rad2deg(scene.track(i, [0.5])) for i in range(len(scene.objects))]
    k = len(tracks)
    # On the objects, at the seam and at the pole.
    azimuth = np.array([*(t[0, 0] for t in tracks), 180.0, 20.0])
    elevation = np.array([*(t[1, 0] for t in tracks), 5.0, 85.0])
    sides = np.full(k + 2, 40.0), np.full(k + 2, 30.0)
    crops = Crops(azimuth, elevation, *sides, ("",) * (k + 2), np.full(k + 2, -1))
    views = render_crops(scene, played, [0.5], crops, 64, fine=2)[:, 0]
    (frame,) = render_frames(scene, played, [0.5], (900, 1800))
    for view, a, e in zip(views, azimuth, elevation, strict=True):
        # Four samples a pixel along each axis, as a lens would average.
        cut, other = (
            gnomonic(frame, turned, e, 40.0, 30.0, 256, degrees=True)
            .reshape(64, 4, 64, 4, 3)
            .mean((1, 3))
            for turned in (a, a + 4.0)
        )
        error = np.abs(view - cut).mean()
        assert error < 2.2
        # Turned by a tenth, or mirrored, it would be another picture.
        assert np.abs(view - other).mean() > 2 * error
        assert np.abs(view[:, ::-1] - cut).mean() > 2 * error


def test_items_depend_on_seed_epoch_and_index_alone() -> None:
    first, again = (WorldDataset("hard", seed=3, epoch_length=4) for _ in range(2))
    again[0]
    for value, other in zip(first[2], again[2], strict=True):
        assert torch.equal(value, other) if torch.is_tensor(value) else value == other
    keys = set()
    for epoch in range(3):
        first.set_epoch(epoch)
        keys |= {first[i].key for i in range(4)}
    assert len(keys) == 12
    test = WorldDataset("hard", "test", seed=3, epoch_length=4)
    before = test[1]
    test.set_epoch(5)
    assert test[1].key == before.key == "test-1099511627777"
    assert torch.equal(test[1].sound, before.sound)
    assert len(list(map(int, range(len(test))))) == 4
    with pytest.raises(IndexError):
        test[4]


def test_items_have_the_shapes_of_prepared_data() -> None:
    item = WorldDataset("easy", strategy="mixed", views=3, span=0.5, frames=2, size=16)[0]
    assert item.video.shape == (3, 2, 16, 16, 3)
    assert item.video.dtype == torch.uint8
    assert item.sound.shape == (4, 12000)
    assert item.sound.dtype == torch.float32
    assert item.on_object.tolist() in ([True, True, False], [True, False, False])
    for angle in (item.azimuth, item.elevation, item.width, item.height):
        assert angle.shape == (3,)
        assert angle.dtype == torch.float32


def test_object_crops_look_at_objects_whose_sound_comes_from_there() -> None:
    """Beams towards the crop hear more of a scene's only sound than beams anywhere else."""
    dataset = WorldDataset("easy", strategy="objects", views=2, covariance=MEL)
    preset = PRESETS["easy"]
    ahead = []
    for index in range(12):
        scene = sample_scene(preset, seed=0, index=index, split="train", duration=1.0)
        loud = [i for i, thing in enumerate(scene.objects) if thing.sounding]
        if len(loud) != 1:
            continue
        azimuth, elevation, _ = (float(v[0]) for v in scene.track(loud[0], [0.5]))
        around = azimuth + np.linspace(0, 2 * np.pi, 8, endpoint=False)
        beams = ambikit.beamform_covariance(
            dataset[index].sound.values.numpy(), around, np.full(8, elevation)
        ).sum((1, 2))
        ahead.append(int(np.argmax(beams)))
    assert len(ahead) >= 4
    assert ahead.count(0) == len(ahead)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cosy",), "unknown preset of a world 'cosy'"),
        (("easy", "dev"), "unknown split"),
    ],
)
def test_unknown_worlds_are_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ambikit.InputError, match=message):
        WorldDataset(*arguments)


WORKER = """
import sys
from torch.utils.data import DataLoader
from ambikit_learn.data.rendered import WorldDataset

class Watched(WorldDataset):
    def __getitem__(self, index):
        item = super().__getitem__(index)
        with open("/proc/self/status") as status:
            (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
        return item._replace(clip=int(peak))

worlds = Watched("standard", epoch_length=128)
fork = {"multiprocessing_context": "fork", "num_workers": 1}
print(max(int(batch.clip.max()) for batch in DataLoader(worlds, batch_size=32, **fork)))
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_needs_little_memory() -> None:
    """It shares what was loaded before it was forked, and that is nothing in vain."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    peak, loaded = done.stdout.splitlines()
    assert int(peak) < 600_000
    rest = {
        "lightning",
        "matplotlib",
        "pandas",
        "sklearn",
        "torchaudio",
        "torchvision",
        "ultralytics",
    }
    assert not rest & set(loaded.split())


def test_random_crops_are_those_of_the_item() -> None:
    dataset = WorldDataset("easy", seed=8, epoch_length=5)
    crops = random_crops(np.random.default_rng([8, 0, 3]), 4)
    np.testing.assert_allclose(np.rad2deg(dataset[3].azimuth.numpy()), crops.azimuth, rtol=1e-5)


def test_sounding_crops_of_scenes_look_at_what_sounds() -> None:
    """Of the objects, those that sound are looked at more often than those that are silent."""
    dataset = WorldDataset("easy", strategy="sounding", views=1, span=0.5, frames=1, size=8)
    seen, there = [], []
    for index in range(12):
        item, scene = dataset[index], dataset.scene(index)
        again = dataset[index]
        assert torch.equal(item.azimuth, again.azimuth)
        performances = [perform(scene, i, RATE) for i in range(len(scene.objects))]
        sounding = [one["sounding"] for one in boxes(scene, performances)]
        there.append(np.mean(sounding))
        if ORIGINS[int(item.origin[0])] == "object":
            azimuth = [one["azimuth"][0] for one in boxes(scene, performances)]
            away = np.abs((np.rad2deg(item.azimuth.numpy()) - azimuth + 180) % 360 - 180)
            seen.append(sounding[int(away.argmin())])
    assert len(seen) >= 6
    assert np.mean(seen) > max(0.8, np.mean(there))
