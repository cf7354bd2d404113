"""Detection on the sphere by a detector of flat pictures, in views and by a second look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats, Frames
from ambikit_learn.detection.merging import merge, merge_views
from ambikit_learn.detection.views import Perspective, Rectangles, Tile, View, boxes_of, forward
from ambikit_learn.sphere.boxes import Boxes, overlap

FlatDetector = Callable[[Iterable[Frames]], Sequence[Rectangles]]
"""Detector of flat pictures (H, W, 3), which it takes as many at a time as suits it."""

FIELD = (40.0, 110.0)
"""Bounds of the field of view of a second look, in degrees."""
AROUND = 2.0
"""Field of view of a second look, relative to the longer side of the box."""
AGAIN = 0.4
"""Intersection over union from which a find of a second look is the object looked at."""
STEEP, ROLLED = 45.0, 0.15
"""Elevation from which views of a pole show objects rolled to any side, and that intersection over
union there, for finds whose centre is at most a quarter of the box away."""
FINEST = 4.0
"""Pixels of a second look for each pixel of the frame, at most: small objects of coarse frames are
looked at from farther away."""
PROPOSED = 0.05
"""Score from which a tile proposes an object. Small ones and those that a tile distorts have little
more, and a second look tells them from what is none."""
WEAK, FEW = 0.10, 4
"""Score below which a proposal is weak, and the greatest number of second looks at weak ones in a
frame: cluttered frames have many of them, and few are objects."""
CONFIRMED = 0.35
"""Score from which a second look confirms an object."""
MOST = 16
"""Greatest number of second looks in a frame."""


@dataclass(frozen=True)
class Mode:
    """Where to look for objects.

    Parameters
    ----------
    views : tuple of View
        Views of the whole sphere.
    again : float, optional
        Look at every object once more, in a view that is centred on it, and take what has at least
        this score there.
    """

    views: tuple[View, ...]
    again: float | None = None


_AROUND = (0.0, 90.0, 180.0, -90.0)
_PROPOSING: tuple[View, ...] = (
    *(Tile(azimuth, confidence=PROPOSED) for azimuth in _AROUND),
    *(Perspective(0.0, e, confidence=2 * PROPOSED) for e in (90.0, -90.0)),
)
_LEVEL_AND_STEEP: tuple[View, ...] = (
    *(Perspective(azimuth, 0.0) for azimuth in range(-120, 181, 60)),
    *(Perspective(azimuth, e) for e in (50.0, -50.0) for azimuth in _AROUND),
)
MODES: dict[str, Mode] = {
    "frame": Mode((Tile(0.0, 360.0),)),
    "wrapped": Mode((Tile(0.0, 468.0),)),
    "tiles": Mode(tuple(Tile(azimuth) for azimuth in _AROUND)),
    "fast": Mode(_PROPOSING, again=CONFIRMED),
    "full": Mode((*_LEVEL_AND_STEEP, *_PROPOSING), again=CONFIRMED),
}
"""Modes by name. ``"frame"``: the frame as it is. ``"wrapped"``: the frame with 15% of it repeated
at each side, so that the seam cuts no object of up to 108°. ``"tiles"``: four tiles of 180° that
overlap by half, so that each object of up to 90° is whole in one of them. ``"fast"``: whatever may
be an object in the tiles or in a view of either pole, if a second look confirms it; it misses
objects that tiles distort and views of a pole show upside down. ``"full"``: what fourteen
perspective views show as well, if a second look confirms it."""


def detect_on_sphere(frames: Frames, mode: Mode, size: int, detect: FlatDetector) -> list[Boxes]:
    """Detect objects in every view of each frame, and merge them on the sphere.

    Parameters
    ----------
    frames : (B, H, W, 3) uint8 array
        Equirectangular frames.
    mode : Mode
        Where to look, such as one of `MODES`.
    size : int
        Width of the views in pixels.
    detect : callable
        Detector of flat pictures.

    Returns
    -------
    list of B Boxes
        The highest score first.
    """
    views = mode.views
    seen = detect(picture for view in views for picture in view.render(frames, size))
    found = [boxes_of(view, seen[i * len(frames) :][: len(frames)]) for i, view in enumerate(views)]
    merged = [
        merge_views(
            views,
            [boxes for boxes, _ in of_frame],
            np.concatenate([cut for _, cut in of_frame]),
        )
        for of_frame in zip(*found, strict=True)
    ]
    if mode.again is None:
        return merged
    return second_look(frames, merged, size, detect, least=mode.again)


def second_look(
    frames: Frames,
    proposals: Sequence[Boxes],
    size: int,
    detect: FlatDetector,
    *,
    least: float,
) -> list[Boxes]:
    """Look once more at every object, in a view that is centred on it.

    Parameters
    ----------
    frames : (B, H, W, 3) uint8 array
        Equirectangular frames.
    proposals : sequence of B Boxes
        Objects of each frame, the highest score first.
    size : int
        Width of the views in pixels.
    detect : callable
        Detector of flat pictures.
    least : float
        Smallest score of an object in its second look.

    Returns
    -------
    list of B Boxes
        The highest score first.

    Notes
    -----
    The field of view is `AROUND` times the longer side of the box, within `FIELD`, and no smaller
    than the frame has pixels for. The object takes
    over name, score, direction and extent of the find that overlaps it most, by `AGAIN` or more, or
    by `ROLLED` near the poles. Only the `MOST` strongest objects of a frame are looked at, and
    `FEW` of those with a score below `WEAK`; others stay if their score is at least `least`.
    Objects that turn out to be the same are merged.
    """
    pixels = frames.shape[-2] / 360.0
    least_field = float(np.clip(size / (FINEST * pixels), *FIELD))
    views = [[_view(boxes, i, least_field) for i in range(_looks(boxes))] for boxes in proposals]
    seen = iter(detect(_pictures(frames, views, size)))
    return [
        _confirmed(boxes, [boxes_of(view, [next(seen)])[0] for view in of_frame], least)
        for boxes, of_frame in zip(proposals, views, strict=True)
    ]


def _looks(boxes: Boxes) -> int:
    """Return how many of the objects of a frame, the strongest ones, are looked at again."""
    return min(len(boxes), int((boxes.score >= WEAK).sum()) + FEW, MOST)


def _view(boxes: Boxes, number: int, least: float) -> Perspective:
    """Return the view of a second look at a box, with a smallest field of view."""
    longer = max(boxes.width[number], boxes.height[number])
    field = float(np.clip(AROUND * longer, least, FIELD[1]))
    return Perspective(float(boxes.azimuth[number]), float(boxes.elevation[number]), field)


def _pictures(
    frames: Frames, views: Sequence[Sequence[Perspective]], size: int
) -> Iterator[Frames]:
    """Render the views of each frame."""
    for frame, of_frame in zip(frames, views, strict=True):
        for view in of_frame:
            yield view.render(frame, size)


def _confirmed(
    boxes: Boxes,
    looks: Sequence[tuple[Boxes, npt.NDArray[np.bool_]]],
    least: float,
) -> Boxes:
    """Return the boxes of a frame as their second looks show them."""
    parts, edges = [], []
    for number, (found, cut) in enumerate(looks):
        proposal = boxes.take([number])
        sure = np.flatnonzero(found.score >= least)
        best = _same(found.take(sure), proposal)
        if best is not None:
            parts.append(found.take([sure[best]]))
            edges.append(bool(cut[sure[best]]))
    rest = boxes.take(np.arange(len(looks), len(boxes)))
    rest = rest.take(rest.score >= least)
    together = Boxes.concatenate([*parts, rest])
    return merge(together, np.array([*edges, *[False] * len(rest)], dtype=bool))


def _same(found: Boxes, proposal: Boxes) -> int | None:
    """Return which of the boxes overlaps a proposal most, if any shows the same object."""
    if not len(found):
        return None
    union: Floats = overlap(found, proposal)[0][:, 0]
    enough = union >= AGAIN
    if np.abs(proposal.elevation[0]) >= STEEP:
        away = np.rad2deg(np.arccos(np.clip(forward(found) @ forward(proposal)[0], -1.0, 1.0)))
        near = away <= max(proposal.width[0], proposal.height[0]) / 4.0
        enough |= (union >= ROLLED) & near
    return int(np.argmax(np.where(enough, union, -1.0))) if enough.any() else None
