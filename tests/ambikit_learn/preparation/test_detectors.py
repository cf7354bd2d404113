"""Detectors run on the frames, and what they do to a process stays there."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

import av
import numpy as np
import pytest

import ambikit
from ambikit import InputError
from ambikit_learn.preparation.command import prepare
from ambikit_learn.video.decode import Video
from tests.ambikit_learn.preparation.outputs import (
    DARK,
    DETECTORS,
    RATE,
    SMALL,
    contents,
    cut,
    index_first,
    read_shard,
    rows_of,
    run,
)
from tests.waiting import PATIENCE


class TestDetectors:
    """Detectors run on the frames, and what they do to a process stays there."""

    @pytest.fixture
    def source(self, clip_folder, detectors):
        for key in ("a", "b", "y", "z"):
            clip_folder.add(key, duration=5.0)
        clip_folder.add("dark", frames=DARK, duration=5.0)
        return clip_folder.root

    def test_boxes_are_kept_for_each_time(self, source, tmp_path):
        prepare(source, tmp_path / "out", detector="test_detectors:Raising", **SMALL)
        record = json.loads(
            read_shard(tmp_path / "out" / "shards" / "train-00000.tar")["a"]["json"]
        )
        assert record["detector"] == "brightness"
        # The picture darkens by 60 levels in 5 s; it is looked at twice a second.
        (seen,) = record["objects"]
        means = seen["azimuth"]
        assert (len(means), record["moments"]) == (10, 10)
        assert np.diff(means) == pytest.approx(np.full(9, -6.0), abs=2.0)

    def test_a_file_is_opened_once_and_decoded_once(self, source, tmp_path, monkeypatch):
        """Once for the length of all clips before the first, and once for all else."""
        opened, decoded = [], []
        timed = Video._timed

        def counted(video):
            for frame in timed(video):
                decoded.append(video.path.stem)
                yield frame

        def noted(file, *arguments, **options):
            opened.append(Path(file).stem if isinstance(file, str) else "")
            return av_open(file, *arguments, **options)

        av_open = av.open
        monkeypatch.setattr(av, "open", noted)
        monkeypatch.setattr(Video, "_timed", counted)
        for mode in ("encode", "copy"):
            options = {"detector": "test_detectors:Brightness", "video_mode": mode, **SMALL}
            prepare(source, tmp_path / mode, leave_out=(), **options)
            assert opened.count("a") == 2
            # A copy is looked at besides, in memory, until something moves.
            assert decoded.count("a") <= 40 + (mode == "copy")
            opened.clear()
            decoded.clear()

    def test_nothing_is_detected_in_what_is_rejected_anyway(
        self, clip_folder, detectors, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("SEEN", str(tmp_path / "seen.txt"))
        quiet = np.zeros((4, RATE * 2), np.float32)
        clip_folder.add("silent", sound=quiet)
        flat = quiet.copy()
        flat[0] = 0.1
        clip_folder.add("w-only", sound=flat)
        options = {"detector": "test_detectors:Patient", **SMALL}
        summary = prepare(clip_folder.root, tmp_path / "out", **options)
        assert summary.left_out == {"silent": 1, "W only": 1}
        assert not (tmp_path / "seen.txt").exists()

    @pytest.mark.parametrize("fault", ["picture", "sound", "still"])
    def test_the_detector_is_blamed_last(self, clip_folder, detectors, tmp_path, fault):
        """What is wrong with the clip itself is its reason, whatever the detector did before."""
        sound = np.zeros((4, RATE * 2), np.float32) if fault == "sound" else None
        frames = DARK[:1].repeat(16, axis=0) if fault == "still" else DARK[:16]
        clip_folder.add("dark", frames=frames, sound=sound)
        if fault == "picture":
            video = clip_folder.path("video", "dark")
            index_first(video)
            cut(video, 0.7)
        options = {"detector": "test_detectors:Raising", "leave_out": ["still picture"], **SMALL}
        prepare(clip_folder.root, tmp_path / "out", **options)
        reasons = {"picture": "truncated picture", "sound": "silent", "still": "still picture"}
        assert rows_of(tmp_path / "out")["dark"]["reason"] == reasons[fault]

    def test_an_error_costs_its_clip(self, source, tmp_path):
        prepare(source, tmp_path / "out", detector="test_detectors:Raising", **SMALL)
        row = rows_of(tmp_path / "out")["dark"]
        assert (row["reason"], row["detail"]) == (
            "detector failed",
            "brightness: RuntimeError: too dark",
        )

    def test_a_crash_costs_its_clip(self, source, tmp_path):
        options = {"detector": "test_detectors:Deadly", "frame_size": (40, 80), "workers": 2}
        summary = prepare(source, tmp_path / "out", **options)
        assert summary.left_out == {"decoder crash": 1}
        assert rows_of(tmp_path / "out")["dark"]["reason"] == "decoder crash"
        assert summary.prepared == 4

    def test_a_hang_costs_its_clip_until_there_is_more_patience(
        self, source, tmp_path, monkeypatch
    ):
        options = {"detector": "test_detectors:Endless", "frame_size": (40, 80), "workers": 1}
        summary = prepare(source, tmp_path / "out", clip_timeout=12.0, **options)
        assert summary.left_out == {"decoder hang": 1}
        assert "no end after 12 s" in rows_of(tmp_path / "out")["dark"]["detail"]
        assert summary.prepared == 4
        before = contents(tmp_path / "out")
        tried = tmp_path / "modules" / "test_detectors.py"
        tried.write_text(DETECTORS.replace("time.sleep(3600)", "pass"))
        assert prepare(source, tmp_path / "out", clip_timeout=3.0, **options) == summary
        assert contents(tmp_path / "out") == before
        assert prepare(source, tmp_path / "out", clip_timeout=PATIENCE, **options).prepared == 5

    def test_one_that_cannot_work_ends_the_run(self, source, tmp_path):
        options = {"detector": "test_detectors:Misset", "frame_size": (40, 80)}
        for workers in (0, 1):
            with pytest.raises(InputError, match="weights are for something else"):
                prepare(source, tmp_path / "out", workers=workers, **options)

    def test_an_unknown_one_is_told_before_anything_is_written(self, source, tmp_path):
        with pytest.raises(InputError, match="unknown detector"):
            prepare(source, tmp_path / "out", detector="yolo", **SMALL)
        assert not (tmp_path / "out").exists()


FLAKY = """
import os, signal
from pathlib import Path
from ambikit_learn.sphere.boxes import Boxes

