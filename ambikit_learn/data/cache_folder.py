"""The folder of scenes that are rendered once: its settings, and blocks of scenes.

It holds ``cache.json`` (format, settings, and how many scenes it shall hold) and blocks of scenes,
``train/00000`` and so on, each with the arrays ``video.npy``, ``sound.npy``, ``views.npy`` and
``on_object.npy``. A block is written to a temporary name and renamed: processes, also of several
machines, can fill a folder together, and an interrupted one is completed by the same call.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Booleans, Covariance, Floats32, Frames, Sound
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import Crops, concatenate_crops, object_crops, random_crops

FORMAT = "ambikit-cache/1"
SETTINGS = "cache.json"
LEFTOVER_SECONDS = 3600.0
"""Age from which the partial block of another process is one of a process that was killed."""


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
def open_block(folder: Path) -> Block:
    """Map the arrays of a block into memory.

    Parameters
    ----------
    folder : Path
        Of the block.
    """
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
