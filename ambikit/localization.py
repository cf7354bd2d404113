"""Localisation: power maps, peaks on the sphere, and directions of arrival."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beam_weights
from ambikit.directions import angles_to_vector, icosphere, vector_to_angles
from ambikit.harmonics import spherical_harmonics
from ambikit.spectral import moving_sum, spectral_intensity, stft

_SUBDIVISIONS = 4
"""2562 directions, 4° apart."""
_WIDTH = np.deg2rad(8.0)
"""Standard deviation of the kernel that smooths the histogram."""
_SEPARATION = np.deg2rad(20.0)
_THRESHOLD = 0.1
_METHODS = ("intensity", "pwd", "music")
_STANDS_OUT = {"intensity": 2.0, "pwd": 1.2}
"""Smallest peak, as a multiple of the map's mean, that counts when no number is requested."""
_WINDOW = 0.043
_AVERAGE = 3
_FRAMES = 256
_QUIET = 1e-5

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Score = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Directions:
    """Directions on the sphere, strongest first.

    Attributes
    ----------
    azimuth, elevation : ndarray of float64, shape (K,)
        Radians, or degrees if the call was made with ``degrees=True``.
    weight : ndarray of float64, shape (K,)
        Height of the map there; `localize` gives it in units of the map's mean over the sphere.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> found = ambikit.Directions(np.array([90.0]), np.array([0.0]), np.array([7.0]))
    >>> len(found), ambikit.angles_to_vector(found.azimuth, found.elevation, degrees=True).round(12)
    (1, array([[0., 1., 0.]]))
    """

    azimuth: FloatArray
    elevation: FloatArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.azimuth)


def power_map(
    x: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    pattern: str = "max_di",
    hop: int | None = None,
    degrees: bool = False,
) -> FloatArray:
    """Return the mean power that a beam in each direction receives.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals, ``channels == (order + 1)**2``.
    azimuth, elevation : array_like
        Directions in radians, of any shapes that broadcast to S, for example (1, width) and
        (height, 1).
    pattern : str, optional
        Pattern of `beam_weights`; ``"max_di"`` is the plane-wave decomposition. ``"mvdr"`` is the
        least power that passes a wave from there unchanged, which parts sources that are closer
        together; its diagonal loading is a thousandth of the mean power of the channels.
    hop : int, optional
        Make a map of every `hop` samples, instead of one of all; samples after the last whole hop
        are left out.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., *S), or (..., samples // hop, *S) with `hop`
        Mean squares; float32 stays float32.

    Raises
    ------
    InputError
        If a shape or an angle does not fit, `x` holds NaN or infinity, or the pattern is unknown.

    Notes
    -----
    ``wᵀ C w`` with the covariance ``C = x xᵀ / samples``: no beam signal is formed, so that, once C
    is known, the cost of a map does not depend on the length of the sound. MVDR is
    ``1 / (yᵀ C⁻¹ y)`` with the steering vector y.

    References
    ----------
    .. [1] B. Rafaely, "Fundamentals of Spherical Array Processing", 2nd ed., Springer, 2019.
    .. [2] J. Capon, "High-resolution frequency-wavenumber spectrum analysis", Proceedings of the
           IEEE 57 (1969), 1408-1418, for MVDR.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> x = ambikit.encode(np.ones(100), 90, degrees=True)
    >>> ambikit.power_map(x, [90, 0, -90], pattern="cardioid", degrees=True).round(12)
    array([1.  , 0.25, 0.  ])
    """
    x, order = checks.ambisonic(x)
    angles = checks.direction(azimuth, elevation, degrees=degrees)
    mvdr = isinstance(pattern, str) and pattern == "mvdr"
    weights = beam_weights("basic" if mvdr else pattern, *angles, order=order)
    flat = weights.reshape(-1, weights.shape[-1])
    length = None if hop is None else checks.positive_int(hop, "hop")
    gain, covariance = 1.0, _covariances(x, length)
    largest = covariance.max(initial=0.0)
    if not np.finfo(x.dtype).tiny * 1e12 < largest < np.inf:  # very quiet, or beyond the type
        gain = gain_for(x)
        covariance = _covariances(scaled(x, gain), length)
    checks.stayed_finite(covariance)
    power = _least_power(covariance, flat) if mvdr else _beam_power(covariance, flat)
    np.maximum(power, 0, out=power)
    if gain != 1.0:
        power = power / gain / gain  # the square of the gain may be no number
    shape = (*covariance.shape[:-2], *weights.shape[:-1])
    return power.astype(x.dtype, copy=False).reshape(shape)


