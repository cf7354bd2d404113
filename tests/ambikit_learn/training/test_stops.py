"""Runs that are killed, stopped, broken off or gone on with."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ambikit import InputError
from ambikit_learn.models.alignment import build_model
from ambikit_learn.models.run import RunFolder, load_run
from ambikit_learn.networks.presets import NETWORKS
from ambikit_learn.training.checkpoints import newest
from ambikit_learn.training.command import fit_main
from ambikit_learn.training.failures import one_line
from ambikit_learn.training.module import AlignmentModule
from tests.waiting import PATIENCE

OPTIONS = [
    "--config=avsa_foa_iv",
    "--data.batch_size=4",
    "--data.workers=0",
    "--data.size=16",
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=1",
]
PROGRAM = """
import dataclasses, sys
from ambikit_learn.cli import main
from ambikit_learn.networks.presets import NETWORKS
NETWORKS["tiny"] = dataclasses.replace(NETWORKS["tiny"], dropout=0.1)
sys.exit(main(sys.argv[1:]))
"""


def options(data: Path, run: Path, *more: str) -> list[str]:
    return [*OPTIONS, f"--data={data}", f"--out={run}", *more]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "fit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def run_to_end(arguments: list[str]) -> None:
    """In a process of its own: what other tests left behind in this one may change last bits."""
    process = start(arguments)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(text):
            return
    pytest.fail(process.communicate()[1])


def learned(run: Path) -> list[dict[str, str]]:
    """All metrics that are not of speed, to the last digit."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: x for k, x in row.items() if not k.startswith("speed/")} for row in rows]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_run(run).state_dict()


def same(run: Path, other: Path) -> bool:
    ours, theirs = weights(run), weights(other)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


KILLED = ["--trainer.max_steps=16", "--trainer.val_check_interval=6", "--checkpoint_every=4"]


@pytest.fixture(scope="module")
def through(small_shards, tmp_path_factory) -> Path:
    """A run that nothing stopped."""
    run = tmp_path_factory.mktemp("through")
    run_to_end(options(small_shards, run, *KILLED))
    assert len(learned(run)) == 16
    return run


def one_kill_after(step: int, through: Path, data: Path, run: Path) -> None:
    process = start(options(data, run, *KILLED))
    wait_for(process, f"step {step}/")
    process.kill()
    process.communicate()
    assert not (run / "model.safetensors").exists()
    run_to_end(options(data, run, *KILLED))
    assert learned(run) == learned(through)
    assert same(run, through)


def test_a_killed_run_goes_on_as_if_nothing_had_been(small_shards, through, tmp_path):
    """Losses, validation, weights: bit for bit, with dropout."""
    one_kill_after(9, through, small_shards, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, 15))
def test_a_run_may_be_killed_at_any_step(small_shards, through, tmp_path, step):
    """At, before and after checkpoints (every 4) and validation (every 6)."""
    one_kill_after(step, through, small_shards, tmp_path)


def test_sigterm_saves_and_the_same_command_goes_on(small_shards, tmp_path, through):
    run = tmp_path / "run"
    process = start(options(small_shards, run, *KILLED))
    wait_for(process, "step 5/")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, errors
    assert "the same command resumes there" in errors
    last = newest(RunFolder(run))
    assert last is not None
    step = torch.load(last, weights_only=True)["global_step"]
    assert 5 <= step < 16
    assert f"stopped after step {step}" in errors
    assert int(learned(run)[-1]["step"]) == step
    run_to_end(options(small_shards, run, *KILLED))
    assert learned(run) == learned(through)
    assert same(run, through)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes")
