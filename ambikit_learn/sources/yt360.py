"""The layout of the YT-360 data set: ``video/{ID}-{T}.mp4``, ``audio/{ID}-{T}.m4a``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambikit import InputError
from ambikit_learn.sources._clip import AUDIO, VIDEO, Clip, by_stem, distinct, existing, key_of
from ambikit_learn.sources._labelled import lines


@dataclass(frozen=True)
class YT360:
    """Clips cut from YouTube videos.

    ``{ID}`` is the video's id and ``{T}`` the second at which the clip was cut; a name may also be
    an id alone. ``ROOT/train.txt`` and ``ROOT/test.txt`` list the ids of each split, one a line;
    without lists all clips are for training, with them a clip in neither is ``"unlisted"``. If
    ``ROOT/segments.txt`` is there (lines ``{ID} {T},{T},…``), every clip that it lists is named,
    whether its files are there or not. Boxes may lie in ``ROOT/boxes/{ID}-{T}.json``. The sound is
    always that of ``ROOT/audio``: the video files carry a stereo mix.

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
        """Give all clips in the order of their names.

        Raises
        ------
        InputError
            There are none, or a line of ``segments.txt`` has another form.
        """
        video, audio = by_stem(self.root / "video", VIDEO), by_stem(self.root / "audio", AUDIO)
        if not video and not audio:
            raise InputError(
                f"{self.root} is not laid out like YT-360: it needs video/ID-T.mp4 and "
                "audio/ID-T.m4a (for videos in another layout take the source 'folder')"
            )
        splits = {
            name: {line.split()[0] for line in text.read_text("utf-8").splitlines() if line.strip()}
            for name in ("train", "test")
            if (text := self.root / f"{name}.txt").is_file()
        }
        return distinct(
            [
                Clip(
                    key=key_of(Path(stem)),
                    video=video.get(stem, self.root / "video" / f"{stem}.mp4"),
                    audio=audio.get(stem, self.root / "audio" / f"{stem}.m4a"),
                    boxes=existing(self.root / "boxes" / f"{stem}.json"),
                    split=_split(stem, splits),
                )
                for stem in video.keys() | audio.keys() | set(self._segments())
            ]
        )

    def _segments(self) -> Iterator[str]:
        """Give the names that the list of segments demands."""
        path = self.root / "segments.txt"
        if not path.is_file():
            return
        for number, words in lines(path):
            starts = words[1].split(",") if len(words) == 2 else [""]
            if not all(start.isdigit() for start in starts):
                raise InputError(f"{path}, line {number}: expected an id and seconds, 'ID 10,20'")
            yield from (f"{words[0]}-{start}" for start in starts)


def _split(stem: str, splits: dict[str, set[str]]) -> str:
    """Split of a clip; an id may itself hold a hyphen and digits, so both readings are tried."""
    if not splits:
        return "train"
    names = {stem, stem.rpartition("-")[0]}
    return next((name for name, ids in splits.items() if names & ids), "unlisted")
