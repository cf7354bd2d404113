"""Localisation: directions of arrival."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ambikit import checks
from ambikit._histogram import SUBDIVISIONS, analysed, density, histogram, mean_shift
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beam_weights
from ambikit.directions import icosphere, vector_to_angles
from ambikit.harmonics import spherical_harmonics
from ambikit.maps import SEPARATION, THRESHOLD, Directions, directions_of, mean_products, peaks

_METHODS = ("intensity", "pwd", "music")
_STANDS_OUT = {"intensity": 2.0, "pwd": 1.2}
"""Smallest peak, as a multiple of the map's mean, that counts when no number is requested."""

Score = Callable[[FloatArray], FloatArray]


def localize(
    x: ArrayLike,
    sample_rate: float,
    *,
    n_sources: int | None = None,
    method: str = "intensity",
    degrees: bool = False,
) -> Directions:
    r"""Estimate where the sources of a recording are.

    Parameters
    ----------
    x : array_like, shape (channels, samples)
        One AmbiX signal of order 1 or more.
    sample_rate : float
        Hz.
    n_sources : int, optional
        Number of sources; fewer are returned if the map has fewer peaks. By default those that
        stand out, which may be none. ``"music"`` requires it.
    method : {"intensity", "pwd", "music"}, optional
        ``"intensity"``: histogram of the active intensity over time and frequency, for many sources
        that overlap little there; first-order channels are enough. ``"pwd"``: power of beams; wide
        lobes at first order, so that sources pull on each other. ``"music"``: noise subspace of the
        broadband covariance, for up to 2 sources at first order, else three fewer than channels.
    degrees : bool, optional
        Return the angles in degrees.

    Returns
    -------
    Directions
        Strongest first, at least 20° apart; `weight` is the height of the map over its mean on the
        sphere (1: nothing stands out).

    Raises
    ------
    InputError
        If `x` is not one signal, holds NaN, or is shorter than a window of 43 ms; if `n_sources`
        does not suit the method.

    Notes
    -----
    ``"intensity"``: each bin and frame gives the direction of :math:`\langle I\rangle`, averaged
    over 3 frames, and counts with :math:`\langle E\rangle (1 - \psi)^2`, so that what is diffuse
    or a mixture of sources counts little. The histogram is smoothed by a von Mises-Fisher kernel of
    8°, its peaks refined to the weighted mean of the vectors around them. A source at rest in
    reverberation leaves a peak; one that moves leaves a trace: localise short spans.

    Sources that sound in the same bins at the same time have one intensity between them. Two equal
    noises at ±20° or ±45° leave a single peak, at 0°; at ±60° two, at about ±25°; at ±90° two in
    the right places. ``"music"`` finds them all, but has to be given their number.

    References
    ----------
    .. [1] S. Tervo, "Direction estimation based on sound intensity vectors", EUSIPCO 2009.
    .. [2] D. Pavlidi, S. Delikaris-Manias, V. Pulkki, A. Mouchtaris, "3D localization of multiple
           sound sources with intensity vector estimates in single source zones", EUSIPCO 2015.
    .. [3] R. O. Schmidt, "Multiple emitter location and signal parameter estimation", IEEE
           Transactions on Antennas and Propagation 34 (1986), 276-280.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> x = ambikit.encode(noise, -45, 30, degrees=True)
    >>> found = ambikit.localize(x, 24000, degrees=True)
    >>> found.azimuth.round(1), found.elevation.round(1)
    (array([-45.]), array([30.]))
    """
    checks.choice(method, _METHODS, "method")
    signal, length = analysed(x, sample_rate)
    order = math.isqrt(len(signal)) - 1
    count = checks.sources(n_sources, method, len(signal))
    grid = icosphere(SUBDIVISIONS)
    if method == "intensity":
        sums = histogram(signal, length, grid)
        values = density(grid, sums[:, 3], grid)

        def refine(direction: FloatArray) -> FloatArray:
            return mean_shift(direction, sums[:, :3], grid)
    else:
        score = _pwd(signal, order) if method == "pwd" else _music(signal, order, count or 1)
        values = score(grid)
        values = values / (values.mean() or 1.0)

        def refine(direction: FloatArray) -> FloatArray:
            return _climb(direction, score)

    floor = 0.0 if count else max(THRESHOLD * values.max(), _STANDS_OUT[method])
    found = peaks(values, grid, SEPARATION, floor, count)
    vectors = np.array([refine(grid[index]) for index in found]).reshape(-1, 3)
    return directions_of(vectors, values[found], degrees=degrees)


def _pwd(x: FloatArray, order: int) -> Score:
    """Return the power of plane-wave decomposition beams as a function of unit vectors."""
    products = mean_products(x.astype(np.float64))

    def score(directions: FloatArray) -> FloatArray:
        weights = beam_weights("max_di", *vector_to_angles(directions), order=order)
        return np.asarray(np.einsum("...i,ij,...j->...", weights, products, weights))

    return score


def _music(x: FloatArray, order: int, n_sources: int) -> Score:
    """Return the MUSIC pseudo-spectrum as a function of unit vectors."""
    _, vectors = np.linalg.eigh(mean_products(x.astype(np.float64)))
    noise = vectors[:, : len(x) - n_sources]

    def score(directions: FloatArray) -> FloatArray:
        steering = spherical_harmonics(directions, order)
        leak = ((steering @ noise) ** 2).sum(axis=-1) / (steering**2).sum(axis=-1)
        return np.asarray(1 / (leak + 1e-9))

    return score


def _climb(direction: FloatArray, score: Score) -> FloatArray:
    """Return the top of the hill that a grid point stands on."""
    step = np.deg2rad(4.0)
    around = np.array([(np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3])
    while step > 1e-5:
        # any two axes across the direction will do
        across = np.cross(direction, np.eye(3)[np.abs(direction).argmin()])
        across /= np.linalg.norm(across)
        offsets = around @ np.stack([across, np.cross(direction, across)])
        candidates = np.concatenate([direction[None], direction + step * offsets])
        candidates /= np.linalg.norm(candidates, axis=-1, keepdims=True)
        best = int(score(candidates).argmax())
        direction = candidates[best]
        if best == 0:
            step /= 2
    return direction
