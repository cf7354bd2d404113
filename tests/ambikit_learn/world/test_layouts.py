"""The world's files, each as a data set has them, and what is left when they cannot be written."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ambikit
from ambikit_learn.detection import read_boxes
from ambikit_learn.sources import open_source
from ambikit_learn.sources.starss23 import read_events
from ambikit_learn.video.files import probe
from ambikit_learn.world import CLASSES, render_world
from ambikit_learn.world.files import WorldSettings

RATE = 24000
SMALL = {"preset": "easy", "duration": 2.0, "frame_size": (32, 64), "workers": 0}


def test_starss23_layout_is_read_back(tmp_path: Path) -> None:
    render_world(tmp_path, clips=5, seed=3, layout="starss23", test_fraction=0.4, **SMALL)
    clips = {clip.key: clip for clip in open_source("starss23", tmp_path).clips()}
    assert {key: clip.split for key, clip in clips.items()} == {
        "fold3_room01_mix001": "train",
        "fold3_room02_mix001": "train",
        "fold4_room03_mix001": "test",
        "fold3_room04_mix001": "train",
        "fold4_room05_mix001": "test",
    }
    checked = 0
    for clip in clips.values():
        assert clip.audio.relative_to(tmp_path).parts[:2] == ("foa_dev", f"dev-{clip.split}-world")
        about = ambikit.info(clip.audio)
        assert (about.sample_rate, about.channels, about.codec) == (RATE, 4, "pcm_16")
        assert about.frames == 2 * RATE
        assert (probe(clip.video).width, probe(clip.video).height) == (64, 32)
        assert clip.boxes is not None
        objects = json.loads(clip.boxes.read_text())["objects"]
        events = read_events(
            tmp_path / "metadata_dev" / clip.audio.parent.name / f"{clip.audio.stem}.csv"
        )
        heard = {o["id"] for o in objects if o["sounding"]}
        assert set(events.source) <= heard
        assert events.frame.min() >= 0
        assert events.frame.max() < 20
        for row in range(len(events.frame)):
            thing = objects[events.source[row]]
            assert CLASSES[events.kind[row]] == thing["label"]
            for name in ("azimuth", "elevation"):
                off = getattr(events, name)[row] - thing[name][events.frame[row]]
                assert abs((off + 180) % 360 - 180) <= 0.5
            # The boxes are as wide as something 0.3 to 0.45 m high is at that distance.
            half = np.tan(np.deg2rad(thing["height"][events.frame[row]]) / 2)
            assert 0.2 < half * events.distance[row] < 0.55
        x, _ = ambikit.read(clip.audio)
        envelope = np.sqrt(np.square(x[0]).reshape(20, -1).mean(1))
        assert set(np.flatnonzero(envelope > 0.3 * envelope.max())) <= set(events.frame)
        checked += len(events.frame)
    assert checked > 30


def test_opus_holds_the_same_sound(tmp_path: Path) -> None:
    for sound in ("aac", "opus"):
        render_world(tmp_path / sound, clips=1, seed=4, sound=sound, **SMALL)
    (aac,) = open_source("yt360", tmp_path / "aac").clips()
    (opus,) = open_source("yt360", tmp_path / "opus").clips()
    assert (aac.key, opus.audio.suffix) == (opus.key, ".opus")
    assert ambikit.info(opus.audio).channel_layout == "ambisonic 1"
    x, _ = ambikit.read(aac.audio, sample_rate=RATE)
    y, _ = ambikit.read(opus.audio, sample_rate=RATE)
    n = min(x.shape[1], y.shape[1])
    assert abs(x.shape[1] - y.shape[1]) < 2000
    for a, b in zip(x[:, :n], y[:, :n], strict=True):
        assert np.corrcoef(a, b)[0, 1] > 0.97
    assert aac.boxes is not None
    assert opus.boxes is not None
    assert aac.boxes.read_bytes() == opus.boxes.read_bytes()
    render_world(tmp_path / "again", clips=1, seed=4, sound="opus", **SMALL)
    (again,) = open_source("yt360", tmp_path / "again").clips()
    assert again.audio.read_bytes() == opus.audio.read_bytes()


def test_a_recording_is_a_clip_by_its_sound(tmp_path: Path) -> None:
    part = tmp_path / "foa_dev" / "dev-test-tau"
    part.mkdir(parents=True)
    (part / "fold4_room2_mix001.wav").touch()
    (part / "._fold4_room2_mix001.wav").touch()
    (clip,) = open_source("starss23", tmp_path).clips()
    assert (clip.key, clip.start, clip.duration) == ("fold4_room2_mix001", 0.0, None)
    assert (clip.split, clip.boxes) == ("test", None)
    assert clip.video == tmp_path / "video_dev/dev-test-tau/fold4_room2_mix001.mp4"


def test_events_of_2022_have_no_distance_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("10,1,0,-50,30\n\n11,1,0,180,-1\n")
    events = read_events(path)
    assert events.azimuth.tolist() == [-50, 180]
    assert np.isnan(events.distance).all()
    path.write_text("")
    assert len(read_events(path).frame) == 0
    for text in ("frame,class\n", "1,2,3\n", "1,2,3,4,5,6,7\n"):
        path.write_text(text)
        with pytest.raises(ambikit.InputError, match=r"a\.csv holds no labels of STARSS23"):
            read_events(path)
    with pytest.raises(ambikit.InputError, match="not laid out like STARSS23"):
        list(open_source("starss23", tmp_path).clips())
    with pytest.raises(FileNotFoundError, match=r"absent\.csv: no such file"):
        read_events(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "ucf101"}, "unknown layout 'ucf101'"),
        ({"layout": "starss23", "sound": "aac"}, "unknown sound of starss23 'aac'"),
        ({"sound": "wav"}, "unknown sound of yt360 'wav'"),
    ],
)
def test_unknown_layouts_are_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(ambikit.InputError, match=message):
        render_world(tmp_path, clips=1, **SMALL, **change)
    assert not list(tmp_path.iterdir())


FULL_DISK = """
import resource, sys
from ambikit_learn.cli import main
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for case in sys.argv[2:]:
    layout, limit = case.split(":")
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
    size = ["--duration", "0.5", "--frame-size", "320", "640", "--clips", "1", "--workers", "0"]
    print(main(["world", f"{sys.argv[1]}/{layout}-{limit}", "--layout", layout, *size]))
