"""Tracks of objects through a clip: boxes at steps of time, interpolated in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Indices
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import between

_NUMBERS = ("azimuth", "elevation", "width", "height", "score")


@dataclass(frozen=True, eq=False)
class Track:
    """An object at the steps at which it was detected.

    Parameters
    ----------
    steps : (n,) int array
        Numbers of the steps, in ascending order.
    boxes : Boxes
        Boxes at these steps, all with the same label.

    Examples
    --------
    >>> car = Track([0, 1], Boxes([170, -170], [0, 0], [20, 22], [9, 9], [0.9, 0.8], ["car"] * 2))
    >>> car.at([0.5, 9.0]).azimuth.round(3).tolist()
    [180.0, -150.0]
    """

    steps: Indices
    boxes: Boxes

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", np.asarray(self.steps, dtype=np.intp))

    def at(self, steps: npt.ArrayLike) -> Boxes:
        """Return its boxes at any steps (T,), whole or fractional.

        Between two detections the object moves along the great circle. Its motion is extrapolated
        by at most one step before the first and after the last detection.
        """
        first, last = self.steps[[0, -1]]
        wanted = np.clip(np.atleast_1d(steps), first - 1, last + 1)
        after = np.searchsorted(self.steps[1:-1], wanted) + min(1, len(self.steps) - 1)
        before = np.maximum(after - 1, 0)
        interval = np.maximum(self.steps[after] - self.steps[before], 1)
        azimuth, elevation = between(
            self.boxes.azimuth[before],
            self.boxes.elevation[before],
            self.boxes.azimuth[after],
            self.boxes.elevation[after],
            (wanted - self.steps[before]) / interval,
        )
        width, height, score = (
            np.interp(wanted, self.steps, values)
            for values in (self.boxes.width, self.boxes.height, self.boxes.score)
        )
        return Boxes(azimuth, elevation, width, height, score, self.boxes.label[:1] * len(wanted))

    def to_record(self) -> dict[str, Any]:
        """Return lists of plain numbers (as for JSON), angles to a thousandth of a degree."""
        numbers = {name: getattr(self.boxes, name).round(3).tolist() for name in _NUMBERS}
        # The format says moments.
        return {"label": self.boxes.label[0], "moments": self.steps.tolist(), **numbers}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the track that `to_record` wrote."""
        steps = record["moments"]
        azimuth, elevation, width, height, score = (np.asarray(record[name]) for name in _NUMBERS)
        labels = (str(record["label"]),) * len(steps)
        return cls(steps, Boxes(azimuth, elevation, width, height, score, labels))


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects detected in a clip.

    Parameters
    ----------
    rate : float
        Steps of detection per second; the first is at the beginning of the clip.
    count : int
        Number of steps.
    tracks : tuple of Track
        Tracks of the objects.
    """

    rate: float
    count: int
    tracks: tuple[Track, ...]

    def present(self, time: float) -> list[Track]:
        """Return the objects detected at the step nearest to a time, or both before and after."""
        nearest = min(round(time * self.rate), self.count - 1)
        return [t for t in self.tracks if t.steps[0] <= nearest <= t.steps[-1]]

    def boxes(self, time: float) -> Boxes:
        """Return the boxes of the objects that are present, at a time in seconds."""
        return Boxes.concatenate([t.at(time * self.rate) for t in self.present(time)])
