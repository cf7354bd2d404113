"""The same bytes whatever the number of workers, and however often the run was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ambikit import InputError
from ambikit_learn._files import locked
from ambikit_learn.data.format import read_manifest
from ambikit_learn.preparation import assembly
from ambikit_learn.preparation.command import prepare
from ambikit_learn.preparation.tar import GrowingTar
from tests.ambikit_learn.preparation.outputs import DARK, OPTIONS, contents, cut, rows_of
from tests.waiting import wait_for


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

    @pytest.mark.parametrize(("place", "step"), [(GrowingTar, "finish"), (assembly, "commit_tar")])
    def test_goes_on_after_any_step_of_finishing_a_shard(
        self, source, tmp_path, detectors, monkeypatch, place, step
    ):
        options = OPTIONS | {"detector": "test_detectors:Patient", "workers": 0}
        prepare(source.root, tmp_path / "calm", **options)

        def die(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(place, step, die)
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
