"""Clips of picture and sound, as adapters of data sets yield them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Protocol

from ambikit import InputError
from ambikit_learn._files import as_text
from ambikit_learn.sources._labelled import lines

SPLITS = ("train", "validation", "test")
"""What clips are for: training, choosing among models while they train, and reporting."""
_SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_DEVELOPMENT = ("dev", "development")


@dataclass(frozen=True)
class Clip:
    """A span of 360° video with its Ambisonic sound.

    Parameters
    ----------
    key : str
        Unique in its data set, without dots and slashes.
    video, audio : Path
        Files; the same file twice where the video carries the sound. A file that the data set lacks
        is named too, so that its absence is reported when it is read.
    start : float
        Beginning of the span in both files, in seconds.
    duration : float or None
        Length in seconds; None extends to the end.
    boxes : Path or None
        File of known boxes (`ambikit_learn.detection.read_boxes`), or of annotated directions
        (``.csv``, `ambikit_learn.detection.annotated`), if there is one.
    split : str
        ``"train"``, ``"validation"``, ``"test"``, or ``"unlisted"`` for a clip that the data set's
        lists leave out.
    """

    key: str
    video: Path
    audio: Path
    start: float = 0.0
    duration: float | None = None
    boxes: Path | None = None
    split: str = "train"


class Source(Protocol):
    """A data set on disk."""

    def clips(self) -> Iterator[Clip]:
        """Yield all clips, always in the same order."""
        ...


def key_of(relative: PurePath) -> str:
    """Return the key of a clip's path (without suffix); shards split names at dots and slashes."""
    return "__".join(relative.parts).replace(".", "_")


def split_named(folder: str, beside: Iterable[str] = ()) -> str:
    """Split that the name of a folder says, ``"train"`` if it says none.

    Parameters
    ----------
    folder : str
        Name.
    beside : iterable of str
        Names of the folders beside it: ``dev`` is for validation where one of them is for training,
        and for training where none is, as in DCASE.

    Examples
    --------
    >>> [split_named(name) for name in ("Test", "val", "holidays")]
    ['test', 'validation', 'train']
    >>> split_named("dev", ["train", "test"]), split_named("dev", ["eval"])
    ('validation', 'train')
    """
    if folder.lower() in _DEVELOPMENT:
        others = {name.lower() for name in beside}
        return "train" if others.isdisjoint(_SPLIT_NAMES["train"]) else "validation"
    named = (split for split, names in _SPLIT_NAMES.items() if folder.lower() in names)
    return next(named, "train")


def split_lists(folder: Path) -> dict[str, list[Path]]:
    """Find the lists of splits in a folder (``train.txt``, ``val.txt``, ``test.txt``).

    Their names may be those that `split_named` knows, in any case.
    """
    known = {*_DEVELOPMENT, *(name for names in _SPLIT_NAMES.values() for name in names)}
    paths = [
        path
        for path in sorted(folder.glob("*"))
        if path.suffix.lower() == ".txt" and path.stem.lower() in known and path.is_file()
    ]
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(split_named(path.stem, [p.stem for p in paths]), []).append(path)
    return {split: found[split] for split in SPLITS if split in found}


def read_split_lists(lists: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Return the split of each name, the first word of a line.

    Raises
    ------
    FileNotFoundError
        A list is missing.
    InputError
        A name is in the lists of two splits: a model would be tested on training data.
    """
    found: dict[str, tuple[str, Path]] = {}
    for split, paths in lists.items():
        for path in paths:
            for number, words in lines(path):
                before, other = found.setdefault(words[0], (split, path))
                if before != split:
                    raise InputError(
                        f"{path}, line {number}: {words[0]!r} is in {other.name} as well: remove "
                        "it from one of them"
                    )
    return {name: split for name, (split, _) in found.items()}


def distinct(clips: list[Clip]) -> Iterator[Clip]:
    """Yield the clips in the order of their keys, which must differ when written as text."""
    seen: dict[str, Clip] = {}
    for clip in sorted(clips, key=lambda clip: (clip.key, str(clip.video))):
        key = as_text(clip.key)
        if key in seen:
            raise InputError(
                f"{clip.video} and {seen[key].video} would both be clip {key!r}: rename or remove "
                "one"
            )
        seen[key] = clip
        yield clip


def segments(clip: Clip, seconds: float, segment: float) -> list[Clip]:
    """Cut a clip of known length; the last segment includes the remainder.

    Parameters
    ----------
    clip : Clip
    seconds : float
        Length of the clip in seconds.
    segment : float
        Length of a segment in seconds; a clip shorter than two segments is not cut.

    Returns
    -------
    list of Clip
        Their keys end in the second at which they begin, unless there is only one.
    """
    count = int(seconds / segment)
    if count < 2:
        return [clip]
    starts = [i * segment for i in range(count)]
    lengths = [segment] * (count - 1) + [seconds - starts[-1]]
    return [
        replace(
            clip,
            key=f"{clip.key}-{round(start):03d}",
            start=clip.start + start,
            duration=length,
        )
        for start, length in zip(starts, lengths, strict=True)
    ]


def existing(path: Path) -> Path | None:
    """Return `path` if there is such a file."""
    return path if path.is_file() else None


def by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Return files by name; of several with one name, the one with the preferred suffix."""
    found = [p for p in folder.glob("*") if p.suffix.lower() in suffixes and p.name[0] != "."]
    found.sort(key=lambda p: (-suffixes.index(p.suffix.lower()), p.name))
    return {p.stem: p for p in found}
