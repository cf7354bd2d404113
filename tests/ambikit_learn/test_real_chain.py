"""The whole chain on the two real clips: YouTube's files, YOLO, shards, crops, both losses."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

import ambikit
from ambikit_learn.cli import main
from ambikit_learn.data.dataset import AlignmentDataset, SpanDataset
from ambikit_learn.data.format import read_manifest
from ambikit_learn.models.run import load_run
from ambikit_learn.preparation.command import prepare
from ambikit_learn.training.command import fit_main


@pytest.fixture(scope="module")
def prepared(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "out"
    weights = test_data / "yolo11n_int8_openvino_model"
    prepare(test_data / "yt360", out, detector=f"yolo:{weights}", detection_rate=0.5, workers=0)
    return out


def test_two_clips_with_four_aligned_crops(prepared: Path) -> None:
    rows = read_manifest(prepared).to_pylist()
    assert {row["key"]: row["status"] for row in rows} == {
        "kqAZkf5Odyw-80": "ok",
        "redownloaded_from_YT": "ok",
    }
    dataset = AlignmentDataset(prepared, strategy="mixed")
    assert len(dataset) == 2
    for i in range(2):
        item = dataset[i]
        assert item.video.shape == (4, 3, 48, 48, 3)
        assert item.sound.shape == (4, 24000)
        assert item.azimuth.shape == item.elevation.shape == (4,)


def test_crops_find_the_band(prepared: Path) -> None:
    dataset = SpanDataset(prepared, "train", spans=6, strategy="objects")
    people = np.array([14.0, 73.0, -46.0, 175.0])
    found = set()
    for i in range(len(dataset)):
        item = dataset[i]
        if item.key == "kqAZkf5Odyw-80":
            azimuth = np.rad2deg(item.azimuth.numpy()[item.on_object.numpy()])
            gap = np.abs((azimuth[:, None] - people + 180) % 360 - 180)
            found |= set(people[gap.min(0) < 8.0]) if len(gap) else set()
    assert found == set(people)


def test_sound_is_turned_to_the_crops(prepared: Path) -> None:
    """The calibration clip's piano stands at +90°: looked at, it is in front."""
    dataset = SpanDataset(prepared, "train", spans=8)
    sounds = [dataset[i] for i in range(len(dataset))]
    sound = np.concatenate(
        [s.sound.numpy() for s in sounds if s.key == "redownloaded_from_YT"], axis=1
    )
    front = ambikit.rotate(sound, rotation=ambikit.look_at(math.pi / 2))
    found = ambikit.localize(front, 24000, n_sources=3, degrees=True)
    level = found.azimuth[np.abs(found.elevation) < 30]
    assert np.abs(level).min() < 5  # the piano in front
    assert np.abs(level).max() > 175  # the voice behind


# Both clips train: the folder has no list of test videos.
@pytest.mark.filterwarnings("ignore:no validation")
@pytest.mark.parametrize("objective", ["avc", "avsa"])
def test_three_steps(prepared: Path, tmp_path: Path, objective: str) -> None:
    fit_main(
        [
            f"--config={objective}_foa_iv_yolo",
            f"--data={prepared}",
            f"--out={tmp_path}",
            "--data.batch_size=2",
            "--data.workers=0",
            "--trainer.max_steps=3",
            "--trainer.log_every_n_steps=1",
            "--trainer.accelerator=cpu",
        ]
    )
    with (tmp_path / "metrics.csv").open(newline="") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    assert load_run(tmp_path).front_end.fitted


@pytest.mark.filterwarnings("ignore:no validation")
def test_demo_of_ones_own_clips(
    test_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Two clips, none held out, fewer steps than an interval of logging: said, and gone through."""
    data = str(test_data / "yt360")
    command = ["demo", f"--out={tmp_path}", f"--data={data}", "--source=yt360", "--minutes=0.1"]
    assert main(command) == 0
    assert "figures below are of the training clips" in capfd.readouterr().out
    for name in ("index.html", "scene.png", "crops.png", "training.png", "results.png"):
        assert (tmp_path / name).stat().st_size > 1000