def _covariances(x: FloatArray, hop: int | None) -> FloatArray:
    """Return x xᵀ over all samples, or over each whole hop (..., hops, channels, channels)."""
    if hop is None:
        return _covariance(x)
    hops = x.shape[-1] // hop
    whole = x[..., : hops * hop].reshape(*x.shape[:-1], hops, hop)
    return _covariance(np.moveaxis(whole, -3, -2))


def _beam_power(covariance: FloatArray, weights: FloatArray) -> FloatArray:
    """Return w^T C w (..., D) of weights (D, channels), from the upper triangle of C."""
    first, second = np.triu_indices(weights.shape[1])
    twice = np.where(first == second, 1.0, 2.0)
    products = (twice * weights[:, first] * weights[:, second]).astype(covariance.dtype)
    return np.asarray(covariance[..., first, second] @ products.T)


def _least_power(covariance: FloatArray, steering: FloatArray) -> FloatArray:
    """Return 1 / (y^T C^-1 y) (..., D); 0 for silence."""
    wide = covariance.astype(np.float64)
    channels = wide.shape[-1]
    mean = np.trace(wide, axis1=-2, axis2=-1)[..., None, None] / channels
    loaded = wide + np.maximum(1e-3 * mean, 1e-300) * np.eye(channels)
    solved = np.linalg.solve(loaded, np.broadcast_to(steering.T, (*wide.shape[:-1], len(steering))))
    power = 1.0 / np.einsum("dc,...cd->...d", steering, solved)
    return np.asarray(np.where(mean[..., 0] > 0, power, 0.0))


def intensity_map(
    x: ArrayLike,
    sample_rate: float,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    degrees: bool = False,
) -> FloatArray:
    r"""Return the histogram of the directions of the active intensity, the map of `localize`.

    Parameters
    ----------
    x : array_like, shape (channels, samples)
        One AmbiX signal of order 1 or more.
    sample_rate : float
        Hz.
    azimuth, elevation : array_like
        Directions in radians, of any shapes that broadcast to S.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray of float64, shape S
        Density relative to that of a field without direction: its mean over the sphere is 1, or 0
        for silence.

    Raises
    ------
    InputError
        As `localize`.

    Notes
    -----
    With the directions u of the intensity in all bins and frames, weighted by their energy that is
    not diffuse, :math:`w = \langle E\rangle (1 - \psi)^2`, and σ = 8°,

    .. math::
        p(d) = \frac{2}{\sigma^2} \frac{\sum_u w_u\, e^{(d \cdot u - 1) / \sigma^2}}{\sum_u w_u} .

    References
    ----------
    .. [1] D. Pavlidi, S. Delikaris-Manias, V. Pulkki, A. Mouchtaris, "3D localization of multiple
           sound sources with intensity vector estimates in single source zones", EUSIPCO 2015.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> x = ambikit.encode(noise, 90, degrees=True)
    >>> density = ambikit.intensity_map(x, 24000, [90, 0], degrees=True)
    >>> bool(density[0] > 50), density[1].round(6)
    (True, np.float64(0.0))
    """
    directions = angles_to_vector(*checks.direction(azimuth, elevation, degrees=degrees))
    grid = icosphere(_SUBDIVISIONS)
    weight = _histogram(*_analysed(x, sample_rate), grid)[:, 3]
    # Row by row: the kernel between a picture and the grid is large
    rows = np.atleast_2d(directions)
    density = np.empty(rows.shape[:-1])
    for row in np.ndindex(rows.shape[:-2]):
        density[row] = _density(rows[row], weight, grid)
    return density.reshape(directions.shape[:-1])


