"""Data sets on disk: one adapter each, all giving the same clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ambikit import _validate
from ambikit_learn.sources._clip import Clip, Source
from ambikit_learn.sources.folder import Folder
from ambikit_learn.sources.starss23 import STARSS23
from ambikit_learn.sources.yt360 import YT360

__all__ = ["SOURCES", "STARSS23", "YT360", "Clip", "Folder", "Source", "open_source"]

SOURCES: dict[str, Callable[[Path], Source]] = {
    "folder": Folder,
    "starss23": STARSS23,
    "yt360": YT360,
}
"""Adapters by the name that a command line gives."""


def open_source(name: str, root: str | Path) -> Source:
    """Open a data set on disk.

    Parameters
    ----------
    name : str
        Name of the adapter, a key of `SOURCES`: ``"yt360"``, ``"starss23"`` or ``"folder"``.
    root : path
        Folder of the data set.

    Returns
    -------
    Source
        Its ``clips()`` gives `Clip` objects in an order that does not change.

    Raises
    ------
    InputError
        No such adapter.
    FileNotFoundError
        No such folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("b.mov", "a.mkv", "a.wav"):
    ...         Path(root, name).touch()
    ...     [(clip.key, clip.audio.name) for clip in open_source("folder", root).clips()]
    [('a', 'a.wav'), ('b', 'b.mov')]
    """
    adapter = SOURCES[_validate.choice(name, tuple(SOURCES), "source")]
    folder = Path(root)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder: give the folder of the data set")
    return adapter(folder)
