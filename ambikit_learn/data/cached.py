"""Items of scenes that were rendered once, to a folder, for many trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ambikit import InputError, checks
from ambikit.features import FeatureSettings
from ambikit_learn._typing import Booleans, Covariance, Floats32, Indices
from ambikit_learn.data.cache_folder import CacheSettings, block_path, open_block
from ambikit_learn.data.items import Item
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.sphere.crops import ORIGINS, STRATEGIES, half_by_lot, sounding_weights
from ambikit_learn.sphere.listening import listen_to_covariance
from ambikit_learn.world.scene import Scene

Chosen = tuple[Indices, Sequence[str]]
"""Numbers of crops of a scene, and the origin of each."""
# Entries of the upper triangle with one Y, which a mirror image negates: WY, YZ, YX.
_ODD = [1, 5, 6]


class CachedDataset(Dataset[Item]):
    """Items of scenes that `cache_scenes` rendered.

    Crops are drawn anew in each epoch among those that were rendered. Other parameters are as for
    `ambikit_learn.data.rendered.WorldDataset`.

    Parameters
    ----------
    root : path
        Folder of the scenes.
    split : {"train", "validation", "test"}
        Outside of training, the first crops of each scene are taken.
    strategy : {"random", "objects", "mixed", "sounding"}
        Crops to draw from: those drawn anywhere; those at objects, completed by those drawn
        anywhere where more are asked for than were rendered; or half of each, where of an odd
        number one is drawn by lot. Crops of both kinds keep no distance from each other.
        ``"sounding"``: both kinds, drawn by `ambikit_learn.sphere.crops.sounding_weights`, which
        are computed from the covariance of the sound; outside of training those of the greatest
        weights.
    views, span, frames, size, seed, covariance
        As for `WorldDataset`. The seed is that of the choice of crops; all but `views` and `seed`
        must be those of the scenes.
    scenes : int, optional
        Number of scenes to use, by default all.
    mirror : bool
        Mirror half of the training items, picture and sound together.

    Raises
    ------
    FileNotFoundError
        The folder holds no cached scenes.
    InputError
        The split is empty or not complete, or an option differs from that of the scenes.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        strategy: str = "random",
        views: int = 4,
        span: float = 1.0,
        frames: int = 3,
        size: int = 48,
        seed: int = 0,
        scenes: int | None = None,
        covariance: Mapping[str, Any] | None = None,
        mirror: bool = False,
    ) -> None:
        self.root, self.settings = Path(root), CacheSettings.load(root)
        self.split = checks.choice(split, tuple(self.settings.scenes), "split")
        self.seed, self.epoch = checks.nonnegative_int(seed, "seed"), 0
        self.strategy = checks.choice(strategy, STRATEGIES, "strategy")
        self.views, self.mirror = checks.positive_int(views, "views"), mirror
        asked = {"span": span, "frames": frames, "size": size}
        for name, value in asked.items():
            if value != (found := getattr(self.settings, name)):
                raise InputError(f"{root} holds scenes of {name} {found}, asked for {value}")
        if covariance is None or dict(covariance) != dict(self.settings.covariance):
            raise InputError(
                f"{root} holds covariances of {dict(self.settings.covariance)}, the features need "
                f"{'sound' if covariance is None else dict(covariance)}: cache for these features"
            )
        at_objects = 0 if strategy == "random" else self.settings.objects
        if strategy == "mixed":
            at_objects = min(at_objects, views // 2)
        if views - at_objects > self.settings.random:
            raise InputError(
                f"{views} {strategy} views of each scene are more than {root} has: "
                f"{self.settings.random} random crops and {self.settings.objects} at objects"
            )
        count = self.settings.scenes[split]
        if not count:
            raise InputError(f"{root} has no scenes of the split {split!r}: cache some")
        if missing := sum(not block.is_dir() for block in self._blocks):
            raise InputError(
                f"{root} is not complete, {missing} of {len(self._blocks)} blocks of {split!r} are "
                "missing: run the same `ambikit-learn cache` again, which renders these"
            )
        self._length = count if scenes is None else checks.positive_int(scenes, "scenes")
        if self._length > count:
            raise InputError(f"{root} has {count} scenes of {split!r}, asked for {scenes}")

    def __len__(self) -> int:
        return self._length

    def set_epoch(self, epoch: int) -> None:
        """Draw other crops of the scenes from now on; only training has more than one epoch.

        Parameters
        ----------
        epoch : int
            Its number, from 0.
        """
        self.epoch = epoch if self.split == "train" else 0

    def __getitem__(self, index: int) -> Item:
        """Return an item; see `ambikit_learn.data.dataset.AlignmentDataset`."""
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        number, row = divmod(index, self.settings.block)
        block = open_block(self._blocks[number])
        rng = np.random.default_rng([self.seed, self.epoch, index])
        sound, views, on_object = block.sound[row].copy(), block.views[row], block.on_object[row]
        if self.strategy == "sounding":
            chosen, origin = self._where_it_sounds(rng, sound, views, on_object)
        else:
            chosen, origin = self._by_kind(rng, on_object)
        video = block.video[row, chosen]
        azimuth, elevation, width, height = torch.from_numpy(views[chosen].T.copy())
        if self.mirror and self.split == "train" and rng.random() < 0.5:
            video = np.ascontiguousarray(video[..., ::-1, :])
            sound[_ODD] *= -1.0
            azimuth = -azimuth
        return Item(
            video=torch.from_numpy(video),
            sound=Covariance(torch.from_numpy(sound)),
            azimuth=azimuth,
            elevation=elevation,
            width=width,
            height=height,
            on_object=torch.from_numpy(on_object[chosen]),
            key=f"{self.split}-{index}",
            clip=np.int64(index),
            start=np.float64(0.0),
            origin=torch.tensor([ORIGINS.index(name) for name in origin], dtype=torch.int8),
        )

    def scene(self, index: int) -> Scene:
        """Return the scene of an item.

        Parameters
        ----------
        index : int
            As of an item.
        """
        return self._world.scene(index)

    @cached_property
    def _world(self) -> WorldDataset:
        return self.settings.world(self.split, len(self))

    @cached_property
    def _blocks(self) -> list[Path]:
        numbers = range(self.settings.scenes[self.split] // self.settings.block)
        return [block_path(self.root, self.split, number) for number in numbers]

    def _by_kind(self, rng: np.random.Generator, on_object: Booleans) -> Chosen:
        """Choose crops by how they were drawn: of objects first, as elsewhere."""
        wanted = {"random": 0, "objects": self.views}.get(self.strategy)
        wanted = half_by_lot(self.views, rng) if wanted is None else wanted
        count = min(wanted, self.settings.objects)
        kinds = self.settings.random, self.settings.objects
        draw = rng.permutation if self.split == "train" else np.arange
        random, objects = (draw(number) for number in kinds)
        chosen = np.concatenate([objects[:count] + kinds[0], random[: self.views - count]])
        missing = ["object" if found else "fallback" for found in on_object[chosen[:wanted]]]
        return chosen, (*missing, *("random",) * (self.views - wanted))

    def _where_it_sounds(
        self, rng: np.random.Generator, sound: Floats32, views: Floats32, on_object: Booleans
    ) -> Chosen:
        """Choose crops where it sounds, then others: those drawn anywhere come first."""
        heard = listen_to_covariance(sound, self._filters, self.settings.sample_rate)
        weight = sounding_weights(np.rad2deg(views, dtype=np.float64), on_object, heard)
        lot = np.ones(len(weight))
        if self.split == "train":
            # The first of exponential waiting times is drawn in proportion to its rate.
            lot = rng.exponential(size=len(weight))
        rank = np.divide(lot, weight, out=np.full(len(weight), np.inf), where=weight > 0.0)
        chosen = np.lexsort((lot, on_object, rank))[: self.views]
        return chosen, [
            "object" if on_object[i] else "sound" if weight[i] > 0.0 else "fallback" for i in chosen
        ]

    @cached_property
    def _filters(self) -> Floats32:
        """The mel filters of the covariances (bins, mels)."""
        settings = FeatureSettings(
            sample_rate=self.settings.sample_rate, **self.settings.covariance
        )
        return settings.filters.matrix