def find_peaks(
    power: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike,
    *,
    n_peaks: int | None = None,
    separation: float | None = None,
    threshold: float = _THRESHOLD,
    degrees: bool = False,
) -> Directions:
    """Find the peaks of a map on the sphere.

    Parameters
    ----------
    power : array_like
        Values of the map.
    azimuth, elevation : array_like
        Directions of the values in radians, of shapes that broadcast to that of `power`. The grid
        may be any; points at the seam and the poles are neighbours as on the sphere.
    n_peaks : int, optional
        Largest number of peaks.
    separation : float, optional
        A peak is the highest point within this angle; by default 20°.
    threshold : float, optional
        Peaks lower than this fraction of the highest are omitted.
    degrees : bool, optional
        Take and return the angles in degrees.

    Returns
    -------
    Directions
        Grid points, highest first; `weight` is the value there.

    Raises
    ------
    InputError
        If shapes do not fit or the map holds NaN.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> azimuth = np.arange(0, 360, 5)
    >>> power = np.exp(-((azimuth - 180) / 20.0) ** 2) + 0.5 * np.exp(-((azimuth - 60) / 20.0) ** 2)
    >>> peaks = ambikit.find_peaks(power, azimuth, 0.0, degrees=True)
    >>> peaks.azimuth.round(), peaks.weight.round(2)
    (array([180.,  60.]), array([1. , 0.5]))
    """
    values = checks.real(power, "power")
    angles = checks.direction(azimuth, elevation, degrees=degrees)
    grid = angles_to_vector(*checks.map_of(values, *angles)).reshape(-1, 3)
    count = None if n_peaks is None else checks.positive_int(n_peaks, "n_peaks")
    reach = checks.separation(separation, _SEPARATION, degrees=degrees)
    values = values.ravel().astype(np.float64)
    floor = checks.fraction(threshold, "threshold") * values.max(initial=0.0)
    found = _peaks(values, grid, reach, floor, count)
    return _directions(grid[found], values[found], degrees=degrees)


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
        broadband covariance, for fewer sources than channels.
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
    signal, length = _analysed(x, sample_rate)
    order = math.isqrt(len(signal)) - 1
    count = checks.sources(n_sources, method, len(signal))
    grid = icosphere(_SUBDIVISIONS)
    if method == "intensity":
        sums = _histogram(signal, length, grid)
        values = _density(grid, sums[:, 3], grid)

        def refine(direction: FloatArray) -> FloatArray:
            return _mean_shift(direction, sums[:, :3], grid)
    else:
        score = _pwd(signal, order) if method == "pwd" else _music(signal, order, count or 1)
        values = score(grid)
        values = values / (values.mean() or 1.0)

        def refine(direction: FloatArray) -> FloatArray:
            return _climb(direction, score)

    floor = 0.0 if count else max(_THRESHOLD * values.max(), _STANDS_OUT[method])
    found = _peaks(values, grid, _SEPARATION, floor, count)
    vectors = np.array([refine(grid[index]) for index in found]).reshape(-1, 3)
    return _directions(vectors, values[found], degrees=degrees)


def _directions(vectors: FloatArray, weight: FloatArray, *, degrees: bool) -> Directions:
    """Return unit vectors (K, 3) as angles."""
    azimuth, elevation = vector_to_angles(vectors, degrees=degrees)
    return Directions(azimuth, elevation, weight)


def _covariance(x: FloatArray) -> FloatArray:
    """Return x xᵀ over the samples."""
    c: FloatArray = x @ x.swapaxes(-1, -2) / max(x.shape[-1], 1)
    return c


