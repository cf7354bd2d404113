"""The layout of the YT-360 data set: ``video/{ID}-{T}.mp4``, ``audio/{ID}-{T}.m4a``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambikit import InputError
from ambikit_learn.sources._clip import AUDIO, VIDEO, Clip, distinct, existing, key_of


@dataclass(frozen=True)
class YT360:
    """Clips cut from YouTube videos.

    ``{ID}`` is the video's id and ``{T}`` the second at which the clip was cut; a name may also be
    an id alone. ``ROOT/train.txt`` and ``ROOT/test.txt`` list the ids of each split, one a line;
    without lists all clips are for training, with them a clip in neither is ``"unlisted"``. Boxes
    may lie in ``ROOT/boxes/{ID}-{T}.json``. The sound is always that of ``ROOT/audio``: the video
    files carry a stereo mix.

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
            There are none.
        """
        video, audio = _by_stem(self.root / "video", VIDEO), _by_stem(self.root / "audio", AUDIO)
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
                for stem in video.keys() | audio.keys()
            ]
        )


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files by name; of several with one name, that with the preferred suffix."""
    found = [p for p in folder.glob("*") if p.suffix.lower() in suffixes and p.name[0] != "."]
    found.sort(key=lambda p: -suffixes.index(p.suffix.lower()))
    return {p.stem: p for p in found}


def _split(stem: str, splits: dict[str, set[str]]) -> str:
    """Split of a clip; an id may itself hold a hyphen and digits, so both readings are tried."""
    if not splits:
        return "train"
    names = {stem, stem.rpartition("-")[0]}
    return next((name for name, ids in splits.items() if names & ids), "unlisted")
