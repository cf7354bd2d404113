"""From the signals of microphone arrays to Ambisonic signals."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import legendre

from ambikit import checks
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.decoding._convolution import convolve
from ambikit.decoding.sphere import SPEED_OF_SOUND
from ambikit.harmonics import unit_harmonics
from ambikit.microphones.arrays import MicrophoneArray, array_of

_BETWEEN = 1.3
"""Ratio of frequencies over which the equalisation above aliasing sets in."""


def array_filters(
    array: str | MicrophoneArray,
    sample_rate: float,
    *,
    order: int | None = None,
    max_gain: float = 20.0,
    equalize: bool = True,
    taps: int = 512,
) -> FloatArray:
    r"""Return the filters that turn the signals of a microphone array into Ambisonic signals.

    Parameters
    ----------
    array : str or MicrophoneArray
        ``"em32"`` (mh acoustics), ``"zylia"`` (ZM-1), ``"a_format"`` (a tetrahedral microphone,
        FLU, FRD, BLD, BRU, of cardioids at 14.7 mm), four corners such as ``"FLU FRD BLD BRU"``,
        or any `MicrophoneArray`; see `tetrahedron` for other spacings and patterns.
    sample_rate : float
        Samples a second.
    order : int, optional
        Ambisonic order; by default the highest that the capsules can tell.
    max_gain : float, optional
        The most that any pattern of the capsules' signals is amplified over one capsule, in dB.
        More brings higher orders to lower frequencies, and noise with them.
    equalize : bool, optional
        Make the power of each degree right for a diffuse field above the frequency at which
        directions fold into each other (kr = order).
    taps : int, optional
        Length of the filters.

    Returns
    -------
    ndarray, shape ((order + 1)**2, Q, taps)
        ``y[c] = sum(filters[c, q] * x[q])``, convolved: AmbiX signals (ACN, SN3D), late by
        ``taps // 2`` samples. float64.

    Raises
    ------
    InputError
        If the name is unknown, the order is more than the capsules can tell, or a number is out of
        range.

    See Also
    --------
    to_ambisonics : From signals to signals.

    Notes
    -----
    At each frequency, with the capsules' responses A (Q, D) to plane waves from all over the sphere
    and the harmonics Y (channels, D) of these D directions [1]_,

    .. math:: E = Y A^H (A A^H + \lambda^2 D I)^{-1} .

    For ever more directions both products have closed forms in Legendre polynomials, and these are
    used.
    A is that of a rigid sphere, with modes :math:`i^n \frac{-i}{(kr)^2 h_n^{(2)\prime}(kr)}`, or of
    an open one, :math:`i^n (a\, j_n - i (1 - a)\, j_n')(kr)`, up to degrees that vanish, so that
    what folds is known to the solution. The gain for no singular value of A exceeds 1 / (2 λ).

    References
    ----------
    .. [1] S. Moreau, J. Daniel and S. Bertet, "3D sound field recording with higher order
           Ambisonics", 120th AES Convention, 2006.
    .. [2] A. Politis and H. Gamper, "Comparing modeled and measurement-based spherical harmonic
           encoding filters for spherical microphone arrays", IEEE WASPAA 2017.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.array_filters("a_format", 48000).shape
    (4, 4, 512)
    """
    microphones = array_of(array)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    highest = microphones.order
    n = highest if order is None else checks.order(order)
    n = checks.carried_order(n, highest, microphones.count)
    gain = 10.0 ** (checks.within(max_gain, 0.0, 60.0, "max_gain") / 20.0)
    taps = checks.at_least(checks.even(taps, "taps"), 64, "taps")
    frequency = np.fft.rfftfreq(taps, 1.0 / rate)
    radial = microphones.radial(frequency)
    coherence = _coherence(microphones, radial).reshape(len(frequency), *[microphones.count] * 2)
    encoders = _encoders(radial, coherence, unit_harmonics(microphones.vectors, n), gain)
    if equalize:
        aliasing = max(n, 1) * SPEED_OF_SOUND / (2.0 * np.pi * microphones.radius)
        octaves = np.log(np.maximum(frequency, 1.0) / aliasing) / np.log(_BETWEEN)
        share = np.clip(octaves + 1.0, 0.0, 1.0)
        encoders = encoders * _equalizer(encoders, coherence, n, share)[..., None]
    late = np.exp(-2j * np.pi * np.arange(len(frequency)) * (taps // 2) / taps)
    filters = np.fft.irfft((encoders * late[:, None, None]).transpose(1, 2, 0), taps)
    return np.asarray(filters * np.hanning(taps + 2)[1:-1] ** 0.25)


def to_ambisonics(
    x: ArrayLike,
    sample_rate: float,
    *,
    array: str | MicrophoneArray,
    order: int | None = None,
    max_gain: float = 20.0,
    equalize: bool = True,
    taps: int = 512,
) -> FloatArray:
    """Turn the signals of a microphone array into Ambisonic signals.

    Parameters
    ----------
    x : array_like, shape (..., Q, samples)
        Signals of the capsules, float32 or float64: A-format, for tetrahedral microphones.
    sample_rate : float
        Samples a second.
    array, order, max_gain, equalize, taps
        As for `array_filters`.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        AmbiX signals (ACN, SN3D), in time with `x`; float32 stays float32.

    Raises
    ------
    InputError
        As `array_filters`; if `x` has another number of channels than the array has capsules, or
        holds NaN or infinity.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    array_filters : The filters, with formula and sources.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> a_format = np.ones((4, 2000))  # the same at all capsules: pressure, and no direction
    >>> x = ambikit.to_ambisonics(a_format, 48000, array="a_format")
    >>> bool(np.abs(x[1:]).max() < 1e-3 * np.abs(x[0]).max())
    True
    """
    microphones = array_of(array)
    name = repr(array) if isinstance(array, str) else "given"
    x = checks.recording(x, microphones.count, name)
    filters = array_filters(
        microphones, sample_rate, order=order, max_gain=max_gain, equalize=equalize, taps=taps
    )
    out = np.empty((*x.shape[:-2], len(filters), x.shape[-1]), x.dtype)
    late = filters.shape[-1] // 2
    for index in np.ndindex(x.shape[:-2]):
        convolve(x[index], filters, out[index], late)
    return out


def _encoders(
    radial: ComplexArray, coherence: ComplexArray, harmonics: FloatArray, gain: float
) -> ComplexArray:
    """Return encoders (F, channels, Q) of regularised least squares.

    From the capsules' harmonics (Q, channels) and their covariance in a diffuse field (F, Q, Q).
    """
    order = math.isqrt(harmonics.shape[1]) - 1
    degree, _ = degrees_and_indices(order)
    # the mean over all directions of the waves' harmonics times what the capsules hear
    match = radial[:, degree, None].conj() * harmonics.T
    loading = np.eye(len(harmonics)) / (4.0 * gain**2)
    # (x M^-1)^T, for a Hermitian M
    solved = np.linalg.solve(coherence.conj() + loading, match.swapaxes(-1, -2))
    return np.asarray(solved.swapaxes(-1, -2))


def _coherence(array: MicrophoneArray, radial: ComplexArray) -> FloatArray:
    """Return the covariance (F, Q, Q) of the capsules in a diffuse field of power 1."""
    cosine = array.vectors @ array.vectors.T
    n = np.arange(radial.shape[1])
    polynomials = legendre.legvander(np.clip(cosine, -1.0, 1.0), len(n) - 1)
    return np.asarray(((2 * n + 1) * np.abs(radial) ** 2) @ polynomials.reshape(-1, len(n)).T)


def _equalizer(
    encoders: ComplexArray, coherence: FloatArray, order: int, share: FloatArray
) -> FloatArray:
    """Return gains (F, channels) that make the diffuse power of each degree right, by a share."""
    degree, _ = degrees_and_indices(order)
    power = np.einsum("fcq,fcq->fc", encoders @ coherence, encoders.conj()).real
    mean = np.stack([power[:, degree == n].mean(axis=1) for n in range(order + 1)], axis=-1)
    wanted = 1.0 / (2.0 * np.arange(order + 1) + 1.0)
    gains: FloatArray = np.sqrt(wanted / np.maximum(mean, 1e-12)) ** share[:, None]
    return gains[:, degree]
