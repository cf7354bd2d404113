"""The layout of the YT-360 data set: clips ``{ID}-{T}``, or whole videos ``{ID}`` to be cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambikit import InputError
from ambikit_learn._files import AUDIO, VIDEO
from ambikit_learn.sources._clip import (
    Clip,
    by_stem,
    distinct,
    existing,
    key_of,
    read_split_lists,
    split_lists,
)
from ambikit_learn.sources._labelled import lines

SEGMENT = 10.0
"""Seconds of a clip."""


@dataclass(frozen=True)
class YT360:
    """Clips cut from YouTube videos.

    ``{ID}`` is the video's id and ``{T}`` the second at which a clip of 10 s begins. The files are
    either the clips, ``video/{ID}-{T}.mp4`` and ``audio/{ID}-{T}.m4a``, or the whole videos,
    ``video/{ID}.mp4`` and ``audio/{ID}.m4a``, from which the clips in ``ROOT/segments.txt`` are cut
    (lines ``{ID} {T},{T},…``). Every clip of that list is named, whether its files exist or not.
    ``ROOT/train.txt``, ``ROOT/test.txt`` and ``ROOT/val.txt``, which is not part of the published
    data set, list the ids of each split, one per line. Without lists all clips are for training;
    with them, a clip in none is ``"unlisted"``. Boxes may lie in ``ROOT/boxes`` by the name of the
    video. The sound is always read from ``ROOT/audio``: the video files carry a stereo mix.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] P. Morgado, Y. Li, N. Vasconcelos, "Learning Representations from Audio-Visual Spatial
       Alignment", NeurIPS 2020.
    """

    root: Path

    def clips(self) -> Iterator[Clip]:
        """Yield all clips in the order of their names.

        Raises
        ------
        InputError
            There are no clips, a line of ``segments.txt`` has another form, or an id is in two
            splits.
        """
        video, audio = by_stem(self.root / "video", VIDEO), by_stem(self.root / "audio", AUDIO)
        if not video and not audio:
            raise InputError(
                f"{self.root} is not laid out like YT-360: it needs video/ID-T.mp4 and "
                "audio/ID-T.m4a (for videos in another layout take the source 'folder')"
            )
        splits = read_split_lists(split_lists(self.root))
        files = video.keys() | audio.keys()
        spans: dict[str, tuple[str, float | None]] = {name: (name, None) for name in files}
        for name, (stem, second) in self._segments().items():
            if name not in files:
                spans[name] = (stem, second) if stem in files else (name, None)
        for stem in {stem for stem, second in spans.values() if second is not None}:
            del spans[stem]
        return distinct(
            [
                Clip(
                    key=key_of(Path(name)),
                    video=video.get(stem, self.root / "video" / f"{stem}.mp4"),
                    audio=audio.get(stem, self.root / "audio" / f"{stem}.m4a"),
                    start=second or 0.0,
                    duration=None if second is None else SEGMENT,
                    boxes=existing(self.root / "boxes" / f"{stem}.json"),
                    split=_split(name, splits),
                )
                for name, (stem, second) in spans.items()
            ]
        )

    def _segments(self) -> dict[str, tuple[str, float]]:
        """Return id and second of each clip that the list of segments names."""
        path = self.root / "segments.txt"
        found: dict[str, tuple[str, float]] = {}
        for number, words in lines(path) if path.is_file() else ():
            starts = words[1].split(",") if len(words) == 2 else [""]
            if not all(start.isdecimal() for start in starts):
                raise InputError(f"{path}, line {number}: expected an id and seconds, 'ID 10,20'")
            found |= {f"{words[0]}-{start}": (words[0], float(start)) for start in starts}
        return found


def _split(stem: str, splits: dict[str, str]) -> str:
    """Return the split of a clip; ids may contain hyphens and digits: both readings are tried."""
    if not splits:
        return "train"
    return splits.get(stem) or splits.get(stem.rpartition("-")[0]) or "unlisted"
