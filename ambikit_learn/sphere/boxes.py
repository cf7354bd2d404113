"""Boxes on the sphere: their records, outlines and overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Floats
from ambikit_learn.sphere.equirect import local_axes


@dataclass(frozen=True, eq=False)
class Boxes:
    """Rectangles on the sphere.

    Parameters
    ----------
    azimuth, elevation : (N,) array_like
        Centres in degrees.
    width, height : (N,) array_like
        Angles in degrees between the left and right edge, and between the lower and upper edge,
        seen from the centre of the sphere by a viewer who faces the box. So the width of a box
        near a pole is not its span of azimuths.
    score : (N,) array_like
        Confidence, 0 to 1.
    label : sequence of str
        Names of the N classes.

    Raises
    ------
    InputError
        The fields differ in length.

    Examples
    --------
    >>> boxes = Boxes([90.0, -45.0], [0.0, 30.0], [20.0, 10.0], [30.0, 10.0], [0.9, 0.4], "ab")
    >>> len(boxes), boxes.take(boxes.score > 0.5).label
    (2, ('a',))
    """

    azimuth: Floats
    elevation: Floats
    width: Floats
    height: Floats
    score: Floats
    label: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            values = np.array(getattr(self, name), dtype=np.float64).reshape(-1)
            object.__setattr__(self, name, values)
        object.__setattr__(self, "label", tuple(self.label))
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) != 1:
            raise InputError(f"boxes need fields of one length, got {lengths}")

    def __len__(self) -> int:
        return len(self.azimuth)

    def take(self, index: npt.ArrayLike) -> Boxes:
        """Return the boxes that an array of indices, or a boolean mask, selects."""
        picked = np.asarray(index)
        if picked.dtype == np.bool_:
            picked = np.flatnonzero(picked)
        picked = picked.astype(np.intp)
        numbers = (getattr(self, name)[picked] for name in _NUMBERS)
        return Boxes._of(numbers, [self.label[i] for i in picked])

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict per box, with plain numbers and strings (as for JSON)."""
        columns = [getattr(self, name).tolist() for name in _NUMBERS]
        names = (*_NUMBERS, "label")
        return [
            dict(zip(names, row, strict=True)) for row in zip(*columns, self.label, strict=True)
        ]

    @classmethod
    def from_records(cls, records: Sequence[Mapping[str, Any]]) -> Self:
        """Return the boxes that `to_records` wrote."""
        try:
            numbers = [[record[name] for record in records] for name in _NUMBERS]
            labels = [str(record["label"]) for record in records]
        except KeyError as missing:
            raise InputError(f"a record of a box lacks the field {missing}") from None
        return cls._of(numbers, labels)

    @classmethod
    def empty(cls) -> Self:
        """Return a `Boxes` without boxes."""
        return cls.from_records([])

    @classmethod
    def concatenate(cls, parts: Sequence[Boxes]) -> Self:
        """Return the boxes of all parts, in order."""
        numbers = (
            np.concatenate([np.empty(0), *(getattr(p, name) for p in parts)]) for name in _NUMBERS
        )
        return cls._of(numbers, [name for p in parts for name in p.label])

    @classmethod
    def _of(cls, numbers: Iterable[npt.ArrayLike], label: Sequence[str]) -> Self:
        azimuth, elevation, width, height, score = map(np.asarray, numbers)
        return cls(azimuth, elevation, width, height, score, tuple(label))


_NUMBERS = ("azimuth", "elevation", "width", "height", "score")


_LIMITS = {
    "azimuth": (-360.0, 360.0),
    "elevation": (-90.0, 90.0),
    "width": (0.0, 360.0),
    "height": (0.0, 180.0),
    "score": (0.0, 1.0),
}
_SLACK = 1e-6  # of float32, which detectors compute in, at 360


def flaw_of(boxes: Boxes) -> str | None:
    """Say what makes boxes impossible: an angle that does not exist, a number that is none.

    Parameters
    ----------
    boxes : Boxes
        From a file or somebody's detector.

    Returns
    -------
    str or None
        The first flaw; None if there is none.

    Examples
    --------
    >>> flaw_of(Boxes([1000], [0], [10], [10], [0.5], "a"))
    'an azimuth of 1000 (possible: -360 to 360)'
    """
    for name, (low, high) in _LIMITS.items():
        values, slack = getattr(boxes, name), _SLACK * high
        # Comparisons with NaN are false
        right = (values >= low - slack) & (values <= high + slack)
        if name in ("width", "height"):
            right &= values > 0.0
        if not right.all():
            article = "an" if name in ("azimuth", "elevation") else "a"
            return (
                f"{article} {name} of {values[~right][0]:g} (possible: "
                f"{'above ' if name in ('width', 'height') else ''}{low:g} to {high:g})"
            )
    return None if all(map(is_text, boxes.label)) else "a label that is no text"


def is_text(label: object) -> bool:
    """Return whether a label is text that any file can hold, which half of a character is not."""
    return isinstance(label, str) and label == label.encode("utf-8", "ignore").decode()


