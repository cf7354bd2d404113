"""Directions and fields of view of perspective crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ambikit import checks
from ambikit_learn._typing import Booleans, Floats, Indices
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import angular_distance, pixel_to_direction
from ambikit_learn.sphere.listening import Heard

SPACING = 36.0
"""Smallest angle between the centres of two crops in degrees, according to the audio-visual spatial
alignment paper. Its code does not enforce it."""
FIELD_OF_VIEW = (25.0, 90.0)
"""Bounds of the field of view of a crop at an object, in degrees."""
MARGIN = 1.2
"""Field of view of a crop at an object, relative to the box."""
ASPECT = 4.0 / 3.0
"""Greatest aspect ratio of a crop on the tangent plane."""
STRATEGIES = ("random", "objects", "mixed", "sounding")
ORIGINS = ("random", "object", "fallback", "sound")
"""Origins of crops."""
SOUND_FIELD = 60.0
"""Field of view of a crop where it sounds but no object is, in degrees."""
SOUND_SCORE = 0.5
"""What stands for the score of an object there."""
LEAST_SHARE = 0.01
"""Share of the sound from which a crop that exists counts as one where it sounds."""


@dataclass(frozen=True, eq=False)
class Crops:
    """Perspective views at one time.

    Parameters
    ----------
    azimuth, elevation : (K,) arrays
        Centres in degrees.
    width, height : (K,) arrays
        Fields of view in degrees.
    origin : tuple of K str
        Origin of each: ``"random"``, ``"object"``, ``"sound"`` where it sounds but no object was
        detected, or ``"fallback"`` for a random crop in place of a missing object.
    box : (K,) int array
        Index of the box that the crop shows, or −1.
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
        Smallest angle between two centres in degrees: 36 as in the paper, 0 as in its code.

    Returns
    -------
    Crops
        All of origin ``"random"``.

    Notes
    -----
    The centre lies at the fractions x ~ U(0, 1), y ~ U(0.33, 0.66) of the frame (elevations −28.8°
    to 30.6°); the half-width on the tangent plane is π·h, h ~ U(0.0707, 0.25) (a field of view of
    25.0° to 76.3°); height over width on that plane is log-uniform in [3/4, 4/3].

    To keep the spacing, the first of 32 draws that is far enough from all previous crops is taken.
    About ten crops fit at 36°; where none of the 32 is far enough, the farthest one is taken.

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
    """Draw crops at objects.

    Parameters
    ----------
    boxes : Boxes
        Detected objects.
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
    Objects are drawn without replacement, with probability proportional to their score, among those
    at least `spacing` from all previous crops. The field of view is 1.2 times the box, limited to
    25° to 90°; the shorter side is widened until the aspect ratio is at most 4 : 3, so that a
    square crop is distorted no more than a random one. Fallback crops are those of `random_crops`,
    at the same spacing from the others.

    Examples
    --------
    >>> boxes = Boxes([10, 20, 120], [0, 0, 5], [30, 8, 25], [40, 8, 20], [0.9, 0.8, 0.5], "abc")
    >>> crops = object_crops(boxes, np.random.default_rng(0), 3)
    >>> crops.origin
    ('object', 'object', 'fallback')
    """
    count, least = checks.positive_int(k, "k"), checks.within(spacing, 0.0, 180.0, "spacing")
    return _completed(_objects(boxes, rng, count, least), rng, count, least, "fallback")


