"""Measurements of training: speed, and all metrics in one table."""

from __future__ import annotations

import csv
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from ambikit_learn._files import atomic_write

_SECONDS_BETWEEN_WRITES = 5.0


class Throughput(Callback):
    """Logs clips per second, the fraction of time spent waiting for data, and peak memory."""

    def __init__(self) -> None:
        self._begin = self._waited = self._paused = 0.0
        self._batches = 0
        # Clips, seconds of training, seconds of waiting, in all
        self._total = (0, 0.0, 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._restart()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._paused -= time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restart the clock."""
        self._paused += time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log once per interval."""
        self._batches += 1
        if (batch_idx + 1) % interval(trainer):
            return
        clips, seconds, waited = self._lap(trainer)
        pl_module.log("speed/clips_per_second", clips / seconds, prog_bar=True)
        pl_module.log("speed/data_wait", waited / seconds, prog_bar=True)
        pl_module.log("speed/peak_memory_gb", _peak_memory() / 1e9)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Include the last steps."""
        if self._batches:
            self._lap(trainer)

    def summary(self) -> str:
        """Return the speed of the training since it was started or resumed."""
        clips, seconds, waited = self._total
        if not clips:
            return "nothing was left to train"
        return (
            f"{clips} clips in {seconds:.0f} s: {clips / seconds:.0f} a second, "
            f"{waited / seconds:.1%} of the time waiting for data, "
            f"peak memory {_peak_memory() / 1e9:.1f} GB"
        )

    def _lap(self, trainer: Trainer) -> tuple[int, float, float]:
        """Return clips, seconds and seconds of waiting since the last call, and add them up."""
        loader: Any = trainer.train_dataloader
        lap = (
            self._batches * loader.batch_sampler.batch_size,
            time.perf_counter() - self._begin - self._paused,
            loader.waited - self._waited,
        )
        clips, seconds, waited = self._total
        self._total = (clips + lap[0], seconds + lap[1], waited + lap[2])
        self._restart(loader.waited)
        return lap

    def _restart(self, waited: float = 0.0) -> None:
        self._begin, self._waited, self._paused, self._batches = time.perf_counter(), waited, 0.0, 0


class MetricsTable(Callback):
    """All metrics in one CSV file with one row per step, written before each checkpoint.

    A run that resumes from a checkpoint keeps the rows up to it: the table equals that of a run
    without interruption.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[int, dict[str, Any]] = {}
        self._written = 0.0

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Read the rows of the finished part."""
        done: int = checkpoint["global_step"]
        self._rows = {step: row for step, row in _read(self.path).items() if step <= done}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add to the row of a step, once per interval."""
        if (batch_idx + 1) % interval(trainer) == 0:
            self._add(trainer, validation=False)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add to the row of a step."""
        self._add(trainer, validation=True)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write all rows up to a checkpoint from which the run may resume."""
        if trainer.is_global_zero:
            self._write()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the remaining rows."""
        if trainer.is_global_zero:
            self._write()

    def _add(self, trainer: Trainer, *, validation: bool) -> None:
        if not trainer.is_global_zero:
            return
        step = trainer.global_step
        self._rows.setdefault(step, {"step": step}).update(
            (name, float(value))
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/") == validation
        )
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self._write()

    def _write(self) -> None:
        """Write the whole file: a new metric adds a column."""
        names = sorted({name for row in self._rows.values() for name in row} - {"step"})
        if not names:
            return
        with atomic_write(self.path) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *names])
            writer.writeheader()
            writer.writerows(self._rows.values())
        self._written = time.monotonic()


def interval(trainer: Trainer) -> int:
    """Return the number of batches between logged ones."""
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every


def _read(path: Path) -> dict[int, dict[str, Any]]:
    """Return the rows of an earlier part of the run by step."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {int(row["step"]): row for row in csv.DictReader(file)}


def _peak_memory() -> float:
    """Return the peak memory of the device, or of this process, in bytes."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
