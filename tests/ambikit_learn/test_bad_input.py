"""Whatever lies in a folder is listed with its reason or refused in one line; the rest is done."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ambikit_learn.cli import main
from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation.clip import prepare_clip
from ambikit_learn.preparation.tar import GrowingTar

RATE = 24000
SMALL = ("--frame-size", "40", "80", "--workers=0")


def run(source: Path, out: Path, *options: str) -> int:
    return main(["prepare", str(source), str(out), *SMALL, *options])


def refused(capfd: pytest.CaptureFixture[str], source: Path, out: Path, *options: str) -> str:
    """Run a command that must fail, and return its one line."""
    assert run(source, out, *options) == 2
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("ambikit-learn: ")
    return line


def rows_of(out: Path) -> dict[str, dict]:
    return {row["key"]: row for row in read_manifest(out).to_pylist()}


def everything(folder: Path) -> dict[str, bytes | str]:
    """All that lies in a folder: content of files, targets of links."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def channels(folder, key, count):
    """Replace the sound of a clip by noise of so many channels."""
    noise = folder.noise(40.0, 20.0, 2.0)
    picked = noise[np.arange(count) % 4]
    soundfile.write(folder.path("audio", key), picked.T, RATE)


def truncated(folder, key):
    path = folder.path("video", key)
    path.write_bytes(path.read_bytes()[:1500])


def with_nan(folder, key):
    noise = folder.noise(40.0, 20.0, 2.0)
    noise[3, 1000] = np.nan
    soundfile.write(folder.path("audio", key), noise.T, RATE, subtype="FLOAT")


def silent_z(folder, key):
    noise = folder.noise(40.0, 20.0, 2.0)
    noise[2] = 0
    soundfile.write(folder.path("audio", key), noise.T, RATE, subtype="FLOAT")


def link(target):
    def make(folder, key):
        path = folder.path("video", key)
        path.unlink()
        path.symlink_to(str(target).format(root=folder.root, key=key))

    return make


def replaced(kind, data):
    return lambda folder, key: folder.path(kind, key).write_bytes(data)


def still(folder, key):
    folder.add(key, frames=np.repeat(folder.disc(0.0, 0.0, 1), 16, axis=0))


def a_folder(folder, key):
    folder.path("video", key).unlink()
    folder.path("video", key).mkdir()


PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000100000000808020000007f14e8c0")

BAD = {
    "truncated": (truncated, "unreadable picture"),
    "zero-length video": (replaced("video", b""), "unreadable picture"),
    "zero-length sound": (replaced("audio", b""), "unusable sound"),
    "no sound": (lambda folder, key: folder.path("audio", key).unlink(), "missing file"),
    "1 channel": (lambda *clip: channels(*clip, 1), "1 channels"),
    "2 channels": (lambda *clip: channels(*clip, 2), "2 channels"),
    "3 channels": (lambda *clip: channels(*clip, 3), "3 channels"),
    "5 channels": (lambda *clip: channels(*clip, 5), "5 channels"),
    "6 channels": (lambda *clip: channels(*clip, 6), "6 channels"),
    "NaN": (with_nan, "unusable sound"),
    "silent Z": (silent_z, "Z is silent"),
    "still": (still, "still picture"),
    "text as mp4": (replaced("video", b"Lorem ipsum. " * 500), "unreadable picture"),
    "picture as mp4": (replaced("video", PNG), "unreadable picture"),
    "text as wav": (replaced("audio", b"Lorem ipsum. " * 500), "unusable sound"),
    "folder as mp4": (a_folder, "unreadable picture"),
    "dangling link": (link("{root}/nowhere.mp4"), "missing file"),
    "looping link": (link("{key}.mp4"), "missing file"),
}


