"""Folders that grow: what is done stays done, and a repacked folder is that of a single run."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambikit_learn.data.dataset import AlignmentDataset
from ambikit_learn.data.record import read_record, with_facts, write_record
from ambikit_learn.data.shards import member
from ambikit_learn.data.statistics import data_statistics
from ambikit_learn.preparation import command
from ambikit_learn.preparation.clip import Prepared, Rejected
from ambikit_learn.preparation.command import prepare
from ambikit_learn.preparation.tar import GrowingTar
from ambikit_learn.sphere.tracks import Objects
from tests.ambikit_learn.preparation.outputs import OPTIONS, contents, read_shard, rows_of

PARTS = ("frames", "sound", "record")
PLACES = {"shard", *(f"{part}_offset" for part in PARTS)}


@contextmanager
def counted(
    work: Callable = command.prepare_clip, made: list[str] | None = None
) -> Iterator[list[str]]:
    """Name the clips that are computed, added to `made`."""
    made = [] if made is None else made

    def counting(clip, settings):
        made.append(clip.key)
        return work(clip, settings)

    with patch.object(command, "prepare_clip", counting):
        yield made


def all_members(out: Path) -> dict[str, list[bytes]]:
    """Read each clip by the offsets of the manifest."""
    found = {}
    for key, row in rows_of(out).items():
        if row["status"] == "ok":
            found[key] = []
            for part in PARTS:
                with member(out, row, part) as data:
                    found[key].append(data)
    return found


def facts_of(out: Path) -> list[dict]:
    """Rows of the manifest without places in shards."""
    return [
        {k: v for k, v in row.items() if k not in PLACES and not k.endswith("_bytes")}
        for row in rows_of(out).values()
    ]


def in_shards(out: Path) -> dict[str, list[str]]:
    """Keys in the tars of each split, as a library that reads these alone finds them."""
    found: dict[str, list[str]] = {}
    for path in sorted((out / "shards").iterdir()):
        assert path.suffix == ".tar"
        assert not path.name.startswith(".")
        found.setdefault(path.name.rpartition("-")[0], []).extend(read_shard(path))
    return {split: sorted(keys) for split, keys in found.items()}


def assert_same_data(grown: Path, fresh: Path) -> None:
    """Check that two folders hold the same, wherever it lies."""
    assert facts_of(grown) == facts_of(fresh)
    assert all_members(grown) == all_members(fresh)
    assert in_shards(grown) == in_shards(fresh)


class TestRealClips:
    """Pictures and sound as they are coded."""

    @pytest.fixture
    def source(self, clip_folder):
        for i, key in enumerate(("Tr-0", "Tr-1", "Tr-2", "Tr-3", "Te-0", "Te-1")):
            clip_folder.add(key, azimuth=50.0 * i)
        (clip_folder.root / "train.txt").write_text("Tr\nAa\nZz\n")
        (clip_folder.root / "test.txt").write_text("Te\n")
        return clip_folder

    @staticmethod
    def early(source):
        source.add("Aa-0", azimuth=-90.0)
        return ["Aa-0"]

    @staticmethod
    def removed(source):
        source.path("video", "Tr-1").unlink()
        source.path("audio", "Tr-1").unlink()
        return []

    @staticmethod
    def recorded_anew(source):
        source.add("Tr-1", azimuth=-10.0)
        return ["Tr-1"]

    @staticmethod
    def boxes_alone(source):
        source.path("boxes", "Tr-2").write_bytes(source.path("boxes", "Tr-3").read_bytes())
        return ["Tr-2"]

    @staticmethod
    def renamed(source):
        for kind in ("video", "audio", "boxes"):
            source.path(kind, "Tr-1").rename(source.path(kind, "Zz-1"))
        return []

    @staticmethod
    def exchanged(source):
        for kind in ("video", "audio", "boxes"):
            source.path(kind, "Tr-0").rename(source.path(kind, "x"))
            source.path(kind, "Tr-3").rename(source.path(kind, "Tr-0"))
            source.path(kind, "x").rename(source.path(kind, "Tr-3"))
        return []

    @staticmethod
    def in_another_split(source):
        (source.root / "train.txt").write_text("Tr-0\nTr-1\nTr-2\n")
        (source.root / "test.txt").write_text("Te\nTr-3\n")
        return []

    @staticmethod
    def listed_no_more(source):
        (source.root / "train.txt").write_text("Tr-0\nTr-1\nTr-2\n")
        return ["Tr-3"]  # as unlisted, which costs nothing

    @staticmethod
    def touched(source):
        for path in source.root.glob("*/Tr-*"):
            os.utime(path, (1, 1))
        return []

    CHANGES = (
        *("early", "removed", "recorded_anew", "boxes_alone", "renamed", "exchanged"),
        *("in_another_split", "listed_no_more", "touched"),
    )

    @pytest.mark.parametrize("change", CHANGES)
    def test_only_what_is_new_is_computed(self, source, tmp_path, change):
        out, fresh = tmp_path / "out", tmp_path / "fresh"
        prepare(source.root, out, **OPTIONS, workers=0)
        before = {p.name: p.read_bytes() for p in (out / "shards").iterdir()}
        expected = getattr(self, change)(source)
        with counted() as made:
            prepare(source.root, out, **OPTIONS, workers=0)
        assert made == expected
        prepare(source.root, fresh, **OPTIONS, workers=0)
        assert_same_data(out, fresh)
        if change == "early":
            after = {p.name: p.read_bytes() for p in (out / "shards").iterdir()}
            assert before.items() < after.items(), "no finished shard is touched"
        with counted() as made:
            prepare(source.root, out, **OPTIONS, workers=0)
            prepare(source.root, out, **OPTIONS, workers=0, repack=True)
        assert made == []
        assert contents(out) == contents(fresh)

    def test_readers_find_the_same_in_a_grown_folder(self, source, tmp_path):
        out, fresh = tmp_path / "out", tmp_path / "fresh"
        prepare(source.root, out, **OPTIONS, workers=0)
        self.early(source)
        self.recorded_anew(source)
        self.in_another_split(source)
        (source.root / "train.txt").write_text("Tr-0\nTr-1\nTr-2\nAa\n")
        summary = prepare(source.root, out, **OPTIONS, workers=0)
        assert prepare(source.root, fresh, **OPTIONS, workers=0) == summary
        assert contents(out)["shards/train-00000.tar"] != contents(fresh)["shards/train-00000.tar"]
        assert data_statistics(out).to_dict() == data_statistics(fresh).to_dict()
        for split in ("train", "test"):
            grown, single = (
                AlignmentDataset(root, split, strategy="objects", views=2) for root in (out, fresh)
            )
            assert len(grown) == len(single)
            for one, other in zip(map(grown.__getitem__, range(len(grown))), single, strict=False):
                assert one.key == other.key
                np.testing.assert_array_equal(one.video, other.video)
                np.testing.assert_array_equal(one.sound, other.sound)
                np.testing.assert_array_equal(one.azimuth, other.azimuth)
        checked = prepare(source.root, out, **OPTIONS, workers=0, check=True)
        assert (checked.clips, checked.prepared) == (7, 7)

    def test_what_failed_is_tried_again_and_nothing_else(self, source, tmp_path):
        def failing(clip, settings):
            if clip.key == "Tr-1":
                return Rejected("failed", "MemoryError: ")
            return real(clip, settings)

        real, out, fresh = command.prepare_clip, tmp_path / "out", tmp_path / "fresh"
        with counted(failing):
            prepare(source.root, out, **OPTIONS, workers=0)
        assert rows_of(out)["Tr-1"]["reason"] == "failed"
        with counted() as made:
            prepare(source.root, out, **OPTIONS, workers=0)
        assert made == ["Tr-1"]
        prepare(source.root, fresh, **OPTIONS, workers=0)
        assert contents(out) == contents(fresh), "at its old place"

    def test_a_clip_that_hung_is_tried_again_with_more_patience(self, source, tmp_path):
        def hanging(clip, settings):
            return Rejected("decoder hang", "") if clip.key == "Tr-1" else real(clip, settings)

        real, out = command.prepare_clip, tmp_path / "out"
        with counted(hanging):
            prepare(source.root, out, **OPTIONS, workers=0, clip_timeout=10.0)
        for patience, expected in ((5.0, []), (10.0, []), (11.0, ["Tr-1"])):
            with counted(hanging) as made:
                prepare(source.root, out, **OPTIONS, workers=0, clip_timeout=patience)
            assert made == expected

    def test_segments_of_a_long_file_that_was_renamed(self, clip_folder, tmp_path):
        options = {"frame_size": (40, 80), "segment": 1.0, "workers": 0, "clips_per_shard": 2}
        clip_folder.add("b", duration=3.25)
        out = tmp_path / "out"
        prepare(clip_folder.root, out, **options)
        assert list(rows_of(out)) == ["b-000", "b-001", "b-002"]
        for kind in ("video", "audio"):
            clip_folder.path(kind, "b").rename(clip_folder.path(kind, "a"))
        with counted() as made:
            prepare(clip_folder.root, out, **options)
        assert made == []
        assert list(rows_of(out)) == ["a-000", "a-001", "a-002"]
        prepare(clip_folder.root, tmp_path / "fresh", **options)
        assert_same_data(out, tmp_path / "fresh")

    def test_a_damaged_shard_is_computed_again_and_not_copied(self, source, tmp_path):
        out, fresh = tmp_path / "out", tmp_path / "fresh"
        prepare(source.root, out, **OPTIONS, workers=0)
        path = out / "shards" / "train-00000.tar"
        path.write_bytes(path.read_bytes()[:-700])
        self.renamed(source)  # a clip of that shard
        with counted() as made:
            prepare(source.root, out, **OPTIONS, workers=0)
        assert sorted(made) == ["Tr-0", "Zz-1"]
        prepare(source.root, fresh, **OPTIONS, workers=0)
        assert_same_data(out, fresh)


def pretend(clip, settings) -> Prepared | Rejected:
    """Prepare a file of any bytes: a result that depends on all that a clip's result does."""
    data = clip.video.read_bytes()
    if data.startswith(b"bad"):
        return Rejected("too short", f"{clip.video} is bad")
    about = {"key": clip.key, "split": clip.split, "video": clip.video.name}
    about["audio"] = clip.audio.name
    digest = hashlib.sha256(data).digest()
    members = {
        "frames": digest * (1 + digest[0] % 40),
        "sound": digest[::-1],
        "record": write_record(about | {"duration": len(data) / 8}, Objects(2.0, 0, ())),
    }
    facts = {"start": 0.0, "duration": len(data) / 8, "frames": len(data), "notes": []}
    facts |= {"copied": False, "samples": 5, "gain": 1.0, "detector": "none", "boxes": 0}
    return Prepared(facts, members)


