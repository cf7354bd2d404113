"""Scenes of a world rendered once, with what trainings on any features need of them."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal

from ambikit import InputError, checks
from ambikit_learn._files import writing_to
from ambikit_learn._progress import progress
from ambikit_learn._threads import cores
from ambikit_learn.data.cache_folder import (
    CacheSettings,
    block_path,
    remove_leftovers,
    write_block,
)
from ambikit_learn.data.rendered import SAMPLE_RATE
from ambikit_learn.networks.front_end import FrontEnd
from ambikit_learn.parallel.processes import Loss, map_in_order
from ambikit_learn.world.presets import PRESETS

Preset = Literal["tiny", "paper"]

BLOCK = 500
"""Scenes of a block in new folders."""


def cache_scenes(
    out: str | Path,
    *,
    preset: str = "standard",
    train: int = 40_000,
    validation: int = 500,
    test: int = 2_000,
    seed: int = 0,
    random: int = 4,
    objects: int = 2,
    span: float = 1.0,
    frames: int = 3,
    size: int = 48,
    features: Preset = "tiny",
    workers: int | None = None,
) -> None:
    """Render scenes of a world to a folder, from which many trainings read them.

    A training on ``world:PRESET`` renders each scene anew, which keeps all cores busy. Where
    several networks or seeds are compared, scenes that are rendered once save that time, and are
    the same for all of them.

    Parameters
    ----------
    out : path
        Folder for the scenes. Those that are there already are kept, so that an interrupted call is
        completed by the same one, and a later call may ask for more. Several processes, also of
        several machines, can fill the folder together.
    preset : str
        Difficulty of the scenes, a key of `ambikit_learn.world.PRESETS`.
    train, validation, test : int
        Numbers of scenes of each split, rounded up to blocks of 500. Splits share no room and no
        object.
    seed : int
        Random seed of the world and of the crops.
    random, objects : int
        Numbers of crops of each scene: anywhere, and at its objects. Trainings draw among them.
    span, frames, size : float, int, int
        Length of a scene in seconds, frames and width of a crop, as for ``fit``.
    features : {"tiny", "paper"}
        Preset of features whose covariances stand for the sound. All kinds of features and
        alignments are computed from them.
    workers : int, optional
        Number of processes; by default one per core; 0 renders in this process.

    Raises
    ------
    InputError
        An argument is wrong, or the folder holds scenes of other settings or other files.
    OSError
        The folder cannot be written to.

    Notes
    -----
    A scene takes 188 kB with six crops of the default size: 40,000 scenes take 7.5 GB.

    Examples
    --------
    >>> import tempfile
    >>> from ambikit_learn import cache_scenes, open_items
    >>> from ambikit_learn import FrontEnd
    >>> settings = FrontEnd("foa_iv", preset="tiny", source_rate=24000).covariance_settings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache_scenes(folder, preset="easy", train=1, validation=0, test=0, size=8, workers=0)
    ...     items = open_items(folder, size=8, covariance=settings)
    ...     len(items), items[0].video.shape
    (500, torch.Size([4, 3, 8, 8, 3]))
    """
    covariance = FrontEnd("foa_iv", preset=features, source_rate=SAMPLE_RATE).covariance_settings
    if covariance is None:
        raise InputError(
            f"features of preset {features!r} cannot be computed from covariances of sound at "
            f"{SAMPLE_RATE} Hz, which is what a cache holds: train on world:{preset} itself"
        )
    kinds = checks.nonnegative_int(random, "random"), checks.nonnegative_int(objects, "objects")
    if not any(kinds):
        raise InputError("a scene needs crops: random or objects must be positive")
    counts = {"train": train, "validation": validation, "test": test}
    settings = CacheSettings(
        checks.choice(preset, tuple(PRESETS), "preset of a world"),
        checks.nonnegative_int(seed, "seed"),
        *kinds,
        checks.positive(span, "span", "seconds"),
        checks.positive_int(frames, "frames"),
        checks.positive_int(size, "size"),
        SAMPLE_RATE,
        covariance,
        BLOCK,
        {split: checks.nonnegative_int(count, split) for split, count in counts.items()},
    )
    processes = cores() if workers is None else checks.nonnegative_int(workers, "workers")
    root = Path(out)
    with writing_to(root):
        wanted = settings.save(root)
        remove_leftovers(root)
        blocks = [
            (s, n) for s, count in wanted.scenes.items() for n in range(count // wanted.block)
        ]
        todo = [block for block in blocks if not block_path(root, *block).is_dir()]
        # Processes that fill the folder together seldom come upon the same block.
        Random().shuffle(todo)
        done = map_in_order(partial(_write, root), todo, workers=processes, lost=_lost)
        with closing(done):
            for failure in progress(done, len(todo), f"blocks of {wanted.block} scenes"):
                if failure is not None:
                    raise failure


def _write(root: Path, block: tuple[str, int]) -> OSError | None:
    """Write a block; return why that is impossible, since processes do not pass errors on."""
    try:
        write_block(root, *block)
    except OSError as error:
        return error
    return None


def _lost(block: tuple[str, int], _: Loss) -> OSError:
    """Return the error of a block whose worker died."""
    return OSError(
        f"the process rendering block {block[1]} of {block[0]} died: is there enough memory?"
    )
