"""One training step: front end, encoders, objective, optimiser."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from ambikit import InputError
from ambikit_learn.features import Alignment, FrontEnd, Kind, Pattern
from ambikit_learn.models import Agreement, AlignmentModel, Objective, build_model, load_run
from ambikit_learn.objectives import TEMPERATURE, Candidates, avc, avsa

Batch = dict[str, Any]

_FRONT_END = {"tiny": "tiny", "paper": "avsa"}


class AlignmentModule(LightningModule):
    """Learns to match crops with the sound turned towards them.

    Parameters
    ----------
    objective : "avc" or "avsa"
        Correspondence, or spatial alignment through translators over the viewpoints.
    preset : "tiny" or "paper"
        Networks and, with them, the mel bands.
    kind : "logmel" or "foa_iv"
        Features, see `ambikit_learn.features.FrontEnd`.
    alignment : "rotate", "beamform" or "mono"
        How the sound is aligned with a crop.
    pattern : "basic" or "cardioid"
        Beam of ``alignment="beamform"``.
    candidates : "all" or "legacy"
        Negatives of ``"avsa"``, see `ambikit_learn.objectives.avsa`.
    temperature : float
        Of the InfoNCE losses.
    learning_rate, weight_decay : float
        Of AdamW.
    warmup_steps : int
        Steps over which the learning rate rises.
    schedule : "cosine" or "constant"
        Course of the learning rate after that.
    initialise_from : path, optional
        Folder of a finished run whose encoders and feature statistics to start from.
    frames : int
        Frames a crop.
    source_rate : int
        Sample rate of the data, in Hz.
    """

    def __init__(
        self,
        objective: Objective = "avsa",
        preset: Literal["tiny", "paper"] = "tiny",
        kind: Kind = "logmel",
        alignment: Alignment = "rotate",
        pattern: Pattern = "basic",
        candidates: Candidates = "all",
        temperature: float = TEMPERATURE,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        warmup_steps: int = 50,
        schedule: Literal["cosine", "constant"] = "cosine",
        initialise_from: str | None = None,
        frames: int = 3,
        source_rate: int = 24000,
    ) -> None:
        super().__init__()
        front_end = FrontEnd(
            kind, alignment, preset=_FRONT_END[preset], pattern=pattern, source_rate=source_rate
        )
        net = build_model(preset, front_end.channels, objective=objective, frames=frames)
        self.model = AlignmentModel(front_end, net)
        self.objective, self.candidates, self.temperature = objective, candidates, temperature
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.warmup_steps, self.schedule = warmup_steps, schedule
        if initialise_from is not None:
            _copy_encoders(self.model, initialise_from)

    @property
    def covariance_settings(self) -> dict[str, Any] | None:
        """Settings of what the front end takes in place of sound, if it does."""
        return self.model.front_end.covariance_settings

    def on_fit_start(self) -> None:
        """Fit the statistics of the features on the training set, unless a run brought them."""
        front_end = self.model.front_end
        if not front_end.fitted:
            batches: Any = self.trainer.datamodule.statistics_batches()  # type: ignore[attr-defined]
            front_end.fit_statistics(
                (
                    batch["sound"].to(self.device),
                    batch["azimuth"].to(self.device),
                    batch["elevation"].to(self.device),
                )
                for batch in batches
            )

    def forward(self, batch: Batch) -> Agreement:
        """Return what should agree in a batch of `AlignmentDataset`."""
        out: Agreement = self.model(
            batch["video"], batch["sound"], batch["azimuth"], batch["elevation"]
        )
        return out

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss."""
        loss = self._loss(self(batch))
        if not torch.isfinite(loss):
            raise InputError(
                f"the loss became {loss.item()} at step {self.global_step}: lower "
                "--model.learning_rate, or set --trainer.precision 32-true and "
                "--trainer.gradient_clip_val 1; the last checkpoint is kept"
            )
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the loss and the retrieval among each clip's own sounds."""
        agreement = self(batch)
        clips, views = agreement.vision.shape[:2]
        chosen = agreement.similarity().argmax(-1)
        correct = chosen == torch.arange(views, device=chosen.device)
        options: dict[str, Any] = {"batch_size": clips, "sync_dist": True, "prog_bar": True}
        self.log("val/loss", self._loss(agreement), **options)
        self.log(f"val/ret{views}", correct.float().mean(), **options)

    def configure_optimizers(self) -> Any:
        """Return AdamW with warm-up, then cosine to zero or constant."""
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _learning_rate_factor(self, step: int) -> float:
        """Return the learning rate at a step relative to its height."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return 1.0
        length = max(self.trainer.max_steps - self.warmup_steps, 1)
        return 0.5 * (1.0 + math.cos(math.pi * min((step - self.warmup_steps) / length, 1.0)))

    def _loss(self, agreement: Agreement) -> Tensor:
        """Return the loss of the objective over the batches of all ranks."""
        if self.objective == "avc":
            return avc(agreement, temperature=self.temperature)
        return avsa(agreement, candidates=self.candidates, temperature=self.temperature)


def _copy_encoders(model: AlignmentModel, run: str | Path) -> None:
    """Copy the encoders and the feature statistics of a finished run."""
    source = load_run(run)
    if source.front_end.settings != model.front_end.settings:
        ours, theirs = model.front_end.settings, source.front_end.settings
        different = [
            f"{k} {theirs[k]!r} there, {ours[k]!r} here" for k in ours if ours[k] != theirs[k]
        ]
        raise InputError(
            f"{run} was trained on other features ({'; '.join(different)}): start "
            "from a run with the same ones"
        )
    for part in ("preset", "frames"):
        if source.net.settings[part] != model.net.settings[part]:
            raise InputError(
                f"{run} has {part} {source.net.settings[part]!r}, this run "
                f"{model.net.settings[part]!r}: start from a run with the same one"
            )
    model.front_end.load_state_dict(source.front_end.state_dict())
    model.net.video.load_state_dict(source.net.video.state_dict())
    model.net.audio.load_state_dict(source.net.audio.state_dict())