def run(source: Path, out: Path, made: list[str] | None = None, **options) -> list[str]:
    """Prepare pretended clips; return the keys of those that were computed, added to `made`."""
    made = [] if made is None else made
    with counted(pretend, made), patch.object(command, "length_of", lambda clip: 0.0):
        prepare(source, out, source="folder", workers=0, clips_per_shard=3, **options)
    return made


def test_any_byte_of_a_large_file_counts(tmp_path):
    """Recorded anew with the same size, and another sample in the middle."""
    source, out = tmp_path / "source", tmp_path / "out"
    data = bytearray(2**24 + 2**20)
    write(source / "a.mp4", data)
    write(source / "b.mp4", b"another")
    assert run(source, out) == ["a", "b"]
    os.utime(source / "a.mp4", (1, 1))
    assert run(source, out) == []
    data[2**23 + 12345] = 1
    write(source / "a.mp4", data)
    assert run(source, out) == ["a"]
    run(source, tmp_path / "fresh")
    assert_same_data(out, tmp_path / "fresh")


def test_a_file_that_changes_while_it_is_prepared_is_prepared_again(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    write(source / "a.mp4", b"before")

    def disturbed(clip, settings):
        result = pretend(clip, settings)
        write(clip.video, b"behind")  # of the same size
        os.utime(clip.video, (2, 2))
        return result

    with counted(disturbed), patch.object(command, "length_of", lambda clip: 0.0):
        prepare(source, out, source="folder", workers=0, clips_per_shard=3)
    assert run(source, out) == ["a"]
    run(source, tmp_path / "fresh")
    assert_same_data(out, tmp_path / "fresh")


def test_a_new_suffix_may_change_what_is_assumed(clip_folder, tmp_path):
    """Four channels that state nothing are AmbiX in .wav and FuMa in .amb."""
    for kind in ("video", "audio"):
        clip_folder.add(kind[0])
        clip_folder.path(kind, kind[0]).rename(tmp_path / f"{kind}.part")
    source, out = tmp_path / "clips", tmp_path / "out"
    source.mkdir()
    (tmp_path / "video.part").rename(source / "a.mp4")
    (tmp_path / "audio.part").rename(source / "a.wav")
    options = {"source": "folder", "frame_size": (40, 80), "workers": 0}
    prepare(source, out, **options)
    before = all_members(out)
    (source / "a.wav").rename(source / "a.amb")
    prepare(source, out, **options)
    prepare(source, tmp_path / "fresh", **options)
    assert all_members(out) == all_members(tmp_path / "fresh") != before


class Killed(BaseException):
    """The process ends."""


@contextmanager
def dying(step: int) -> Iterator[list[int]]:
    """End the process before a step that changes files, counted from 0."""
    steps = [0]

    def dies(function):
        def wrapped(*arguments, **options):
            if steps[0] == step:
                raise Killed
            steps[0] += 1
            return function(*arguments, **options)

        return wrapped

    with (
        patch.object(Path, "unlink", dies(Path.unlink)),
        patch.object(Path, "replace", dies(Path.replace)),
        patch.object(os, "replace", dies(os.replace)),
        patch.object(GrowingTar, "add", dies(GrowingTar.add)),
        patch.object(GrowingTar, "note", dies(GrowingTar.note)),
        patch.object(GrowingTar, "finish", dies(GrowingTar.finish)),
    ):
        yield steps


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


class TestKilled:
    """A kill before any step, in growth and in repacking."""

    @pytest.fixture
    def begin(self, tmp_path):
        """A folder of two splits, prepared, and then changed in every way."""
        source, out = tmp_path / "source", tmp_path / "out"
        for i in range(8):
            write(source / f"train/c{i}.mp4", f"clip {i}".encode() * (i + 1))
        for i in range(3):
            write(source / f"test/c{i}.mp4", f"test {i}".encode() * (i + 1))
        run(source, out)
        for i in range(4):
            write(source / f"train/a{i}.mp4", f"new {i}".encode() * 5)
        write(source / "train/c1.mp4", b"recorded anew")
        (source / "train/c2.mp4").unlink()
        (source / "train/c6.mp4").rename(source / "train/b.mp4")
        (source / "train/c7.mp4").rename(source / "test/c7.mp4")
        return source, out

    NEW = 5

    @pytest.mark.parametrize("repack", [False, True])
    def test_before_some_steps(self, begin, tmp_path, repack):
        for number, step in enumerate(range(2, 80, 13)):
            self.check(*begin, tmp_path, step, repack=repack, then=number % 2 == 1)

    @pytest.mark.slow
    @pytest.mark.parametrize("repack", [False, True])
    @pytest.mark.parametrize("then", [False, True])
    def test_before_any_step(self, begin, tmp_path, repack, then):
        """Whichever of the two is killed and whichever is called next."""
        step = 0
        while self.check(*begin, tmp_path, step, repack=repack, then=then):
            step += 1
        assert step > 30

    def check(self, source, out, tmp_path, step, *, repack, then) -> bool:
        """Check what follows a kill before a step; return whether there is such a step."""
        fresh, trial = tmp_path / "fresh", tmp_path / f"trial{step}"
        if not fresh.exists():
            run(source, fresh)
        copy_folder(out, trial)
        made: list[str] = []
        killed = False
        try:
            with dying(step):
                run(source, trial, made, repack=repack)
        except Killed:
            killed = True
        run(source, trial, made, repack=then)
        assert len(made) <= self.NEW + 1, "no more than the clip in hand is lost"
        assert_same_data(trial, fresh)
        if then:
            assert contents(trial) == contents(fresh)
        assert run(source, trial, repack=True) == []
        assert contents(trial) == contents(fresh)
        return killed


def copy_folder(old: Path, new: Path) -> None:
    """Copy a folder of few small files."""
    for path in old.rglob("*"):
        if path.is_file():
            write(new / path.relative_to(old), path.read_bytes())


NAMES = st.sampled_from([f"{split}{name}.mp4" for split in ("", "test/") for name in "abcdef"])
CONTENTS = st.binary(min_size=1, max_size=3) | st.just(b"bad")
CHANGE = (
    st.tuples(st.just("write"), NAMES, CONTENTS)
    | st.tuples(st.just("remove"), NAMES)
    | st.tuples(st.just("rename"), NAMES, NAMES)
    | st.tuples(st.just("touch"), NAMES)
)
ROUND = st.tuples(
    st.lists(CHANGE, max_size=4), st.booleans(), st.integers(0, 60) | st.none(), st.booleans()
)


@settings(deadline=None, max_examples=6)
@given(st.lists(ROUND, min_size=1, max_size=3))
def test_a_history_gives_the_data_of_the_end(tmp_path_factory, rounds):
    check_history(tmp_path_factory, rounds)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.lists(ROUND, min_size=1, max_size=6))
