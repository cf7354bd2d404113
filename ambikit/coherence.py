"""A post-filter for beams: the coherence of two coincident patterns."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.beamforming import steering_vector
from ambikit.conventions import order_of_channels
from ambikit.spectral import moving_sum, total_power

AVERAGE = (9, 5)
"""Frames and bins of the average."""


def cross_pattern_coherence(
    spectra: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    average: tuple[int, int] = AVERAGE,
    floor: float = 0.1,
    degrees: bool = False,
) -> FloatArray:
    r"""Return the gains of a post-filter that keeps coherent sound from a direction.

    Parameters
    ----------
    spectra : array_like, shape (..., channels, bins, frames)
        Spectra of AmbiX signals (ACN, SN3D) of order 1 or more, complex64 or complex128.
    azimuth, elevation : float or array_like, shape (directions,)
        Directions in radians.
    average : (int, int), optional
        Numbers of frames and bins of the average, both odd. Longer averages pass less of a diffuse
        field and less musical noise, but follow the sound more slowly.
    floor : float, optional
        Smallest gain, 0 to 1; above 0 it masks musical noise.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., directions, bins, frames), or (..., bins, frames) for one number
        Gains from `floor` to 1, to multiply a beam's spectra with; float32 for complex64.

    Raises
    ------
    InputError
        If shapes do not fit, or a number is out of range.
    TypeError
        If `spectra` is not complex.

    Notes
    -----
    Two coincident patterns, p and q, are the beams of degrees N - 1 and N alone towards the
    direction, ``P_{N-1}(cos t)`` and ``P_N(cos t)`` of the angle t from it: at order 1 the omni and
    the figure of eight. They are equal for a wave from the direction, and uncorrelated in a diffuse
    field. With the powers :math:`E_n = \sum_m |x_n^m|^2` of the two degrees,

    .. math::
        G = \max\Bigl(\text{floor}, \frac{\Re \langle p^* q \rangle}
                                   {\tfrac12 \langle E_{N-1} + E_N \rangle}\Bigr),

    which is 1 for a plane wave from the direction, P_{N-1} P_N where that is positive for another
    plane wave, and floor for a diffuse field, averages permitting. Half of the sphere is removed by
    the sign: this is the half-wave rectification of [1]_. At order 1, G is the normalised intensity
    along the direction. Silence has the gain `floor`.

    References
    ----------
    .. [1] S. Delikaris-Manias and V. Pulkki, "Cross pattern coherence algorithm for spatial
           filtering applications utilizing microphone arrays", IEEE Trans. Audio, Speech, Lang.
           Process. 21 (2013), 2356-2367.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=4800)
    >>> spectra = ambikit.stft(ambikit.encode(noise, 60, degrees=True))
    >>> gains = ambikit.cross_pattern_coherence(spectra, [60, 0, -90], degrees=True)
    >>> gains[:, 100, 10].round(6)  # cos t, and the floor
    array([1. , 0.5, 0.1])
    """
    values = checks.spectra(spectra, min_order=1)
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    checks.at_most_1d(az, "azimuth and elevation", "directions")
    order = order_of_channels(values.shape[-3])
    towards = steering_vector(np.atleast_1d(az), np.atleast_1d(el), order=order)
    sizes = checks.average(average)
    gains = coherence_gains(values, towards, sizes, checks.fraction(floor, "floor"))
    return gains if az.ndim else gains[..., 0, :, :]


def coherence_gains(
    spectra: ComplexArray, towards: FloatArray, average: tuple[int, int], floor: float
) -> FloatArray:
    """Return gains (..., D, bins, frames) for steering vectors (D, channels)."""
    order = order_of_channels(spectra.shape[-3])
    spectra = scaled(spectra, gain_for(spectra))
    lower, upper = slice((order - 1) ** 2, order**2), slice(order**2, None)
    p = _beams(spectra[..., lower, :, :], towards[:, lower])
    q = _beams(spectra[..., upper, :, :], towards[:, upper])
    agreement = moving_sum(p.real * q.real + p.imag * q.imag, *average)
    energy = moving_sum(total_power(spectra[..., lower.start :, :, :]) / 2, *average)
    gains: FloatArray = agreement / np.maximum(energy, np.finfo(energy.dtype).tiny)
    return np.clip(gains, floor, 1.0, out=gains)


def _beams(spectra: ComplexArray, weights: FloatArray) -> ComplexArray:
    """Return the beams (..., D, bins, frames) of real weights (D, channels)."""
    beams: ComplexArray = np.einsum(
        "dc,...cft->...dft", weights.astype(spectra.real.dtype), spectra
    )
    return beams
