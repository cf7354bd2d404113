"""Detection on the sphere by a detector of flat pictures: views of the sphere, and merging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


FlatDetector = Callable[[Iterable[Frames]], Sequence[Rectangles]]
"""Detector of flat pictures (H, W, 3), which it takes as many at a time as suits it."""


class View(Protocol):
    """A flat picture of a part of the sphere."""

    @property
    def confidence(self) -> float:
        """Smallest score of a detection."""
        ...

    @property
    def cuts(self) -> tuple[bool, bool, bool, bool]:
        """Whether the scene continues beyond the left, top, right and bottom edge."""
        ...

    def render(self, frames: Frames, size: int) -> Frames:
        """Render the view of each frame, `size` pixels wide."""
        ...

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return the unit vectors (..., 3) of positions given as fractions of the sides."""
        ...

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Return whether directions (..., 3) are in the picture."""
        ...

    def trust(self, boxes: Boxes) -> Floats:
        """Return weights (N,) of boxes, which are smaller where the picture distorts more."""
        ...


@dataclass(frozen=True)
class Perspective:
    """The view of a camera with a field of view of 90°.

    Parameters
    ----------
    azimuth, elevation : float
        Direction of the camera in degrees.
    """

    azimuth: float
    elevation: float
    confidence: float = 0.35
    cuts: tuple[bool, bool, bool, bool] = (True, True, True, True)

    def render(self, frames: Frames, size: int) -> Frames:
        """Render the view of each frame."""
        return gnomonic(frames, self.azimuth, self.elevation, 90.0, 90.0, size, degrees=True)

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return the unit vectors of positions in the view."""
        local = np.stack([np.ones_like(across), 1.0 - 2.0 * across, 1.0 - 2.0 * down], axis=-1)
        rays: Floats = local @ self._axes
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        return rays

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Return whether directions are in the view."""
        ahead, left, up = np.moveaxis(vectors @ self._axes.T, -1, 0)
        inside: npt.NDArray[np.bool_] = (np.abs(left) < ahead) & (np.abs(up) < ahead)
        return inside

    def trust(self, boxes: Boxes) -> Floats:
        """Return weights that fall towards the edge: the cosine of the angle from the centre."""
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
        Centre of the tile in degrees.
    width : float
        Width of the tile in degrees; above 360, parts of the frame appear twice. Pixels are square.
    """

    azimuth: float
    width: float = 180.0
    confidence: float = 0.25
    cuts: tuple[bool, bool, bool, bool] = (True, False, True, False)

    def render(self, frames: Frames, size: int) -> Frames:
        """Render the tile of each frame."""
        columns = frames.shape[-2]
        first, count = (round(columns * part) for part in (self._left, self.width / 360.0))
        # Whole stretches of the frame, over the seam as often as it takes.
        turned = first % columns
        stretches = [frames[..., turned : turned + count, :]]
        while (missing := count - sum(part.shape[-2] for part in stretches)) > 0:
            stretches.append(frames[..., :missing, :])
        picked = stretches[0] if len(stretches) == 1 else np.concatenate(stretches, axis=-2)
        return resize(picked, (round(size * 180.0 / self.width), size))

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return the unit vectors of positions in the tile."""
        u = self._left + across * self.width / 360.0
        return local_axes(*pixel_to_direction(u, down))[..., 0, :]

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Return whether directions are in the tile."""
        azimuth = np.rad2deg(np.arctan2(vectors[..., 1], vectors[..., 0]))
        away = np.abs((azimuth - self.azimuth + 180.0) % 360.0 - 180.0)
        inside: npt.NDArray[np.bool_] = away < self.width / 2.0
        return inside

    def trust(self, boxes: Boxes) -> Floats:
        """Return weights that fall towards the poles: the reciprocal of the stretching there."""
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
"""Views by name. ``"frame"``: the frame as it is. ``"wrapped"``: the frame with 15% of it repeated
at each side, so that the seam cuts no object of up to 108°. ``"fast"``: four tiles of 180° that
overlap by half, so that each object of up to 90° is whole in one of them. ``"full"``: also fourteen
perspective views, for objects that the tiles distort."""

SAME = 0.3
"""Intersection over union from which two boxes are one object, whatever their labels; also the
fraction of a box in a stronger one from which it is a piece of it, if its view shows only a
part."""
PART = 0.6
"""Fraction of a box in a stronger one of the same label from which it is a part of it."""
CUT_SCORE, CUT_WEIGHT = 0.5, 0.3
"""Smallest score of a box that the edge of its view cuts, and its weight relative to whole ones."""
_EDGE = 1.0 / 64.0


