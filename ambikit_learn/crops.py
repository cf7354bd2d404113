"""Where to look: directions and fields of view of perspective crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ambikit import _validate
from ambikit_learn.equirect import Boxes, angular_distance, pixel_to_direction

Floats = npt.NDArray[np.float64]

SPACING = 36.0
"""Least angle between the centres of two crops, degrees."""
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
    """

    azimuth: Floats
    elevation: Floats
    width: Floats
    height: Floats
    origin: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.azimuth)


def random_crops(rng: np.random.Generator, k: int, *, enforce_spacing: bool = True) -> Crops:
    """Draw crops anywhere near the horizon, as in the audio-visual spatial alignment paper.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.
    enforce_spacing : bool
        Keep centres 36° apart, as the paper says; its code does not.

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
    ten crops fit; where none of the 32 is far enough, the farthest is taken.

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
    count = _validate.count(k, "k")
    if enforce_spacing:
        return _completed(np.empty((0, 4)), (), rng, count, "random")
    return _crops(_draws(rng, count), ("random",) * count)


def object_crops(boxes: Boxes, rng: np.random.Generator, k: int) -> Crops:
    """Draw crops that look at objects.

    Parameters
    ----------
    boxes : Boxes
        What a detector found.
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.

    Returns
    -------
    Crops
        Of origin ``"object"``, then of origin ``"fallback"`` where the objects do not suffice.

    Notes
    -----
    Objects are drawn without repetition, with probability in proportion to their score, among
    those at least 36° from all crops so far. The field of view is 1.2 times the box, held within
    25° and 90°; the shorter side is widened until the sides differ by at most 4 : 3, so a square
    crop is distorted no more than a random one. Fallback crops are those of `random_crops`, kept
    at the same distance from the others.

    Examples
    --------
    >>> boxes = Boxes([10, 20, 120], [0, 0, 5], [30, 8, 25], [40, 8, 20], [0.9, 0.8, 0.5], "abc")
    >>> crops = object_crops(boxes, np.random.default_rng(0), 3)
    >>> crops.origin
    ('object', 'object', 'fallback')
    """
    count = _validate.count(k, "k")
    views = _views(boxes, rng, count)
    return _completed(views, ("object",) * len(views), rng, count, "fallback")


def select_crops(strategy: str, boxes: Boxes, rng: np.random.Generator, k: int) -> Crops:
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
    if _validate.choice(strategy, STRATEGIES, "strategy") == "random":
        return random_crops(rng, k)
    if strategy == "objects":
        return object_crops(boxes, rng, k)
    objects = object_crops(boxes, rng, (k + 1) // 2)
    views = np.stack([objects.azimuth, objects.elevation, objects.width, objects.height], axis=1)
    return _completed(views, objects.origin, rng, _validate.count(k, "k"), "random")


def _draws(rng: np.random.Generator, n: int) -> Floats:
    """Draw n views (n, 4): azimuth, elevation, width, height in degrees."""
    centre = pixel_to_direction(rng.uniform(0.0, 1.0, n), rng.uniform(0.33, 0.66, n))
    half = np.pi * rng.uniform(0.0707, 0.25, n)
    aspect = np.exp(rng.uniform(-np.log(ASPECT), np.log(ASPECT), n))
    sides = 2.0 * np.arctan(half), 2.0 * np.arctan(half * aspect)
    return np.rad2deg(np.stack([*centre, *sides], axis=1))


def _completed(
    views: Floats, origin: Sequence[str], rng: np.random.Generator, k: int, name: str
) -> Crops:
    """Add random views at a distance from those there, until there are k."""
    for _ in range(k - len(views)):
        drawn = _draws(rng, 32)
        nearest = _nearest(drawn, views)
        far = np.flatnonzero(nearest >= SPACING)
        chosen = far[0] if far.size else np.argmax(nearest)
        views = np.concatenate([views, drawn[chosen : chosen + 1]])
    return _crops(views, (*origin, *(name,) * (k - len(origin))))


def _views(boxes: Boxes, rng: np.random.Generator, k: int) -> Floats:
    """Draw at most k views of objects that keep their distance."""
    half = np.deg2rad(np.stack([boxes.width, boxes.height], axis=1) * MARGIN)
    half = np.tan(np.clip(half, *np.deg2rad(FIELD_OF_VIEW)) / 2.0)
    half = np.maximum(half, half[:, ::-1] / ASPECT)
    sides = np.rad2deg(2.0 * np.arctan(half))
    all_views = np.column_stack([boxes.azimuth, boxes.elevation, sides])
    views = np.empty((0, 4))
    for _ in range(k):
        weight = np.where(_nearest(all_views, views) >= SPACING, boxes.score, 0.0)
        if not weight.any():
            break
        chosen = rng.choice(len(boxes), p=weight / weight.sum())
        views = np.concatenate([views, all_views[chosen : chosen + 1]])
    return views


def _nearest(candidates: Floats, views: Floats) -> Floats:
    """Angle from each candidate to the nearest view, 180° when there is none."""
    distance = angular_distance(
        candidates[:, None, 0], candidates[:, None, 1], views[:, 0], views[:, 1], degrees=True
    )
    nearest: Floats = np.min(distance, axis=1, initial=180.0)
    return nearest


def _crops(views: Floats, origin: Sequence[str]) -> Crops:
    """Crops of views (K, 4)."""
    azimuth, elevation, width, height = views.T.copy()
    return Crops(azimuth, elevation, width, height, tuple(origin))
