"""Encoding of point sources, spread sources and diffuse fields as Ambisonic signals."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre

from ambikit import _mixing, _motion, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.directions import angles_to_vector
from ambikit.harmonics import spherical_harmonics, unit_harmonics

_TILE = 16384


def encode(
    signal: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    order: int = 1,
    spread: float = 0.0,
    degrees: bool = False,
    out: FloatArray | None = None,
    times: ArrayLike | None = None,
) -> FloatArray:
    r"""Encode a source at a direction, still or moving, as an Ambisonic plane wave.

    Parameters
    ----------
    signal : array_like, shape (..., samples)
        Sound of the source, float32 or float64.
    azimuth, elevation : float or array_like, shape (keys,)
        Direction in radians: azimuth counter-clockwise from the front, elevation up. One number
        each: the source stands still. Lists: keys of a motion, the first at the first sample, the
        last at the last sample, the others evenly between.
    order : int, optional
        Ambisonic order.
    spread : float, optional
        Angle across the source, 0 to 360°, in radians: the sound comes from all of a cap of the
        sphere at once. 0 is a point; a source that is 360° wide has no direction left.
    degrees : bool, optional
        Take the angles in degrees.
    out : ndarray, shape (..., (order + 1)**2, samples), optional
        Array to write to, of the dtype of `signal`.
    times : array_like, shape (keys,), optional
        Times of the keys in samples, rising. Outside their range the nearest key holds.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        AmbiX signals (ACN, SN3D); float32 stays float32. At order 1:
        ``[1, sin az cos el, sin el, cos az cos el] * signal``.

    Raises
    ------
    InputError
        If angles are not finite or out of range, shapes do not fit, or `times` is given without
        keys.
    TypeError
        If `signal` is not real floating point.

    Notes
    -----
    Between keys the source moves along the great circle, the shorter way, at constant speed, also
    across ±180°. Between exactly opposite keys the path is level and counter-clockwise. Gains are
    interpolated linearly between points at most 0.02 / order radians apart, so nothing clicks, and
    the wave stays within 5e-5 of its amplitude of the circle.

    A spread source is the mean of the plane waves from its cap, all with the same sound. This
    scales the harmonics of degree n by

    .. math:: g_n = \frac{1}{1 - c} \int_c^1 P_n(t)\, dt, \qquad c = \cos(\text{spread} / 2) :

    W does not change, and higher degrees are attenuated more. At order 1, the factor of X, Y and Z
    is (1 + c) / 2. Nothing is decorrelated: see `encode_diffuse` for that.

    NaN in `signal` stays in its sample.

    References
    ----------
    .. [1] J. Daniel, "Représentation de champs acoustiques, application à la transmission et à la
           reproduction de scènes sonores complexes dans un contexte multimédia", thesis, Université
           Paris 6, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> ambikit.encode([1.0, 2.0], 90, degrees=True).round(12)  # a source at the left
    array([[1., 2.],
           [1., 2.],
           [0., 0.],
           [0., 0.]])

    From the left over the back to the right, in one second:

    >>> x = ambikit.encode(np.ones(48000, np.float32), [90, 180, 270], degrees=True)
    >>> x[:, [0, -1]].round(3) + 0.0
    array([[ 1.,  1.],
           [ 1., -1.],
           [ 0.,  0.],
           [ 0.,  0.]], dtype=float32)

    From the whole left half of the sphere:

    >>> ambikit.encode([1.0], 90, spread=180, degrees=True).ravel().round(12)
    array([1. , 0.5, 0. , 0. ])
    """
    s = checks.samples(signal, "signal")
    order = checks.order(order)
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    checks.at_most_1d(az, "azimuth and elevation", "keys along time")
    shares = _cap(checks.spread(spread, degrees=degrees), order)[degrees_and_indices(order)[0]]
    position = None if times is None else checks.key_times(times, az.size)
    out = checks.output(out, (*s.shape[:-1], (order + 1) ** 2, s.shape[-1]), s.dtype, s)
    if az.size == 1:
        wave = spherical_harmonics(angles_to_vector(az, el).reshape(3), order)
        gains = (shares * wave)[:, None]
        _mixing.mix(s[..., None, :], gains, _mixing.one_block(*gains.shape), out)
    else:
        if position is None:
            position = _motion.key_positions(az.size, s.shape[-1])
        _encode_moving(s, angles_to_vector(az, el), position, shares, out)
    return out


def encode_diffuse(
    signal: ArrayLike, *, order: int = 1, length: int = 2048, seed: int = 0
) -> FloatArray:
    r"""Encode a sound as a diffuse field: equally from all directions, and decorrelated.

    Parameters
    ----------
    signal : array_like, shape (..., samples)
        Sound of the field, float32 or float64.
    order : int, optional
        Ambisonic order.
    length : int, optional
        Length of the decorrelation filters in samples, at least 4 for each channel. Longer filters
        decorrelate lower frequencies but blur attacks: the default is 43 ms at 48 kHz.
    seed : int, optional
        Fields of different seeds are independent of each other.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        AmbiX signals (ACN, SN3D); float32 stays float32. The tail of the last samples is cut off.

    Raises
    ------
    InputError
        If `signal` is a single number, holds NaN or infinity, or a number is out of range.
    TypeError
        If `signal` is not real floating point.

    Notes
    -----
    Each channel is the sound through a separate filter: noise of random phase and equal magnitude
    at all frequencies, orthogonal to the other filters. The energies of the filters are those of a
    diffuse field in SN3D, so that

    .. math:: \sum_t h_n^m(t)\, h_{n'}^{m'}(t)
              = \frac{\delta_{n n'} \delta_{m m'}}{2 n + 1}

    holds exactly. This is the covariance of the channels for white sound, and no rotation changes
    it. W keeps the power of the sound.

    References
    ----------
    .. [1] G. S. Kendall, "The decorrelation of audio signals and its impact on spatial imagery",
           Computer Music Journal 19 (1995), 71-87.
    .. [2] J. Merimaa and V. Pulkki, "Spatial impulse response rendering I: analysis and synthesis",
           J. Audio Eng. Soc. 53 (2005), 1115-1127.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> click = np.eye(1, 2048).ravel()
    >>> x = ambikit.encode_diffuse(click)
    >>> (x @ x.T).round(6) + 0.0
    array([[1.      , 0.      , 0.      , 0.      ],
           [0.      , 0.333333, 0.      , 0.      ],
           [0.      , 0.      , 0.333333, 0.      ],
           [0.      , 0.      , 0.      , 0.333333]])
    """
    s = checks.all_finite(checks.samples(signal, "signal"), "signal")
    order = checks.order(order)
    length = checks.at_least(length, 4 * (order + 1) ** 2, "length")
    filters = _diffusers(order, length, checks.nonnegative_int(seed, "seed"))
    return _convolve(s, filters.astype(s.dtype))


@lru_cache(maxsize=64)
def _cap(spread: float, order: int) -> FloatArray:
    """Return the mean of P_n, n from 0 to order, over a cap of that angle across."""
    height = 2.0 * math.sin(spread / 4.0) ** 2
    node, weight = legendre.leggauss(order // 2 + 1)  # exact for polynomials of that degree
    return np.asarray(weight / 2.0 @ legendre.legvander(1.0 - height * (1.0 - node) / 2.0, order))


def _diffusers(order: int, length: int, seed: int) -> FloatArray:
    """Return orthogonal filters (channels, length) of flat spectra and diffuse energies."""
    import scipy.fft

    degree, _ = degrees_and_indices(order)
    random = np.random.default_rng(seed)
    phase = random.uniform(0.0, 2.0 * np.pi, (len(degree), length // 2 + 1))
    noise = scipy.fft.irfft(np.exp(1j * phase), length)
    # the nearest orthonormal rows, which favour none of them
    left, _, right = np.linalg.svd(noise, full_matrices=False)
    filters: FloatArray = left @ right / np.sqrt(2.0 * degree[:, None] + 1.0)
    return filters


def _convolve(signal: FloatArray, filters: FloatArray) -> FloatArray:
    """Return signal (..., n) through filters (C, m), (..., C, n), block by block."""
    import scipy.fft

    samples, tail = signal.shape[-1], filters.shape[-1] - 1
    size = scipy.fft.next_fast_len(max(4 * tail, _TILE), real=True)
    spectra = scipy.fft.rfft(filters, size)
    out = np.zeros((*signal.shape[:-1], len(filters), samples), signal.dtype)
    for index in np.ndindex(signal.shape[:-1]):
        for begin in range(0, samples, size - tail):
            block = scipy.fft.rfft(signal[index][begin : begin + size - tail], size)
            part = out[index][:, begin : begin + size]
            part += scipy.fft.irfft(block * spectra, size)[:, : part.shape[-1]]
    return out


def _encode_moving(
    signal: FloatArray, keys: FloatArray, position: FloatArray, shares: FloatArray, out: FloatArray
) -> None:
    """Encode along direction keys (K, 3) at positions (K,), each channel times its share (C,)."""
    order = math.isqrt(len(shares)) - 1
    chord, most = _motion.CHORD / max(order, 1), _mixing.points_at_once(len(shares))
    blocks = _mixing.one_block(len(shares), 1)
    for points, lines in _motion.runs(keys, position, signal.shape[-1], chord, most):
        gains = (shares * unit_harmonics(points, order))[..., None]
        _mixing.mix_moving(signal[..., None, :], lines, gains, blocks, out)