"""


def test_a_full_disk_is_one_line_and_leaves_no_half_clip(tmp_path: Path) -> None:
    """The kernel lets no file grow beyond so many bytes: settings, sound or video do not fit."""
    kept = {
        "yt360:100": [],
        "yt360:4000": ["test.txt", "train.txt", "world.json"],
        "starss23:4000": ["world.json"],
        "yt360:16000": ["test.txt", "train.txt", "world.json"],
    }
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), *kept],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["2"] * len(kept), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(kept), done.stderr
    for line, (case, files) in zip(lines, kept.items(), strict=True):
        folder = tmp_path / case.replace(":", "-")
        assert f"cannot write to {folder}" in line
        assert "free some space or give another folder" in line
        assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == files


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OSError, match=r"cannot write to .*out \(Read-only file system\)") as caught:
        render_world(tmp_path / "out", clips=1, **SMALL)
    assert caught.value.errno == errno.EROFS


def test_a_clip_that_fails_late_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ambikit_learn.world.files.write_boxes", refuse)
        with pytest.raises(OSError, match="No space left"):
            render_world(tmp_path, clips=1, layout="starss23", **SMALL)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["world.json"]
    render_world(tmp_path, clips=1, layout="starss23", **SMALL)
    (clip,) = open_source("starss23", tmp_path).clips()
    assert clip.boxes is not None
    assert len(read_boxes(clip.boxes, [0.0])) == 1


def test_a_file_in_the_way_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        render_world(tmp_path / "file" / "world", clips=1, **SMALL)


def test_names_do_not_depend_on_what_else_is_rendered() -> None:
    settings = WorldSettings("easy", 7, 1.0, 0.2, (32, 64), 8.0, RATE, "yt360", "aac")
    names = [settings.name(i) for i in range(500)]
    assert len(set(names)) == 500
    assert all(len(name) == 13 and name.endswith("-0") for name in names)
