"""Clips of data sets on disk."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from ambikit import InputError
from ambikit_learn.sources import Clip, open_source, segments


def touch(root, *names):
    """Make empty files, in an order that is not that of their names."""
    shuffled = list(names)
    random.Random(0).shuffle(shuffled)
    for name in shuffled:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def clips(name, root):
    return {clip.key: clip for clip in open_source(name, root).clips()}


def test_yt360_pairs_files_by_name(tmp_path):
    touch(tmp_path, "video/abc-10.mp4", "audio/abc-10.m4a", "boxes/abc-10.json")
    touch(tmp_path, "video/-x-y_z-7.mkv", "audio/-x-y_z-7.opus", "video/whole.mp4")
    touch(tmp_path, "audio/whole.wav", "video/.abc-11.part.mp4", "video/readme.txt")
    video, audio = tmp_path / "video", tmp_path / "audio"
    assert list(open_source("yt360", tmp_path).clips()) == [
        Clip("-x-y_z-7", video / "-x-y_z-7.mkv", audio / "-x-y_z-7.opus"),
        Clip(
            "abc-10",
            video / "abc-10.mp4",
            audio / "abc-10.m4a",
            boxes=tmp_path / "boxes/abc-10.json",
        ),
        Clip("whole", video / "whole.mp4", audio / "whole.wav"),
    ]


def test_yt360_names_what_is_missing(tmp_path):
    touch(tmp_path, "video/a-1.mp4", "audio/b-1.m4a")
    found = clips("yt360", tmp_path)
    assert found["a-1"].audio == tmp_path / "audio/a-1.m4a"
    assert not found["a-1"].audio.exists()
    assert not found["b-1"].video.exists()


def test_yt360_of_two_files_takes_the_preferred(tmp_path):
    touch(tmp_path, "video/a-1.webm", "video/a-1.mp4", "audio/a-1.opus", "audio/a-1.m4a")
    assert clips("yt360", tmp_path)["a-1"].video.suffix == ".mp4"
    assert clips("yt360", tmp_path)["a-1"].audio.suffix == ".m4a"


def test_yt360_splits_by_id(tmp_path):
    names = ("one-10", "one-20", "two-5", "id-with-3", "id-with-3-40", "alone", "three-1")
    touch(tmp_path, *(f"video/{name}.mp4" for name in names))
    assert {clip.split for clip in clips("yt360", tmp_path).values()} == {"train"}
    (tmp_path / "train.txt").write_text("one\nid-with-3\n\n")
    (tmp_path / "test.txt").write_text("two 5,15\nalone\n")
    splits = {key: clip.split for key, clip in clips("yt360", tmp_path).items()}
    assert splits == {
        "one-10": "train",
        "one-20": "train",
        "id-with-3": "train",
        "id-with-3-40": "train",
        "two-5": "test",
        "alone": "test",
        "three-1": "unlisted",
    }


def test_yt360_names_every_listed_segment(tmp_path):
    """The lists as released: ids of the splits, and `ID T,T,...` for all videos together."""
    touch(tmp_path, "video/-a-b_c7-0.mp4", "audio/-a-b_c7-0.m4a", "video/extra-5.mp4")
    (tmp_path / "train.txt").write_text("-a-b_c7-\n")
    (tmp_path / "test.txt").write_text("zzzzzzzzzzz\n")
    (tmp_path / "segments.txt").write_text("-a-b_c7- 10\nzzzzzzzzzzz 0,130\nneither-one 4\n")
    found = clips("yt360", tmp_path)
    assert {key: clip.split for key, clip in found.items()} == {
        "-a-b_c7-0": "unlisted",
        "-a-b_c7--10": "train",
        "zzzzzzzzzzz-0": "test",
        "zzzzzzzzzzz-130": "test",
        "neither-one-4": "unlisted",
        "extra-5": "unlisted",
    }
    assert found["zzzzzzzzzzz-130"].video == tmp_path / "video/zzzzzzzzzzz-130.mp4"
    assert found["zzzzzzzzzzz-130"].audio == tmp_path / "audio/zzzzzzzzzzz-130.m4a"
    (tmp_path / "segments.txt").write_text("a 1,2\nb 1;2\n")
    with pytest.raises(InputError, match=r"segments\.txt, line 2: expected"):
        clips("yt360", tmp_path)


def test_yt360_cuts_whole_videos_by_the_released_list(tmp_path):
    """As published: whole videos, and lists of ids and seconds; clips that are cut already stay."""
    touch(tmp_path, "video/-a-b_c7-10.mp4", "audio/-a-b_c7-10.m4a", "boxes/-a-b_c7-10.json")
    touch(tmp_path, "video/zzzzzzzzzzz.webm", "video/cut-5.mp4", "audio/cut-5.m4a", "audio/cut.m4a")
    touch(tmp_path, "video/other.mp4", "audio/other.m4a")
    (tmp_path / "train.txt").write_text("-a-b_c7-10\ncut\nother\n")
    (tmp_path / "test.txt").write_text("zzzzzzzzzzz\n")
    (tmp_path / "segments.txt").write_text("-a-b_c7-10 0,130\nzzzzzzzzzzz 4\ncut 5,25\ngone 7\n")
    video, audio = tmp_path / "video", tmp_path / "audio"
    whole = {
        "video": video / "-a-b_c7-10.mp4",
        "audio": audio / "-a-b_c7-10.m4a",
        "duration": 10.0,
        "boxes": tmp_path / "boxes/-a-b_c7-10.json",
    }
    assert list(open_source("yt360", tmp_path).clips()) == [
        Clip("-a-b_c7-10-0", start=0.0, **whole),
        Clip("-a-b_c7-10-130", start=130.0, **whole),
        Clip("cut-25", video / "cut.mp4", audio / "cut.m4a", start=25.0, duration=10.0),
        Clip("cut-5", video / "cut-5.mp4", audio / "cut-5.m4a"),
        Clip("gone-7", video / "gone-7.mp4", audio / "gone-7.m4a", split="unlisted"),
        Clip("other", video / "other.mp4", audio / "other.m4a"),
        Clip(
            "zzzzzzzzzzz-4",
            video / "zzzzzzzzzzz.webm",
            audio / "zzzzzzzzzzz.m4a",
            start=4.0,
            duration=10.0,
            split="test",
        ),
    ]


def test_long_clips_are_cut():
    whole = Clip("a", Path("a.mp4"), Path("a.mp4"), start=3.0, split="test")
    assert segments(whole, 19.9, 10.0) == [whole]
    parts = segments(whole, 3605.5, 10.0)
    assert len(parts) == 360
    assert [(c.key, c.start, c.duration) for c in parts[:2]] == [
        ("a-000", 3.0, 10.0),
        ("a-010", 13.0, 10.0),
    ]
    assert (parts[-1].key, parts[-1].start, parts[-1].duration) == ("a-3590", 3593.0, 15.5)
    assert {(c.video, c.split) for c in parts} == {(whole.video, "test")}
    assert len({c.key for c in segments(whole, 100.0, 1.5)}) == 66


def test_sphere360(tmp_path):
    touch(tmp_path, "media/a_b-c_10.webm", "media/x_0.mp4", "media/x_0.flac", "media/new_5.mp4")
    lists = tmp_path / "dataset" / "split"
    lists.mkdir(parents=True)
    (lists.parent / "channels.csv").write_text("channel_id\nUC0123456789\n")
    (lists / "train.txt").write_text("x_0\na_b-c_10\na_b-c_20\n")
    (lists / "test.txt").write_text("_y_30\n")
    media = tmp_path / "media"
    assert list(open_source("sphere360", tmp_path).clips()) == [
        Clip("_y_30", media / "_y_30.webm", media / "_y_30.webm", split="test"),
        Clip("a_b-c_10", media / "a_b-c_10.webm", media / "a_b-c_10.webm"),
        Clip("a_b-c_20", media / "a_b-c_20.webm", media / "a_b-c_20.webm"),
        Clip("new_5", media / "new_5.mp4", media / "new_5.mp4", split="unlisted"),
        Clip("x_0", media / "x_0.mp4", media / "x_0.flac"),
    ]
    (lists / "test.txt").write_text("x_0\nno-second\n")
    with pytest.raises(InputError, match=r"test\.txt, line 2: 'no-second' is not ID_SECOND"):
        clips("sphere360", tmp_path)
    (lists / "train.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.txt: no such file: fetch the lists"):
        clips("sphere360", tmp_path)


def test_yt360_of_the_real_clips(test_data):
    found = clips("yt360", test_data / "yt360")
    assert list(found) == ["kqAZkf5Odyw-80", "redownloaded_from_YT"]
    for clip in found.values():
        assert clip.video.is_file()
        assert clip.audio.is_file()


def test_folder(tmp_path):
    touch(tmp_path, "b.MOV", "a.mp4", "a.wav", "a.boxes.json", "notes.txt", "lone.wav")
    touch(tmp_path, "train/day.1/c.mkv", "test/c.mkv", "other/test/d.mp4", ".hidden/e.mp4")
    found = clips("folder", tmp_path)
    assert list(found) == ["a", "b", "lone", "other__test__d", "test__c", "train__day_1__c"]
    assert found["lone"].audio == tmp_path / "lone.wav"
    assert not found["lone"].video.exists()
    assert found["a"].audio == tmp_path / "a.wav"
    assert found["a"].boxes == tmp_path / "a.boxes.json"
    assert found["b"].audio == found["b"].video == tmp_path / "b.MOV"
    assert found["b"].boxes is None
    assert [c.key for c in found.values() if c.split == "test"] == ["test__c"]


def test_folder_sees_suffixes_in_capital_letters_and_every_video(tmp_path):
    touch(tmp_path, "A.mp4", "A.WAV", "A.Boxes.JSON", "walk.360", "x.INSV", "b.avi", "c.m4v")
    touch(tmp_path, "d.ts", "A.wav.txt")
    found = clips("folder", tmp_path)
    assert list(found) == ["A", "b", "c", "d", "walk", "x"]
    assert found["A"].audio == tmp_path / "A.WAV"
    assert found["A"].boxes == tmp_path / "A.Boxes.JSON"


def test_folder_knows_the_names_of_splits(tmp_path):
    names = {
        "validation": ("val", "Valid", "VALIDATION"),
        "test": ("Test", "testing", "eval", "evaluation"),
        "train": ("Training", "train", "holidays"),
    }
    for folders in names.values():
        touch(tmp_path, *(f"{folder}/{folder}.mp4" for folder in folders))
    found = clips("folder", tmp_path)
    for split, folders in names.items():
        assert {found[f"{name}__{name}"].split for name in folders} == {split}


@pytest.mark.parametrize("source", ["folder", "yt360"])
def test_dev_is_for_validation_only_beside_training(tmp_path, source):
    """Train, dev and test of speech corpora; development and evaluation of DCASE."""
    for top, split in ((("Training", "dev", "test"), "validation"), (("dev", "eval"), "train")):
        root = tmp_path / split
        for name in top:
            if source == "folder":
                touch(root, f"{name}/{name}.mp4")
            else:
                touch(root, f"video/{name}.mp4")
                (root / f"{name}.txt").write_text(name)
        found = clips(source, root)
        key = "dev__dev" if source == "folder" else "dev"
        assert found[key].split == split


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_folder_enters_links_and_ends_where_they_lead_back(tmp_path):
    touch(tmp_path, "elsewhere/deep/a.mp4", "root/train/b.mp4")
    root = tmp_path / "root"
    (root / "test").symlink_to(tmp_path / "elsewhere")
    (root / "train" / "back").symlink_to(root)
    (root / "train" / "gone.mp4").symlink_to(root / "absent.mp4")
    found = clips("folder", root)
    assert {key: clip.split for key, clip in found.items()} == {
        "test__deep__a": "test",
        "train__b": "train",
        "train__gone": "train",
    }


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_folder_refuses_a_link_to_a_folder_that_is_not_there(tmp_path):
    """Such as one on a disk that is not mounted: all of a split would be missing."""
    touch(tmp_path, "train/a.mp4")
    (tmp_path / "test").symlink_to(tmp_path / "unmounted")
    with pytest.raises(FileNotFoundError, match=r"link to what is not there.*test'"):
        clips("folder", tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_folder_refuses_a_file_in_two_splits(tmp_path):
    touch(tmp_path, "train/a.mp4", "test/b.mp4")
    (tmp_path / "test" / "again.mp4").symlink_to(tmp_path / "train" / "a.mp4")
    with pytest.raises(InputError, match=r"again\.mp4 \(test\) and .*a\.mp4 \(train\) are one"):
        clips("folder", tmp_path)


def test_folder_refuses_what_it_cannot_list(tmp_path):
    touch(tmp_path, "a.mp4", "private/b.mp4")
    (tmp_path / "private").chmod(0)
    try:
        if os.access(tmp_path / "private", os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(OSError, match="cannot be listed"):
            clips("folder", tmp_path)
    finally:
        (tmp_path / "private").chmod(0o700)


def test_lists_may_name_a_validation_split(tmp_path):
    touch(tmp_path, "video/a-1.mp4", "video/b-1.mp4", "video/c-1.mp4")
    for name, ids in (("train", "\ufeffa"), ("val", "b"), ("test", "c")):
        (tmp_path / f"{name}.txt").write_text(ids, encoding="utf-8")
    splits = [clip.split for clip in clips("yt360", tmp_path).values()]
    assert splits == ["train", "validation", "test"]


def test_lists_of_splits_may_be_in_any_case(tmp_path):
    touch(tmp_path, "video/a-1.mp4", "video/b-1.mp4", "video/c-1.mp4")
    for name, ids in (("Train.txt", "a"), ("TEST.TXT", "b"), ("Validation.txt", "c-1")):
        (tmp_path / name).write_text(ids)
    splits = [clip.split for clip in clips("yt360", tmp_path).values()]
    assert splits == ["train", "test", "validation"]


@pytest.mark.parametrize("source", ["yt360", "sphere360"])
def test_a_clip_in_the_lists_of_two_splits_is_refused(tmp_path, source):
    folder = tmp_path if source == "yt360" else tmp_path / "dataset" / "split"
    touch(tmp_path, "video/a_1.mp4", "media/a_1.webm")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.txt").write_text("b_1\na_1\n")
    (folder / "test.txt").write_text("c_1\n\na_1\n")
    with pytest.raises(InputError, match=r"test\.txt, line 3: 'a_1' is in train\.txt as well"):
        clips(source, tmp_path)


def test_a_name_says_more_than_the_id_in_it(tmp_path):
    """``a-1`` may be an id, or second 1 of the id ``a``."""
    touch(tmp_path, "video/a-1.mp4", "video/a-1-5.mp4", "video/a-2.mp4")
    (tmp_path / "train.txt").write_text("a")
    (tmp_path / "test.txt").write_text("a-1")
    found = clips("yt360", tmp_path)
    assert [clip.split for clip in found.values()] == ["test", "test", "train"]


def test_starss23_names_sound_without_picture_and_the_reverse(tmp_path):
    touch(tmp_path, "foa_dev/dev-train-x/a.WAV", "video_dev/dev-test-x/b.mp4")
    found = clips("starss23", tmp_path)
    assert found["a"].audio.name == "a.WAV"
    assert found["b"].video.exists()
    assert not found["a"].video.exists()
    assert not found["b"].audio.exists()
    assert (found["a"].split, found["b"].split) == ("train", "test")


def test_folder_refuses_two_clips_of_one_name(tmp_path):
    touch(tmp_path, "a.mp4", "a.mkv")
    with pytest.raises(InputError, match=r"a\.mp4 and .*a\.mkv would both be clip 'a'"):
        clips("folder", tmp_path)


def test_a_video_with_its_sound_beside_it_is_one_clip(tmp_path):
    """Sound in a container of video does not turn into a clip of its own in the YT-360 layout."""
    touch(tmp_path, "video/a-1.mp4", "audio/a-1.mkv")
    assert clips("yt360", tmp_path)["a-1"].audio == tmp_path / "audio/a-1.mkv"


@pytest.mark.parametrize(("name", "hint"), [("yt360", "not laid out"), ("folder", "no video")])
def test_nothing_there(tmp_path, name, hint):
    with pytest.raises(InputError, match=hint):
        clips(name, tmp_path)
    with pytest.raises(FileNotFoundError, match="absent: no such folder"):
        open_source(name, tmp_path / "absent")


def test_unknown_source(tmp_path):
    with pytest.raises(InputError, match=r"unknown source 'youtube': choose one of folder"):
        open_source("youtube", tmp_path)
