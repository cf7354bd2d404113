"""Tracks: directions of moments that follow each other, linked to sources that move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ambikit import checks
from ambikit._typing import FloatArray
from ambikit.directions import angles_to_vector, normalized, vector_to_angles
from ambikit.maps import SEPARATION, Directions

_MEMORY = 5
"""Last directions of a track, through which a line predicts the next one."""


@dataclass(frozen=True)
class Track:
    """The course of one source, moment after moment.

    Attributes
    ----------
    first : int
        Number of the moment at which it is first seen.
    azimuth, elevation : ndarray of float64, shape (K,)
        Directions at the moments first, first + 1, ...; in radians, or degrees if
        `track_directions` was called with ``degrees=True``.
    weight : ndarray of float64, shape (K,)
        Weight of the direction that was found there; 0 where none was, and the course lies between
        its neighbours.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> track = ambikit.Track(2, np.array([10.0, 20.0]), np.zeros(2), np.ones(2))
    >>> len(track), list(track.moments)
    (2, [2, 3])
    """

    first: int
    azimuth: FloatArray
    elevation: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.azimuth)

    @property
    def moments(self) -> range:
        """The numbers of its moments."""
        return range(self.first, self.first + len(self))


@dataclass
class _Course:
    """The moments at which a source was seen, and where."""

    moment: list[int] = field(default_factory=list)
    vector: list[FloatArray] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(self, moment: int, vector: FloatArray, weight: float) -> None:
        """Take in what was seen at a moment."""
        self.moment.append(moment)
        self.vector.append(vector)
        self.weight.append(weight)

    def predicted(self, moment: int) -> FloatArray:
        """Return the unit vector to which the last ones lead."""
        time = np.array(self.moment[-_MEMORY:], float) - moment
        return _line_at_zero(time, np.ones(len(time)), np.array(self.vector[-_MEMORY:]))


def track_directions(
    found: Sequence[Directions],
    *,
    reach: float | None = None,
    patience: int = 3,
    shortest: int = 3,
    smoothing: float = 0.0,
    degrees: bool = False,
) -> list[Track]:
    r"""Link directions that were found moment by moment to tracks of sources.

    Parameters
    ----------
    found : sequence of Directions
        What was found at each moment, for example by `localize` in spans that follow each other.
    reach : float, optional
        Largest angle between where a source is expected and where it is found, in radians; by
        default 20°.
    patience : int, optional
        Moments for which a source may be unseen, and its track continue.
    shortest : int, optional
        Tracks of fewer directions are left out.
    smoothing : float, optional
        Standard deviation, in moments, of the weights by which directions nearby count; 0 leaves
        them as they were found.
    degrees : bool, optional
        The angles of `found`, `reach` and the result are in degrees.

    Returns
    -------
    list of Track
        By the moment at which they begin.

    Raises
    ------
    InputError
        If a number is out of range, or directions are not finite.
    TypeError
        If `found` is not a sequence of Directions.

    See Also
    --------
    localize, esprit : Directions of one span.

    Notes
    -----
    Each track predicts the next direction by a straight line through the last five, over time. At
    each moment directions are assigned to tracks so that the sum of the angles between predictions
    and directions is least, pairs beyond `reach` left out (the Hungarian method [1]_). What is
    assigned to no track begins one. So two sources that cross keep their tracks, if they move.

    Smoothed, a direction is the value of a line fitted to the vectors around it with the weights
    :math:`e^{-\Delta t^2 / 2 \sigma^2}`, so that the course of a moving source is not pulled back
    at its ends.

    References
    ----------
    .. [1] H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics
           Quarterly 2 (1955), 83-97.

    Examples
    --------
    One source passes from the right to the left; another is seen once and left out:

    >>> import ambikit, numpy as np
    >>> def at(*azimuth):
    ...     azimuth = np.array(azimuth)
    ...     return ambikit.Directions(azimuth, 0 * azimuth, np.ones(len(azimuth)))
    >>> found = [at(-20.0), at(-10.0, 120.0), at(0.0), at(), at(20.0)]
    >>> (track,) = ambikit.track_directions(found, degrees=True)
    >>> track.azimuth.round(1).tolist(), track.weight.tolist()
    ([-20.0, -10.0, 0.0, 10.0, 20.0], [1.0, 1.0, 1.0, 0.0, 1.0])
    """
    angle = checks.separation(reach, SEPARATION, degrees=degrees, name="reach")
    patience = checks.nonnegative_int(patience, "patience")
    shortest = checks.positive_int(shortest, "shortest")
    width = checks.within(smoothing, 0.0, 1e6, "smoothing")
    moments = checks.moments(found, Directions)
    live: list[_Course] = []
    ended: list[_Course] = []
    for moment, directions in enumerate(moments):
        vectors = angles_to_vector(directions.azimuth, directions.elevation, degrees=degrees)
        vectors = vectors.reshape(-1, 3)
        ended += [course for course in live if moment - course.moment[-1] > patience + 1]
        live = [course for course in live if moment - course.moment[-1] <= patience + 1]
        pairs = _assigned([course.predicted(moment) for course in live], vectors, angle)
        for number, (vector, weight) in enumerate(zip(vectors, directions.weight, strict=True)):
            if number not in pairs:
                live.append(_Course())
            course = live[pairs.get(number, -1)]
            course.add(moment, vector, float(weight))
    courses = sorted(ended + live, key=lambda course: course.moment[0])
    return [_track(course, width, degrees) for course in courses if len(course.moment) >= shortest]


def _assigned(predictions: list[FloatArray], vectors: FloatArray, reach: float) -> dict[int, int]:
    """Return the track of each direction that has one, by their numbers."""
    from scipy.optimize import linear_sum_assignment

    if not predictions or not len(vectors):
        return {}
    angle = np.arccos(np.clip(vectors @ np.array(predictions).T, -1.0, 1.0))
    # a pair beyond reach costs more than all others together
    far = angle > reach
    cost = np.where(far, 4.0 * min(angle.shape), angle)
    return {
        int(row): int(column)
        for row, column in zip(*linear_sum_assignment(cost), strict=True)
        if not far[row, column]
    }


def _track(course: _Course, width: float, degrees: bool) -> Track:
    """Return the course of a source without gaps, smoothed."""
    seen, vectors = np.array(course.moment), np.array(course.vector)
    first = course.moment[0]
    every = np.arange(first, course.moment[-1] + 1)
    if width > 0:
        place = np.stack(
            [
                _line_at_zero(time, np.exp(-0.5 * (time / width) ** 2), vectors)
                for time in (seen - moment for moment in every)
            ]
        )
    else:
        place = np.stack([np.interp(every, seen, axis) for axis in vectors.T], axis=-1)
        place = _directed(place, vectors[0])
    weight = np.zeros(len(every))
    weight[seen - first] = course.weight
    return Track(first, *vector_to_angles(place, degrees=degrees), weight)


def _line_at_zero(time: FloatArray, weight: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return the direction (3,) at time 0 of a line fitted to vectors (K, 3) at times (K,)."""
    share = weight / max(weight.sum(), 1e-300)
    middle = share @ time
    mean = share @ vectors
    spread = share @ (time - middle) ** 2
    if spread > 1e-9:
        mean = mean - middle * ((share * (time - middle)) @ vectors) / spread
    return _directed(mean, vectors[-1])


def _directed(vectors: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Return vectors (..., 3) at unit length, and another one where there is no direction."""
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return normalized(np.where(size > 1e-9, vectors, otherwise))
