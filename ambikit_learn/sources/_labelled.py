"""Labelled clips in folds, as adapters of data sets for evaluation yield them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ambikit import InputError


@dataclass(frozen=True)
class LabelledClip:
    """A span of a file with its class.

    Parameters
    ----------
    key : str
        Unique in its data set, without dots and slashes.
    path : Path
        The file, also where the data set lacks it.
    label : str
        Name of the class.
    split : str
        ``"train"`` or ``"test"`` in this fold.
    fold : int
        Number of the division into training and testing, from 1.
    group : str
        Recording session: clips of a group are so similar that a fair division keeps them together.
    start : float
        Beginning of the span in seconds.
    duration : float or None
        Length in seconds; None extends to the end.
    """

    key: str
    path: Path
    label: str
    split: str
    fold: int
    group: str
    start: float = 0.0
    duration: float | None = None


class LabelledSource(Protocol):
    """A labelled data set on disk."""

    @property
    def folds(self) -> int:
        """Number of divisions into training and testing."""
        ...

    def clips(self, fold: int = 1) -> Iterator[LabelledClip]:
        """Yield all clips of a fold, always in the same order."""
        ...


def check_fold(fold: int, folds: int) -> None:
    """Refuse a fold that the data set does not have."""
    if fold not in range(1, folds + 1):
        raise InputError(f"there is no fold {fold!r}: choose one from 1 to {folds}")


def lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the words of each line of a list that is not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such file: fetch the lists that are published with the data set"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file: fetch the list again") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if words := line.split():
            yield number, words
