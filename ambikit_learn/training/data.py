"""Prepared clips as a stream of batches that resumes exactly where a run was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader

from ambikit import InputError
from ambikit_learn.data.items import Change, Item, direction_blind
from ambikit_learn.data.open import data_contents, open_items, sample_rate_of
from ambikit_learn.pretext.tasks import TASKS, Objective
from ambikit_learn.sphere.crops import SPACING
from ambikit_learn.training.batches import (
    Items,
    StreamBatches,
    StreamDataset,
    TimedLoader,
    ignore_signals,
    labelled,
)

Strategy = Literal["random", "objects", "mixed", "sounding"]
Mirror = Literal["both", "video", "none"]

VALIDATION_VIEWS = 4
"""Viewpoints per clip in validation, independent of the training: retrieval among four."""

_STATISTICS_CLIPS = 256


class AlignmentData(LightningDataModule):
    """Crops with their clip's sound, from a folder that `prepare` wrote or from rendered scenes.

    Parameters
    ----------
    path : str
        Prepared folder, or ``"world:PRESET"`` to render scenes without files.
    strategy : "random", "objects", "mixed" or "sounding"
        Choice of crops in training. Validation uses random crops.
    views : int
        Crops per clip.
    batch_size : int
        Clips per step of all ranks together. With gradient accumulation a step consists of several
        such batches, and negatives are those of one batch.
    span : float
        Length of the sound in seconds.
    frames : int
        Frames per crop, spread over the span.
    size : int
        Width and height of a crop in pixels.
    mirror : "both", "video" or "none"
        Swap left and right in half of the training items: of picture and sound together, or of each
        crop alone, as in the released code of the paper.
    follow, spacing, sampling, picture_rate, colour_jitter, gain_jitter
        Options of prepared clips in training, see `ambikit_learn.data.dataset.AlignmentDataset`;
        `follow`, `spacing` and `picture_rate` apply to validation too. Rendered scenes have none of
        them.
    direction_blind : bool
        Train on sound that is rotated to random azimuths instead of to the crops: a control that
        can learn what sounds, but not where.
    workers : int
        Processes per rank that load data.
    seed : int
        Random seed of the order of clips and of all crops.
    validation_clips : int
        Largest number of clips of the validation split to validate on; 0 for none. The test split
        is left to `evaluate`.
    validation_share : float
        Fraction of the training videos, 0 to 1, that is held out for validation if the data have no
        validation split; 0 trains on all.
    objective : str
        Pretext task, which may require a change of the sound with a label.
    """

    def __init__(
        self,
        path: str,
        strategy: Strategy = "random",
        views: int = 4,
        batch_size: int = 32,
        span: float = 1.0,
        frames: int = 3,
        size: int = 48,
        mirror: Mirror = "both",
        follow: bool = True,
        spacing: float = SPACING,
        sampling: Literal["clips", "videos"] = "clips",
        picture_rate: float | None = None,
        colour_jitter: float = 0.0,
        gain_jitter: float = 0.0,
        direction_blind: bool = False,
        workers: int = 2,
        seed: int = 0,
        validation_clips: int = 256,
        validation_share: float = 0.05,
        objective: Objective = "avsa",
    ) -> None:
        super().__init__()
        self.path, self.strategy, self.views = path, strategy, views
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self.span, self.frames, self.size = span, frames, size
        self.mirror, self.direction_blind = mirror, direction_blind
        change = TASKS[objective].change
        self.of_task: list[Change] = [] if change is None else [labelled(change)]
        self.reading: dict[str, Any] = {
            "follow": follow,
            "spacing": spacing,
            "picture_rate": picture_rate,
            # Without validation, all clips are trained on
            "validation_share": validation_share if validation_clips else 0.0,
        }
        self.varying = {
            "sampling": sampling,
            "colour_jitter": colour_jitter,
            "gain_jitter": gain_jitter,
        }
        self.validation_clips = validation_clips
        self._contents: tuple[int, str] | None = None
        for name in ("views", "batch_size", "frames", "size"):
            if getattr(self, name) < 1:
                raise InputError(f"data.{name} must be at least 1, got {getattr(self, name)}")

    @cached_property
    def sample_rate(self) -> int:
        """Sample rate of the prepared sound in Hz."""
        return sample_rate_of(self.path)

    def check(self, covariance: dict[str, Any] | None) -> None:
        """Refuse data or options that no training is possible with; nothing is kept of it.

        Parameters
        ----------
        covariance : dict or None
            What the model takes in place of sound, `AlignmentModule.covariance_settings`.

        Raises
        ------
        InputError, FileNotFoundError
            As for `ambikit_learn.data.open.open_items`.
        """
        self._open("train", self.strategy, self.views, covariance, **self.varying)

    def setup(self, stage: str) -> None:
        """Note what the data are when the run begins or is resumed."""
        self._contents = data_contents(self.path, ("train", "validation"))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint remembers of the data: the number of clips, and a hash."""
        if self._contents is None:
            return {}
        return dict(zip(("clips", "contents"), self._contents, strict=True))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse to resume on other data: neither the old curve nor a new one would go on."""
        before = state_dict.get("clips"), state_dict.get("contents")
        if self._contents is not None and before[1] and before != self._contents:
            raise InputError(
                f"{self.path} has changed since this run began (then {before[0]} clips to train "
                f"and validate on, now {self._contents[0]}, not all the same): give another --out "
                "to train on it, or a folder with the same clips to resume"
            )

    @cached_property
    def training_set(self) -> StreamDataset:
        """The training split, as a stream."""
        changes = [*([direction_blind] if self.direction_blind else []), *self.of_task]
        sides = {"mirror": self.mirror == "both", "flip": self.mirror == "video"}
        items = self._items("train", self.strategy, self.views, **self.varying, **sides)
        return StreamDataset(items, changes, self.seed)

    def train_dataloader(self) -> TimedLoader:
        """Return the loader from the current step on."""
        trainer = self.trainer
        assert trainer is not None
        if self.batch_size % trainer.world_size:
            raise InputError(
                f"data.batch_size {self.batch_size} counts the clips of all ranks and does not "
                f"divide by {trainer.world_size} of them"
            )
        accumulate = trainer.accumulate_grad_batches
        return self._loader(
            trainer.max_steps * accumulate,
            start=trainer.global_step * accumulate,
            rank=trainer.global_rank,
            ranks=trainer.world_size,
        )

    def val_dataloader(self) -> Any:
        """Return a loader of the validation split, the same on every rank; none if it is empty."""
        if not self.validation_clips:
            return []
        try:
            items = self._items("validation", "random", VALIDATION_VIEWS)
        except InputError as error:
            rank_zero_warn(f"no validation: {error}")
            return []
        dataset = StreamDataset(items, self.of_task, self.seed)
        clips = range(min(len(items), self.validation_clips))
        return DataLoader(
            dataset,
            batch_size=32,
            sampler=clips,
            num_workers=self.workers,
            worker_init_fn=ignore_signals,
        )

    def statistics_batches(self) -> Iterator[Item]:
        """Return the first batches of the stream, the same on every rank."""
        size = len(self.training_set.dataset)
        return iter(self._loader(max(min(size, _STATISTICS_CLIPS) // self.batch_size, 1)))

    def _loader(self, steps: int, **part: int) -> TimedLoader:
        """Return a loader of the stream."""
        size = len(self.training_set.dataset)
        batches = StreamBatches(size, self.batch_size, steps, seed=self.seed, **part)
        return TimedLoader(self.training_set, batch_sampler=batches, num_workers=self.workers)

    def _items(self, split: str, strategy: Strategy, views: int, **varying: Any) -> Items:
        """Return the data set of a split, with the covariances that the model takes."""
        return self._open(split, strategy, views, self._covariance(), **varying)

    def _open(
        self,
        split: str,
        strategy: Strategy,
        views: int,
        covariance: dict[str, Any] | None,
        **varying: Any,
    ) -> Items:
        """Return the data set of a split."""
        options: dict[str, Any] = {
            "strategy": strategy,
            "views": views,
            "span": self.span,
            "frames": self.frames,
            "size": self.size,
            "seed": self.seed,
            "covariance": covariance,
        }
        return open_items(self.path, split, **self.reading, **varying, **options)

    def _covariance(self) -> dict[str, Any] | None:
        """Return the settings of covariances that the model's front end takes in place of sound.

        The workers that load data then compute the transform.
        """
        module = None if self.trainer is None else self.trainer.lightning_module
        settings: dict[str, Any] | None = getattr(module, "covariance_settings", None)
        return settings