def test_sigterm_to_all_processes_of_a_command_saves_too(small_shards, tmp_path):
    """As schedulers of clusters send it: processes that load data must not fail first."""
    process = start(options(small_shards, tmp_path / "run", *KILLED, "--data.workers=2"))
    wait_for(process, "step 5/")
    os.killpg(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, errors
    assert "stopped after step" in errors


def test_a_finished_run_may_be_gone_on_with(small_shards, tmp_path):
    settings = ["--model.schedule=constant", "--data.validation_clips=0"]
    first, through = tmp_path / "first", tmp_path / "through"
    fit_main(options(small_shards, first, *settings, "--trainer.max_steps=3"))
    fit_main(options(small_shards, first, *settings, "--trainer.max_steps=6"))
    fit_main(options(small_shards, through, *settings, "--trainer.max_steps=6"))
    assert same(first, through)
    assert learned(first) == learned(through)
    assert [path.name for path in sorted((first / "checkpoints").iterdir())] == [
        "step-00000003.ckpt",
        "step-00000006.ckpt",
    ]


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(small_shards, tmp_path):
    """The state after the step that broke it is left out; a lower learning rate then goes on."""
    run = tmp_path / "run"
    usual = ["--model.warmup_steps=0", "--model.schedule=constant", "--data.validation_clips=0"]
    fit_main(options(small_shards, run, *usual, "--trainer.max_steps=2"))
    more = [*usual, "--trainer.max_steps=6", "--checkpoint_every=1"]
    with pytest.raises(InputError, match=r"became nan at step 3: with a lower --model.learn"):
        fit_main(options(small_shards, run, *more, "--model.learning_rate=1e30"))
    last = newest(RunFolder(run))
    assert last is not None
    assert last.name == "step-00000002.ckpt"
    fit_main(options(small_shards, run, *more, "--model.learning_rate=1e-4"))
    state = torch.load(newest(RunFolder(run)), weights_only=True)
    assert state["global_step"] == 6
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == 1e-4
    assert all(row["train/loss"] != "nan" for row in learned(run))


def test_gradients_of_accumulated_batches_are_averaged(small_shards, tmp_path, monkeypatch):
    """Two batches of one step: the loss competes within each, and the gradients are averaged."""
    kept: list[list[torch.Tensor]] = []

    def keep(self: AlignmentModule, optimizer: torch.optim.Optimizer) -> None:
        kept.append([p.grad.clone() for p in self.parameters() if p.grad is not None])

    monkeypatch.setattr(AlignmentModule, "on_before_optimizer_step", keep)
    usual = ["--model.learning_rate=0.0", "--data.validation_clips=0"]
    once = [*usual, "--trainer.max_steps=1", "--trainer.accumulate_grad_batches=2"]
    fit_main(options(small_shards, tmp_path / "once", *once))
    fit_main(options(small_shards, tmp_path / "twice", *usual, "--trainer.max_steps=2"))
    together, first, second = kept
    for whole, a, b in zip(together, first, second, strict=True):
        torch.testing.assert_close(whole, (a + b) / 2, atol=1e-5, rtol=1e-4)


# ---------------------------------------------------------------- what cannot be gone on with


def test_a_damaged_checkpoint_is_named(small_shards, tmp_path):
    run = tmp_path / "run"
    settings = options(small_shards, run, "--trainer.max_steps=2", "--data.validation_clips=0")
    fit_main(settings)
    last = newest(RunFolder(run))
    assert last is not None
    last.write_bytes(last.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"step-00000002\.ckpt is damaged.*delete it"):
        fit_main(settings)


def test_a_checkpoint_with_code_in_it_is_not_run(small_shards, tmp_path):
    run = tmp_path / "run"
    mark = tmp_path / "mark"

    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(mark),)

    (run / "checkpoints").mkdir(parents=True)
    torch.save({"state_dict": Harm()}, run / "checkpoints" / "step-00000001.ckpt")
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        fit_main(options(small_shards, run, "--trainer.max_steps=2"))
    assert not mark.exists()


def test_a_checkpoint_of_another_architecture_is_refused():
    state = AlignmentModule("avc", kind="foa_iv").state_dict()
    with pytest.raises(InputError, match="model with other settings"):
        AlignmentModule("avsa", kind="foa_iv").load_state_dict(state)


@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), InputError, "batch_size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), InputError, "batch_size"),
        (MemoryError(), InputError, "batch_size"),
        (RuntimeError("[gloo] Connection closed by peer"), ConnectionError, "another rank"),
        (torch.distributed.DistBackendError("watchdog"), ConnectionError, "another rank"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
            InputError,
            "fewer --data.workers",
        ),
        (
            InputError(
                "Caught InputError in DataLoader worker process 0.\nOriginal\nx: no\n"
                "ambikit._errors.InputError: shard 3 is cut"
            ),
            InputError,
            "^shard 3 is cut$",
        ),
        (RuntimeError("shapes do not match"), RuntimeError, "^shapes do not match$"),
    ],
)
def test_failures_become_one_line(failure, error, message):
    with pytest.raises(error, match=message) as caught, one_line():
        raise failure
    assert "\n" not in str(caught.value)


def test_running_out_of_memory_is_one_line_and_keeps_the_checkpoint(small_shards, tmp_path):
    run = tmp_path / "run"
    settings = options(small_shards, run, "--data.validation_clips=0")
    fit_main([*settings, "--trainer.max_steps=1"])

    def greedy(*_: object) -> None:
        torch.empty(2**60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AlignmentModule, "forward", greedy)
        with pytest.raises(InputError, match="out of memory"):
            fit_main([*settings, "--trainer.max_steps=2"])
    assert newest(RunFolder(run)).name == "step-00000001.ckpt"


def test_dropout_is_on_in_paper():
    assert NETWORKS["paper"].dropout == 0.1
    heads = build_model("tiny", 4).heads
    assert heads.sound_to_vision.layers[0].dropout.p == NETWORKS["tiny"].dropout