def sounding_crops(
    boxes: Boxes,
    heard: Heard | None,
    rng: np.random.Generator,
    k: int,
    *,
    spacing: float = SPACING,
) -> Crops:
    """Draw crops where it sounds: at sounding objects, and at peaks of sound without an object.

    Parameters
    ----------
    boxes : Boxes
        Detected objects.
    heard : Heard or None
        From where the sound comes (`ambikit_learn.sphere.listening.listen`); None if that is not
        known.
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.
    spacing : float
        Least angle between two centres, in degrees.

    Returns
    -------
    Crops
        Of origin ``"object"`` and ``"sound"``, in the order in which they were drawn, then of
        origin ``"fallback"``. All are fallbacks if the sound has no direction.

    Notes
    -----
    As `object_crops`, but with probability proportional to score times share of the sound that
    comes from the box. Peaks outside of all boxes are drawn with them, as objects of score
    `SOUND_SCORE`, with a field of view of `SOUND_FIELD`; at the horizon if the sound has no height.

    Examples
    --------
    >>> import ambikit
    >>> from ambikit_learn.sphere.listening import listen
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> heard = listen(ambikit.encode(noise, 90, degrees=True), 24000)
    >>> boxes = Boxes([10, 120], [0, 5], [30, 25], [40, 20], [0.9, 0.5], "ab")
    >>> crops = sounding_crops(boxes, heard, np.random.default_rng(0), 2)
    >>> crops.origin, crops.azimuth.round().tolist()
    (('sound', 'fallback'), [90.0, 165.0])
    """
    count, least = checks.positive_int(k, "k"), checks.within(spacing, 0.0, 180.0, "spacing")
    chosen = _crops(np.empty((0, 4)), (), ())
    if heard is not None:
        azimuth, elevation, share = heard.peaks(boxes, count, least)
        sides = np.full((len(share), 2), SOUND_FIELD)
        views = np.vstack([_views(boxes), np.column_stack([azimuth, elevation, sides])])
        weight = np.concatenate([boxes.score * heard.towards(boxes), SOUND_SCORE * share])
        drawn = _drawn(views, weight, rng, count, least)
        origin = tuple("object" if i < len(boxes) else "sound" for i in drawn)
        chosen = _crops(views[drawn], origin, [i if i < len(boxes) else -1 for i in drawn])
    return _completed(chosen, rng, count, least, "fallback")


def sounding_weights(views: Floats, at_object: Booleans, heard: Heard | None) -> Floats:
    """Return the weights by which crops that exist are drawn where it sounds.

    Parameters
    ----------
    views : (K, 4) array
        Azimuth, elevation, width and height of crops, in degrees.
    at_object : (K,) bool array
        Whether each is at an object; all objects have score 1.
    heard : Heard or None
        From where the sound comes; None if that is not known.

    Returns
    -------
    (K,) array
        Of crops at objects, the share of the sound that comes from the object. Of others,
        `SOUND_SCORE` times the share that comes from there and from none of these objects. It is 0
        where the share is less than `LEAST_SHARE`, and if the sound has no direction.

    Notes
    -----
    `sounding_crops` looks at peaks of sound without an object, which crops that exist can only come
    near. An object is taken to be as large as its crop divided by `MARGIN`: where it is smaller
    than 20.8°, its crop is wider, and more of what surrounds it counts.

    Examples
    --------
    >>> import ambikit
    >>> from ambikit_learn.sphere.listening import listen
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> heard = listen(ambikit.encode(noise, 90, degrees=True), 24000)
    >>> views = np.array([[90.0, 0, 40, 40], [85, 0, 60, 60], [0, 0, 60, 60]])
    >>> sounding_weights(views, np.array([True, False, False]), heard).round(2).tolist()
    [1.0, 0.0, 0.0]
    >>> sounding_weights(views, np.array([False, False, True]), heard).round(2).tolist()
    [0.5, 0.5, 0.0]
    """
    if heard is None:
        return np.zeros(len(views))
    azimuth, elevation, width, height = (views * [1.0, 1.0, 1.0 / MARGIN, 1.0 / MARGIN]).T
    seen = Boxes(azimuth, elevation, width, height, np.ones(len(views)), ("",) * len(views))
    inside = heard.inside(seen)
    elsewhere = inside @ np.where(inside[at_object].any(axis=0), 0.0, heard.share)
    share = np.where(at_object, inside @ heard.share, elsewhere)
    return np.where(share < LEAST_SHARE, 0.0, share) * np.where(at_object, 1.0, SOUND_SCORE)