def test_any_history_gives_the_data_of_the_end(tmp_path_factory, rounds):
    check_history(tmp_path_factory, rounds)


def check_history(tmp_path_factory, rounds):
    """Changes, kills and repacking in any order: the data are those of the source as it is now."""
    root = tmp_path_factory.mktemp("history")
    source, out = root / "source", root / "out"
    write(source / "z.mp4", b"always")
    write(source / "test/z.mp4", b"always, for testing")
    clock = random.Random(0)
    for changes, repack, step, then in rounds:
        for kind, name, *rest in changes:
            path = source / name
            if kind == "write":
                write(path, rest[0])
            elif path.exists():
                if kind == "remove":
                    path.unlink()
                elif kind == "touch":
                    os.utime(path, (clock.randrange(10**9),) * 2)
                elif rest[0] != name:
                    (source / rest[0]).parent.mkdir(exist_ok=True)
                    path.replace(source / rest[0])
        if step is not None:
            try:
                with dying(step):
                    run(source, out, repack=repack)
            except Killed:
                pass
        run(source, out, repack=then)
        fresh = root / f"fresh{len(list(root.iterdir()))}"
        run(source, fresh)
        assert_same_data(out, fresh)
        if then:
            assert contents(out) == contents(fresh)
        assert run(source, out) == []


