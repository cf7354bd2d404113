"""Rooms: the decay of their responses, and image sources as Ambisonic responses."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import normalized
from ambikit.harmonics import unit_harmonics

_SPEED_OF_SOUND = 343.0
_HALF = 32
"""Samples of a delayed click on either side."""


def energy_decay(response: ArrayLike) -> FloatArray:
    r"""Return how much of the energy of a room response is still to come, in dB.

    Parameters
    ----------
    response : array_like, shape (..., samples)
        Impulse responses, for example W of an Ambisonic one.

    Returns
    -------
    ndarray, shape (..., samples)
        0 dB at the first sample and falling; -inf where nothing follows. float64.

    Raises
    ------
    InputError
        If `response` is a single number, or holds NaN or infinity.
    TypeError
        If `response` is not real floating point.

    Notes
    -----
    Schroeder's backward integration, :math:`10 \log_{10} \sum_{t' \ge t} h^2 / \sum h^2`.

    References
    ----------
    .. [1] M. R. Schroeder, "New method of measuring reverberation time", J. Acoust. Soc. Am. 37
           (1965), 409-412.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> ambikit.energy_decay(np.array([1.0, 1.0, 0.0, 0.0])).round(2)
    array([ 0.  , -3.01,  -inf,  -inf])
    """
    h = checks.all_finite(checks.samples(response, "response"), "response").astype(np.float64)
    left = np.cumsum(h[..., ::-1] ** 2, axis=-1)[..., ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(left[..., :1] > 0, left / left[..., :1], 0.0)
        return np.asarray(10.0 * np.log10(share))


def reverberation_time(
    response: ArrayLike,
    sample_rate: float,
    *,
    bands: ArrayLike | None = None,
    start: float = -5.0,
    stop: float = -25.0,
) -> FloatArray:
    """Return the time in which sound in a room falls by 60 dB, per octave.

    Parameters
    ----------
    response : array_like, shape (..., samples)
        Impulse responses.
    sample_rate : float
        Samples a second.
    bands : array_like, shape (bands,), optional
        Middle frequencies of octaves in Hz; by default 125 Hz to 8 kHz, as far as the sample rate
        goes.
    start, stop : float, optional
        Levels in dB between which a line is fitted to the decay: T20 by default.

    Returns
    -------
    ndarray, shape (..., bands)
        Seconds, extrapolated to 60 dB; NaN where the decay does not reach `stop`. float64.

    Raises
    ------
    InputError
        If a band reaches beyond half the sample rate, the levels do not fall, or `response` holds
        NaN or infinity.
    TypeError
        If `response` is not real floating point.

    References
    ----------
    .. [1] ISO 3382-1, "Measurement of room acoustic parameters - Part 1: Performance spaces", 2009.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=48000)
    >>> room = noise * 10 ** (-3 * np.arange(48000) / 48000 / 0.5)  # -60 dB after 0.5 s
    >>> ambikit.reverberation_time(room, 48000, bands=[500, 1000, 2000]).round(1)
    array([0.5, 0.5, 0.5])
    """
    import scipy.signal

    h = checks.all_finite(checks.samples(response, "response"), "response").astype(np.float64)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    octaves = 125.0 * 2.0 ** np.arange(7)
    centres = (
        octaves[octaves * np.sqrt(2) < rate / 2] if bands is None else np.asarray(bands, float)
    )
    checks.octaves(centres, rate)
    checks.falling(start, stop)
    times = np.empty((*h.shape[:-1], len(centres)))
    for k, centre in enumerate(centres):
        edges = centre * np.array([1.0, 2.0]) / np.sqrt(2.0)
        sections = scipy.signal.butter(4, edges, "bandpass", fs=rate, output="sos")
        decay = energy_decay(scipy.signal.sosfilt(sections, h))
        for index in np.ndindex(h.shape[:-1]):
            times[(*index, k)] = _slope(decay[index], rate, start, stop)
    return times


def image_source_response(
    positions: ArrayLike,
    gains: ArrayLike,
    listener: ArrayLike,
    sample_rate: float,
    *,
    order: int = 1,
    samples: int | None = None,
) -> FloatArray:
    r"""Return the Ambisonic response of a room from the image sources of it.

    Parameters
    ----------
    positions : array_like, shape (K, 3)
        Image sources in metres (x, y, z), as of pyroomacoustics: ``source.images.T``.
    gains : array_like, shape (K,)
        What the walls leave of their amplitude, without distance: ``source.damping[0]``.
    listener : array_like, shape (3,)
        Where the listener is, looking along x.
    sample_rate : float
        Samples a second.
    order : int, optional
        Ambisonic order.
    samples : int, optional
        Length of the response; by default to the last image source.

    Returns
    -------
    ndarray, shape ((order + 1)**2, samples)
        AmbiX channels (ACN, SN3D): clicks of amplitude gain / distance in metres, delayed by the
        distance at 343 m/s to fractions of a sample. float64.

    Raises
    ------
    InputError
        If shapes do not fit, or a source is where the listener is.

    Notes
    -----
    Delays are sinc functions under a Hann window of 64 samples, so that responses begin up to 32
    samples before their first arrival.

    References
    ----------
    .. [1] J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room
           acoustics", J. Acoust. Soc. Am. 65 (1979), 943-950.

    Examples
    --------
    One source 3.43 m to the left arrives after 10 ms:

    >>> import numpy as np
    >>> import ambikit
    >>> room = ambikit.image_source_response([[0, 3.43, 0]], [1.0], [0, 0, 0], 8000)
    >>> int(np.abs(room[0]).argmax()), (room[:, 80] * 3.43).round(3).tolist()
    (80, [1.0, 1.0, 0.0, 0.0])
    """
    places, shares, middle = checks.image_sources(positions, gains, listener)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    order = checks.order(order)
    ways = places - middle
    distance = np.linalg.norm(ways, axis=-1)
    arrival = distance / _SPEED_OF_SOUND * rate
    length = int(np.ceil(arrival.max(initial=0.0))) + _HALF + 1
    count = length if samples is None else checks.positive_int(samples, "samples")
    waves = unit_harmonics(normalized(ways), order) * (shares / distance)[:, None]
    out = np.zeros(((order + 1) ** 2, max(length, count) + _HALF))
    offset = np.arange(-_HALF + 1, _HALF + 1)
    whole = np.floor(arrival).astype(int)
    time = offset - (arrival - whole)[:, None]
    clicks = np.sinc(time) * np.cos(np.pi * time / (2 * _HALF)) ** 2
    where = whole[:, None] + offset
    clicks[where < 0] = 0.0
    for channel in range(len(out)):
        np.add.at(out[channel], np.maximum(where, 0), waves[:, channel, None] * clicks)
    return np.ascontiguousarray(out[:, :count])


def _slope(decay: FloatArray, rate: float, start: float, stop: float) -> float:
    """Return the seconds to 60 dB of a line through a decay between two levels."""
    inside = np.flatnonzero((decay <= start) & (decay >= stop))
    if len(inside) < 2 or decay[-1] > stop:
        return float("nan")
    slope = np.polyfit(inside / rate, decay[inside], 1)[0]
    return float(-60.0 / slope) if slope < 0 else float("nan")
