"""A guard: a run that learns nothing says so while it runs, and records it in the end."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from ambikit_learn.models.outcome import Outcome

SHARE = 0.3
"""Share of the steps after which a run that has learned nothing says so."""
LEAST_STEPS = 100
"""Shorter runs prove nothing, and are not judged."""
_WINDOW = 0.1
_ADVICE = (
    "try --model.whiten true, more clips, more steps, or --model.initialise_from with a run of AVC "
    "that has learned"
)


class Plateau(Callback):
    """Reports in one line that nothing is learned, after a fraction of the steps and at the end.

    Compared with chance are the loss and, for tasks of direction, how often a crop's own sound is
    the most similar one of its clip, both averaged over the last tenth of the steps. The step of
    the module returns them as ``loss`` and ``found``.

    Parameters
    ----------
    run : Path
        The run's folder, which gets the `Outcome`.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._losses: deque[Tensor] = deque()
        self._found: deque[Tensor] = deque()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget an earlier part of the run."""
        length = max(round(_WINDOW * trainer.max_steps), 1)
        self._losses, self._found = deque(maxlen=length), deque(maxlen=length)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep what the step measured, on its device; judge when that is due."""
        self._losses.append(outputs["loss"].detach() * trainer.accumulate_grad_batches)
        self._found.append(outputs["found"].detach())
        last_of_step = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if last_of_step and trainer.global_step == round(SHARE * trainer.max_steps):
            self._judge(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the outcome."""
        outcome = self._judge(trainer, pl_module)
        if outcome is not None and trainer.is_global_zero:
            outcome.write(self.run)

    def _judge(self, trainer: Trainer, pl_module: Any) -> Outcome | None:
        """Return where the run stands; say so if that is where it began."""
        if trainer.max_steps < LEAST_STEPS or not self._losses:
            return None
        loader: Any = trainer.train_dataloader
        views: int = trainer.datamodule.views  # type: ignore[attr-defined]
        tells_directions = pl_module.task.directional and views > 1
        outcome = Outcome(
            torch.stack(list(self._losses)).mean().item(),
            pl_module.chance_loss(loader.batch_sampler.batch_size, views),
            torch.stack(list(self._found)).mean().item() if tells_directions else None,
            1 / views if tells_directions else None,
        )
        if outcome.failure is not None and trainer.is_global_zero:
            step, steps = trainer.global_step, trainer.max_steps
            print(
                f"not learned after {step} of {steps} steps: {outcome.failure}; {_ADVICE}",
                file=sys.stderr,
                flush=True,
            )
        return outcome
