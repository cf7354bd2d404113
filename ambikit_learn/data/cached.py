"""Scenes of a world that are rendered once, to a folder, and read by many trainings.

A folder holds ``cache.json`` (format, settings, and how many scenes it shall hold) and blocks of
scenes, ``train/00000`` and so on, each with the arrays ``video.npy``, ``sound.npy``, ``views.npy``
and ``on_object.npy``. A block is written to a temporary name and renamed: processes, also of
several machines, can fill a folder together, and an interrupted one is completed by the same call.
Until then it is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch.utils.data import Dataset

from ambikit import InputError, checks
from ambikit.features import FeatureSettings
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Booleans, Covariance, Floats32, Frames, Indices, Sound
from ambikit_learn.data.items import Item
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import (
    ORIGINS,
    STRATEGIES,
    Crops,
    concatenate_crops,
    half_by_lot,
    object_crops,
    random_crops,
    sounding_weights,
)
from ambikit_learn.sphere.listening import listen_to_covariance
from ambikit_learn.world.scene import Scene

FORMAT = "ambikit-cache/1"
SETTINGS = "cache.json"
BLOCK = 500
"""Scenes of a block in new folders."""
LEFTOVER_SECONDS = 3600.0
"""Age from which the partial block of another process is one of a process that was killed."""
Chosen = tuple[Indices, Sequence[str]]
"""Numbers of crops of a scene, and the origin of each."""
# Entries of the upper triangle with one Y, which a mirror image negates: WY, YZ, YX.
_ODD = [1, 5, 6]


@dataclass(frozen=True)
class CacheSettings:
    """All settings on which cached scenes depend, and their numbers.

    Parameters
    ----------
    preset : str
        Difficulty of the scenes, a key of `ambikit_learn.world.PRESETS`.
    seed : int
        Random seed of scenes and crops.
    random, objects : int
        Crops of each scene that are drawn anywhere, and at objects.
    span, frames, size : float, int, int
        As for `WorldDataset`.
    sample_rate : int
        Of the sound in Hz.
    covariance : mapping
        Settings of `ambikit.mel_covariance`, whose result stands for the sound.
    block : int
        Scenes of a block.
    scenes : mapping
        Number of scenes of each split, whole blocks.
    """

    preset: str
    seed: int
    random: int
    objects: int
    span: float
    frames: int
    size: int
    sample_rate: int
    covariance: Mapping[str, Any]
    block: int
    scenes: Mapping[str, int]

    @classmethod
    def load(cls, root: str | Path) -> CacheSettings:
        """Read the settings of a folder.

        Raises
        ------
        FileNotFoundError
            The folder holds no cached scenes.
        InputError
            The settings are damaged or of another version.
        """
        path = Path(root) / SETTINGS
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(f"{root} holds no cached scenes") from None
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}): cache into a new folder") from None
        names = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
            raise InputError(f"{path} is not of format {FORMAT!r}: cache into a new folder")
        if set(document) != names:
            raise InputError(f"{path} has other settings than {sorted(names)}: cache anew")
        return cls(**document)

    def save(self, root: Path) -> CacheSettings:
        """Write the settings of a folder, or add to the scenes of one that has the same.

        Returns
        -------
        CacheSettings
            With the number of scenes that the folder shall hold now: it never shrinks.

        Raises
        ------
        InputError
            The folder holds scenes of other settings, or other files.
        """
        settings = self.rounded(self.scenes)
        if (root / SETTINGS).exists():
            before = CacheSettings.load(root)
            differing = [
                f"{name} {value!r}, not {getattr(self, name)!r}"
                for name, value in asdict(before).items()
                if name not in ("scenes", "block") and value != getattr(self, name)
            ]
            if differing:
                raise InputError(
                    f"{root} holds scenes with {'; '.join(differing)}: give another folder"
                )
            most = {split: max(n, before.scenes[split]) for split, n in self.scenes.items()}
            settings = before.rounded(most)
            if settings == before:
                return settings
        elif root.is_dir() and any(root.iterdir()):
            raise InputError(f"{root} holds other files: give a new folder")
        with atomic_write(root / SETTINGS) as temporary:
            text = json.dumps({"format": FORMAT, **asdict(settings)}, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")
        return settings

    def rounded(self, scenes: Mapping[str, int]) -> CacheSettings:
        """Return the settings with other numbers of scenes, rounded up to whole blocks."""
        whole = {split: -(-number // self.block) * self.block for split, number in scenes.items()}
        return replace(self, scenes=whole)

    def world(self, split: str, count: int) -> WorldDataset:
        """Return the data set of the same scenes, rendered on demand with all crops."""
        return _BothCrops(self, split, count)


class Block(NamedTuple):
    """Arrays of the scenes of a block.

    Attributes
    ----------
    video : ndarray of uint8, shape (scenes, views, frames, size, size, 3)
    sound : ndarray, shape (scenes, 10, sound frames, mels)
        Covariances.
    views : ndarray, shape (scenes, views, 4)
        Azimuth, elevation, width and height in radians; random crops come first.
    on_object : ndarray of bool, shape (scenes, views)
    """

    video: Frames
    sound: Floats32
    views: Floats32
    on_object: Booleans


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
        block = _open(self._blocks[number])
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


def cached_contents(root: Path, splits: Sequence[str]) -> tuple[int, str]:
    """Return the number of scenes of some splits, and a hash of all that they depend on.

    Parameters
    ----------
    root : Path
        Folder of the scenes.
    splits : sequence of str
        Names of splits.

    Returns
    -------
    count : int
    hash : str
    """
    settings = CacheSettings.load(root)
    scenes = {split: settings.scenes[split] for split in splits}
    text = json.dumps(asdict(replace(settings, scenes=scenes)), sort_keys=True)
    return sum(scenes.values()), hashlib.sha256(text.encode()).hexdigest()


def block_path(root: str | Path, split: str, number: int) -> Path:
    """Return the folder of a block."""
    return Path(root) / split / f"{number:05d}"


def write_block(root: str | Path, split: str, number: int) -> None:
    """Render the scenes of a block and write them; do nothing if they are there.

    Parameters
    ----------
    root : path
        Folder with settings.
    split : str
        A split.
    number : int
        Of the block, from 0.
    """
    target = block_path(root, split, number)
    if target.is_dir():
        return
    settings = CacheSettings.load(root)
    indices = range(number * settings.block, (number + 1) * settings.block)
    dataset = settings.world(split, indices.stop)
    items = [dataset[index] for index in indices]
    angles = [torch.stack([i.azimuth, i.elevation, i.width, i.height], -1) for i in items]
    block = Block(
        torch.stack([item.video for item in items]).numpy(),
        torch.stack([cast(Covariance, item.sound).values for item in items]).numpy(),
        torch.stack(angles).numpy(),
        torch.stack([item.on_object for item in items]).numpy(),
    )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.mkdir(parents=True)
    try:
        for name, array in block._asdict().items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        if not target.is_dir():  # unless another process was faster
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(root: Path) -> None:
    """Delete the partial blocks of processes that were killed while they wrote.

    Others may be at work in the folder: what is young enough to be theirs is left.

    Parameters
    ----------
    root : Path
        Folder of the scenes.
    """
    for part in root.glob("*/.*.part"):
        if time.time() - part.stat().st_mtime > LEFTOVER_SECONDS:
            shutil.rmtree(part, ignore_errors=True)


@lru_cache(maxsize=256)
def _open(folder: Path) -> Block:
    """Map the arrays of a block into memory."""
    return Block(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in Block._fields))


class _BothCrops(WorldDataset):
    """The scenes of a cache as they are rendered: crops anywhere, then crops at objects."""

    def __init__(self, settings: CacheSettings, split: str, count: int) -> None:
        self._settings = settings
        super().__init__(
            settings.preset,
            split,
            strategy="mixed",
            views=settings.random + settings.objects,
            span=settings.span,
            frames=settings.frames,
            size=settings.size,
            seed=settings.seed,
            epoch_length=count,
            sample_rate=settings.sample_rate,
            covariance=settings.covariance,
        )

    def _select(self, boxes: Boxes, sound: Sound, rng: np.random.Generator) -> Crops:
        kinds = self._settings.random, self._settings.objects
        parts = [random_crops(rng, kinds[0])] if kinds[0] else []
        if kinds[1]:
            parts.append(object_crops(boxes, rng, kinds[1]))
        return concatenate_crops(parts)