def select_crops(
    strategy: str,
    boxes: Boxes,
    rng: np.random.Generator,
    k: int,
    *,
    spacing: float = SPACING,
    heard: Heard | None = None,
) -> Crops:
    """Draw crops by the name of a strategy.

    Parameters
    ----------
    strategy : {"random", "objects", "mixed", "sounding"}
        `random_crops`, `object_crops`, or objects for half of the crops and random crops for the
        others; of an odd number, one is drawn by lot. ``"sounding"``: `sounding_crops`.
    boxes : Boxes
        Detected objects; not used by ``"random"``.
    rng : numpy.random.Generator
        Source of randomness.
    k : int
        Number of crops.
    spacing : float
        Least angle between two centres, in degrees.
    heard : Heard, optional
        From where the sound comes, for ``"sounding"``.

    Returns
    -------
    Crops

    Raises
    ------
    InputError
        The strategy is unknown.

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
    if strategy == "sounding":
        return sounding_crops(boxes, heard, rng, k, spacing=spacing)
    half = half_by_lot(checks.positive_int(k, "k"), rng)
    objects = _completed(_objects(boxes, rng, half, spacing), rng, half, spacing, "fallback")
    return _completed(objects, rng, k, spacing, "random")


def half_by_lot(k: int, rng: np.random.Generator) -> int:
    """Return half of k; of an odd number, the lot decides whether it is rounded up.

    Parameters
    ----------
    k : int
        Number of crops.
    rng : numpy.random.Generator
        Source of randomness; not used for even numbers.
    """
    return k // 2 + (k % 2 and int(rng.random() < 0.5))


def concatenate_crops(parts: Sequence[Crops]) -> Crops:
    """Return all crops of several draws.

    Parameters
    ----------
    parts : sequence of Crops
        One or more draws at the same boxes.

    Returns
    -------
    Crops
    """
    return Crops(
        np.concatenate([part.azimuth for part in parts]),
        np.concatenate([part.elevation for part in parts]),
        np.concatenate([part.width for part in parts]),
        np.concatenate([part.height for part in parts]),
        tuple(name for part in parts for name in part.origin),
        np.concatenate([part.box for part in parts]),
    )


def _draws(rng: np.random.Generator, n: int) -> Floats:
    """Draw n views (n, 4): azimuth, elevation, width, height in degrees."""
    centre = pixel_to_direction(rng.uniform(0.0, 1.0, n), rng.uniform(0.33, 0.66, n))
    half = np.pi * rng.uniform(0.0707, 0.25, n)
    aspect = np.exp(rng.uniform(-np.log(ASPECT), np.log(ASPECT), n))
    sides = 2.0 * np.arctan(half), 2.0 * np.arctan(half * aspect)
    return np.rad2deg(np.stack([*centre, *sides], axis=1))


def _completed(crops: Crops, rng: np.random.Generator, k: int, spacing: float, name: str) -> Crops:
    """Add random views that keep the spacing, until there are k."""
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
    """Draw at most k views of objects that keep the spacing."""
    views = _views(boxes)
    chosen = _drawn(views, boxes.score, rng, k, spacing)
    return _crops(views[chosen], ("object",) * len(chosen), chosen)


def _views(boxes: Boxes) -> Floats:
    """Return the views (N, 4) of objects."""
    half = np.deg2rad(np.stack([boxes.width, boxes.height], axis=1) * MARGIN)
    half = np.tan(np.clip(half, *np.deg2rad(FIELD_OF_VIEW)) / 2.0)
    half = np.maximum(half, half[:, ::-1] / ASPECT)
    return np.column_stack([boxes.azimuth, boxes.elevation, np.rad2deg(2.0 * np.arctan(half))])


def _drawn(
    views: Floats, weight: Floats, rng: np.random.Generator, k: int, spacing: float
) -> list[int]:
    """Draw at most k views that keep the spacing, with probability proportional to a weight."""
    left, chosen = weight.copy(), []
    for _ in range(k):
        if not left.any():
            break
        chosen.append(int(rng.choice(len(views), p=left / left.sum())))
        left[_nearest(views, views[chosen[-1:]]) < spacing] = 0.0
        left[chosen[-1]] = 0.0
    return chosen


def _nearest(candidates: Floats, views: Floats) -> Floats:
    """Return the angle from each candidate to the nearest view, 180° if there is none."""
    distance = angular_distance(
        candidates[:, None, 0], candidates[:, None, 1], views[:, 0], views[:, 1], degrees=True
    )
    nearest: Floats = np.min(distance, axis=1, initial=180.0)
    return nearest


def _crops(views: Floats, origin: Sequence[str], box: Sequence[int]) -> Crops:
    """Return the crops of views (K, 4)."""
    azimuth, elevation, width, height = views.T.copy()
    return Crops(azimuth, elevation, width, height, tuple(origin), np.array(box, dtype=np.intp))
