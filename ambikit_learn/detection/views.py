"""Objects of 360° frames through a detector of flat pictures: views of the sphere, and merging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.boxes import Boxes, bounding_boxes, outlines, overlap
from ambikit_learn.sphere.equirect import gnomonic, local_axes, pixel_to_direction
from ambikit_learn.video.files import resize


class Rectangles(NamedTuple):
    """Objects of a flat picture.

    ``corners`` (N, 4) are left, top, right and bottom as fractions of the picture's sides;
    ``score`` (N,) and ``label`` (N names) as in `Boxes`.
    """

    corners: Floats
    score: Floats
    label: tuple[str, ...]


FlatDetector = Callable[[Frames], Sequence[Rectangles]]
"""Objects of each of some pictures (B, H, W, 3)."""


class View(Protocol):
    """A flat picture of a part of the sphere."""

    @property
    def confidence(self) -> float:
        """Least score of an object."""
        ...

    @property
    def cuts(self) -> tuple[bool, bool, bool, bool]:
        """Whether the world goes on beyond the left, top, right and bottom edge."""
        ...

    def render(self, frames: Frames, size: int) -> Frames:
        """Draw the view of each frame, `size` pixels wide."""
        ...

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return unit vectors (..., 3) to places given as fractions of the picture's sides."""
        ...

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Tell whether directions (..., 3) are in the picture."""
        ...

    def trust(self, boxes: Boxes) -> Floats:
        """Return weights (N,) of boxes, less where the picture distorts them more."""
        ...


@dataclass(frozen=True)
class Perspective:
    """What a camera with a field of view of 90° sees.

    Parameters
    ----------
    azimuth, elevation : float
        Where it looks, in degrees.
    """

    azimuth: float
    elevation: float
    confidence: float = 0.35
    cuts: tuple[bool, bool, bool, bool] = (True, True, True, True)

    def render(self, frames: Frames, size: int) -> Frames:
        """Draw the view of each frame."""
        return gnomonic(frames, self.azimuth, self.elevation, 90.0, 90.0, size, degrees=True)

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return unit vectors to places in the view."""
        local = np.stack([np.ones_like(across), 1.0 - 2.0 * across, 1.0 - 2.0 * down], axis=-1)
        rays: Floats = local @ self._axes
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        return rays

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Tell whether directions are in the view."""
        ahead, left, up = np.moveaxis(vectors @ self._axes.T, -1, 0)
        inside: npt.NDArray[np.bool_] = (np.abs(left) < ahead) & (np.abs(up) < ahead)
        return inside

    def trust(self, boxes: Boxes) -> Floats:
        """Weights that fall towards the edge: the cosine of the angle off the middle."""
        cosine: Floats = _forward(boxes) @ self._axes[0]
        return cosine

    @property
    def _axes(self) -> Floats:
        return local_axes(np.deg2rad(self.azimuth), np.deg2rad(self.elevation))


@dataclass(frozen=True)
class Tile:
    """A piece of the equirectangular frame itself, of its full height.

    Parameters
    ----------
    azimuth : float
        Its middle, in degrees.
    width : float
        How much it shows, in degrees, beyond 360 parts of it twice; pixels are as wide as they are
        high.
    """

    azimuth: float
    width: float = 180.0
    confidence: float = 0.25
    cuts: tuple[bool, bool, bool, bool] = (True, False, True, False)

    def render(self, frames: Frames, size: int) -> Frames:
        """Draw the tile of each frame."""
        columns = frames.shape[-2]
        first, count = (round(columns * part) for part in (self._left, self.width / 360.0))
        picked = frames.take(np.arange(first, first + count), axis=-2, mode="wrap")
        return resize(picked, (round(size * 180.0 / self.width), size))

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return unit vectors to places in the tile."""
        u = self._left + across * self.width / 360.0
        return local_axes(*pixel_to_direction(u, down))[..., 0, :]

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Tell whether directions are in the tile."""
        azimuth = np.rad2deg(np.arctan2(vectors[..., 1], vectors[..., 0]))
        away = np.abs((azimuth - self.azimuth + 180.0) % 360.0 - 180.0)
        inside: npt.NDArray[np.bool_] = away < self.width / 2.0
        return inside

    def trust(self, boxes: Boxes) -> Floats:
        """Weights that fall towards the poles: the reciprocal of how much is stretched there."""
        stretched: Floats = np.cos(np.deg2rad(boxes.elevation))
        return stretched

    @property
    def _left(self) -> float:
        return 0.5 - (self.azimuth + self.width / 2.0) / 360.0


_TILES = tuple(Tile(azimuth) for azimuth in (0.0, 90.0, 180.0, -90.0))
MODES: dict[str, tuple[View, ...]] = {
    "frame": (Tile(0.0, 360.0),),
    "wrapped": (Tile(0.0, 468.0),),
    "fast": _TILES,
    "full": (
        *(Perspective(azimuth, 0.0) for azimuth in range(-120, 181, 60)),
        *(Perspective(azimuth, e) for e in (50.0, -50.0) for azimuth in (0.0, 90.0, 180.0, -90.0)),
        *_TILES,
    ),
}
"""Views by name. ``"frame"``: the frame as it is. ``"wrapped"``: the frame and 15% of it again at
each side, so that the seam cuts nothing of up to 108°. ``"fast"``: four tiles of 180° that overlap
by half, so that whatever is up to 90° wide is whole in one of them. ``"full"``: fourteen cameras
besides, for what a tile distorts."""

SAME = 0.3
"""Common over joint area from which two boxes are one object, and share of a box in a stronger one
from which it is a piece of that, if its view shows only a piece; whatever their labels."""
PART = 0.6
"""Share of a box in a stronger one of its label from which it is a part of that."""
CUT_SCORE, CUT_WEIGHT = 0.5, 0.3
"""Least score of a box that the edge of its view cuts, and its weight against whole ones."""
_EDGE = 1.0 / 64.0


def detect_on_sphere(
    frames: Frames, views: Sequence[View], size: int, detect: FlatDetector
) -> list[Boxes]:
    """Find objects in every view of each frame, and merge them on the sphere.

    Parameters
    ----------
    frames : (B, H, W, 3) uint8 array
        Equirectangular frames.
    views : sequence of View
        Flat pictures to look at, such as one of `MODES`.
    size : int
        Width of those pictures in pixels.
    detect : callable
        Detector of flat pictures.

    Returns
    -------
    list of B Boxes
        The highest score first.
    """
    found: list[list[Boxes]] = [[] for _ in frames]
    cut: list[list[npt.NDArray[np.bool_]]] = [[] for _ in frames]
    for view in views:
        for i, rectangles in enumerate(detect(view.render(frames, size))):
            found[i].append(_boxes(view, rectangles))
            touches = np.abs(rectangles.corners - [0.0, 0.0, 1.0, 1.0]) < _EDGE
            cut[i].append(np.any(touches & view.cuts, axis=1))
    return [
        _merged(views, boxes, np.concatenate(edge)) for boxes, edge in zip(found, cut, strict=True)
    ]


def merge(
    boxes: Boxes,
    cut: npt.NDArray[np.bool_],
    *,
    trust: Floats | None = None,
    shown: npt.NDArray[np.bool_] | None = None,
) -> Boxes:
    """Make one box of all that show the same object.

    Parameters
    ----------
    boxes : Boxes
        Finds of several views.
    cut : (N,) bool array
        The box ends at the edge of its view.
    trust : (N,) array, optional
        Weights of the boxes beside their scores.
    shown : (N, N) bool array, optional
        Whether the view in which one box (by rows) was found shows the whole of another; by default
        all do.

    Returns
    -------
    Boxes
        The highest score first.

    Notes
    -----
    From the strongest down, a box takes in those that overlap it by `SAME`, whatever their label,
    since one thing often gets two; and its parts, of which `PART` lies in it, or `SAME` of one that
    is cut or comes from a view that shows only a part of the stronger: what one view cuts, another
    sees whole. Direction and extent are the mean of the overlapping boxes that are no more cut,
    weighed by score; the label is the strongest's.
    """
    weight = boxes.score * np.where(cut, CUT_WEIGHT, 1.0)
    weight = weight if trust is None else weight * trust
    piece = cut[:, None] if shown is None else cut[:, None] | ~shown
    union, inside = overlap(boxes, boxes)
    label = np.array(boxes.label)
    part = inside >= np.where(piece, SAME, np.where(label[:, None] == label, PART, np.inf))
    left = np.ones(len(boxes), dtype=bool)
    merged = [Boxes.empty()]
    for leader in np.argsort(-weight, kind="stable"):
        if left[leader]:
            same = left & (union[leader] >= SAME)
            same[leader] = True
            # What is cut says nothing of the extent of what is seen whole.
            merged.append(_mean(boxes, leader, weight * (same & (cut <= cut[leader]))))
            left &= ~(same | part[:, leader])
    together = Boxes.concatenate(merged)
    return together.take(np.argsort(-together.score, kind="stable"))


def _merged(views: Sequence[View], found: Sequence[Boxes], edge: npt.NDArray[np.bool_]) -> Boxes:
    """Merge what was found in each view, without what is too weak."""
    of = np.repeat(np.arange(len(views)), [len(boxes) for boxes in found])
    together = Boxes.concatenate(found)
    least = np.array([view.confidence for view in views])[of]
    sure = together.score >= np.where(edge, np.maximum(least, CUT_SCORE), least)
    trust = np.concatenate([view.trust(b) for view, b in zip(views, found, strict=True)])
    boxes = together.take(sure)
    points = outlines(boxes)
    shown = np.stack([view.shows(points).all(axis=-1) for view in views])
    return merge(boxes, edge[sure], trust=trust[sure], shown=shown[of[sure]])


def _boxes(view: View, rectangles: Rectangles) -> Boxes:
    """Boxes around what rectangles in a view hold."""
    # An ellipse stands for it: the corners are seldom part of a thing, and lie far out where the
    # view stretches the sphere.
    turn = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    left, top, right, bottom = np.clip(rectangles.corners, 0.0, 1.0).T[:, :, None]
    across = (left + right) / 2.0 + (right - left) / 2.0 * np.cos(turn)
    down = (top + bottom) / 2.0 + (bottom - top) / 2.0 * np.sin(turn)
    azimuth, elevation, width, height = bounding_boxes(view.vectors(across, down))
    return Boxes(azimuth, elevation, width, height, rectangles.score, rectangles.label)


def _mean(boxes: Boxes, leader: int, weight: Floats) -> Boxes:
    """Mean of boxes, with the label and score of the leader."""
    share = weight / weight.sum()
    x, y, z = share @ _forward(boxes)
    return Boxes(
        np.rad2deg(np.arctan2(y, x)),
        np.rad2deg(np.arctan2(z, np.hypot(x, y))),
        share @ boxes.width,
        share @ boxes.height,
        boxes.score[leader],
        (boxes.label[leader],),
    )


def _forward(boxes: Boxes) -> Floats:
    """Return unit vectors (N, 3) to the middles of boxes."""
    return local_axes(np.deg2rad(boxes.azimuth), np.deg2rad(boxes.elevation))[:, 0]
