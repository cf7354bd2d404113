"""A head that is a rigid sphere: its responses by formula."""

from __future__ import annotations

import math

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import angles_to_vector, icosphere, vector_to_angles

SPEED_OF_SOUND = 343.0
"""m/s, at 20 °C."""

_SUBDIVISIONS = 3


def sphere_head(
    sample_rate: float,
    *,
    radius: float = 0.0875,
    taps: int = 256,
    azimuth: ArrayLike | None = None,
    elevation: ArrayLike = 0.0,
    degrees: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Return the head-related impulse responses of a rigid sphere with ears at ±90°.

    Parameters
    ----------
    sample_rate : float
        Samples a second.
    radius : float, optional
        Radius of the sphere in metres.
    taps : int, optional
        Length of the responses, 64 or more.
    azimuth, elevation : array_like, optional
        Directions in radians, broadcast against each other; by default 642 points all over the
        sphere.
    degrees : bool, optional
        Take and return the angles in degrees.

    Returns
    -------
    azimuth, elevation : ndarray, shape (M,)
        The directions.
    responses : ndarray, shape (M, 2, taps)
        Left ear first; a source far away sounds at the centre of the head, if that were not there,
        after ``taps / 4`` samples. float64.

    Raises
    ------
    InputError
        If a number is out of range, or the sphere is so large that its responses do not fit `taps`.

    See Also
    --------
    binaural_filters : Takes the result as `head`.

    Notes
    -----
    For a plane wave at the angle γ from the ear, and k = ω / c, c = 343 m/s [1]_,

    .. math:: H = \frac{1}{(k a)^2} \sum_n i^n (2 n + 1) \frac{-i}{h_n^{(2)\prime}(k a)}
              P_n(\cos\gamma),

    summed until the terms vanish: at 8.75 cm and 24 kHz that takes some 55 orders.

    References
    ----------
    .. [1] R. O. Duda and W. L. Martens, "Range dependence of the response of a spherical head
           model", J. Acoust. Soc. Am. 104 (1998), 3048-3058.

    Examples
    --------
    >>> import ambikit
    >>> azimuth, elevation, responses = ambikit.sphere_head(48000, azimuth=[90, -90], degrees=True)
    >>> energy = (responses**2).sum(axis=-1)
    >>> bool(energy[0, 0] > 2 * energy[0, 1]), bool(abs(energy[0, 0] - energy[1, 1]) < 1e-9)
    (True, True)
    """
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    radius = checks.positive(radius, "radius", "m")
    taps = checks.at_least(taps, 64, "taps")
    checks.fits_responses(math.ceil(4.0 * radius / SPEED_OF_SOUND * rate), taps)
    if azimuth is None:
        vectors = icosphere(_SUBDIVISIONS)
    else:
        az, el = checks.direction(azimuth, elevation, degrees=degrees)
        vectors = angles_to_vector(az, el).reshape(-1, 3)
    cosine = np.stack([vectors[:, 1], -vectors[:, 1]], axis=-1)
    spectra = sphere_spectra(cosine, radius, np.fft.rfftfreq(taps, 1.0 / rate))
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(taps) * (taps // 4))
    responses = np.fft.irfft(spectra * delay, taps)
    return (*vector_to_angles(vectors, degrees=degrees), responses)


def sphere_spectra(cosine: FloatArray, radius: float, frequency: FloatArray) -> FloatArray:
    """Return the pressure (..., F) on a rigid sphere over that at its centre without it.

    By the cosine (...) of the angle between a plane wave's direction and the point.
    """
    ka = 2.0 * np.pi * frequency * radius / SPEED_OF_SOUND
    radial = rigid_radial(math.ceil(1.1 * ka.max() + 3.0 * ka.max() ** (1 / 3)) + 10, ka)
    total = np.zeros((*cosine.shape, len(frequency)), np.complex128)
    before, polynomial = np.zeros_like(cosine), np.ones_like(cosine)
    for n in range(radial.shape[1]):
        total += (2 * n + 1) * polynomial[..., None] * radial[:, n]
        ahead = ((2 * n + 1) * cosine * polynomial - n * before) / (n + 1)
        before, polynomial = polynomial, ahead
    return total


def rigid_radial(order: int, kr: FloatArray) -> FloatArray:
    """Return i^n b_n (F, order + 1) on a rigid sphere, by kr (F,) and e^{+iωt}; 1 at n = kr = 0."""
    from scipy.special import spherical_jn, spherical_yn

    n = np.arange(order + 1)
    inside = np.maximum(kr, 1e-9)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        slope = spherical_jn(n, inside, True) - 1j * spherical_yn(n, inside, True)
        radial = (1j**n) * -1j / (inside**2 * slope)
    radial = np.where(np.isfinite(radial), radial, 0.0)
    radial[kr == 0] = np.eye(1, order + 1)
    return np.asarray(radial)
