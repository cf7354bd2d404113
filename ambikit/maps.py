"""Maps of sound over the sphere, and their peaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ambikit import checks
from ambikit._histogram import SUBDIVISIONS, analysed, density, histogram
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beam_weights
from ambikit.directions import angles_to_vector, icosphere, vector_to_angles

SEPARATION = np.deg2rad(20.0)
THRESHOLD = 0.1


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
        return mean_products(x)
    hops = x.shape[-1] // hop
    whole = x[..., : hops * hop].reshape(*x.shape[:-1], hops, hop)
    return mean_products(np.moveaxis(whole, -3, -2))


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
    grid = icosphere(SUBDIVISIONS)
    weight = histogram(*analysed(x, sample_rate), grid)[:, 3]
    # Row by row: the kernel between a picture and the grid is large
    rows = np.atleast_2d(directions)
    values = np.empty(rows.shape[:-1])
    for row in np.ndindex(rows.shape[:-2]):
        values[row] = density(rows[row], weight, grid)
    return values.reshape(directions.shape[:-1])


def find_peaks(
    power: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike,
    *,
    n_peaks: int | None = None,
    separation: float | None = None,
    threshold: float = THRESHOLD,
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
    reach = checks.separation(separation, SEPARATION, degrees=degrees)
    values = values.ravel().astype(np.float64)
    floor = checks.fraction(threshold, "threshold") * values.max(initial=0.0)
    found = peaks(values, grid, reach, floor, count)
    return directions_of(grid[found], values[found], degrees=degrees)


def directions_of(vectors: FloatArray, weight: FloatArray, *, degrees: bool) -> Directions:
    """Return unit vectors (K, 3) as angles."""
    azimuth, elevation = vector_to_angles(vectors, degrees=degrees)
    return Directions(azimuth, elevation, weight)


def mean_products(x: FloatArray) -> FloatArray:
    """Return x xᵀ over the samples."""
    c: FloatArray = x @ x.swapaxes(-1, -2) / max(x.shape[-1], 1)
    return c


def peaks(
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