def bounding_boxes(outlines: npt.ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the smallest boxes around outlines.

    Parameters
    ----------
    outlines : (N, P, 3) array_like
        Unit vectors to P points along each outline.

    Returns
    -------
    azimuth, elevation, width, height : (N,) arrays
        In degrees, as in `Boxes`.

    Notes
    -----
    The centre is the middle of the outline's longitudes and latitudes for a viewer who faces that
    centre, found in a few iterations. It does therefore not depend on the picture in which the
    outline was drawn, unlike the middle of a rectangle of pixels.
    """
    points = np.asarray(outlines, dtype=np.float64)
    forward = points.mean(axis=1)
    for _ in range(8):
        azimuth = np.arctan2(forward[:, 1], forward[:, 0])
        elevation = np.arctan2(forward[:, 2], np.hypot(forward[:, 0], forward[:, 1]))
        axes = local_axes(azimuth, elevation)
        ahead, left, up = np.moveaxis(points @ axes.swapaxes(-1, -2), -1, 0)
        longitude, latitude = np.arctan2(left, ahead), np.arctan2(up, np.hypot(ahead, left))
        low = np.stack([longitude.min(axis=1), latitude.min(axis=1)])
        high = np.stack([longitude.max(axis=1), latitude.max(axis=1)])
        middle = local_axes(*(low + high) / 2.0)[:, 0]
        forward = (middle[:, None] @ axes)[:, 0]
    width, height = np.rad2deg(high - low)
    return np.rad2deg(azimuth), np.rad2deg(elevation), width, height


def outlines(boxes: Boxes, points: int = 16) -> Floats:
    """Return points along the ellipses inscribed in boxes.

    Parameters
    ----------
    boxes : Boxes
        N boxes.
    points : int
        Number of points P of each outline.

    Returns
    -------
    (N, P, 3) array
        Unit vectors; `bounding_boxes` recovers the boxes if P is a multiple of four.

    Examples
    --------
    >>> box = Boxes([170], [10], [30], [20], [1], "a")
    >>> [side.round(6).tolist() for side in bounding_boxes(outlines(box))]
    [[170.0], [10.0], [30.0], [20.0]]
    """
    turn = np.linspace(0.0, 2.0 * np.pi, points, endpoint=False)
    longitude = np.deg2rad(boxes.width / 2.0)[:, None] * np.cos(turn)
    latitude = np.deg2rad(boxes.height / 2.0)[:, None] * np.sin(turn)
    local = local_axes(longitude, latitude)[..., 0, :]
    return local @ local_axes(np.deg2rad(boxes.azimuth), np.deg2rad(boxes.elevation))


def overlap(boxes: Boxes, others: Boxes) -> tuple[Floats, Floats]:
    """Return the overlap of boxes on the sphere.

    Parameters
    ----------
    boxes, others : Boxes
        N and M boxes.

    Returns
    -------
    union : (N, M) array
        Common area over the area of both together.
    inside : (N, M) array
        Common area over the area of the box.

    Notes
    -----
    A box contains the points within half its width in longitude and half its height in latitude,
    for a viewer who faces it; its area is ``2 w sin(h / 2)``. Common areas are estimated with a
    grid of 12 × 12 points of equal area in the smaller box, to about 0.04 of its area.

    Examples
    --------
    >>> big = Boxes([0], [0], [40], [40], [1], "a")
    >>> small = Boxes([15], [0], [20], [20], [1], "b")
    >>> union, inside = overlap(small, big)
    >>> round(float(inside[0, 0]), 2)
    0.75
    """
    area = [2.0 * np.deg2rad(b.width) * np.sin(np.deg2rad(b.height) / 2.0) for b in (boxes, others)]
    own, other = area[0][:, None], area[1][None]
    share = _share(boxes, others)
    reverse = share if others is boxes else _share(others, boxes)
    common = np.where(own <= other, share * own, reverse.T * other)
    return common / np.maximum(own + other - common, 1e-12), common / np.maximum(own, 1e-12)


def _share(boxes: Boxes, others: Boxes) -> Floats:
    """Return the fraction (N, M) of the area of each box that lies in each of the others."""
    axes = [local_axes(np.deg2rad(b.azimuth), np.deg2rad(b.elevation)) for b in (boxes, others)]
    across, upward = np.meshgrid(*2 * [(np.arange(12) + 0.5) / 6.0 - 1.0])
    longitude = np.deg2rad(boxes.width / 2.0)[:, None] * across.ravel()
    up = np.sin(np.deg2rad(boxes.height / 2.0))[:, None] * upward.ravel()
    flat = np.sqrt(1.0 - up**2)
    points = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), up], axis=-1) @ axes[0]
    forward_and_up = axes[1][:, ::2]
    ahead, height = np.moveaxis(np.einsum("mij,npj->nmpi", forward_and_up, points), -1, 0)
    low = np.cos(np.deg2rad(others.width / 2.0))[:, None] * np.sqrt(
        np.maximum(1.0 - height**2, 0.0)
    )
    high = np.sin(np.deg2rad(others.height / 2.0))[:, None]
    within = (ahead >= low) & (np.abs(height) <= high)
    share: Floats = within.mean(axis=-1)
    return share
