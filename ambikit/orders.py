"""Signals that are no full sphere of channels: horizontal, of mixed order, or cut down in order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.decoding.sphere import SPEED_OF_SOUND, rigid_radial

_TAPS = 512
_MOST = 10 ** (12 / 20)
"""Largest gain of an equalisation: 12 dB."""


def mixed_order_channels(horizontal: int, height: int = 0) -> npt.NDArray[np.int64]:
    """Return the ACN channels of a mixed-order signal: those it has of the full sphere.

    Parameters
    ----------
    horizontal : int
        Order H of the horizontal resolution.
    height : int, optional
        Order P, at most H, up to which all channels are there; above it only the two horizontal
        ones of each degree, m = -n and n. With 0 the signal is horizontal: W and pairs.

    Returns
    -------
    ndarray of int64, shape (channels,)
        Rising channel numbers, ``(P + 1)**2 + 2 * (H - P)`` of them: the scheme #H#P.

    Raises
    ------
    InputError
        If `height` is above `horizontal`, or a number is negative.

    See Also
    --------
    expand_channels, select_channels : To the full sphere, and back.

    References
    ----------
    .. [1] C. Travis, "A new mixed-order scheme for Ambisonic signals", Ambisonics Symposium, Graz,
           2009, for this scheme and others.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.mixed_order_channels(3)  # W, and Y X, V U, Q P
    array([ 0,  1,  3,  4,  8,  9, 15])
    >>> len(ambikit.mixed_order_channels(3, 1))
    8
    """
    across = checks.order(horizontal, "horizontal")
    whole = checks.order(height, "height")
    checks.not_above(whole, across, "height", "horizontal")
    degree, index = degrees_and_indices(across)
    return np.flatnonzero((degree <= whole) | (np.abs(index) == degree)).astype(np.int64)


def expand_channels(x: ArrayLike, channels: ArrayLike) -> FloatArray:
    """Return a signal of some channels as one of the full sphere, the others silent.

    Parameters
    ----------
    x : array_like, shape (..., K, samples)
        Signals in AmbiX normalisation (SN3D), float32 or float64.
    channels : array_like of int, shape (K,)
        ACN number of each channel, for example of `mixed_order_channels`, in any order.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        AmbiX signals of the lowest order that has all `channels`; float32 stays float32.

    Raises
    ------
    InputError
        If there are not as many numbers as channels, or a number is negative or there twice.
    TypeError
        If `x` is not real floating point, or numbers are not whole.

    See Also
    --------
    select_channels : The inverse.
    convert : For channels in other normalisations, once they are expanded.

    Examples
    --------
    >>> import ambikit
    >>> horizontal = [[1.0], [0.5], [0.8]]  # W, Y, X
    >>> ambikit.expand_channels(horizontal, ambikit.mixed_order_channels(1)).ravel()
    array([1. , 0.5, 0. , 0.8])
    """
    signal = checks.sound(x, "x")
    numbers = checks.channel_numbers(channels, signal)
    order = int(np.ceil(np.sqrt(numbers.max() + 1))) - 1
    out = np.zeros((*signal.shape[:-2], (order + 1) ** 2, signal.shape[-1]), signal.dtype)
    out[..., numbers, :] = signal
    return out


def select_channels(x: ArrayLike, channels: ArrayLike) -> FloatArray:
    """Return some channels of a signal of the full sphere, as a mixed-order signal.

    Parameters
    ----------
    x : array_like, shape (..., (order + 1)**2, samples)
        AmbiX signals, float32 or float64.
    channels : array_like of int, shape (K,)
        ACN numbers, for example of `mixed_order_channels`.

    Returns
    -------
    ndarray, shape (..., K, samples)
        Those channels, a new array.

    Raises
    ------
    InputError
        If `x` does not have a channel, or a number is there twice.
    TypeError
        If `x` is not real floating point, or numbers are not whole.

    See Also
    --------
    expand_channels : The inverse.

    Examples
    --------
    >>> import ambikit
    >>> x = ambikit.encode([1.0], 90, order=2, degrees=True)
    >>> ambikit.select_channels(x, ambikit.mixed_order_channels(2)).ravel().round(3) + 0.0
    array([ 1.   ,  1.   ,  0.   ,  0.   , -0.866])
    """
    signal, _ = checks.ambisonic(x)
    numbers = checks.channel_numbers(channels, None, signal.shape[-2])
    return np.ascontiguousarray(signal[..., numbers, :])


def truncate_order(
    x: ArrayLike,
    order: int,
    *,
    sample_rate: float | None = None,
    equalize: bool = False,
    radius: float = 0.0875,
) -> FloatArray:
    r"""Return signals of a lower order, with the treble that the cut takes from a head put back.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals, float32 or float64.
    order : int
        The new order N, at most that of `x`.
    sample_rate : float, optional
        Samples a second; needed with `equalize`.
    equalize : bool, optional
        Filter the sound so that its mean power over all directions, at the ear of a rigid sphere,
        is that of the order it had.
    radius : float, optional
        Radius of the sphere in metres.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        A new array; float32 stays float32. The filter is symmetric, and its delay is taken out.

    Raises
    ------
    InputError
        If `order` is above that of `x`, the sample rate is missing, or `x` holds NaN or infinity
        and is to be filtered.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    binaural_filters : ``equalization="truncation"`` does it for a measured head.

    Notes
    -----
    With the modes :math:`b_n` of a rigid sphere, the gain at each frequency is [1]_

    .. math:: G = \sqrt{\frac{\sum_{n = 0}^{M} (2 n + 1) |b_n(k a)|^2}
                             {\sum_{n = 0}^{N} (2 n + 1) |b_n(k a)|^2}}

    where M is the order of `x`; at most 12 dB.

    References
    ----------
    .. [1] Z. Ben-Hur, F. Brinkmann, J. Sheaffer, S. Weinzierl and B. Rafaely, "Spectral
           equalization in binaural signals represented by order-truncated spherical harmonics",
           J. Acoust. Soc. Am. 141 (2017), 4087-4096.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = ambikit.encode(np.random.default_rng(0).normal(size=4800), 0.3, order=7)
    >>> ambikit.truncate_order(x, 1).shape
    (4, 4800)
    >>> y = ambikit.truncate_order(x, 1, sample_rate=48000, equalize=True)
    >>> bool(y[0].std() > 1.5 * x[0].std())
    True
    """
    signal, had = checks.ambisonic(x)
    order = checks.order(order)
    checks.not_above(order, had, "order", "that of x,")
    radius = checks.positive(radius, "radius", "m")
    cut = signal[..., : (order + 1) ** 2, :]
    if not equalize:
        return cut.copy()
    rate = checks.needed_rate(sample_rate, "equalize")
    taps = truncation_filter(had, order, rate, radius).astype(signal.dtype)
    return _filtered(checks.all_finite(cut, "x"), taps)


def truncation_filter(had: int, order: int, rate: float, radius: float) -> FloatArray:
    """Return a symmetric filter (taps,), an odd number of them."""
    frequency = np.fft.rfftfreq(_TAPS, 1.0 / rate)
    radial = np.abs(rigid_radial(had, 2 * np.pi * frequency * radius / SPEED_OF_SOUND)) ** 2
    power = np.cumsum(radial * (2 * np.arange(had + 1) + 1), axis=1)
    gain = np.sqrt(power[:, had] / power[:, order])
    response = np.fft.fftshift(np.fft.irfft(np.minimum(gain, _MOST), _TAPS))[1:]
    return np.asarray(response * np.hanning(_TAPS + 1)[1:-1])


def _filtered(x: FloatArray, taps: FloatArray) -> FloatArray:
    """Return x (..., n) through a symmetric filter, in time with it."""
    from ambikit.decoding._convolution import convolve

    out = np.empty(x.shape, x.dtype)
    for index in np.ndindex(x.shape[:-1]):
        convolve(x[index][None], taps[None, None], out[index][None], len(taps) // 2)
    return out