def test_a_record_with_other_names_is_the_one_that_would_be_written():
    about = {"key": "ä", "split": "train", "video": "ä.mp4", "audio": "ä.wav", "x": 0.1 + 0.2}
    other = {"key": "b", "split": "test", "video": "b.mp4", "audio": "b.wav"}
    objects = Objects(2.0, 0, ())
    record = with_facts(write_record(about, objects), other)
    assert record == write_record(about | other, objects)
    assert read_record(record)["x"] == 0.1 + 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_that_are_no_text_are_prepared_and_renamed(clip_folder, tmp_path):
    clip_folder.add("a", duration=1.5)
    name = os.fsdecode(b"\xff")
    for kind in ("video", "audio"):
        clip_folder.path(kind, "a").rename(clip_folder.path(kind, name))
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    options = {"frame_size": (40, 80), "workers": 0}
    assert prepare(clip_folder.root, out, **options).left_out == {}
    assert list(rows_of(out)) == ["\\xff"]
    for kind in ("video", "audio"):
        clip_folder.path(kind, name).rename(clip_folder.path(kind, os.fsdecode(b"\xfe")))
    with counted() as made:
        prepare(clip_folder.root, out, **options)
    assert made == []
    prepare(clip_folder.root, fresh, **options)
    assert contents(out) == contents(fresh)
