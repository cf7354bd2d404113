"""Views of the sphere: flat pictures, and the boxes on the sphere of what is found in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.boxes import Boxes, bounding_boxes
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
    """The view of a camera.

    Parameters
    ----------
    azimuth, elevation : float
        Direction of the camera in degrees.
    field : float
        Its horizontal and vertical field of view in degrees.
    """

    azimuth: float
    elevation: float
    field: float = 90.0
    confidence: float = 0.35
    cuts: tuple[bool, bool, bool, bool] = (True, True, True, True)

    def render(self, frames: Frames, size: int) -> Frames:
        """Render the view of each frame."""
        return gnomonic(
            frames, self.azimuth, self.elevation, self.field, self.field, size, degrees=True
        )

    def vectors(self, across: Floats, down: Floats) -> Floats:
        """Return the unit vectors of positions in the view."""
        half = self._half
        local = np.stack(
            [np.ones_like(across), half * (1.0 - 2.0 * across), half * (1.0 - 2.0 * down)], axis=-1
        )
        rays: Floats = local @ self._axes
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        return rays

    def shows(self, vectors: Floats) -> npt.NDArray[np.bool_]:
        """Return whether directions are in the view."""
        ahead, left, up = np.moveaxis(vectors @ self._axes.T, -1, 0)
        inside: npt.NDArray[np.bool_] = np.maximum(np.abs(left), np.abs(up)) < self._half * ahead
        return inside

    def trust(self, boxes: Boxes) -> Floats:
        """Return weights that fall towards the edge: the cosine of the angle from the centre."""
        cosine: Floats = forward(boxes) @ self._axes[0]
        return cosine

    @property
    def _half(self) -> float:
        return float(np.tan(np.deg2rad(self.field) / 2.0))

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


_EDGE = 1.0 / 64.0


def boxes_of(view: View, seen: Sequence[Rectangles]) -> list[tuple[Boxes, npt.NDArray[np.bool_]]]:
    """Return the boxes on the sphere of what was found in pictures of a view.

    Parameters
    ----------
    view : View
    seen : sequence of Rectangles
        What was found in each picture.

    Returns
    -------
    list of (Boxes, bool array)
        For each picture its boxes, and which of them the edge of the view cuts.
    """
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


def forward(boxes: Boxes) -> Floats:
    """Return the unit vectors (N, 3) of the centres of boxes."""
    return local_axes(np.deg2rad(boxes.azimuth), np.deg2rad(boxes.elevation))[:, 0]
