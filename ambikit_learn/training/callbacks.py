"""What is written while training: checkpoints, speed, progress, the table of metrics."""

from __future__ import annotations

import csv
import resource
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from ambikit_learn._files import replacing


class Checkpoints(ModelCheckpoint):
    """The training state every `every` steps and when a run is stopped, in ``last.ckpt``.

    The two latest periodic ones are kept beside it.
    """

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(
            folder,
            filename="{step}",
            every_n_train_steps=every,
            monitor="step",
            mode="max",
            save_top_k=2,
            save_last=True,
            enable_version_counter=False,
        )
        self.last = folder / "last.ckpt"

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save when asked to stop; after an error the last good checkpoint stands."""
        if isinstance(exception, SIGTERMException | KeyboardInterrupt) and trainer.global_step:
            trainer.save_checkpoint(self.last)


class Throughput(Callback):
    """Logs clips a second, the share of time spent waiting for data, and peak memory."""

    def __init__(self) -> None:
        self._begin = self._waited = self._paused = 0.0
        self._batches = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._restart()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._paused -= time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the clock."""
        self._paused += time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log once an interval."""
        self._batches += 1
        if (batch_idx + 1) % _interval(trainer):
            return
        loader: Any = trainer.train_dataloader
        seconds = time.perf_counter() - self._begin - self._paused
        clips = self._batches * loader.batch_sampler.batch_size
        pl_module.log("speed/clips_per_second", clips / seconds, prog_bar=True)
        pl_module.log("speed/data_wait", (loader.waited - self._waited) / seconds, prog_bar=True)
        pl_module.log("speed/peak_memory_gb", _peak_memory() / 1e9)
        self._restart(loader.waited)

    def _restart(self, waited: float = 0.0) -> None:
        self._begin, self._waited, self._paused, self._batches = time.perf_counter(), waited, 0.0, 0


class Lines(ProgressBar):
    """Progress as plain lines, for what is not a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True

    def disable(self) -> None:
        """Fall silent, as ranks other than the first are told to."""
        self._enabled = False

    def enable(self) -> None:
        """Speak again."""
        self._enabled = True

    def show(self, step: int, steps: int, values: str) -> None:
        """Print a line."""
        print(f"step {step}/{steps}  {values}", flush=True)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Show the loss and the speed once an interval."""
        if trainer.global_step % _interval(trainer) == 0:
            self._show_metrics(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show what validation found."""
        self._show_metrics(trainer)

    def _show_metrics(self, trainer: Trainer) -> None:
        if self._enabled:
            metrics = self.get_metrics(trainer, trainer.lightning_module)
            values = "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())
            self.show(trainer.global_step, trainer.max_steps, values)


class Bar(Lines):
    """Progress as a bar with the time that is left, for a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None

    def show(self, step: int, steps: int, values: str) -> None:
        """Move the bar."""
        if self._progress is None:
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, TextColumn("{task.description}"))
            self._progress.start()
            self._progress.add_task("", completed=step)
        self._progress.update(TaskID(0), completed=step, total=steps, description=values)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the bar as it is."""
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave the bar as it is, so that what went wrong stands below it."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()


class MetricsTable(Logger):
    """All metrics in one CSV file, a row a step; a resumed run goes on in the same file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._rows: dict[int, dict[str, Any]] | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.stem

    @property
    def version(self) -> str:
        """Nothing: there is one file a run."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Do nothing: the settings are in ``config.yaml``."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add to the row of a step."""
        step = 0 if step is None else step
        if self._rows is None:
            # What a stopped run logged beyond its last checkpoint comes again
            self._rows = {n: row for n, row in _read_rows(self.path).items() if n < step}
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        self._rows.setdefault(step, {"step": step}).update(values)

    @rank_zero_only
    def save(self) -> None:
        """Write the file."""
        if not self._rows:
            return
        names = sorted({name for row in self._rows.values() for name in row} - {"step"})
        with replacing(self.path) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", *names])
            writer.writeheader()
            writer.writerows(self._rows.values())

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the file."""
        self.save()


def _read_rows(path: Path) -> dict[int, dict[str, Any]]:
    """Return the rows of an earlier part of the run by step."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {int(row["step"]): row for row in csv.DictReader(file)}


def _interval(trainer: Trainer) -> int:
    """Return the number of batches between logged ones."""
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every


def _peak_memory() -> float:
    """Return the peak memory of the device, or of this process, in bytes."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
