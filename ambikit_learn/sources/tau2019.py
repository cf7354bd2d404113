"""The layout of TAU Urban Acoustic Scenes 2019: binaural recordings of acoustic scenes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ambikit import InputError
from ambikit_learn.sources._labelled import LabelledClip, check_fold

CLASSES = (
    "airport",
    "bus",
    "metro",
    "metro_station",
    "park",
    "public_square",
    "shopping_mall",
    "street_pedestrian",
    "street_traffic",
    "tram",
)
_LISTS = {"train": "fold1_train.csv", "test": "fold1_evaluate.csv"}


@dataclass(frozen=True)
class TAU2019:
    """Binaural segments of 10 s of 10 acoustic scenes in European cities.

    ``ROOT/audio/{SCENE}-{CITY}-{LOCATION}-{SEGMENT}-a.wav`` have two channels, left and right, and
    no Ambisonics: `ambikit.read` refuses them. ``ROOT/evaluation_setup/fold1_train.csv`` and
    ``fold1_evaluate.csv`` are the published division; the groups are locations. The data set is
    for non-commercial use only.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    References
    ----------
    .. [1] A. Mesaros, T. Heittola, T. Virtanen, "A multi-device dataset for urban acoustic scene
       classification", DCASE Workshop 2018; data of 2019 at Zenodo 2589280.
    """

    root: Path
    folds = 1

    def clips(self, fold: int = 1) -> Iterator[LabelledClip]:
        """Yield the clips in the order of the lists, those for training first.

        Raises
        ------
        FileNotFoundError
            A list is missing.
        InputError
            The fold does not exist, or a list has another form.
        """
        check_fold(fold, self.folds)
        for split, name in _LISTS.items():
            path = self.root / "evaluation_setup" / name
            for number, row in _rows(path):
                parts = PurePosixPath(row["filename"]).stem.split("-")
                if len(parts) != 5 or parts[0] != row["scene_label"]:
                    raise InputError(
                        f"{path}, line {number}: {row['filename']!r} is no "
                        f"audio/{row['scene_label']}-CITY-LOCATION-SEGMENT-a.wav"
                    )
                scene, city, location, *_ = parts
                yield LabelledClip(
                    key="-".join(parts),
                    path=self.root / row["filename"],
                    label=scene,
                    split=split,
                    fold=fold,
                    group=f"{city}-{location}",
                )


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the columns of each line of a list."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t")
            if not {"filename", "scene_label"} <= set(reader.fieldnames or ()):
                raise InputError(
                    f"{path} has no columns 'filename' and 'scene_label', tab-separated"
                )
            for row in reader:
                yield reader.line_num, {key: value or "" for key, value in row.items() if key}
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such file: fetch the lists that are published with the data set"
        ) from None
