"""Adapters of data sets on disk: one file each, all with the same kind of clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ambikit import checks
from ambikit_learn.sources._clip import Clip, Source, distinct, segments
from ambikit_learn.sources._labelled import LabelledClip, LabelledSource
from ambikit_learn.sources.eigenscape import EigenScape
from ambikit_learn.sources.esc10 import ESC10
from ambikit_learn.sources.folder import Folder
from ambikit_learn.sources.hmdb51 import HMDB51
from ambikit_learn.sources.sphere360 import Sphere360
from ambikit_learn.sources.starss23 import STARSS23
from ambikit_learn.sources.tau2019 import TAU2019
from ambikit_learn.sources.ucf101 import UCF101
from ambikit_learn.sources.yt360 import YT360

__all__ = [
    "ESC10",
    "HMDB51",
    "LABELLED",
    "SOURCES",
    "STARSS23",
    "TAU2019",
    "UCF101",
    "YT360",
    "Clip",
    "EigenScape",
    "Folder",
    "LabelledClip",
    "LabelledSource",
    "Source",
    "Sphere360",
    "distinct",
    "open_labelled",
    "open_source",
    "segments",
]

SOURCES: dict[str, Callable[[Path], Source]] = {
    "folder": Folder,
    "sphere360": Sphere360,
    "starss23": STARSS23,
    "yt360": YT360,
}
"""Adapters of 360° video with sound, by the name that a command line gives."""

LABELLED: dict[str, Callable[[Path], LabelledSource]] = {
    "eigenscape": EigenScape,
    "esc10": ESC10,
    "hmdb51": HMDB51,
    "tau2019": TAU2019,
    "ucf101": UCF101,
}
"""Adapters of labelled video or sound for evaluation."""


def open_source(name: str, root: str | Path) -> Source:
    """Open a data set on disk.

    Parameters
    ----------
    name : str
        Name of the adapter, a key of `SOURCES`.
    root : path
        Folder of the data set.

    Returns
    -------
    Source
        Its ``clips()`` yields `Clip` objects in a fixed order.

    Raises
    ------
    InputError
        The adapter is unknown.
    FileNotFoundError
        The folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ambikit_learn import open_source
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("b.mov", "a.mkv", "a.wav"):
    ...         Path(root, name).touch()
    ...     [(clip.key, clip.audio.name) for clip in open_source("folder", root).clips()]
    [('a', 'a.wav'), ('b', 'b.mov')]
    """
    return SOURCES[checks.choice(name, tuple(SOURCES), "source")](_folder(root))


def open_labelled(name: str, root: str | Path) -> LabelledSource:
    """Open a labelled data set on disk.

    Parameters
    ----------
    name : str
        Name of the adapter, a key of `LABELLED`.
    root : path
        Folder of the data set.

    Returns
    -------
    LabelledSource
        Its ``clips(fold)`` yields `LabelledClip` objects in a fixed order, for folds from 1 to
        ``folds``.

    Raises
    ------
    InputError
        The adapter is unknown.
    FileNotFoundError
        The folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     Path(root, "Beach.1.wav").touch()
    ...     source = open_labelled("eigenscape", root)
    ...     clips = list(source.clips(fold=2))
    >>> source.folds, len(clips), clips[0].key, clips[-1].start
    (4, 160, 'Beach_1_01', 570.0)
    """
    return LABELLED[checks.choice(name, tuple(LABELLED), "labelled data set")](_folder(root))


def _folder(root: str | Path) -> Path:
    """Refuse a folder that is not there."""
    folder = Path(root)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder: give the folder of the data set")
    return folder
