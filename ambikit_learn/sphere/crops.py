"""Where to look: directions and fields of view of perspective crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ambikit import checks
from ambikit_learn._typing import Floats, Indices
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import angular_distance, pixel_to_direction

SPACING = 36.0
"""Least angle between the centres of two crops, degrees, in the audio-visual spatial alignment
paper. Its code keeps none."""
FIELD_OF_VIEW = (25.0, 90.0)
"""Bounds of the field of view of a crop on an object, degrees."""
MARGIN = 1.2
"""Field of view of such a crop, relative to its box."""
ASPECT = 4.0 / 3.0
"""Greatest ratio of a crop's sides, measured on the plane that touches the sphere."""
STRATEGIES = ("random", "objects", "mixed")


@dataclass(frozen=True, eq=False)
class Crops:
    """Perspective views of one moment.

    Parameters
    ----------
    azimuth, elevation : (K,) arrays
        Centres in degrees.
    width, height : (K,) arrays
        Fields of view in degrees.
    origin : tuple of K str
        Why each was taken: ``"random"``, ``"object"``, or ``"fallback"`` for a random one in the
        place of an object that was not there.
    box : (K,) int array
        Number of the box that it looks at, −1 where it looks at none.
    """

    azimuth: Floats
    elevation: Floats
    width: Floats
    height: Floats
    origin: tuple[str, ...]
    box: Indices

    def __len__(self) -> int:
        return len(self.azimuth)


def random_crops(rng: np.random.Generator, k: int, *, spacing: float = SPACING) -> Crops:
    """Draw crops anywhere near the horizon, as in the audio-visual spatial alignment paper.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.
    spacing : float
        Least angle between two centres, in degrees: 36 as the paper says, 0 as its code does.

    Returns
    -------
    Crops
        All of origin ``"random"``.

    Notes
    -----
    Centre at the fractions x ~ U(0, 1), y ~ U(0.33, 0.66) of the frame (elevations −28.8° to
    30.6°); half-width π·h, h ~ U(0.0707, 0.25), on the plane that touches the sphere (a field of
    view of 25.0° to 76.3°); height over width log-uniform in [3/4, 4/3] on that plane.

    Spacing is kept by taking the first of 32 draws that is far enough from all before it. About
    ten crops fit at 36°; where none of the 32 is far enough, the farthest is taken.

    References
    ----------
    .. [1] P. Morgado, Y. Li, N. Vasconcelos, "Learning Representations from Audio-Visual Spatial
       Alignment", NeurIPS 2020.

    Examples
    --------
    >>> crops = random_crops(np.random.default_rng(0), 4)
    >>> crops.azimuth.shape, crops.origin
    ((4,), ('random', 'random', 'random', 'random'))
    """
    count, least = checks.positive_int(k, "k"), checks.within(spacing, 0.0, 180.0, "spacing")
    return _completed(_crops(np.empty((0, 4)), (), ()), rng, count, least, "random")


def object_crops(
    boxes: Boxes, rng: np.random.Generator, k: int, *, spacing: float = SPACING
) -> Crops:
    """Draw crops that look at objects.

    Parameters
    ----------
    boxes : Boxes
        What a detector found.
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.
    spacing : float
        Least angle between two centres, in degrees.

    Returns
    -------
    Crops
        Of origin ``"object"``, then of origin ``"fallback"`` where the objects do not suffice.

    Notes
    -----
    Objects are drawn without repetition, with probability in proportion to their score, among
    those at least `spacing` from all crops so far. The field of view is 1.2 times the box, held
    within 25° and 90°; the shorter side is widened until the sides differ by at most 4 : 3, so a
    square crop is distorted no more than a random one. Fallback crops are those of `random_crops`,
    kept at the same distance from the others.

    Examples
    --------
    >>> boxes = Boxes([10, 20, 120], [0, 0, 5], [30, 8, 25], [40, 8, 20], [0.9, 0.8, 0.5], "abc")
    >>> crops = object_crops(boxes, np.random.default_rng(0), 3)
    >>> crops.origin
    ('object', 'object', 'fallback')
    """
    count, least = checks.positive_int(k, "k"), checks.within(spacing, 0.0, 180.0, "spacing")
    return _completed(_objects(boxes, rng, count, least), rng, count, least, "fallback")


