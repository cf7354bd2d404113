"""Training by several processes: the same curve as by one, and an end when one of them dies."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.networks.presets import NETWORKS
from ambikit_learn.training.command import fit_main
from tests.waiting import PATIENCE

RANKS = 2
STEPS = 50
PROGRAM = """
import dataclasses, sys
from ambikit_learn.cli import main
from ambikit_learn.networks.presets import NETWORKS
NETWORKS["tiny"] = dataclasses.replace(NETWORKS["tiny"], dropout=0.1)
sys.exit(main(sys.argv[1:]))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def arguments(data: Path, run: Path, steps: int) -> list[str]:
    return [
        "--config=avsa_foa_iv",
        f"--data={data}",
        f"--out={run}",
        "--data.workers=0",
        "--data.batch_size=4",
        "--data.size=16",
        "--trainer.accelerator=cpu",
        f"--trainer.max_steps={steps}",
        "--trainer.log_every_n_steps=1",
        "--trainer.val_check_interval=25",
        # Rounding differs between parts and the whole, and 50 steps make 1e-7 grow to 1e-2: in
        # double precision what is left is the arithmetic
        "--trainer.precision=64-true",
    ]


def start(options: list[str]) -> list[subprocess.Popen[str]]:
    """Start ranks as torchrun does."""
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(RANKS),
        "LOCAL_WORLD_SIZE": str(RANKS),
        "TORCHELASTIC_RUN_ID": "test",
        "OMP_NUM_THREADS": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "fit", *options],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(RANKS)
    ]


def curves(run: Path) -> dict[str, list[float]]:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("train/loss", "val/loss", "val/ret4")
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


def test_two_ranks_have_the_curve_of_one(small_shards, tmp_path, monkeypatch):
    """Sampler, statistics, normalisation, dropout, negatives, averaging and validation at once."""
    ranks = start(arguments(small_shards, tmp_path / "two", STEPS))
    monkeypatch.setitem(NETWORKS, "tiny", dataclasses.replace(NETWORKS["tiny"], dropout=0.1))
    fit_main(arguments(small_shards, tmp_path / "one", STEPS))
    for rank in ranks:
        _, errors = rank.communicate(timeout=PATIENCE)
        assert rank.returncode == 0, errors
    one, two = curves(tmp_path / "one"), curves(tmp_path / "two")
    assert len(one["train/loss"]) == STEPS
    assert one["train/loss"][-1] < one["train/loss"][0] - 0.3
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=0, atol=1e-9)


def test_a_dead_rank_ends_the_others(small_shards, tmp_path):
    ranks = start(arguments(small_shards, tmp_path / "run", 10_000))
    assert ranks[0].stdout is not None
    for line in ranks[0].stdout:
        if line.startswith("step 2/"):
            ranks[1].send_signal(signal.SIGKILL)
            break
    _, errors = ranks[0].communicate(timeout=PATIENCE)
    ranks[1].communicate(timeout=PATIENCE)
    assert ranks[0].returncode == 2, errors
    assert "another rank is gone" in errors.splitlines()[-1]
    assert "resumes from the last checkpoint" in errors.splitlines()[-1]


@pytest.mark.slow
def test_ranks_hold_one_lock_together_and_keep_another_run_out(small_shards, tmp_path):
    run = tmp_path / "run"
    ranks = start(arguments(small_shards, run, 10_000))
    assert ranks[0].stdout is not None
    for line in ranks[0].stdout:
        if line.startswith("step 2/"):
            break
    try:
        with pytest.raises(InputError, match=f"another run is writing to {run}: wait"):
            fit_main(arguments(small_shards, run, 10_000))
        assert all(rank.poll() is None for rank in ranks)
    finally:
        ranks[0].send_signal(signal.SIGTERM)
    for rank in ranks:
        _, errors = rank.communicate(timeout=PATIENCE)
        assert rank.returncode == 143, errors
    step = max(int(row.stem.split("-")[1]) for row in (run / "checkpoints").glob("step-*.ckpt"))
    ranks = start(arguments(small_shards, run, step + 1))
    for rank in ranks:
        _, errors = rank.communicate(timeout=PATIENCE)
        assert rank.returncode == 0, errors
