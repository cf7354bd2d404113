"""Any folder of 360° videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambikit import InputError
from ambikit_learn.sources._clip import AUDIO, VIDEO, Clip, distinct, existing, key_of


@dataclass(frozen=True)
class Folder:
    """Videos anywhere below a folder.

    The sound of a video is the file of the same name beside it (``a.mp4`` and ``a.wav``), or else
    its own track. Boxes may lie beside it as ``a.boxes.json``. What is below ``ROOT/train`` and
    ``ROOT/test`` belongs to that split, all else to ``"train"``.

    Parameters
    ----------
    root : Path
        The folder.
    """

    root: Path

    def clips(self) -> Iterator[Clip]:
        """Give all clips in the order of their keys.

        Raises
        ------
        InputError
            There is no video, or two files make the same key.
        """
        relative = (p.relative_to(self.root) for p in self.root.rglob("*"))
        videos = [
            p
            for p in relative
            if p.suffix.lower() in VIDEO and not any(part.startswith(".") for part in p.parts)
        ]
        if not videos:
            raise InputError(f"{self.root} holds no video ({', '.join(VIDEO)}): check the folder")
        return distinct([self._clip(self.root / p) for p in videos])

    def _clip(self, video: Path) -> Clip:
        """Find what belongs to a video."""
        beside = (video.with_suffix(s) for s in AUDIO if s not in VIDEO)
        relative = video.relative_to(self.root)
        return Clip(
            key=key_of(relative.with_suffix("")),
            video=video,
            audio=next((p for p in beside if p.is_file()), video),
            boxes=existing(video.with_suffix(".boxes.json")),
            split="test" if relative.parts[0] == "test" else "train",
        )