def detect_on_sphere(
    frames: Frames, views: Sequence[View], size: int, detect: FlatDetector
) -> list[Boxes]:
    """Detect objects in every view of each frame, and merge them on the sphere.

    Parameters
    ----------
    frames : (B, H, W, 3) uint8 array
        Equirectangular frames.
    views : sequence of View
        Views to detect in, such as one of `MODES`.
    size : int
        Width of the views in pixels.
    detect : callable
        Detector of flat pictures.

    Returns
    -------
    list of B Boxes
        The highest score first.
    """
    seen = detect(picture for view in views for picture in view.render(frames, size))
    found = [_boxes(view, seen[i * len(frames) :][: len(frames)]) for i, view in enumerate(views)]
    return [
        _merged(views, [boxes for boxes, _ in views_of], np.concatenate([c for _, c in views_of]))
        for views_of in zip(*found, strict=True)
    ]


def merge(
    boxes: Boxes,
    cut: npt.NDArray[np.bool_],
    *,
    trust: Floats | None = None,
    shown: npt.NDArray[np.bool_] | None = None,
) -> Boxes:
    """Merge the boxes that show the same object.

    Parameters
    ----------
    boxes : Boxes
        Detections of several views.
    cut : (N,) bool array
        Whether a box ends at the edge of its view.
    trust : (N,) array, optional
        Weights of the boxes in addition to their scores.
    shown : (N, N) bool array, optional
        Whether the view of one box (rows) shows the whole of another (columns); by default all do.

    Returns
    -------
    Boxes
        The highest score first.

    Notes
    -----
    In the order of falling score, a box absorbs those that overlap it by `SAME`, whatever their
    label, since one object often gets two; and its parts, of which `PART` lies in it, or `SAME` for
    a part that is cut or comes from a view that shows only a part of the stronger box: an object
    cut in one view is whole in another. Direction and extent are the mean of the overlapping boxes
    that are not cut more, weighted by score; the label is that of the strongest.
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
            # A box that is cut says nothing about the extent of the whole object.
            merged.append(_mean(boxes, leader, weight * (same & (cut <= cut[leader]))))
            left &= ~(same | part[:, leader])
    together = Boxes.concatenate(merged)
    return together.take(np.argsort(-together.score, kind="stable"))


def _merged(views: Sequence[View], found: Sequence[Boxes], edge: npt.NDArray[np.bool_]) -> Boxes:
    """Merge the detections of all views, without those that are too weak."""
    of = np.repeat(np.arange(len(views)), [len(boxes) for boxes in found])
    together = Boxes.concatenate(found)
    least = np.array([view.confidence for view in views])[of]
    sure = together.score >= np.where(edge, np.maximum(least, CUT_SCORE), least)
    trust = np.concatenate([view.trust(b) for view, b in zip(views, found, strict=True)])
    boxes = together.take(sure)
    points = outlines(boxes)
    shown = np.stack([view.shows(points).all(axis=-1) for view in views])
    return merge(boxes, edge[sure], trust=trust[sure], shown=shown[of[sure]])


def _boxes(view: View, seen: Sequence[Rectangles]) -> list[tuple[Boxes, npt.NDArray[np.bool_]]]:
    """Return the boxes on the sphere of rectangles in a view, and which the view's edge cuts."""
    # The inscribed ellipse is projected: corners are seldom part of an object, and lie far out
    # where the view stretches the sphere.
    turn = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    corners = np.concatenate([rectangles.corners for rectangles in seen])
    left, top, right, bottom = np.clip(corners, 0.0, 1.0).T[:, :, None]
    across = (left + right) / 2.0 + (right - left) / 2.0 * np.cos(turn)
    down = (top + bottom) / 2.0 + (bottom - top) / 2.0 * np.sin(turn)
    azimuth, elevation, width, height = bounding_boxes(view.vectors(across, down))
    score = np.concatenate([rectangles.score for rectangles in seen])
    label = tuple(name for rectangles in seen for name in rectangles.label)
    boxes = Boxes(azimuth, elevation, width, height, score, label)
    touches = np.abs(corners - [0.0, 0.0, 1.0, 1.0]) < _EDGE
    cut = np.any(touches & view.cuts, axis=1)
    ends = np.cumsum([len(rectangles.score) for rectangles in seen])
    pictures = np.split(np.arange(len(boxes)), ends[:-1])
    return [(boxes.take(own), cut[own]) for own in pictures]


def _mean(boxes: Boxes, leader: int, weight: Floats) -> Boxes:
    """Return the mean of boxes, with the label and score of the leader."""
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
    """Return the unit vectors (N, 3) of the centres of boxes."""
    return local_axes(np.deg2rad(boxes.azimuth), np.deg2rad(boxes.elevation))[:, 0]
