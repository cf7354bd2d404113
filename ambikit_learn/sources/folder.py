"""Any folder of 360° videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambikit import InputError
from ambikit_learn._files import AUDIO, VIDEO, files_below
from ambikit_learn.sources._clip import Clip, distinct, key_of, split_named

_BOXES = ".boxes.json"


@dataclass(frozen=True)
class Folder:
    """Videos anywhere below a folder, linked folders included.

    The sound of a video is the file of the same name beside it (``a.mp4`` and ``a.wav``), or else
    its own track. Boxes may lie beside it as ``a.boxes.json``. Sound without a video of its name is
    a clip without picture. The folder directly below ROOT names the split, in any case: ``train``
    or ``training``; ``val``, ``valid``, ``validation``; ``test``, ``testing``, ``eval``,
    ``evaluation``; ``dev`` or ``development`` is for validation beside a folder for training. All
    other clips are for training. Suffixes may be in any case too.

    Parameters
    ----------
    root : Path
        The folder.
    """

    root: Path

    def clips(self) -> Iterator[Clip]:
        """Yield all clips in the order of their keys.

        Raises
        ------
        InputError
            There is no video, two files have the same key, or one file is in two splits.
        OSError
            A folder below cannot be listed.
        """
        listing = list(files_below(self.root))
        parts = {folder.relative_to(self.root).parts[:1] for folder, _ in listing}
        top = [name for part in parts for name in part]
        clips = [clip for folder, names in listing for clip in self._clips(folder, names, top)]
        if not any(clip.video.exists() for clip in clips):
            raise InputError(f"{self.root} holds no video ({', '.join(VIDEO)}): check the folder")
        _refuse_in_two_splits(clips)
        return distinct(clips)

    def _clips(self, folder: Path, names: list[str], top: list[str]) -> Iterator[Clip]:
        """Yield the clips of one folder by the names of its files."""
        videos = [name for name in names if _suffix(name) in VIDEO]
        sounds = [name for name in names if _suffix(name) in AUDIO and _suffix(name) not in VIDEO]
        sounds.sort(key=lambda name: AUDIO.index(_suffix(name)), reverse=True)
        sound = {Path(name).stem: name for name in sounds}
        boxes = {name[: -len(_BOXES)]: name for name in names if name.lower().endswith(_BOXES)}
        lone = sound.keys() - {Path(name).stem for name in videos}
        for name in [*videos, *(f"{stem}{VIDEO[0]}" for stem in lone)]:
            video, stem = folder / name, Path(name).stem
            relative = video.relative_to(self.root)
            yield Clip(
                key=key_of(relative.with_suffix("")),
                video=video,
                audio=folder / sound.get(stem, name),
                boxes=folder / boxes[stem] if stem in boxes else None,
                split=split_named(relative.parts[0], top) if relative.parts[1:] else "train",
            )


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _refuse_in_two_splits(clips: list[Clip]) -> None:
    """Refuse a video that is in two splits by a link: a model would be tested on training data."""
    seen: dict[tuple[int, int], Clip] = {}
    for clip in clips:
        if not clip.video.exists():
            continue
        status = clip.video.stat()
        other = seen.setdefault((status.st_dev, status.st_ino), clip)
        if other.split != clip.split:
            raise InputError(
                f"{other.video} ({other.split}) and {clip.video} ({clip.split}) are one file: "
                "remove it from one of these splits"
            )
