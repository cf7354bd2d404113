"""Scenes of a world for downstream tasks: of a world by its name, or of a folder of cached scenes.

Tasks render what a cache does not hold, such as sound of other lengths, from its preset and seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ambikit import checks
from ambikit_learn.data.cache_folder import CacheSettings
from ambikit_learn.data.open import WORLD, is_world
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.scene import Scene


@dataclass(frozen=True)
class World:
    """A world whose scenes are rendered on demand.

    Attributes
    ----------
    name : str
        Name in tables.
    preset : Preset
        Difficulty of the scenes.
    seed : int
        Seed of the scenes.
    span : float
        Usual length of a scene in seconds.
    """

    name: str
    preset: Preset
    seed: int
    span: float = 1.0

    @classmethod
    def of(cls, data: str | Path, seed: int) -> World:
        """Return a world by its name, or that of a folder of cached scenes.

        Parameters
        ----------
        data : path or str
            ``"world:PRESET"``, or a folder that ``ambikit-learn cache`` wrote.
        seed : int
            Seed of the scenes of a world. Those of a folder have its own.

        Raises
        ------
        InputError
            The preset is unknown, or the settings of the folder are damaged.
        FileNotFoundError
            The folder holds no cached scenes.

        Examples
        --------
        >>> world = World.of("world:easy", 3)
        >>> world.name, world.seed
        ('world:easy', 3)
        """
        if is_world(data):
            preset = _known(str(data).removeprefix(WORLD))
            return cls(f"{WORLD}{preset}", PRESETS[preset], seed)
        found = CacheSettings.load(data)
        preset = _known(found.preset)
        name = f"{WORLD}{preset}, seed {found.seed}"
        return cls(name, PRESETS[preset], found.seed, found.span)

    def scenes(self, split: str, count: int, span: float | None = None) -> list[Scene]:
        """Return the first scenes of a split.

        Parameters
        ----------
        split : {"train", "validation", "test"}
            Scenes of different splits share no room and no individual.
        count : int
            Number of scenes.
        span : float, optional
            Their length in seconds, by default the usual one.

        Raises
        ------
        InputError
            The count is negative.
        """
        if not checks.nonnegative_int(count, "scenes"):
            return []
        dataset = WorldDataset(
            self.preset,
            split,
            span=self.span if span is None else span,
            seed=self.seed,
            epoch_length=count,
            views=1,
            frames=1,
            size=8,
        )
        return [dataset.scene(index) for index in range(count)]


def _known(preset: str) -> str:
    """Return the name of a preset; refuse one that there is not."""
    return checks.choice(preset, tuple(PRESETS), "preset of a world")
