"""Data sets by name: a prepared folder, a world to render, or a folder of cached scenes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambikit import InputError
from ambikit_learn.data.dataset import AlignmentDataset, SpanDataset
from ambikit_learn.data.format import Settings
from ambikit_learn.data.shards import contents_of

if TYPE_CHECKING:
    from ambikit_learn.data.cached import CachedDataset
    from ambikit_learn.data.rendered import WorldDataset

WORLD = "world:"
"""Prefix of the name of a world, before a preset of `ambikit_learn.world`."""

# Every scene is new, and each split has its own: nothing is mirrored or held out.
_NOTHING_TO_DO = ("mirror", "validation_share")
_CACHE = "cache.json"


def open_items(
    data: str | Path,
    split: str = "train",
    *,
    spans: int | None = None,
    scenes: int | None = None,
    **options: Any,
) -> AlignmentDataset | WorldDataset | CachedDataset:
    """Open a data set by its name.

    Parameters
    ----------
    data : path or str
        Folder that `prepare` wrote, or ``"world:PRESET"``, such as ``"world:standard"``, whose
        scenes are rendered on demand, or folder of scenes that ``ambikit-learn cache`` rendered.
    split : str
        ``"train"``, ``"validation"`` or ``"test"``.
    spans : int, optional
        Number of fixed spans of every clip, for evaluation (`SpanDataset`), instead of random ones.
        A scene of a world is one span.
    scenes : int, optional
        Number of scenes per epoch of a world, or of the cached scenes to use. It has no effect on
        a folder that `prepare` wrote.
    **options
        As for `AlignmentDataset`. For scenes, options that `WorldDataset` lacks must have their
        default values, except `mirror` and `validation_share`, since scenes are new in each epoch
        and split. Cached scenes are mirrored on request.

    Returns
    -------
    AlignmentDataset, SpanDataset, WorldDataset or CachedDataset
        Data set whose items are `Item`.

    Raises
    ------
    FileNotFoundError
        The folder is not prepared, or its preparation has not finished.
    InputError
        The preset is unknown, the split has no usable clip, or an option is wrong.

    Examples
    --------
    >>> from ambikit_learn import open_items
    >>> items = open_items("world:easy", views=2)
    >>> items[0].video.shape, items[0].sound.shape
    (torch.Size([2, 3, 48, 48, 3]), torch.Size([4, 24000]))
    """
    if not is_rendered(data):
        if spans is None:
            return AlignmentDataset(data, split, **options)
        return SpanDataset(data, split, spans=spans, **options)
    if is_world(data):
        from ambikit_learn.data.rendered import WorldDataset

        given = _of_scenes(data, WorldDataset, options)
        if scenes is not None:
            given["epoch_length"] = scenes
        return WorldDataset(str(data).removeprefix(WORLD), split, **given)
    from ambikit_learn.data.cached import CachedDataset

    return CachedDataset(data, split, scenes=scenes, **_of_scenes(data, CachedDataset, options))


def is_world(data: str | Path) -> bool:
    """Return whether a name is that of a world, not that of a folder."""
    return str(data).startswith(WORLD)


def is_rendered(data: str | Path) -> bool:
    """Return whether a data set is of rendered scenes: of a world by its name, or cached."""
    return is_world(data) or Path(data, _CACHE).is_file()


def data_contents(data: str | Path, splits: Sequence[str]) -> tuple[int, str] | None:
    """Return the number of clips of some splits, and a hash of what they are.

    Parameters
    ----------
    data : path or str
        As for `open_items`.
    splits : sequence of str

    Returns
    -------
    (int, str) or None
        None for a world, whose name says all.
    """
    if is_world(data):
        return None
    if is_rendered(data):
        from ambikit_learn.data.cache_folder import cached_contents

        return cached_contents(Path(data), splits)
    return contents_of(Path(data), splits)


def sample_rate_of(data: str | Path) -> int:
    """Return the rate of the sound of a data set, in Hz."""
    if is_rendered(data):
        from ambikit_learn.data.rendered import SAMPLE_RATE

        return SAMPLE_RATE
    return Settings.load(data).sample_rate


def _of_scenes(data: str | Path, kind: type, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a data set of scenes takes; refuse others that would matter."""
    known = inspect.signature(kind).parameters
    usual = inspect.signature(AlignmentDataset).parameters
    for name in options.keys() - known.keys():
        if name not in usual:
            raise TypeError(f"there is no option {name!r}")
        if name not in _NOTHING_TO_DO and options[name] != usual[name].default:
            raise InputError(
                f"{data} does not take {name}: its scenes are rendered, leave it at "
                f"{usual[name].default!r}"
            )
    return {name: value for name, value in options.items() if name in known}