class TestClips:
    """One of each kind, between good ones."""

    @pytest.fixture(scope="class")
    @staticmethod
    def prepared(new_clip_folder, tmp_path_factory):
        folder = new_clip_folder(tmp_path_factory.mktemp("bad") / "the source, ünïcode & spaces")
        good = ("a good one", "weiß nicht 音", "link", "z")
        for key in (*BAD, *good):
            folder.add(key)
        for key, (spoil, _) in BAD.items():
            spoil(folder, key)
        real = folder.path("video", "link").rename(folder.root / "elsewhere.mp4")
        folder.path("video", "link").symlink_to(real)
        before = everything(folder.root.parent)
        out = folder.root.parent / "out, ünïcode & spaces"
        notes = ("--leave-out", "Z is silent", "still picture")
        assert run(folder.root, out, *notes) == 0
        after = everything(folder.root.parent)
        return out, good, before, after

    @pytest.mark.parametrize("key", BAD)
    def test_is_listed_with_its_reason(self, prepared, key):
        row = rows_of(prepared[0])[key]
        assert (row["status"], row["reason"]) == ("left out", BAD[key][1])
        assert "\n" not in row["detail"]

    def test_the_others_are_prepared(self, prepared):
        out, good, _, _ = prepared
        rows = rows_of(out)
        assert {key for key, row in rows.items() if row["status"] == "ok"} == set(good)
        assert len(rows) == len(BAD) + len(good)

    def test_nothing_is_written_outside(self, prepared):
        out, _, before, after = prepared
        new = {path for path in after if after[path] != before.get(path)}
        assert new
        assert all(path.startswith(f"{out.name}{os.sep}") for path in new)
        assert before.keys() <= after.keys()


