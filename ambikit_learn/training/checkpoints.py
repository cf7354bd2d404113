"""The state of training on disk: written whole, when due and when asked to stop."""

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
from ambikit_learn._files import atomic_write
from ambikit_learn.models.run import RunFolder
from ambikit_learn.training.module import LossNotFinite

KEPT = 2
"""Checkpoints that are kept: the newest, and the one before."""


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that are there as a whole or not at all, and that hold nothing but tensors."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint beside its place and move it there."""
        with atomic_write(path) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Read a checkpoint; no code in it is run."""
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path} is damaged or no checkpoint: delete it, and the same command goes on from "
                f"the one before ({str(error).splitlines()[0]})"
            ) from None
        return state


class Stopped(SIGTERMException):
    """Training was asked to stop and has saved its state.

    Attributes
    ----------
    signal : int
        How it was asked.
    step : int
        Steps that were done.
    """

    def __init__(self, signal: int, step: int) -> None:
        super().__init__()
        self.signal, self.step = signal, step


class Checkpoints(Callback):
    """Saves the state every `every` steps, and when a run is stopped by SIGTERM or Ctrl-C.

    A step is finished first, and validated where that is due: nothing is done twice or left out
    when the run goes on. All ranks stop after the same step, whichever was asked.
    """

    def __init__(self, run: RunFolder, every: int) -> None:
        self.run, self.every = run, every
        self._asked = 0
        self._step = 0
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to signals in place of Lightning, whose ranks do not agree on when to stop."""
        self._asked, self._step = 0, trainer.global_step
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._handlers[number] = signal.signal(number, self._ask)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if that is due and validation is not."""
        if trainer.global_step > self._step and not _validates(trainer, batch_idx):
            self._finish_step(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if that is due."""
        if trainer.global_step > self._step:
            self._finish_step(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave out a last state whose very first loss is not a number."""
        if isinstance(exception, LossNotFinite) and trainer.is_global_zero:
            self.run.state(trainer.global_step).unlink(missing_ok=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Listen no more."""
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
        """Ask to stop after this step; a second Ctrl-C stops at once."""
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
    """Tell whether Lightning validates after this batch."""
    every: Any = trainer.val_check_batch
    return sum(trainer.num_val_batches) > 0 and (batch_idx + 1) % every == 0
