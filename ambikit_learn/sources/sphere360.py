"""The layout of Sphere360: clips of YouTube videos by id and second, split by lists."""

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


@dataclass(frozen=True)
class Sphere360:
    """Clips of 10 s with first-order sound.

    ``ROOT/dataset/split/train.txt`` and ``test.txt`` list the clips, one ``{ID}_{SECOND}`` per
    line; ids may contain underscores. A ``val.txt`` beside them is read as well. The media lie in
    ``ROOT/media/{ID}_{SECOND}.webm`` or another container, with their own sound, or with sound of
    the same name beside them (``.flac``). Every listed clip is named, whether its media exist or
    not; media that are not listed are ``"unlisted"``. Boxes may lie in ``ROOT/boxes``.
    (``dataset/channels.csv`` lists channels of YouTube, not clips.)

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] H. Liu et al., "OmniAudio: Generating spatial audio from 360-degree video", ICML 2025.
    """

    root: Path

    def clips(self) -> Iterator[Clip]:
        """Yield all clips in the order of their names.

        Raises
        ------
        FileNotFoundError
            A list is missing.
        InputError
            A line does not name a clip, or a clip is in two splits.
        """
        splits = self._listed()
        media = self.root / "media"
        video = by_stem(media, VIDEO)
        audio = by_stem(media, tuple(suffix for suffix in AUDIO if suffix not in VIDEO))
        return distinct(
            [
                self._clip(stem, splits, video, audio)
                for stem in video.keys() | audio.keys() | splits.keys()
            ]
        )

    def _clip(
        self, stem: str, splits: dict[str, str], video: dict[str, Path], audio: dict[str, Path]
    ) -> Clip:
        """Return the clip of a name."""
        picture = video.get(stem, self.root / "media" / f"{stem}.webm")
        return Clip(
            key=key_of(Path(stem)),
            video=picture,
            audio=audio.get(stem, picture),
            boxes=existing(self.root / "boxes" / f"{stem}.json"),
            split=splits.get(stem, "unlisted"),
        )

    def _listed(self) -> dict[str, str]:
        """Return the split of each listed name."""
        folder = self.root / "dataset" / "split"
        published = {split: [folder / f"{split}.txt"] for split in ("train", "test")}
        found = published | split_lists(folder)
        for path in (path for paths in found.values() for path in paths):
            for number, words in lines(path):
                name, _, second = words[0].rpartition("_")
                if not name or not second.isdigit() or len(words) > 1:
                    text = " ".join(words)
                    raise InputError(f"{path}, line {number}: {text!r} is not ID_SECOND")
        return read_split_lists(found)
