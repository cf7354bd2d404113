"""Arguments of the preparation, what shards hold, and real clips."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ambikit
from ambikit import InputError
from ambikit_learn.data.format import Settings
from ambikit_learn.data.sound import decode_sound
from ambikit_learn.preparation.command import Summary, prepare
from tests.ambikit_learn.preparation.outputs import RATE, SMALL, read_shard, rows_of, run


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
            ({"frame_rate": 1e9}, "frame_rate must be at most 960 Hz"),
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


def test_a_check_names_what_it_rejects(clip_folder, tmp_path, capsys):
    clip_folder.add("good")
    clip_folder.add("alone")
    clip_folder.path("audio", "alone").unlink()
    command = ["prepare", str(clip_folder.root), str(tmp_path / "out"), "--check", "--workers", "0"]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "alone: missing file (" in said
    assert "1 of 2 clips prepared" in said