def _peaks(
    values: FloatArray, grid: FloatArray, separation: float, floor: float, count: int | None
) -> list[int]:
    """Return the indices of the points that nothing within `separation` surpasses."""
    found: list[int] = []
    near = np.cos(separation)
    # Points known to lie beside a higher one, or a peak of the same height
    beside = np.zeros(len(values), bool)
    for index in np.argsort(-values, kind="stable"):
        if len(found) == count or values[index] < floor or values[index] <= 0:
            break
        cap = grid @ grid[index] >= near
        if not beside[index] and values[cap].max() <= values[index]:
            found.append(int(index))
            beside |= cap
    return found


def _analysed(x: ArrayLike, sample_rate: float) -> tuple[FloatArray, int]:
    """Return one signal and its window: the power of two samples nearest to 43 ms."""
    signal, _ = checks.one_signal(x)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    length = 1 << max(4, round(math.log2(_WINDOW * rate)))
    checks.long_enough(signal.shape[-1], length, length)
    return scaled(signal, gain_for(signal)), length


def _histogram(x: FloatArray, length: int, grid: FloatArray) -> FloatArray:
    """Return for each cell of the grid the weighted sum of unit vectors, and of the weights."""
    tree = _tree(_SUBDIVISIONS)
    sums = np.zeros((len(grid), 4))
    hop = length // 2
    for start in range(0, x.shape[-1] - hop, _FRAMES * hop):
        part = x[:4, start : start + (_FRAMES + 1) * hop]
        if part.shape[-1] < length:
            break
        spectra = stft(part, n_fft=length, hop=hop, center=False)[:, 1:]
        intensity = moving_sum(spectral_intensity(spectra), _AVERAGE, 1)
        energy = moving_sum(0.5 * (spectra.real**2 + spectra.imag**2).sum(axis=0), _AVERAGE, 1)
        size = np.sqrt((intensity**2).sum(axis=0))
        # E (1 - psi)**2 = |I|**2 / E
        weight = np.divide(size**2, energy, out=np.zeros_like(energy), where=energy > 0)
        loud = weight > _QUIET * weight.max()
        weight = weight[loud]
        unit = (intensity[:, loud] / size[loud]).T
        cell = tree.query(unit)[1]
        for column in range(3):
            sums[:, column] += np.bincount(cell, weight * unit[:, column], len(grid))
        sums[:, 3] += np.bincount(cell, weight, len(grid))
    return sums


@lru_cache(maxsize=1)
def _tree(subdivisions: int) -> cKDTree:
    """Return a search tree over the grid."""
    from scipy.spatial import cKDTree

    return cKDTree(icosphere(subdivisions))


def _kernel(cosine: FloatArray) -> FloatArray:
    """Return the von Mises-Fisher kernel, 1 at its centre."""
    return np.asarray(np.exp((cosine - 1) / _WIDTH**2))


def _density(directions: FloatArray, weight: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the kernel density of the histogram over the one of a flat histogram."""
    # The mean of the kernel over the sphere is width² / 2
    share = weight / (weight.sum() or 1.0)
    return np.asarray(_kernel(directions @ grid.T) @ share * (2 / _WIDTH**2))


def _mean_shift(direction: FloatArray, sums: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the direction that is the kernel-weighted mean of the vectors around it."""
    for _ in range(8):
        mean = _kernel(grid @ direction) @ sums
        direction = mean / np.linalg.norm(mean)
    return direction


def _pwd(x: FloatArray, order: int) -> Score:
    """Return the power of plane-wave decomposition beams as a function of unit vectors."""
    covariance = _covariance(x.astype(np.float64))

    def score(directions: FloatArray) -> FloatArray:
        weights = beam_weights("max_di", *vector_to_angles(directions), order=order)
        return np.asarray(np.einsum("...i,ij,...j->...", weights, covariance, weights))

    return score


def _music(x: FloatArray, order: int, n_sources: int) -> Score:
    """Return the MUSIC pseudo-spectrum as a function of unit vectors."""
    _, vectors = np.linalg.eigh(_covariance(x.astype(np.float64)))
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