class TestTracks:
    """The sound of a video in a plain folder is its own track."""

    @pytest.fixture
    def video(self, clip_folder):
        clip_folder.add("a")
        return clip_folder.path("video", "a")

    def track(self, video, path, layout):
        """Write a video with a track of noise."""
        count = {"mono": 1, "stereo": 2, "2.1": 3, "4.0": 4, "5.0": 5, "5.1": 6}[layout]
        rng = np.random.default_rng(0)
        noise = rng.integers(-3000, 3000, (20, 1, RATE // 10 * count), np.int16)
        with av.open(str(video)) as old, av.open(str(path), "w") as new:
            picture = new.add_stream_from_template(old.streams.video[0])
            stream = new.add_stream("pcm_s16le", rate=RATE, layout=layout)
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = picture
                    new.mux(packet)
            for block in noise:
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout=layout)
                frame.sample_rate = RATE
                new.mux(stream.encode(frame))
            new.mux(stream.encode(None))

    @pytest.mark.parametrize(
        ("layout", "reason"),
        [("mono", "1 channels"), ("stereo", "2 channels"), ("2.1", "3 channels"),
         ("5.0", "5 channels"), ("5.1", "6 channels")],
    )  # fmt: skip
    def test_of_too_few_or_other_channels(self, video, tmp_path, layout, reason):
        source = tmp_path / "videos"
        source.mkdir()
        self.track(video, source / "bad.mkv", layout)
        self.track(video, source / "good.mkv", "4.0")
        assert run(source, tmp_path / "out", "--source=folder") == 0
        rows = rows_of(tmp_path / "out")
        assert rows["bad"]["reason"] == reason
        assert rows["good"]["status"] == "ok"

    def test_no_track(self, video, tmp_path):
        with pytest.raises(SystemExit) as end:
            run(video.parent, tmp_path / "out", "--source=folder")
        assert end.value.code == 1  # nothing is prepared
        assert rows_of(tmp_path / "out")["a"]["reason"] == "no sound"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only names that are text")
def test_a_name_that_is_no_text(clip_folder, tmp_path):
    clip_folder.add("a")
    for kind in ("video", "audio"):
        path = clip_folder.path(kind, "a")
        bad = os.fsencode(path.with_name("caf")) + b"\xe9" + os.fsencode(path.suffix)
        Path(os.fsdecode(bad)).write_bytes(path.read_bytes())
    assert run(clip_folder.root, tmp_path / "out") == 0
    rows = rows_of(tmp_path / "out")
    assert rows.keys() == {"a", "caf\\xe9"}
    assert rows["a"]["status"] == "ok"


class TestRefused:
    """What makes no sense as a whole."""

    def test_two_clips_of_one_key(self, capfd, clip_folder, tmp_path):
        clip_folder.add("a.b")
        clip_folder.add("a_b")
        line = refused(capfd, clip_folder.root, tmp_path / "out")
        assert "a.b.mp4" in line
        assert "rename or remove one" in line
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("inside", ["", "out", "video/out", "../source/out"])
    def test_output_among_the_clips(self, capfd, clip_folder, inside):
        clip_folder.add("a")
        before = everything(clip_folder.root)
        line = refused(capfd, clip_folder.root, clip_folder.root / inside)
        assert "choose one outside" in line
        assert everything(clip_folder.root) == before

    def test_output_is_a_file(self, capfd, clip_folder, tmp_path):
        clip_folder.add("a")
        (tmp_path / "out").write_text("precious")
        assert str(tmp_path / "out") in refused(capfd, clip_folder.root, tmp_path / "out")
        assert (tmp_path / "out").read_text() == "precious"


class TestDisk:
    """What the output's disk refuses is one line, and the next run goes on."""

    @pytest.fixture
    def source(self, clip_folder):
        for key in "abcd":
            clip_folder.add(key)
        return clip_folder.root

    @pytest.fixture
    def worked(self, monkeypatch):
        """Keys of the clips that are worked."""
        keys = []

        def noted(clip, settings):
            keys.append(clip.key)
            return prepare_clip(clip, settings)

        monkeypatch.setattr("ambikit_learn.preparation.command.prepare_clip", noted)
        return keys

    def test_full_in_the_middle_of_a_clip(self, capfd, source, tmp_path, monkeypatch, worked):
        def add(tar, members):
            places = whole(tar, members)
            if worked == ["a", "b", "c"]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return places

        whole = GrowingTar.add
        monkeypatch.setattr(GrowingTar, "add", add)
        line = refused(capfd, source, tmp_path / "out")
        assert f"{tmp_path / 'out'}: the disk is full: free some space, and run the same" in line
        worked.clear()
        assert run(source, tmp_path / "out") == 0
        assert worked == ["c", "d"]
        assert run(source, tmp_path / "calm") == 0
        assert everything(tmp_path / "out") == everything(tmp_path / "calm")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
    def test_full_when_a_shard_is_finished(self, capfd, source, tmp_path, worked):
        """The error of a real device, in the place of the journal's temporary file."""
        assert run(source, tmp_path / "out") == 0
        journal = tmp_path / "out" / "journal"
        (journal / "train-00000.json").unlink()
        (journal / f".train-00000.{os.getpid()}.part.json").symlink_to("/dev/full")
        assert "the disk is full" in refused(capfd, source, tmp_path / "out")
        worked.clear()
        assert run(source, tmp_path / "out") == 0
        assert worked == []
        assert run(source, tmp_path / "calm") == 0
        assert everything(tmp_path / "out") == everything(tmp_path / "calm")

    @pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
    def test_read_only(self, capfd, source, tmp_path, monkeypatch, code):
        out = tmp_path / "out"

        def mkdir(path, *_, **__):
            raise OSError(code, os.strerror(code), str(path))

        monkeypatch.setattr(Path, "mkdir", mkdir)
        line = refused(capfd, source, out)
        assert str(out) in line
        assert "permissions" in line or "read-only" in line

    @pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder of no one's")
    def test_a_folder_that_nobody_may_write_to(self, capfd, source):
        line = refused(capfd, source, Path("/sys/kernel/ambikit"))
        assert "/sys/kernel/ambikit" in line
        assert "permissions" in line or "read-only" in line
