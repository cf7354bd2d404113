"""Prepared clips as a stream of batches that goes on exactly where a run was stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader, Dataset, Sampler, Subset

from ambikit import InputError
from ambikit_learn.manifest import Settings
from ambikit_learn.shards import AlignmentDataset
from ambikit_learn.world import stream

Strategy = Literal["random", "objects", "mixed"]
Items = AlignmentDataset | stream.WorldDataset

VALIDATION_VIEWS = 4
"""Viewpoints a clip in validation, whatever the training takes: retrieval among four."""

_STATISTICS_CLIPS = 256


class StreamBatches(Sampler[list[int]]):
    """Positions in an endless, reshuffled stream of clips, batch by batch.

    Position ``epoch * size + index`` stands for clip `index` in that epoch. The batch of a step is
    a function of (seed, step) alone: not of ranks, workers or stops.

    Parameters
    ----------
    size : int
        Number of clips.
    batch_size : int
        Clips a step, all ranks together.
    steps : int
        Last step.
    seed : int
        Of the order.
    start : int
        First step.
    rank, ranks : int
        Which part of each batch to give.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        steps: int,
        *,
        seed: int = 0,
        start: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.size, self.batch_size, self.steps = size, batch_size, steps
        self.seed, self.start = seed, start
        share = batch_size // ranks
        self.part = slice(rank * share, (rank + 1) * share)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        epoch, order = -1, np.empty(0, int)
        for step in range(self.start, self.steps):
            batch = []
            for position in range(step * self.batch_size, (step + 1) * self.batch_size):
                if position // self.size != epoch:
                    epoch = position // self.size
                    order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
                batch.append(epoch * self.size + int(order[position % self.size]))
            yield batch[self.part]


class StreamDataset(Dataset[dict[str, Any]]):
    """The items of a stream position: the epoch is set where the item is made, in the worker."""

    def __init__(self, dataset: Items) -> None:
        self.dataset = dataset

    def __getitem__(self, position: int) -> dict[str, Any]:
        epoch, index = divmod(position, len(self.dataset))
        self.dataset.set_epoch(epoch)
        return self.dataset[index]


class TimedLoader(DataLoader[Any]):
    """A loader that sums the seconds its consumer waited."""

    waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        while True:
            begin = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.waited += time.perf_counter() - begin
            yield batch


class AlignmentData(LightningDataModule):
    """Crops with their clip's sound, from a folder that `prepare` wrote or from rendered scenes.

    Parameters
    ----------
    path : str
        The prepared folder, or ``"world:PRESET"`` to render scenes without files.
    strategy : "random", "objects" or "mixed"
        How crops are chosen in training. Validation takes random ones.
    views : int
        Crops a clip.
    batch_size : int
        Clips a step, all ranks together.
    span : float
        Seconds of sound.
    frames : int
        Frames a crop, spread over the span.
    size : int
        Width and height of a crop, in pixels.
    mirror : bool
        Swap left and right of picture and sound together in half of the training items.
    workers : int
        Processes that load data, for each rank.
    seed : int
        Of the order of clips and of all crops.
    validation_clips : int
        Clips of the test split to validate on, at most; 0 for none.
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
        mirror: bool = True,
        workers: int = 2,
        seed: int = 0,
        validation_clips: int = 256,
    ) -> None:
        super().__init__()
        self.path, self.strategy, self.views = path, strategy, views
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self.span, self.frames, self.size, self.mirror = span, frames, size, mirror
        self.validation_clips = validation_clips
        for name in ("views", "batch_size", "frames", "size"):
            if getattr(self, name) < 1:
                raise InputError(f"data.{name} must be at least 1, got {getattr(self, name)}")

    @cached_property
    def sample_rate(self) -> int:
        """Rate of the prepared sound, in Hz."""
        if self.path.startswith(stream.PREFIX):
            return stream.SAMPLE_RATE
        return Settings.load(self.path).sample_rate

    @cached_property
    def training_set(self) -> Items:
        """The training split."""
        return self._dataset("train", self.strategy, self.views, mirror=self.mirror)

    def train_dataloader(self) -> TimedLoader:
        """Return the loader from the present step on."""
        trainer = self.trainer
        assert trainer is not None
        if self.batch_size % trainer.world_size:
            raise InputError(
                f"data.batch_size {self.batch_size} counts the clips of all ranks and does not "
                f"divide by {trainer.world_size} of them"
            )
        accumulate = trainer.accumulate_grad_batches
        batches = StreamBatches(
            len(self.training_set),
            self.batch_size,
            trainer.max_steps * accumulate,
            seed=self.seed,
            start=trainer.global_step * accumulate,
            rank=trainer.global_rank,
            ranks=trainer.world_size,
        )
        return TimedLoader(
            StreamDataset(self.training_set),
            batch_sampler=batches,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> Any:
        """Return a loader of this rank's share of the test split; nothing if it is empty."""
        trainer = self.trainer
        assert trainer is not None
        if not self.validation_clips:
            return []
        try:
            dataset = self._dataset("test", "random", VALIDATION_VIEWS)
        except InputError as error:
            rank_zero_warn(f"no validation: {error}")
            return []
        clips = range(min(len(dataset), self.validation_clips))
        share = clips[trainer.global_rank :: trainer.world_size]
        return DataLoader(Subset(dataset, share), batch_size=32, num_workers=self.workers)

    def statistics_batches(self) -> Iterator[dict[str, Any]]:
        """Return the first batches of the stream, the same on every rank."""
        size = len(self.training_set)
        steps = max(min(size, _STATISTICS_CLIPS) // self.batch_size, 1)
        batches = StreamBatches(size, self.batch_size, steps, seed=self.seed)
        return iter(
            DataLoader(
                StreamDataset(self.training_set), batch_sampler=batches, num_workers=self.workers
            )
        )

    def _dataset(
        self, split: str, strategy: Strategy, views: int, *, mirror: bool = False
    ) -> Items:
        options: dict[str, Any] = {
            "strategy": strategy,
            "views": views,
            "span": self.span,
            "frames": self.frames,
            "size": self.size,
            "seed": self.seed,
            "covariance": self._covariance(),
        }
        if self.path.startswith(stream.PREFIX):  # every scene is new: nothing to mirror
            return stream.WorldDataset(self.path, split, **options)
        return AlignmentDataset(self.path, split, mirror=mirror, **options)

    def _covariance(self) -> dict[str, Any] | None:
        """Return what the model's front end takes in place of sound, if it does.

        The transform is then taken by the workers that load data.
        """
        module = None if self.trainer is None else self.trainer.lightning_module
        settings: dict[str, Any] | None = getattr(module, "covariance_settings", None)
        return settings
