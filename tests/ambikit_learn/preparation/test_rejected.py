"""Clips that fail in every known way are listed with their reasons."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit_learn.preparation.command import prepare
from tests.ambikit_learn.preparation.outputs import RATE, SMALL, cut, index_first, rows_of


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
        source.add("n3d-twice", sound=good * np.float32([[0.2], [0.6], [0.6], [0.6]]))
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
            ("n3d-twice", ["impossible gains"]),
        ],
    )
    def test_is_kept_with_a_note(self, prepared, key, notes):
        row = rows_of(prepared[1])[key]
        assert row["status"] == "ok"
        # A disc on grey shows nothing of a sphere
        assert sorted(row["notes"]) == sorted([*notes, "projection assumed"])

    def test_a_clip_ends_with_the_shorter_of_picture_and_sound(self, prepared):
        row = rows_of(prepared[1])["unequal"]
        assert (row["duration"], row["frames"], row["samples"]) == (1.25, 10, 30000)

    def test_summary_counts_every_clip_once(self, prepared):
        summary, out, _ = prepared
        rows = rows_of(out)
        assert summary.clips == len(rows) == 20
        assert summary.prepared == sum(row["status"] == "ok" for row in rows.values()) == 6
        assert sum(summary.left_out.values()) == 14
        assert summary.hours == pytest.approx((5 * 2.0 + 1.25) / 3600)
        assert "left out: 3 (unreadable picture)" in str(summary)

    def test_notes_can_be_reasons(self, prepared, tmp_path):
        source = prepared[2].root
        summary = prepare(source, tmp_path / "out", leave_out=("still picture",), **SMALL)
        assert rows_of(tmp_path / "out")["still"]["reason"] == "still picture"
        assert rows_of(tmp_path / "out")["mono"]["notes"] == ["W only", "projection assumed"]
        assert summary.prepared == 6

    def test_check_tells_the_same_and_writes_nothing(self, prepared, tmp_path):
        summary, _, source = prepared
        out = tmp_path / "out"
        assert prepare(source.root, out, check=True, **SMALL) == summary
        assert not out.exists()
