"""The layouts of ESC-10: environmental sounds of ten classes in five folds."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambikit import InputError
from ambikit_learn.sources._labelled import LabelledClip, check_fold

CLASSES = (
    "dog",
    "rain",
    "sea_waves",
    "crying_baby",
    "clock_tick",
    "sneezing",
    "helicopter",
    "chainsaw",
    "rooster",
    "crackling_fire",
)
"""Names of ESC-50; the folders of the release of ESC-10 begin with their numbers, from 001."""
CLIPS = 40
"""Clips of each class."""
_NAME = re.compile(r"(?P<fold>[1-5])-(?P<source>\d+)-[A-Z]")
_FOLDER = re.compile(r"(\d{3}) - .+")


@dataclass(frozen=True)
class ESC10:
    """Mono recordings of 5 s, of 10 classes, in 5 folds.

    ``ROOT/001 - Dog bark/1-100032-A.ogg`` is the release of ESC-10: a folder for each class, and
    names of fold, source and take. ``ROOT/meta/esc50.csv`` and ``ROOT/audio`` are ESC-50, of which
    ESC-10 is a part. The groups are sources (of Freesound), each of which lies in one fold.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] K. J. Piczak, "ESC: Dataset for environmental sound classification", ACM Multimedia 2015.
    """

    root: Path
    folds = 5

    def clips(self, fold: int = 1) -> Iterator[LabelledClip]:
        """Yield all clips in the order of their names; a fold tests on the clips of its number.

        Raises
        ------
        FileNotFoundError
            The folder has neither layout.
        InputError
            The fold does not exist, or a name or a line of the list has another form.
        """
        check_fold(fold, self.folds)
        for path, label, number, source in self._rows():
            yield LabelledClip(
                key=path.stem,
                path=path,
                label=label,
                split="test" if number == fold else "train",
                fold=fold,
                group=source,
            )

    def _rows(self) -> Iterator[tuple[Path, str, int, str]]:
        """Yield path, class, fold and source of each clip."""
        meta = self.root / "meta" / "esc50.csv"
        if meta.is_file():
            yield from _listed(meta)
            return
        folders = sorted(p for p in self.root.iterdir() if p.is_dir() and _FOLDER.fullmatch(p.name))
        if not folders:
            raise FileNotFoundError(
                f"{self.root} holds neither folders such as '001 - Dog bark' nor {meta.name} in "
                f"{meta.parent.name}: give the folder of ESC-10 or of ESC-50"
            )
        for folder in folders:
            number = int(folder.name[:3])
            if not 1 <= number <= len(CLASSES):
                raise InputError(f"{folder}: ESC-10 has classes from 001 to {len(CLASSES):03d}")
            for path in sorted(folder.glob("[!.]*.*")):
                found = _NAME.fullmatch(path.stem)
                if found is None:
                    raise InputError(f"{path}: the name is no FOLD-SOURCE-TAKE, as 1-100032-A.ogg")
                yield path, CLASSES[number - 1], int(found["fold"]), found["source"]


def _listed(meta: Path) -> Iterator[tuple[Path, str, int, str]]:
    """Yield the clips of ESC-10 in the list of ESC-50."""
    with meta.open(encoding="utf-8-sig", newline="") as stream:
        for line, row in enumerate(csv.DictReader(stream), start=2):
            try:
                if row["esc10"] != "True":
                    continue
                fold, path = int(row["fold"]), meta.parents[1] / "audio" / row["filename"]
                label, source = row["category"], row["src_file"]
            except (KeyError, ValueError, TypeError) as error:
                raise InputError(
                    f"{meta}, line {line}: filename, fold, category, esc10 and src_file are needed "
                    f"({error})"
                ) from None
            if fold not in range(1, ESC10.folds + 1) or label not in CLASSES:
                raise InputError(
                    f"{meta}, line {line}: fold {fold} or class {label!r} is not of ESC-10"
                )
            yield path, label, fold, source
