"""One training step: front end, encoders, objective, optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from ambikit import InputError
from ambikit_learn._distributed import gathered
from ambikit_learn._files import fingerprint
from ambikit_learn.data.items import Item
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.models.run import RunFolder, load_run
from ambikit_learn.networks.front_end import Alignment, FrontEnd, Kind, Rotation
from ambikit_learn.networks.presets import NETWORKS
from ambikit_learn.pretext.contrast import CONTRASTS, TEMPERATURE, ContrastiveSettings, Negatives
from ambikit_learn.pretext.interface import Output
from ambikit_learn.pretext.tasks import TASKS, Objective

_ORIGIN = "initialised_from"
"""Key of a checkpoint: hash of the weights from which the run began."""


class LossNotFinite(InputError):
    """The loss of a step is not a number."""


class AlignmentModule(LightningModule):
    """Learns to match crops with the sound turned towards them.

    Parameters
    ----------
    objective : str
        Pretext task: "avc", correspondence; "avsa", spatial alignment through translators over the
        viewpoints; "both" together; "flip", whether the left and right of the sound were swapped.
    preset : "tiny" or "paper"
        Networks and, with them, the mel bands.
    kind : "logmel" or "foa_iv"
        Features, see `ambikit_learn.networks.front_end.FrontEnd`.
    alignment : "rotate", "beamform", "stereo" or "omni"
        Alignment of the sound with a crop. "stereo" hears two channels, to its left and right;
        features of "omni" have no direction.
    pattern : str
        Beam pattern of ``alignment="beamform"``, a name of `ambikit.beam_weights`.
    rotation : "exact" or "released"
        Rotation of ``alignment="rotate"``: exactly so that the crop is at the front, or with the
        two factors in the other order, as in the released code of the paper.
    whiten : bool
        Standardise the feature channels of a band together, so that they are uncorrelated:
        direction is in small differences of loud channels.
    loss : "info_nce" or "sigmoid"
        Loss of pairs: a choice among negatives, or each pair separately.
    negatives : "all", "other_clips", "same_clip" or "released"
        Negatives, see `ambikit_learn.pretext.contrast.candidate_mask`.
    temperature : float
        Temperature of the loss of pairs; its initial value for "sigmoid".
    avc_weight : float
        Weight of the correspondence in the objective "both".
    optimizer : "adamw" or "adam"
        Optimiser with decoupled weight decay, or with that of the squared norm.
    learning_rate, weight_decay : float
        Settings of the optimiser, which may be changed when a run is resumed.
    warmup_steps : int
        Steps over which the learning rate rises.
    schedule : "cosine" or "constant"
        Schedule of the learning rate after that.
    compile : bool
        Compile the networks with `torch.compile`.
    initialise_from : path, optional
        Folder of a finished run whose encoders and feature statistics to start from.
    frames : int
        Frames per crop.
    source_rate : int
        Sample rate of the data in Hz.
    seed : int
        Random seed of dropout.
    """

    def __init__(
        self,
        objective: Objective = "avsa",
        preset: Literal["tiny", "paper"] = "tiny",
        kind: Kind = "logmel",
        alignment: Alignment = "rotate",
        pattern: str = "basic",
        rotation: Rotation = "exact",
        whiten: bool = False,
        loss: Literal["info_nce", "sigmoid"] = "info_nce",
        negatives: Negatives = "all",
        temperature: float = TEMPERATURE,
        avc_weight: float = 0.5,
        optimizer: Literal["adamw", "adam"] = "adamw",
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        warmup_steps: int = 50,
        schedule: Literal["cosine", "constant"] = "cosine",
        compile: bool = False,
        initialise_from: str | None = None,
        frames: int = 3,
        source_rate: int = 24000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        front_end = FrontEnd(
            kind,
            alignment,
            preset=NETWORKS[preset].front_end,
            pattern=pattern,
            rotation=rotation,
            source_rate=source_rate,
            whiten=whiten,
        )
        net = build_model(preset, front_end.channels, objective=objective, frames=frames)
        self.model = AlignmentModel(front_end, net)
        self.task = TASKS[objective]
        # A loss with parameters is a submodule, so that these are trained and kept
        self.contrast = CONTRASTS[loss](temperature)
        self.comparison = ContrastiveSettings(self.contrast, negatives, avc_weight)
        self.optimizer = optimizer
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.warmup_steps, self.schedule = warmup_steps, schedule
        self.seed = seed
        self._origin = ""
        if initialise_from is not None:
            if not RunFolder(Path(initialise_from)).weights.is_file():
                raise FileNotFoundError(
                    f"{initialise_from} holds no {RunFolder(Path()).weights}: give "
                    "model.initialise_from the folder of a finished run"
                )
            self._origin = fingerprint(RunFolder(Path(initialise_from)).weights)
            _copy_encoders(self.model, initialise_from)
        if compile:
            net.video.compile()
            net.audio.compile()

    @property
    def covariance_settings(self) -> dict[str, Any] | None:
        """Settings of what the front end takes in place of sound, if it does."""
        return self.model.front_end.covariance_settings

    def chance_loss(self, clips: int, views: int) -> float:
        """Return the loss of networks that know nothing, for the batch of all ranks."""
        return self.task.chance(self.comparison, clips, views)

    def on_fit_start(self) -> None:
        """Fit the statistics of the features on the training set, unless a run brought them."""
        front_end = self.model.front_end
        if not front_end.fitted:
            batches: Any = self.trainer.datamodule.statistics_batches()  # type: ignore[attr-defined]
            front_end.fit_statistics(
                (
                    batch.sound.to(self.device),
                    *(angle.to(self.device) for angle in batch.listening),
                )
                for batch in batches
            )

    def on_train_start(self) -> None:
        """Train at the present learning rate and decay, also when a run is resumed."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        scheduler: Any = self.lr_schedulers()
        scheduler.base_lrs = [self.learning_rate]
        for group in optimizer.param_groups:
            group["weight_decay"] = self.weight_decay
            group["lr"] = self.learning_rate * self._learning_rate_factor(scheduler.last_epoch)

    def on_train_batch_start(self, batch: Item, index: int) -> None:
        """Make dropout a function of seed and step: the same after a stop, and on every rank."""
        accumulate = self.trainer.accumulate_grad_batches
        step = self.trainer.global_step * accumulate + index % accumulate
        torch.manual_seed((self.seed << 32) + step)

    def forward(self, batch: Item) -> Output:
        """Return what should agree in a batch of `AlignmentDataset`."""
        out: Output = self.model(batch.video, batch.sound, *batch.listening)
        return out

    def training_step(self, batch: Item, index: int) -> dict[str, Tensor]:
        """Return the loss over the batches of all ranks, and how much of it was right."""
        output, label = gathered(self(batch)), gathered(batch.label)
        loss = self.task.loss(output, label, self.comparison)
        if not torch.isfinite(loss):
            raise LossNotFinite(
                f"the loss became {loss.item()} at step {self.global_step}: with a lower "
                "--model.learning_rate, --trainer.precision 32-true or "
                "--trainer.gradient_clip_val 1 the same command resumes from the last good "
                "checkpoint"
            )
        self.log("train/loss", loss, prog_bar=True)
        with torch.no_grad():
            _, right = self.task.score(output, label)
        return {"loss": loss, "found": right}

    def validation_step(self, batch: Item, index: int) -> None:
        """Log the loss and how often it is right: each rank has all of the batch."""
        output = self(batch)
        options: dict[str, Any] = {"batch_size": len(batch.video), "prog_bar": True}
        self.log("val/loss", self.task.loss(output, batch.label, self.comparison), **options)
        name, right = self.task.score(output, batch.label)
        self.log(f"val/{name}", right, **options)

    def configure_optimizers(self) -> Any:
        """Return the optimiser with warm-up, then cosine to zero or constant."""
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[self.optimizer]
        optimizer = kind(
            self.parameters(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            # Lightning clips no gradients that a fused optimiser might still have to scale
            fused=not self.trainer.gradient_clip_val,
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note which weights this run began from."""
        checkpoint[_ORIGIN] = self._origin

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to resume a run that began from other weights than those that are there now."""
        if checkpoint.get(_ORIGIN, self._origin) != self._origin:
            raise InputError(
                "the weights that model.initialise_from names are not those from which this run "
                "began: give another --out to begin from them"
            )

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take the state of a checkpoint, or say that it is of another model."""
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip()
            raise InputError(
                f"the checkpoint is of a model with other settings ({first}): give another --out"
            ) from None

    def _learning_rate_factor(self, step: int) -> float:
        """Return the learning rate at a step relative to its height."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return 1.0
        length = max(self.trainer.max_steps - self.warmup_steps, 1)
        return 0.5 * (1.0 + math.cos(math.pi * min((step - self.warmup_steps) / length, 1.0)))


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