class Flaky:
    name = "flaky"
    def detect(self, frames):
        if Path(os.environ["FLAKY"]).exists():
            if os.environ["FLAKY"].endswith("crash"):
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("CUDA out of memory")
        return [Boxes.empty() for _ in frames]
"""


@pytest.mark.parametrize("kind", ["raises", "crash"])
def test_what_lay_in_the_surroundings_is_tried_again(
    clip_folder, tmp_path, monkeypatch, capsys, kind
):
    """The same command repairs it; until then it says why, and nothing prepared is no success."""
    for key in ("a", "b"):
        clip_folder.add(key)
    (tmp_path / "flaky_detector.py").write_text(FLAKY)
    broken = tmp_path / kind
    broken.touch()
    monkeypatch.setenv("FLAKY", str(broken))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(tmp_path))
    workers = "1" if kind == "crash" else "0"
    command = ["prepare", str(clip_folder.root), str(tmp_path / "out"), "--workers", workers]
    command += ["--detector", "flaky_detector:Flaky", "--frame-size", "80", "160"]

    assert run(command) == 1
    said = capsys.readouterr().out
    reason = {"raises": "detector failed", "crash": "decoder crash"}[kind]
    assert f"0 of 2 clips prepared, 0.00 hours\n  left out: 2 ({reason}), first a: " in said
    assert kind == "crash" or "flaky: RuntimeError: CUDA out of memory" in said

    broken.unlink()
    assert run(command) == 0
    assert {row["status"] for row in rows_of(tmp_path / "out").values()} == {"ok"}
    sys.modules.pop("flaky_detector", None)


@pytest.mark.parametrize("code", [errno.ENOMEM, errno.EACCES, errno.EMFILE, errno.ESTALE])
@pytest.mark.parametrize("which", ["picture", "sound"])
def test_what_the_system_refuses_is_tried_again(clip_folder, tmp_path, code, which):
    """Memory, rights, open files and a server that is away say nothing of a clip's content."""
    clip_folder.add("a")
    suffix = ".mp4"
    if which == "sound":
        suffix = ".m4a"
        sound, _ = ambikit.read(clip_folder.path("audio", "a"))
        clip_folder.path("audio", "a").unlink()
        ambikit.write(clip_folder.root / "audio" / "a.m4a", sound, RATE)
    av_open, fault = av.open, av.error.classes.get(code, OSError)

    def refusing(file, *arguments, **options):
        if str(getattr(file, "name", file)).endswith(suffix):
            raise fault(code, os.strerror(code), "a")
        return av_open(file, *arguments, **options)

    out = tmp_path / "out"
    with patch.object(av, "open", refusing):
        assert prepare(clip_folder.root, out, **SMALL).left_out == {"failed": 1}
    assert os.strerror(code) in rows_of(out)["a"]["detail"]
    assert prepare(clip_folder.root, out, **SMALL).prepared == 1


def test_other_weights_under_one_path_are_refused(clip_folder, tmp_path, monkeypatch):
    """Some clips would have objects of one detector, and some of the other."""
    clip_folder.add("a")
    weights = tmp_path / "weights.bin"
    module = FLAKY.replace(
        '"flaky"', '"flaky"\n    fingerprint = Path(os.environ["W"]).read_text()'
    )
    (tmp_path / "trained_detector.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FLAKY", str(tmp_path / "absent"))
    monkeypatch.setenv("W", str(weights))
    weights.write_text("abc")
    options = {"detector": "trained_detector:Flaky", **SMALL}
    out = tmp_path / "out"
    prepare(clip_folder.root, out, **options)
    before = contents(out)
    weights.write_text("xyz")
    sys.modules.pop("trained_detector")
    clip_folder.add("b")
    with pytest.raises(InputError, match="prepared with weights 'abc', not 'xyz'"):
        prepare(clip_folder.root, out, **options)
    assert contents(out) == before
    sys.modules.pop("trained_detector")


def test_what_is_refused_leaves_the_folder_as_it_was(clip_folder, tmp_path, detectors):
    """A detector that cannot work shows at the first clip, when the folder is claimed already."""
    clip_folder.add("a")
    options = {"detector": "test_detectors:Misset", "workers": 0, "frame_size": (80, 160)}
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".hidden").touch()
    for name in ("there", "new", "new/deep/er"):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match="weights are for something else"):
            prepare(clip_folder.root, tmp_path / name, **options)
        assert sorted(tmp_path.rglob("*")) == before
    out = tmp_path / "new"
    assert prepare(clip_folder.root, out, **options | {"detector": "none"}).prepared == 1
    before = contents(out)
    with pytest.raises(InputError, match="detector 'none', not 'test_detectors:Misset'"):
        prepare(clip_folder.root, out, **options)
    assert contents(out) == before
