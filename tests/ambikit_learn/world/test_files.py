"""Worlds written to files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ambikit
from ambikit_learn._files import locked
from ambikit_learn.detection.box_file import read_boxes
from ambikit_learn.sources import open_source
from ambikit_learn.world import render_world
from tests.ambikit_learn.world.worlds import RATE, degrees_between, vector


def test_files_are_read_back_and_the_sound_points_to_the_object(tmp_path: Path) -> None:
    settings = {"preset": "easy", "duration": 2.0, "frame_size": (64, 128), "test_fraction": 0.25}
    render_world(tmp_path, clips=8, seed=2, workers=0, **settings)  # type: ignore[arg-type]
    clips = list(open_source("yt360", tmp_path).clips())
    assert sorted(clip.split for clip in clips) == ["test"] * 2 + ["train"] * 6
    checked = 0
    for clip in clips:
        assert clip.boxes is not None
        objects = json.loads(clip.boxes.read_text())["objects"]
        assert len(read_boxes(clip.boxes, [0.0, 1.9])[1]) == len(objects)
        x, rate = ambikit.read(clip.audio)
        assert (rate, x.shape[0]) == (RATE, 4)
        assert abs(x.shape[1] - 2 * RATE) <= 1024
        sounding = [o for o in objects if o["sounding"]]
        if len(sounding) == 1:
            loud = np.argsort(np.square(x[0]))[-RATE // 5 :]
            w, y, z, xx = x[:, loud].astype(float)
            towards = np.array([w @ xx, w @ y, w @ z])
            label = vector(np.mean(sounding[0]["azimuth"]), np.mean(sounding[0]["elevation"]))
            if np.ptp(sounding[0]["azimuth"]) < 5:
                assert degrees_between(towards, label) < 15.0
                checked += 1
    assert checked >= 2


def test_a_world_is_taken_up_and_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    settings = {"duration": 0.5, "frame_size": (32, 64), "seed": 4}
    one, two = tmp_path / "one", tmp_path / "two"
    render_world(one, clips=2, workers=0, **settings)  # type: ignore[arg-type]
    before = {p: p.stat().st_mtime_ns for p in one.rglob("*-0.*")}
    lost = min(p for p in before if p.parent.name == "boxes")
    lost.unlink()
    render_world(one, clips=3, workers=0, **settings)  # type: ignore[arg-type]
    kept = [p for p, time in before.items() if p.stem != lost.stem and p.stat().st_mtime_ns == time]
    assert len(kept) == 3
    assert lost.exists()
    render_world(two, clips=3, workers=2, **settings)  # type: ignore[arg-type]
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert len(files) == 12
    for name in files:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_world_never_shrinks(tmp_path: Path) -> None:
    settings = {"duration": 0.5, "frame_size": (32, 64), "test_fraction": 0.25, "workers": 0}
    render_world(tmp_path, clips=4, **settings)  # type: ignore[arg-type]
    lists = {name: (tmp_path / name).read_text() for name in ("train.txt", "test.txt")}
    render_world(tmp_path, clips=2, **settings)  # type: ignore[arg-type]
    assert {name: (tmp_path / name).read_text() for name in lists} == lists


def test_a_folder_that_cannot_be_one_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="cannot be a folder: give another"):
        render_world(tmp_path / "file", clips=1, duration=0.5, frame_size=(32, 64), workers=0)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    small = {"clips": 1, "duration": 0.5, "frame_size": (32, 64), "workers": 0}
    render_world(tmp_path, **small)  # type: ignore[arg-type]
    with pytest.raises(ambikit.InputError, match="holds a world with seed 0, not 1"):
        render_world(tmp_path, **small, seed=1)  # type: ignore[arg-type]
    (tmp_path / "world.json").write_text("{")
    with pytest.raises(ambikit.InputError, match="damaged"):
        render_world(tmp_path, **small)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clips": 0}, "clips must be a positive integer"),
        ({"preset": "cosy"}, "unknown preset 'cosy'"),
        ({"duration": float("nan")}, "duration must be positive"),
        ({"test_fraction": 1.5}, "test_fraction must lie between 0 and 1"),
        ({"seed": -1}, "seed must be a non-negative integer"),
        ({"frame_size": (33, 64)}, "even"),
        ({"frame_rate": 1e9}, "frame_rate must be at most 960 Hz"),
        ({"workers": -1}, "workers must be a non-negative integer"),
    ],
)
def test_bad_arguments_leave_nothing_behind(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    arguments = {"clips": 1, "duration": 0.5, "frame_size": (32, 64), "workers": 0, **change}
    with pytest.raises(ambikit.InputError, match=message):
        render_world(tmp_path, **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*.mp4"))
    assert not list(tmp_path.rglob("*.json"))


def test_what_a_kill_left_is_cleared_away(tmp_path: Path) -> None:
    small = {"clips": 1, "duration": 0.5, "frame_size": (32, 64), "workers": 0}
    render_world(tmp_path, **small)  # type: ignore[arg-type]
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "video" / ".x-0.123.part.mp4").touch()
    (tmp_path / "boxes" / ".x-0.123.part.json").touch()
    (tmp_path / "audio" / ".ambikit-x").mkdir()
    (tmp_path / "audio" / ".ambikit-x" / "new.m4a").touch()
    render_world(tmp_path, **small)  # type: ignore[arg-type]
    assert sorted(tmp_path.rglob("*")) == before
    with (
        locked(tmp_path / "world.json"),
        pytest.raises(ambikit.InputError, match=f"another run is writing to {tmp_path}: wait"),
    ):
        render_world(tmp_path, **small)  # type: ignore[arg-type]
