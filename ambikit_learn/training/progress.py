"""Progress of training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from ambikit_learn.training.metrics import interval


class Lines(ProgressBar):
    """Progress as plain lines, for outputs other than a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True

    def disable(self) -> None:
        """Print nothing, as on ranks other than the first."""
        self._enabled = False

    def enable(self) -> None:
        """Print again."""
        self._enabled = True

    def show(self, step: int, steps: int, values: str) -> None:
        """Print a line."""
        print(f"step {step}/{steps}  {values}", flush=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the loss and the speed once per interval."""
        if (batch_idx + 1) % interval(trainer) == 0:
            self._show_metrics(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the results of validation."""
        self._show_metrics(trainer)

    def _show_metrics(self, trainer: Trainer) -> None:
        if self._enabled:
            metrics = trainer.progress_bar_metrics
            values = "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())
            self.show(trainer.global_step, trainer.max_steps, values)


class Bar(Lines):
    """Progress as a bar with the remaining time, for a terminal."""

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
        """Leave the bar as it is, so that the error is printed below it."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
