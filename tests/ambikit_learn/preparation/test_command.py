"""Preparation: what is left out and why, the same bytes however it was run, what shards hold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch

import ambikit
from ambikit import InputError
from ambikit_learn._files import locked
from ambikit_learn.cli import main
from ambikit_learn.data.format import Settings, read_manifest
from ambikit_learn.data.sound import decode_sound
from ambikit_learn.preparation.command import Summary, prepare
from ambikit_learn.preparation.tar import GrowingTar
from ambikit_learn.video.decode import Video
from tests.waiting import PATIENCE, wait_for

RATE = 24000
SMALL = {"frame_size": (40, 80), "workers": 0}


def rows_of(out: Path) -> dict[str, dict]:
    return {row["key"]: row for row in read_manifest(out).to_pylist()}


def contents(out: Path) -> dict[str, bytes]:
    """All that a preparation promises to be the same bytes each time."""
    files = [p for p in out.rglob("*") if p.is_file() and p.parent.name != "journal"]
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def read_shard(path: Path) -> dict[str, dict]:
    """Read a shard by the library whose layout it follows."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    with path.open("rb") as stream:
        samples = list(group_by_keys(tar_file_expander([{"url": str(path), "stream": stream}])))
    return {sample["__key__"]: sample for sample in samples}


class TestUnusableClips:
    """One folder of clips that fail in every known way, between two good ones."""

    @pytest.fixture(scope="class")
    @staticmethod
    def prepared(new_clip_folder, tmp_path_factory):
        source = new_clip_folder(tmp_path_factory.mktemp("bad") / "source")
        good = source.noise(40.0, 20.0, 2.0)
        silent_z, mono, nan = good.copy(), good.copy(), good.copy()
        silent_z[2], mono[1:], nan[0, 100] = 0.0, 0.0, np.nan
        source.add("a-good")
        source.add("z-good")
        source.add("no-z", sound=silent_z)
        source.add("mono", sound=mono)
        source.add("silent", sound=np.zeros_like(good))
        source.add("still", frames=np.repeat(source.disc(0.0, 0.0, 1), 16, axis=0))
        source.add("short", duration=0.5)
        source.add("unequal", sound=good[:, : RATE * 5 // 4])
        for name, channels in (("stereo", 2), ("five", 5)):
            source.add(name)
            soundfile.write(source.path("audio", name), good[[0, 1, 2, 3, 0]][:channels].T, RATE)
        source.add("nan")
        soundfile.write(source.path("audio", "nan"), nan.T, RATE, subtype="FLOAT")
        source.add("no-sound")
        source.path("audio", "no-sound").unlink()
        source.add("no-picture")
        source.path("video", "no-picture").unlink()
        source.add("text")
        source.path("video", "text").write_text("not a video")
        source.add("empty-picture")
        source.path("video", "empty-picture").write_bytes(b"")
        source.add("empty-sound")
        source.path("audio", "empty-sound").write_bytes(b"")
        source.add("cut-index")  # the index of an mp4 lies at its end
        cut(source.path("video", "cut-index"), 0.5)
        source.add("cut-frames")
        index_first(source.path("video", "cut-frames"))
        cut(source.path("video", "cut-frames"), 0.5)
        source.add("cut-sound")
        source.path("audio", "cut-sound").unlink()
        ambikit.write(source.root / "audio" / "cut-sound.m4a", good, RATE)
        cut(source.root / "audio" / "cut-sound.m4a", 0.5)
        out = source.root.parent / "out"
        return prepare(source.root, out, **SMALL), out, source

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ("mono", "W only"),
            ("silent", "silent"),
            ("short", "too short"),
            ("stereo", "2 channels"),
            ("five", "5 channels"),
            ("nan", "unusable sound"),
            ("no-sound", "missing file"),
            ("no-picture", "missing file"),
            ("text", "unreadable picture"),
            ("empty-picture", "unreadable picture"),
            ("empty-sound", "unusable sound"),
            ("cut-index", "unreadable picture"),
            ("cut-frames", "truncated picture"),
            ("cut-sound", "unusable sound"),
        ],
    )
    def test_is_left_out_with_its_reason(self, prepared, key, reason):
        row = rows_of(prepared[1])[key]
        assert (row["status"], row["reason"]) == ("left out", reason)
        assert row["detail"]
        # The same folder elsewhere gives the same manifest.
        assert str(prepared[2].root) not in row["detail"]
        assert row["shard"] is None

    @pytest.mark.parametrize(
        ("key", "notes"),
        [
            ("a-good", []),
            ("z-good", []),
            ("no-z", ["Z is silent"]),
            ("still", ["still picture"]),
            ("unequal", ["lengths differ"]),
        ],
    )
    def test_is_kept_with_a_note(self, prepared, key, notes):
        row = rows_of(prepared[1])[key]
        assert row["status"] == "ok"
        # A disc on grey shows nothing of a sphere
        assert row["notes"] == [*notes, "projection assumed"]

    def test_a_clip_ends_with_the_shorter_of_picture_and_sound(self, prepared):
        row = rows_of(prepared[1])["unequal"]
        assert (row["duration"], row["frames"], row["samples"]) == (1.25, 10, 30000)

    def test_summary_counts_every_clip_once(self, prepared):
        summary, out, _ = prepared
        rows = rows_of(out)
        assert summary.clips == len(rows) == 19
        assert summary.prepared == sum(row["status"] == "ok" for row in rows.values()) == 5
        assert sum(summary.left_out.values()) == 14
        assert summary.hours == pytest.approx((4 * 2.0 + 1.25) / 3600)
        assert "left out: 3 (unreadable picture)" in str(summary)

    def test_notes_can_be_reasons(self, prepared, tmp_path):
        source = prepared[2].root
        summary = prepare(source, tmp_path / "out", leave_out=("still picture",), **SMALL)
        assert rows_of(tmp_path / "out")["still"]["reason"] == "still picture"
        assert rows_of(tmp_path / "out")["mono"]["notes"] == ["W only", "projection assumed"]
        assert summary.prepared == 5

    def test_check_tells_the_same_and_writes_nothing(self, prepared, tmp_path):
        summary, _, source = prepared
        out = tmp_path / "out"
        assert prepare(source.root, out, check=True, **SMALL) == summary
        assert not out.exists()