def select_crops(
    strategy: str, boxes: Boxes, rng: np.random.Generator, k: int, *, spacing: float = SPACING
) -> Crops:
    """Draw crops by the name of a strategy.

    Parameters
    ----------
    strategy : {"random", "objects", "mixed"}
        `random_crops`, `object_crops`, or objects for half of the crops (rounded up) and random
        ones, at a distance from them, for the rest.
    boxes : Boxes
        What a detector found; not looked at by ``"random"``.
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.
    spacing : float
        Least angle between two centres, in degrees.

    Returns
    -------
    Crops

    Raises
    ------
    InputError
        No such strategy.

    Examples
    --------
    >>> boxes = Boxes([10, 120], [0, 5], [30, 25], [40, 20], [0.9, 0.5], "ab")
    >>> select_crops("mixed", boxes, np.random.default_rng(0), 4).origin
    ('object', 'object', 'random', 'random')
    """
    if checks.choice(strategy, STRATEGIES, "strategy") == "random":
        return random_crops(rng, k, spacing=spacing)
    if strategy == "objects":
        return object_crops(boxes, rng, k, spacing=spacing)
    objects = object_crops(boxes, rng, (checks.positive_int(k, "k") + 1) // 2, spacing=spacing)
    return _completed(objects, rng, k, spacing, "random")


def _draws(rng: np.random.Generator, n: int) -> Floats:
    """Draw n views (n, 4): azimuth, elevation, width, height in degrees."""
    centre = pixel_to_direction(rng.uniform(0.0, 1.0, n), rng.uniform(0.33, 0.66, n))
    half = np.pi * rng.uniform(0.0707, 0.25, n)
    aspect = np.exp(rng.uniform(-np.log(ASPECT), np.log(ASPECT), n))
    sides = 2.0 * np.arctan(half), 2.0 * np.arctan(half * aspect)
    return np.rad2deg(np.stack([*centre, *sides], axis=1))


def _completed(crops: Crops, rng: np.random.Generator, k: int, spacing: float, name: str) -> Crops:
    """Add random views at a distance from those there, until there are k."""
    views = np.stack([crops.azimuth, crops.elevation, crops.width, crops.height], axis=1)
    missing = k - len(crops)
    for _ in range(missing):
        drawn = _draws(rng, 32)
        nearest = _nearest(drawn, views)
        far = np.flatnonzero(nearest >= spacing)
        chosen = far[0] if far.size else np.argmax(nearest)
        views = np.concatenate([views, drawn[chosen : chosen + 1]])
    return _crops(views, (*crops.origin, *(name,) * missing), (*crops.box, *(-1,) * missing))


def _objects(boxes: Boxes, rng: np.random.Generator, k: int, spacing: float) -> Crops:
    """Draw at most k views of objects that keep their distance."""
    half = np.deg2rad(np.stack([boxes.width, boxes.height], axis=1) * MARGIN)
    half = np.tan(np.clip(half, *np.deg2rad(FIELD_OF_VIEW)) / 2.0)
    half = np.maximum(half, half[:, ::-1] / ASPECT)
    views = np.column_stack([boxes.azimuth, boxes.elevation, np.rad2deg(2.0 * np.arctan(half))])
    weight, chosen = boxes.score.copy(), []
    for _ in range(k):
        if not weight.any():
            break
        chosen.append(int(rng.choice(len(boxes), p=weight / weight.sum())))
        weight[_nearest(views, views[chosen[-1:]]) < spacing] = 0.0
        weight[chosen[-1]] = 0.0
    return _crops(views[chosen], ("object",) * len(chosen), chosen)


def _nearest(candidates: Floats, views: Floats) -> Floats:
    """Angle from each candidate to the nearest view, 180° when there is none."""
    distance = angular_distance(
        candidates[:, None, 0], candidates[:, None, 1], views[:, 0], views[:, 1], degrees=True
    )
    nearest: Floats = np.min(distance, axis=1, initial=180.0)
    return nearest


def _crops(views: Floats, origin: Sequence[str], box: Sequence[int]) -> Crops:
    """Crops of views (K, 4)."""
    azimuth, elevation, width, height = views.T.copy()
    return Crops(azimuth, elevation, width, height, tuple(origin), np.array(box, dtype=np.intp))
