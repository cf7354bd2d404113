"""What a run that is resumed must find as it was: its data, the weights it began from, its disk."""

from __future__ import annotations

import errno
import shutil

import pytest
import torch

from ambikit import InputError
from ambikit_learn.data.format import read_manifest
from ambikit_learn.data.shards import contents_of
from ambikit_learn.models.run import RunFolder, load_run
from ambikit_learn.preparation.command import prepare
from ambikit_learn.training.command import fit_main

SPLITS = ("train", "validation")
PREPARED = {"frame_size": (40, 80), "workers": 0, "clips_per_shard": 2}


def arguments(data, run, steps, *more):
    return [
        "--config=avc_foa_iv",
        f"--data={data}",
        f"--out={run}",
        "--data.batch_size=4",
        "--data.workers=0",
        "--data.size=16",
        "--data.validation_clips=0",
        "--model.schedule=constant",
        "--trainer.accelerator=cpu",
        "--trainer.log_every_n_steps=1",
        f"--trainer.max_steps={steps}",
        *more,
    ]


def weights(run):
    return load_run(run).state_dict()


@pytest.fixture
def source(clip_folder):
    for i in range(4):
        clip_folder.add(f"b{i}", azimuth=45.0 * i, duration=1.5)
    return clip_folder


def test_a_run_is_resumed_on_the_clips_it_began_with_or_not_at_all(source, tmp_path):
    data, run, through = tmp_path / "data", tmp_path / "run", tmp_path / "through"
    prepare(source.root, data, **PREPARED)
    fit_main(arguments(data, through, 2))
    fit_main(arguments(data, run, 1))
    before = contents_of(data, SPLITS)
    states = RunFolder(run).saved_states()

    source.add("a", duration=1.5)
    prepare(source.root, data, **PREPARED)
    message = r"has changed since this run began \(then 4 clips .*, now 5, .*give another --out"
    with pytest.raises(InputError, match=message):
        fit_main(arguments(data, run, 2))
    kept = {kind: source.path(kind, "b2").read_bytes() for kind in ("video", "audio", "boxes")}
    for kind in ("video", "audio", "boxes"):
        source.path(kind, "a").unlink()
    source.add("b2", azimuth=-100.0, duration=1.5)
    prepare(source.root, data, **PREPARED)
    assert contents_of(data, SPLITS)[0] == 4
    with pytest.raises(InputError, match=r"then 4 clips .*, now 4, not all the same"):
        fit_main(arguments(data, run, 2))
    assert RunFolder(run).saved_states() == states

    # As it was, though in other shards
    shards = read_manifest(data)["shard"]
    for kind, old in kept.items():
        source.path(kind, "b2").write_bytes(old)
        source.path(kind, "b0").rename(source.path(kind, "c"))
    prepare(source.root, data, **PREPARED)
    for kind in kept:
        source.path(kind, "c").rename(source.path(kind, "b0"))
    prepare(source.root, data, **PREPARED)
    assert read_manifest(data)["shard"] != shards
    assert contents_of(data, SPLITS) == before
    fit_main(arguments(data, run, 2))
    ours, theirs = weights(run), weights(through)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_is_resumed_with_the_weights_it_began_from_or_not_at_all(small_shards, tmp_path):
    first, other, run = (tmp_path / name for name in ("first", "other", "run"))
    fit_main(arguments(small_shards, first, 1))
    fit_main(arguments(small_shards, other, 2))
    begun = f"--model.initialise_from={first}"
    fit_main(arguments(small_shards, run, 1, begun))
    fit_main(arguments(small_shards, run, 1, begun))
    with pytest.raises(InputError, match=r"other settings \(model\.initialise_from\)"):
        fit_main(arguments(small_shards, run, 2, f"--model.initialise_from={other}"))
    shutil.copy(RunFolder(other).weights, RunFolder(first).weights)
    with pytest.raises(InputError, match="not those from which this run began: give another --out"):
        fit_main(arguments(small_shards, run, 2, begun))


@pytest.mark.parametrize("method", ["write", "flush"])
def test_a_disk_that_fills_up_under_the_board_is_one_line(
    small_shards, tmp_path, monkeypatch, method
):
    """TensorBoard writes from a thread of its own, and says no path."""
    from tensorboard.summary.writer import record_writer

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record_writer.RecordWriter, method, full)
    run = tmp_path / "run"
    with pytest.raises(InputError, match=f"^{run}: the disk is full: free some space"):
        fit_main(arguments(small_shards, run, 12))
