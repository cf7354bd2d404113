"""Checkpoints: the state of training on disk, written atomically, regularly and on signals."""

from __future__ import annotations

import pickle
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ambikit import InputError
from ambikit._signals import ENDING
from ambikit_learn._files import atomic_write
from ambikit_learn.models.run import RunFolder
from ambikit_learn.training.module import LossNotFinite

KEPT = 2
"""Number of checkpoints that are kept: the newest, and the previous one."""


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that are written atomically and contain nothing but tensors."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint to a temporary file and rename it."""
        # Opened here, since torch's own writer does not say why it could not write; what it raises
        # of an error of the stream hides that.
        try:
            with atomic_write(path) as temporary, temporary.open("wb") as stream:
                torch.save(checkpoint, stream)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Read a checkpoint without running code in it."""
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path} is damaged or no checkpoint: delete it, and the same command resumes from "
                f"the previous one ({str(error).splitlines()[0]})"
            ) from None
        return state


class Stopped(SIGTERMException):
    """Training was interrupted by a signal and has saved its state.

    Attributes
    ----------
    signal : int
        Number of the signal.
    step : int
        Number of finished steps.
    """

    def __init__(self, signal: int, step: int) -> None:
        super().__init__()
        self.signal, self.step = signal, step


class Checkpoints(Callback):
    """Saves the state every `every` steps, and when a run is stopped by SIGTERM or Ctrl-C.

    The current step is finished first, and its validation if that is due: nothing is repeated or
    omitted when the run is resumed. All ranks stop after the same step, whichever got the signal.
    """

    def __init__(self, run: RunFolder, every: int) -> None:
        self.run, self.every = run, every
        self._asked = 0
        self._step = 0
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle signals instead of Lightning, whose ranks do not stop at the same step."""
        self._asked, self._step = 0, trainer.global_step
        if threading.current_thread() is threading.main_thread():
            for number in (*ENDING, signal.SIGINT):
                if number in ENDING and signal.getsignal(number) == signal.SIG_IGN:
                    continue  # as nohup has it
                self._handlers[number] = signal.signal(number, self._ask)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if a checkpoint is due and validation is not."""
        if trainer.global_step > self._step and not _validates(trainer, batch_idx):
            self._finish_step(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if a checkpoint is due."""
        if trainer.global_step > self._step:
            self._finish_step(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Delete a last state whose very first loss is not a number."""
        if isinstance(exception, LossNotFinite) and trainer.is_global_zero:
            self.run.state(trainer.global_step).unlink(missing_ok=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restore the signal handlers."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def _finish_step(self, trainer: Trainer) -> None:
        self._step = trainer.global_step
        asked = trainer.strategy.reduce_boolean_decision(self._asked > 0, all=False)
        if asked or self._step % self.every == 0:
            save(trainer, self.run)
        if asked:
            raise Stopped(self._asked or signal.SIGTERM, self._step)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        """Stop after this step; a second Ctrl-C stops at once."""
        if self._asked == number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = number


def save(trainer: Trainer, run: RunFolder) -> None:
    """Write the state of training; called by every rank."""
    trainer.save_checkpoint(run.state(trainer.global_step))
    if trainer.is_global_zero:
        for old in run.saved_states()[:-KEPT]:
            old.unlink()


def newest(run: RunFolder) -> Path | None:
    """Return the latest state of a run, if there is one."""
    states = run.saved_states()
    return states[-1] if states else None


def _validates(trainer: Trainer, batch_idx: int) -> bool:
    """Return whether Lightning validates after this batch."""
    every: Any = trainer.val_check_batch
    return sum(trainer.num_val_batches) > 0 and (batch_idx + 1) % every == 0
