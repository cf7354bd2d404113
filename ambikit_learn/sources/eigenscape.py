"""The layout of EigenScape: Ambisonic recordings of acoustic scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ambikit import InputError
from ambikit_learn.sources._labelled import LabelledClip, check_fold

CLASSES = (
    "Beach",
    "BusyStreet",
    "Park",
    "PedestrianZone",
    "QuietStreet",
    "ShoppingCentre",
    "TrainStation",
    "Woodland",
)
RECORDINGS = 8
"""Recordings of each class."""


@dataclass(frozen=True)
class EigenScape:
    """Segments of 64 recordings of 8 acoustic scenes, each of 10 minutes.

    ``ROOT/{CLASS}.{1..8}.wav`` hold 25 channels, fourth order in AmbiX; the first four are the
    first order. Take ``Park.zip`` from the record of the correction (Zenodo 2628463): in the first
    release Park.6 and Park.8 are mixed up.

    The data set has no published division. Here the recordings of each class are shuffled once and
    distributed over the folds, so that no fold trains on a segment of a recording on which it
    tests: each of 4 folds tests on 2 recordings per class, each of 8 folds on 1.

    Parameters
    ----------
    root : Path
        Folder of the data set, with some or all of the classes.
    folds : {4, 8}
        Number of divisions.
    seed : int
        Random seed of the shuffle.
    segment : float
        Length of a segment in seconds.
    length : float
        Length of a recording in seconds.

    References
    ----------
    .. [1] M. C. Green, D. Murphy, "EigenScape: A database of spatial acoustic scene recordings",
       Applied Sciences 7(11), 2017.
    """

    root: Path
    folds: int = 4
    seed: int = 0
    segment: float = 30.0
    length: float = 600.0

    def __post_init__(self) -> None:
        if self.folds not in (4, 8):
            raise InputError(f"EigenScape is divided into 4 or 8 folds, got {self.folds!r}")

    def clips(self, fold: int = 1) -> Iterator[LabelledClip]:
        """Yield the segments of a fold, recording by recording.

        All recordings of a class that is present are named, whether they exist or not.

        Raises
        ------
        FileNotFoundError
            The folder holds no recording.
        InputError
            The fold does not exist.
        """
        check_fold(fold, self.folds)
        present = [c for c in CLASSES if any(self._path(c, n).is_file() for n in range(1, 9))]
        if not present:
            raise FileNotFoundError(
                f"{self.root} holds no recording of EigenScape, such as Beach.1.wav: unpack its "
                "zips into this folder"
            )
        for label in present:
            tested = self._tested(label, fold)
            for number in range(1, RECORDINGS + 1):
                for i in range(int(self.length / self.segment)):
                    yield LabelledClip(
                        key=f"{label}_{number}_{i + 1:02d}",
                        path=self._path(label, number),
                        label=label,
                        split="test" if number in tested else "train",
                        fold=fold,
                        group=f"{label}.{number}",
                        start=i * self.segment,
                        duration=self.segment,
                    )

    def _path(self, label: str, number: int) -> Path:
        """Return the path of a recording."""
        return self.root / f"{label}.{number}.wav"

    def _tested(self, label: str, fold: int) -> set[int]:
        """Return the recordings of a class on which a fold tests."""
        rng = np.random.default_rng([self.seed, CLASSES.index(label)])
        dealt = rng.permutation(RECORDINGS).reshape(self.folds, -1) + 1
        return set(dealt[fold - 1].tolist())
