"""An endless stream of clips, in which the batch of a step depends only on seed and step."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ambikit._signals import ENDING
from ambikit_learn.data.cached import CachedDataset
from ambikit_learn.data.dataset import AlignmentDataset
from ambikit_learn.data.items import Change, Item
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.pretext import interface

Items = AlignmentDataset | WorldDataset | CachedDataset

# Separates the draws of changes from those of the data set, whose seeds have three numbers.
_CHANGES = 1


class StreamBatches(Sampler[list[int]]):
    """Positions in an endless, reshuffled stream of clips, batch by batch.

    Position ``epoch * size + index`` is clip `index` in that epoch. The batch of a step depends
    only on (seed, step), and not on ranks, workers or interruptions.

    Parameters
    ----------
    size : int
        Number of clips.
    batch_size : int
        Clips per step of all ranks together.
    steps : int
        Last step.
    seed : int
        Random seed of the order.
    start : int
        First step.
    rank, ranks : int
        Part of each batch to yield, and number of parts.
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


class StreamDataset(Dataset[Item]):
    """The items of a stream position: the epoch is set where the item is made, in the worker.

    Parameters
    ----------
    dataset : AlignmentDataset, WorldDataset or CachedDataset
        Data set of each epoch.
    changes : sequence of callable
        Changes of each item, with draws that depend only on seed and position.
    seed : int
        Random seed of these draws.
    """

    def __init__(self, dataset: Items, changes: Sequence[Change] = (), seed: int = 0) -> None:
        self.dataset, self.changes, self.seed = dataset, changes, seed

    def __getitem__(self, position: int) -> Item:
        epoch, index = divmod(position, len(self.dataset))
        self.dataset.set_epoch(epoch)
        item = self.dataset[index]
        rng = np.random.default_rng([self.seed, epoch, index, _CHANGES])
        for change in self.changes:
            item = change(item, rng)
        return item


def labelled(change: interface.Change) -> Change:
    """Return the change of items for a pretext task: of the sound, with its ``label``."""
    return partial(_change_sound, change)


def _change_sound(change: interface.Change, item: Item, rng: np.random.Generator) -> Item:
    sound, label = change(item.sound, rng)
    return item._replace(sound=sound, label=torch.tensor(label))


class TimedLoader(DataLoader[Any]):
    """A loader that sums the seconds its consumer waited; signals are left to the consumer."""

    waited = 0.0

    def __init__(self, dataset: Dataset[Any], **options: Any) -> None:
        super().__init__(
            dataset,
            worker_init_fn=ignore_signals,
            pin_memory=torch.cuda.is_available(),
            **options,
        )

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


def ignore_signals(worker: int) -> None:
    """Leave Ctrl-C and SIGTERM to the main process, which finishes its step with the loaded data.

    A terminal and most schedulers of clusters send them to all processes of a command.
    """
    for number in (signal.SIGINT, *ENDING):
        signal.signal(number, signal.SIG_IGN)
