"""Beams that adapt to the sound: MVDR and LCMV."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft

from ambikit import checks
from ambikit._framing import Framing, cosine_window
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.beamforming import steering_vector
from ambikit.coherence import AVERAGE, coherence_gains
from ambikit.conventions import degrees_and_indices

_RUN = 1 << 19
"""Samples of a run of frames whose spectra are held in memory."""


def covariance(spectra: ArrayLike) -> ComplexArray:
    r"""Return the covariance of the channels in each bin, averaged over all frames.

    Parameters
    ----------
    spectra : array_like, shape (..., channels, bins, frames)
        Spectra as `stft` returns them, complex64 or complex128.

    Returns
    -------
    ndarray, shape (..., bins, channels, channels)
        Hermitian matrices, of the dtype of `spectra`; zeros if there are no frames.

    Raises
    ------
    InputError
        If `spectra` is not (..., channels, bins, frames).
    TypeError
        If `spectra` is not complex.

    Notes
    -----
    :math:`R_{ij} = \langle X_i X_j^* \rangle`. For the noise alone, pass the frames without speech.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=4800)
    >>> matrices = ambikit.covariance(ambikit.stft(ambikit.encode(noise, 90, degrees=True)))
    >>> matrices.shape
    (513, 4, 4)
    >>> (matrices[100] / matrices[100, 0, 0]).real.round(6) + 0.0  # W and Y are one
    array([[1., 1., 0., 0.],
           [1., 1., 0., 0.],
           [0., 0., 0., 0.],
           [0., 0., 0., 0.]])
    """
    values = checks.spectra(spectra)
    matrices = _products(values)
    matrices /= max(values.shape[-1], 1)
    return matrices


def mvdr_weights(
    covariance: ArrayLike, steering: ArrayLike, *, loading: float = 1e-3
) -> ComplexArray:
    r"""Return the MVDR weights: they pass one source unchanged and minimise all other power.

    Parameters
    ----------
    covariance : array_like, shape (..., channels, channels)
        Covariance of the channels, for example of each bin: Hermitian, real or complex.
    steering : array_like, shape (..., channels)
        The channels of a unit wave from the source, for example of `steering_vector`; broadcast
        against the covariances.
    loading : float, optional
        White noise added to the channels, relative to their mean power, ``trace(covariance) /
        channels``. More loading adapts less and tolerates errors of direction.

    Returns
    -------
    ndarray, shape (..., channels)
        Weights w; the beam is :math:`w^H x`, see `beamform_spectra`. They have the precision of
        `covariance`, and are complex if it or `steering` is.

    Raises
    ------
    InputError
        If shapes do not fit, an array is not finite, or the covariance cannot be inverted.
    TypeError
        If an array does not hold numbers.

    See Also
    --------
    lcmv_weights : The same with several constraints.
    beamform_adaptive : All of it, from sound to sound.

    Notes
    -----
    With R the loaded covariance and d the steering vector,

    .. math:: w = \frac{R^{-1} d}{d^H R^{-1} d}, \qquad w^H d = 1 .

    With high loading this is the delay-and-sum beam d / (d^H d). White noise is a diffuse field in
    N3D but not in SN3D: scaled to N3D, that beam is ``"max_di"``; in SN3D at order 1 it is the
    cardioid.

    References
    ----------
    .. [1] J. Capon, "High-resolution frequency-wavenumber spectrum analysis", Proc. IEEE 57 (1969),
           1408-1418.
    .. [2] B. Rafaely, "Fundamentals of Spherical Array Processing", 2nd ed., Springer, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = ambikit.steering_vector(60, degrees=True)  # it comes from 60 degrees
    >>> front = ambikit.steering_vector(0.0)
    >>> weights = ambikit.mvdr_weights(np.outer(noise, noise), front, loading=1e-6)
    >>> (weights @ front).round(6), abs(weights @ noise).round(6)
    (np.float64(1.0), np.float64(0.0))
    """
    matrices = checks.channel_covariance(covariance)
    source = checks.steering(steering, matrices.shape[-1])
    return _lcmv(matrices, source[..., None, :], np.ones(1), checks.loading(loading))


def lcmv_weights(
    covariance: ArrayLike, constraints: ArrayLike, gains: ArrayLike, *, loading: float = 1e-3
) -> ComplexArray:
    r"""Return the LCMV weights: they have given gains for some directions and minimal power.

    Parameters
    ----------
    covariance : array_like, shape (..., channels, channels)
        Covariance of the channels, for example of each bin: Hermitian, real or complex.
    constraints : array_like, shape (..., K, channels)
        K steering vectors, no more than channels; broadcast against the covariances.
    gains : array_like, shape (..., K)
        Gain of the beam for each of them: 1 to pass it, 0 for a null.
    loading : float, optional
        White noise added to the channels, relative to their mean power, ``trace(covariance) /
        channels``.

    Returns
    -------
    ndarray, shape (..., channels)
        Weights w; the beam is :math:`w^H x`, see `beamform_spectra`. They have the precision of
        `covariance`, and are complex if it or another argument is.

    Raises
    ------
    InputError
        If shapes do not fit, an array is not finite, the covariance cannot be inverted, or the
        constraints depend on each other.
    TypeError
        If an array does not hold numbers.

    Notes
    -----
    With R the loaded covariance, the steering vectors as columns of C and the gains g,

    .. math:: w = R^{-1} C (C^H R^{-1} C)^{-1} g^*, \qquad w^H C = g^T .

    References
    ----------
    .. [1] O. L. Frost, "An algorithm for linearly constrained adaptive array processing", Proc.
           IEEE 60 (1972), 926-935.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> directions = ambikit.steering_vector([0, 70], degrees=True)
    >>> weights = ambikit.lcmv_weights(np.eye(4), directions, [1.0, 0.0])
    >>> (directions @ weights).round(12) + 0.0
    array([1., 0.])
    """
    matrices = checks.channel_covariance(covariance)
    vectors, wanted = checks.constraints(constraints, gains, matrices.shape[-1])
    return _lcmv(matrices, vectors, wanted, checks.loading(loading))


def beamform_spectra(spectra: ArrayLike, weights: ArrayLike) -> ComplexArray:
    r"""Apply weights to spectra: :math:`w^H x` in each bin and frame.

    Parameters
    ----------
    spectra : array_like, shape (..., channels, bins, frames)
        Spectra as `stft` returns them, complex64 or complex128.
    weights : array_like, shape (..., bins, channels) or (channels,)
        Weights of each bin, or one set for all. Other leading axes are broadcast: weights
        (beams, bins, channels) for several beams of one signal.

    Returns
    -------
    ndarray, shape (..., bins, frames)
        Spectra of the beam, of the dtype of `spectra`.

    Raises
    ------
    InputError
        If shapes do not fit.
    TypeError
        If `spectra` is not complex.

    Examples
    --------
    >>> import ambikit
    >>> spectra = ambikit.stft(ambikit.encode([0.0, 1.0, 0.0], 0.0), n_fft=4)
    >>> beam = ambikit.beam_weights("cardioid", 180, degrees=True)
    >>> bool(abs(ambikit.beamform_spectra(spectra, beam)).max() < 1e-12)  # away from the source
    True
    """
    values = checks.spectra(spectra)
    return _beams(values, checks.weights_of(weights, values))


def beamform_adaptive(
    x: ArrayLike,
    sample_rate: float,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    nulls: ArrayLike | None = None,
    post_filter: str | None = None,
    loading: float = 1e-3,
    floor: float = 0.1,
    window_length: float = 0.02,
    degrees: bool = False,
) -> FloatArray:
    """Form beams in one direction or in several that adapt to the sound.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D) of order 1 or more, float32 or float64.
    sample_rate : float
        Samples a second.
    azimuth, elevation : float or array_like, shape (directions,)
        Directions of the beams in radians.
    nulls : array_like, shape (K, 2), optional
        Azimuth and elevation of directions that the beams reject.
    post_filter : {None, "cropac"}, optional
        Multiply the spectra of the beam with the gains of `cross_pattern_coherence`.
    loading : float, optional
        Diffuse noise added to the field, relative to its mean power. More loading adapts less; high
        loading gives the beam ``"max_di"`` of `beamform`, with `nulls`.
    floor : float, optional
        Smallest gain of the post-filter, 0 to 1.
    window_length : float, optional
        Length of a frame in seconds.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., directions, samples), or (..., samples) for one number
        The beams' signals; float32 stays float32.

    Raises
    ------
    InputError
        If shapes do not fit, `x` holds NaN or infinity, or a number is out of range.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    mvdr_weights, lcmv_weights, cross_pattern_coherence : The parts.
    beamform : Beams of a fixed pattern.

    Notes
    -----
    In each bin, the covariance of the whole signal gives the weights with unit gain in the
    direction, zeros in `nulls`, and the smallest power (MVDR; with nulls, LCMV). For sources that
    move, pass shorter spans. Sound from the direction itself passes unchanged, but a source beside
    it is suppressed as a disturbance: if directions are known only roughly, raise `loading`.

    Only a part of the signal is held in memory as spectra at a time.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> voice, noise = np.random.default_rng(0).normal(size=(2, 16000))
    >>> x = ambikit.encode(voice, 0.0) + ambikit.encode(noise, 60, degrees=True)
    >>> fixed = ambikit.beamform(x, 0.0, pattern="max_di") - voice
    >>> adaptive = ambikit.beamform_adaptive(x, 16000, 0.0) - voice
    >>> float(fixed.std().round(2)), float(adaptive.std().round(2))
    (0.62, 0.08)
    """
    signals, order = checks.ambisonic(x, min_order=1)
    gain = gain_for(signals)
    signals = scaled(signals, gain)
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    checks.at_most_1d(az, "azimuth and elevation", "directions")
    towards = steering_vector(np.atleast_1d(az), np.atleast_1d(el), order=order)
    silent = steering_vector(*checks.directions_table(nulls, "nulls", degrees=degrees), order=order)
    loading, floor = checks.loading(loading), checks.fraction(floor, "floor")
    if post_filter is not None:
        checks.choice(post_filter, ("cropac",), "post_filter")
    framing = _framing(signals, sample_rate, window_length)
    runs = _runs(framing, math.prod(signals.shape[:-1]))

    # in N3D, white noise in the channels is a diffuse field
    n3d = np.sqrt(2.0 * degrees_and_indices(order)[0] + 1.0)
    matrices = _covariance(signals, framing, runs) * np.outer(n3d, n3d)
    constraints = _constraints(towards, silent)
    gains = np.eye(1, constraints.shape[-2])[0]
    weights = n3d * _lcmv(matrices[..., None, :, :, :], constraints * n3d, gains, loading)

    rows = framing.rows((*signals.shape[:-2], len(towards)))
    margin = AVERAGE[0] // 2
    for first, last in runs:
        begin = max(first - margin, 0)
        spectra = framing.spectra(signals, begin, min(last + margin, framing.frames))
        run = slice(first - begin, last - begin)
        beams = _beams(spectra[..., None, :, :, run], weights)
        if post_filter:
            beams *= coherence_gains(spectra, towards, AVERAGE, floor)[..., run]
        framing.add(beams, first, rows)
    out = scaled(framing.signal(rows), 1.0 / gain)
    return out if az.ndim else out[..., 0, :]


def _framing(x: FloatArray, sample_rate: float, window_length: float) -> Framing:
    """Return a framing of about that length in seconds, for fast transforms, with hops of 1/4."""
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    length = checks.positive(window_length, "window_length", "seconds")
    n_fft = 4 * scipy.fft.next_fast_len(max(1, round(rate * length / 4)), real=True)
    return Framing.centred(x.shape[-1], cosine_window("hann", n_fft).astype(x.dtype), n_fft // 4)


def _runs(framing: Framing, signals: int) -> list[tuple[int, int]]:
    """Divide the frames into runs of a few megabytes."""
    step = max(32, _RUN // max(1, signals * len(framing.window)))
    return [(t, min(t + step, framing.frames)) for t in range(0, framing.frames, step)]


def _covariance(x: FloatArray, framing: Framing, runs: list[tuple[int, int]]) -> ComplexArray:
    """Return the covariance (..., bins, channels, channels) over all frames, run by run."""
    matrices = _products(framing.spectra(x, *runs[0]))
    for run in runs[1:]:
        matrices += _products(framing.spectra(x, *run))
    checks.stayed_finite(matrices)
    matrices /= framing.frames
    return matrices


def _constraints(towards: FloatArray, silent: FloatArray) -> FloatArray:
    """Return the steering vectors (D, 1, 1 + K, channels) of each direction and all nulls."""
    nulls = np.broadcast_to(silent, (len(towards), *silent.shape))
    both = np.concatenate([towards[:, None, :], nulls], axis=-2)
    checks.independent(both, "directions and nulls")
    return both[:, None, :, :]


def _products(spectra: ComplexArray) -> ComplexArray:
    """Return the sum over frames of x x^H, (..., bins, channels, channels)."""
    products: ComplexArray = np.einsum("...cft,...dft->...fcd", spectra, spectra.conj())
    return products


def _lcmv(
    covariance: ComplexArray, constraints: ComplexArray, gains: ComplexArray, loading: float
) -> ComplexArray:
    """Solve for the weights in double precision; silence counts as white noise."""
    channels = covariance.shape[-1]
    power = np.trace(covariance, axis1=-2, axis2=-1).real[..., None, None] / channels
    level = np.where(power > 0, power, 1).astype(np.float64)
    loaded = checks.invertible(covariance / level + loading * np.eye(channels))
    columns = constraints.swapaxes(-1, -2)
    spread = np.linalg.solve(loaded, columns)
    shares = np.linalg.solve(constraints.conj() @ spread, gains.conj()[..., None])
    weights = (spread @ shares)[..., 0]
    if covariance.dtype in (np.float32, np.complex64):
        weights = weights.astype(np.complex64 if np.iscomplexobj(weights) else np.float32)
    return weights


def _beams(spectra: ComplexArray, weights: ComplexArray) -> ComplexArray:
    """Return w^H x (..., bins, frames) for weights (..., bins or 1, channels)."""
    w = weights.conj().astype(spectra.dtype)[..., None]
    beams: ComplexArray = w[..., 0, :] * spectra[..., 0, :, :]
    for channel in range(1, spectra.shape[-3]):
        beams += w[..., channel, :] * spectra[..., channel, :, :]
    return beams
