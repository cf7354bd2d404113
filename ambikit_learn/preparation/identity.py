"""Identity of a clip: the span, and the names, sizes, times and contents of its files.

Names, sizes and times cost nothing to compare and are compared first. Contents, by their hashes,
decide whether a file that was renamed, copied or touched is one that was prepared before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from ambikit_learn._files import as_text, fingerprint
from ambikit_learn.sources import Clip

Contents = tuple[str | None, ...]
"""Hash of each file of a clip: video, sound and boxes; None for one that is not there."""


@dataclass(frozen=True)
class Identity:
    """What the result of a clip depends on, beside the settings.

    Parameters
    ----------
    clip : Clip
    place : tuple
        Split, key, and paths of video and sound below the folder of the source, as rows of the
        manifest hold them.
    span : tuple
        Beginning and length in seconds.
    sizes, times : tuple
        Size in bytes and time of modification in ns of video, sound and boxes; None for a file that
        is not there.
    """

    clip: Clip
    place: tuple[str, str, str, str]
    span: tuple[float, float | None]
    sizes: tuple[int | None, ...]
    times: tuple[int | None, ...]

    @classmethod
    def of(cls, clip: Clip, source: Path) -> Identity:
        """Return the identity of a clip of a source."""
        paths = (as_text(relative(path, source)) for path in (clip.video, clip.audio))
        return cls(
            clip,
            (clip.split, as_text(clip.key), *paths),  # type: ignore[arg-type]
            (clip.start, clip.duration),
            *_sizes_and_times(clip),
        )

    def contents(self) -> Contents:
        """Return the hashes of the files, empty if one cannot be read or has changed meanwhile."""
        found = contents_of(self.clip)
        return found if _sizes_and_times(self.clip) == (self.sizes, self.times) else ()

    def columns(self, contents: Contents) -> dict[str, Any]:
        """Return what a row of a journal holds beside those of the manifest."""
        return {
            "span": self.span,
            "sizes": self.sizes,
            "times": self.times,
            "contents": contents,
        }

    def is_of(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row is of this clip, at its place and with its files."""
        same = place_of(row) == self.place and self._may_equal(row)
        return same and (tuple(row["times"]) == self.times or self._equals(row))

    def has_content_of(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row is of the same content, wherever it lies.

        Suffixes count: what a file does not state is assumed by its suffix (.amb, .360).
        """
        suffixes = [_suffixes(place[2:]) for place in (self.place, place_of(row))]
        return suffixes[0] == suffixes[1] and self._may_equal(row) and self._equals(row)

    @property
    def outline(self) -> tuple[Any, ...]:
        """Span and sizes: clips that differ in them differ in content."""
        return self.span, self.sizes

    def _may_equal(self, row: Mapping[str, Any]) -> bool:
        return outline_of(row) == self.outline

    def _equals(self, row: Mapping[str, Any]) -> bool:
        contents = tuple(row["contents"])
        return bool(contents) and contents == contents_of(self.clip)


def place_of(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return split, key and paths of the clip of a row."""
    return row["split"], row["key"], row["video"], row["audio"]


def outline_of(row: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return span and sizes of the clip of a row; None if an earlier version wrote it."""
    if "contents" not in row:
        return None
    return tuple(row["span"]), tuple(row["sizes"])


def contents_of(clip: Clip) -> Contents:
    """Return the hashes of the files of a clip, empty if one cannot be read."""
    try:
        return tuple(map(_content, _files(clip)))
    except OSError:
        return ()


def relative(path: Path, folder: Path) -> str:
    """Return the path below the source's folder: the manifest does not depend on its place."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _suffixes(paths: Iterable[str]) -> list[str]:
    return [PurePosixPath(path).suffix.lower() for path in paths]


def _files(clip: Clip) -> tuple[Path | None, ...]:
    return clip.video, clip.audio, clip.boxes


def _status(path: Path | None) -> os.stat_result | None:
    return path.stat() if path is not None and path.exists() else None


def _sizes_and_times(clip: Clip) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    found = [_status(path) for path in _files(clip)]
    return (
        tuple(None if status is None else status.st_size for status in found),
        tuple(None if status is None else status.st_mtime_ns for status in found),
    )


def _content(path: Path | None) -> str | None:
    status = _status(path)
    return None if path is None or status is None else _hash(path, status.st_size, status.st_mtime)


@lru_cache(1024)
def _hash(path: Path, size: int, time: float) -> str:
    """Return the hash of a file, read once for all segments that are cut out of it."""
    return fingerprint(path)