def cut(path: Path, fraction: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])


def index_first(path: Path) -> None:
    """Move the index of an mp4 to its beginning, as for streaming."""
    moved = path.with_name("moved.mp4")
    with (
        av.open(str(path)) as old,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    moved.rename(path)


OPTIONS = {"frame_size": (40, 80), "detector": "file", "clips_per_shard": 2}

DARK = np.zeros((40, 80, 160, 3), np.uint8)
DARK[::2, :10, :10] = 60

DETECTORS = """
import os, signal, time
from ambikit import InputError
from ambikit_learn.cli import main
from ambikit_learn.sphere.boxes import Boxes

class Brightness:
    name = "brightness"
    def detect(self, frames):
        assert frames.shape[1:] == (80, 160, 3), "the source's own size"
        if frames.mean() < 10:
            self.on_darkness()
        return [Boxes([float(f.mean())], [0], [9], [9], [1], ["mean"]) for f in frames]

class Deadly(Brightness):
    def on_darkness(self):
        os.kill(os.getpid(), signal.SIGKILL)

class Raising(Brightness):
    def on_darkness(self):
        raise RuntimeError("too dark")

class Patient(Brightness):
    def detect(self, frames):
        if "SEEN" in os.environ:
            with open(os.environ["SEEN"], "a") as file:
                file.write(f"{len(frames)} frames\\n")
        return super().detect(frames)

    def on_darkness(self):
        while os.path.exists(os.environ.get("WAIT_WHILE", "")):
            time.sleep(0.01)

class Endless(Brightness):
    def on_darkness(self):
        time.sleep(3600)

class Counting(Brightness):
    def detect(self, frames):
        import torch
        return [Boxes([torch.get_num_threads()], [0], [9], [9], [1], ["n"]) for _ in frames]

class Misset:
    name = "misset"
    def detect(self, frames):
        raise InputError("these weights are for something else")
"""


@pytest.fixture
def detectors(tmp_path, monkeypatch):
    """Folder of a module of detectors, on the path of this process and its workers."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "test_detectors.py").write_text(DETECTORS)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "test_detectors", raising=False)
    return folder


class TestReproducible:
    """The same bytes whatever the number of workers, and however often the run was killed."""

    @pytest.fixture
    def source(self, clip_folder):
        for i, key in enumerate(("Tr-0", "Tr-1", "Tr-2", "Tr-3", "Te-0", "Te-1")):
            clip_folder.add(key, azimuth=50.0 * i)
        (clip_folder.root / "train.txt").write_text("Tr\n")
        (clip_folder.root / "test.txt").write_text("Te\n")
        return clip_folder

    def test_number_of_workers_does_not_show(self, source, tmp_path):
        found = []
        for workers in (0, 1, 2):
            prepare(source.root, tmp_path / str(workers), **OPTIONS, workers=workers)
            found.append(contents(tmp_path / str(workers)))
        assert {"dataset.json", "manifest.parquet", "shards/train-00001.tar"} <= found[0].keys()
        assert found[0] == found[1] == found[2]

    def test_number_of_threads_does_not_show(self, source, tmp_path, detectors):
        """Detectors find other last bits on more threads than one."""
        options = OPTIONS | {"detector": "test_detectors:Counting"}
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        try:
            for workers in (0, 1):
                prepare(source.root, tmp_path / str(workers), **options, workers=workers)
            assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(before)
        assert contents(tmp_path / "0") == contents(tmp_path / "1")

    def test_goes_on_after_being_killed(self, source, tmp_path, detectors, monkeypatch):
        source.add("Tr-3", frames=DARK)  # here the detector waits
        options = OPTIONS | {"detector": "test_detectors:Patient"}
        prepare(source.root, tmp_path / "calm", **options, workers=0)
        monkeypatch.setenv("WAIT_WHILE", str(source.root))
        monkeypatch.setenv("PYTHONPATH", str(detectors), prepend=os.pathsep)
        out = tmp_path / "killed"
        command = "import sys; from ambikit_learn.preparation.command import prepare\n"
        command += f"prepare(*sys.argv[1:], **{options}, workers=2)"
        run = subprocess.Popen([sys.executable, "-c", command, str(source.root), str(out)])
        finished = out / "journal" / "train-00000.json"
        unfinished = out / "shards" / ".train-00001.log"
        wait_for(lambda: unfinished.exists() and b"Tr-2" in unfinished.read_bytes())
        workers = children(run.pid)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        assert workers
        wait_for(lambda: not any(alive(pid) for pid in workers))
        assert not (out / "journal" / "train-00001.json").exists()
        with pytest.raises(FileNotFoundError, match="run the same `ambikit-learn prepare` again"):
            read_manifest(out)
        made = finished.stat().st_mtime_ns
        (out / "shards" / ".train-00001.1.part.tar").write_bytes(b"half of a shard")

        monkeypatch.delenv("WAIT_WHILE")
        monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
        prepare(source.root, out, **options, workers=0)
        assert (tmp_path / "seen").read_text() == "4 frames\n", "of the clip that was in hand"
        assert contents(out) == contents(tmp_path / "calm")
        assert finished.stat().st_mtime_ns == made

    @pytest.mark.parametrize("step", ["finish", "commit"])
    def test_goes_on_after_any_step_of_finishing_a_shard(
        self, source, tmp_path, detectors, monkeypatch, step
    ):
        options = OPTIONS | {"detector": "test_detectors:Patient", "workers": 0}
        prepare(source.root, tmp_path / "calm", **options)

        def die(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(GrowingTar, step, die)
            with pytest.raises(KeyboardInterrupt):
                prepare(source.root, tmp_path / "killed", **options)
        monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
        prepare(source.root, tmp_path / "killed", **options)
        assert (tmp_path / "seen").read_text().count("\n") == 4, "of six: two were kept"
        assert contents(tmp_path / "killed") == contents(tmp_path / "calm")

    def test_two_runs_at_once_are_refused(self, source, tmp_path):
        prepare(source.root, tmp_path / "out", **OPTIONS, workers=0)
        with (
            locked(tmp_path / "out" / "dataset.json"),
            pytest.raises(InputError, match=f"another run is writing to {tmp_path / 'out'}: wait"),
        ):
            prepare(source.root, tmp_path / "out", **OPTIONS, workers=0)

    def test_a_shard_without_its_journal_is_made_again(self, source, tmp_path):
        out = tmp_path / "out"
        prepare(source.root, out, **OPTIONS, workers=0)
        before = contents(out)
        (out / "journal" / "train-00000.json").unlink()
        (out / "journal" / "train-00001.json").write_text('{"digest": ')
        (out / "shards" / "train-00000.tar").write_bytes(b"another")
        prepare(source.root, out, **OPTIONS, workers=0)
        assert contents(out) == before

    def test_another_run_does_nothing(self, source, tmp_path):
        first = prepare(source.root, tmp_path / "out", **OPTIONS, workers=0)
        before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "shards").iterdir()}
        assert prepare(source.root, tmp_path / "out", **OPTIONS, workers=0) == first
        assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "shards").iterdir()}

    def test_only_what_changed_is_made_again(self, source, tmp_path):
        out = tmp_path / "out"
        prepare(source.root, out, **OPTIONS, workers=0)
        before = {p.name: p.stat().st_mtime_ns for p in (out / "shards").iterdir()}
        source.path("audio", "Tr-1").unlink()  # the second of train-00000
        cut(out / "shards" / "train-00001.tar", 0.9)
        prepare(source.root, out, **OPTIONS, workers=0)
        after = {p.name: p.stat().st_mtime_ns for p in (out / "shards").iterdir()}
        changed = {name for name in after if after[name] != before[name]}
        assert changed == {"train-00000.tar", "train-00001.tar"}
        assert rows_of(out)["Tr-1"]["reason"] == "missing file"
        prepare(source.root, tmp_path / "anew", **OPTIONS, workers=0)
        assert contents(out) == contents(tmp_path / "anew")

    def test_shards_of_clips_that_are_gone_are_swept_away(self, source, tmp_path):
        out = tmp_path / "out"
        prepare(source.root, out, **OPTIONS, workers=0)
        for i in (2, 3):
            source.path("video", f"Tr-{i}").unlink()
            source.path("audio", f"Tr-{i}").unlink()
        prepare(source.root, out, **OPTIONS, workers=0)
        assert {p.name for p in (out / "shards").iterdir()} == {"test-00000.tar", "train-00000.tar"}


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestShards:
    """What the members of a shard are."""

    @pytest.fixture
    def shard(self, clip_folder, tmp_path):
        clip_folder.add("left", azimuth=90.0, elevation=10.0)
        clip_folder.add("weiß nicht", azimuth=-45.0)
        prepare(clip_folder.root, tmp_path / "out", detector="file", **SMALL)
        return read_shard(tmp_path / "out" / "shards" / "train-00000.tar"), tmp_path / "out"

    def test_follows_the_webdataset_layout(self, shard):
        samples, _ = shard
        assert samples.keys() == {"left", "weiß nicht"}
        assert {"mp4", "flac", "json"} <= samples["left"].keys()

    def test_sound_is_that_of_the_source(self, shard, clip_folder, tmp_path):
        samples, out = shard
        (tmp_path / "left.flac").write_bytes(samples["left"]["flac"])
        found, rate = ambikit.read(tmp_path / "left.flac")
        gain = rows_of(out)["left"]["gain"]
        wanted = clip_folder.noise(90.0, 10.0, 2.0)
        assert rate == RATE
        assert np.abs(found * gain - wanted).max() <= gain / 65536 * 1.01

    def test_offsets_are_those_of_the_members(self, shard):
        samples, out = shard
        data = (out / "shards" / "train-00000.tar").read_bytes()
        for key, row in rows_of(out).items():
            for part, suffix in (("frames", "mp4"), ("sound", "flac"), ("record", "json")):
                start, count = row[f"{part}_offset"], row[f"{part}_bytes"]
                assert data[start : start + count] == samples[key][suffix]

    def test_record_holds_objects_and_provenance(self, shard):
        record = json.loads(shard[0]["left"]["json"])
        assert (record["video"], record["audio"]) == ("left.mp4", "left.wav")
        assert (record["detector"], record["detection_rate"]) == ("file", 2.0)
        (disc,) = record["objects"]
        assert (disc["label"], record["moments"], disc["moments"]) == ("disc", 4, [0, 1, 2, 3])
        assert (disc["azimuth"], disc["elevation"]) == ([90.0] * 4, [10.0] * 4)
        assert rows_of(shard[1])["left"]["boxes"] == 4

    def test_clips_without_boxes_are_left_out_when_boxes_are_asked_for(self, clip_folder, tmp_path):
        clip_folder.add("a")
        clip_folder.add("b")
        clip_folder.path("boxes", "b").unlink()
        summary = prepare(clip_folder.root, tmp_path / "out", detector="file", **SMALL)
        assert summary.left_out == {"no boxes": 1}

    def test_clips_that_no_list_names_are_left_out(self, clip_folder, tmp_path):
        clip_folder.add("named-1")
        clip_folder.add("other-1")
        (clip_folder.root / "train.txt").write_text("named\n")
        summary = prepare(clip_folder.root, tmp_path / "out", **SMALL)
        assert summary.left_out == {"unlisted": 1}
        assert [p.name for p in (tmp_path / "out" / "shards").iterdir()] == ["train-00000.tar"]


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


class TestArguments:
    """Messages for what cannot be done."""

    def test_other_settings_for_the_same_folder(self, clip_folder, tmp_path):
        clip_folder.add("a")
        prepare(clip_folder.root, tmp_path / "out", **SMALL)
        with pytest.raises(InputError, match=r"frame_rate 8\.0, not 4\.0: choose a new folder"):
            prepare(clip_folder.root, tmp_path / "out", frame_rate=4.0, **SMALL)

    def test_a_folder_that_holds_something_else(self, clip_folder, tmp_path):
        clip_folder.add("a")
        with pytest.raises(InputError, match="holds something else"):
            prepare(clip_folder.root, tmp_path, **SMALL)

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ({"frame_size": (41, 80)}, "even"),
            ({"frame_rate": 0.0}, "frame_rate must be positive"),
            ({"leave_out": ("boring",)}, "leave_out"),
            ({"source": "nowhere"}, "source"),
        ],
    )
    def test_wrong_settings(self, clip_folder, tmp_path, option, message):
        clip_folder.add("a")
        with pytest.raises(InputError, match=message):
            prepare(clip_folder.root, tmp_path / "out", **(SMALL | option))

    def test_no_source(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no such folder"):
            prepare(tmp_path / "nowhere", tmp_path / "out", **SMALL)


def test_real_clips(test_data, tmp_path):
    """Both clips are usable; the calibration clip's picture does not move."""
    summary = prepare(test_data / "yt360", tmp_path / "out", workers=0)
    notes = {"projection assumed": 2, "still picture": 1}
    assert summary == Summary(2, 2, pytest.approx(20.25 / 3600, abs=1e-3), {}, notes)
    rows = rows_of(tmp_path / "out")
    assert rows["kqAZkf5Odyw-80"]["frames"] == 80
    assert rows["kqAZkf5Odyw-80"]["samples"] == 240000
    for key, sample in read_shard(tmp_path / "out" / "shards" / "train-00000.tar").items():
        found = decode_sound(sample["flac"], 0, rows[key]["samples"], rows[key]["gain"])
        wanted, _ = ambikit.read(test_data / "yt360" / "audio" / f"{key}.m4a", sample_rate=RATE)
        # YouTube's planes arrive as W, Y, Z, X, to 16 bits of the peak.
        assert np.abs(found - wanted[:, : found.shape[1]]).max() < rows[key]["gain"] / 60000
    assert Settings.load(tmp_path / "out").frame_rate == 8.0


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


def test_a_check_names_what_it_rejects(clip_folder, tmp_path, capsys):
    clip_folder.add("good")
    clip_folder.add("alone")
    clip_folder.path("audio", "alone").unlink()
    command = ["prepare", str(clip_folder.root), str(tmp_path / "out"), "--check", "--workers", "0"]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "alone: missing file (" in said
    assert "1 of 2 clips prepared" in said


def run(arguments):
    """Run the command line; a status that it exits with counts like one that it returns."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code
