"""Loudness of the signals of loudspeakers, and of ears: ITU-R BS.1770."""

from __future__ import annotations

import math

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding.layouts import Loudspeakers, layout_of
from ambikit.decoding.loudspeakers import speaker_rows

_OFFSET = -0.691
"""dB that bring a sine of 997 Hz at full scale, in one channel, to -3.01 LKFS."""

_BLOCK, _STEP = 0.4, 0.1
_SILENCE, _RELATIVE = -70.0, -10.0
_SHELF = 1681.974450955533
"""Hz, of the filter of the head."""
_TILE = 1 << 16
_SURROUND = 10**0.15
"""1.5 dB, for loudspeakers at the sides and at the height of the ears."""


def loudness(
    signals: ArrayLike,
    sample_rate: float,
    *,
    loudspeakers: Loudspeakers | None = None,
    lfe: bool = False,
    per_channel: bool = False,
    degrees: bool = False,
) -> FloatArray:
    r"""Return the loudness of signals for loudspeakers, or for two ears.

    Parameters
    ----------
    signals : array_like, shape (..., L, samples)
        What loudspeakers play, of `decode`, or two ears hear, of `decode_binaural`.
    sample_rate : float
        Samples a second.
    loudspeakers : str or array_like, shape (L, 2), optional
        Where these stand, as for `decode`; without it all count alike.
    lfe : bool, optional
        The signals hold the layout's low-frequency channels, which do not count.
    per_channel : bool, optional
        Return the loudness of each channel by itself, at the moments in which the whole is heard.
    degrees : bool, optional
        Take the angles of `loudspeakers` in degrees.

    Returns
    -------
    ndarray, shape (...), or (..., L) with `per_channel`
        In LKFS (LUFS), dB of full scale; -inf for silence. float64.

    Raises
    ------
    InputError
        If shapes do not fit, the sound is shorter than 0.4 s or holds NaN or infinity, or the rate
        is 3364 Hz or less.
    TypeError
        If `signals` are not real floating point.

    Notes
    -----
    The filter of the head and the low-frequency one, mean squares over blocks of 0.4 s every 0.1 s,
    the sum over channels with the weights G, then the mean of the blocks above -70 LKFS and above
    10 below the mean of these [1]_:

    .. math:: -0.691 + 10 \log_{10} \sum_i G_i \langle z_i^2 \rangle .

    G is 1.41 where the azimuth is between 60 and 120° to either side and the elevation within 30°,
    and 1 elsewhere. At other rates than 48 kHz the filters are those of the same poles and zeros
    before the bilinear transform.

    References
    ----------
    .. [1] ITU-R BS.1770-5, "Algorithms to measure audio programme loudness and true-peak audio
           level", 2023.

    Examples
    --------
    A sine of 997 Hz at full scale in one of two channels, then the gain that would bring it to
    -23 LUFS:

    >>> import numpy as np
    >>> import ambikit
    >>> sine = np.sin(2 * np.pi * 997 * np.arange(48000) / 48000)
    >>> loud = ambikit.loudness([sine, 0 * sine], 48000)
    >>> loud.round(2), (10 ** ((-23 - loud) / 20)).round(3)
    (np.float64(-3.01), np.float64(0.1))
    """
    x = checks.all_finite(checks.channels_of_sound(signals, "signals"), "signals")
    rate = checks.rate_for_filter(sample_rate, _SHELF, "the filters of loudness")
    weights = _weights(x.shape[-2], loudspeakers, lfe=lfe, degrees=degrees)
    step, count = round(_STEP * rate), round(_BLOCK / _STEP)
    checks.seconds_at_least(x.shape[-1], count * step, _BLOCK, "signals")
    out = np.empty((*x.shape[:-2], len(weights)) if per_channel else x.shape[:-2])
    for index in np.ndindex(x.shape[:-2]):
        gain = gain_for(x[index])
        quarters = _mean_squares(scaled(x[index], gain), rate, step)
        blocks = np.lib.stride_tricks.sliding_window_view(quarters, count, axis=-1).mean(axis=-1)
        powers = blocks * weights[:, None]
        offset = _OFFSET - 20 * math.log10(gain)
        heard = _heard(powers.sum(axis=0), offset)
        mean = powers[:, heard].mean(axis=-1) if heard.any() else np.zeros(len(weights))
        with np.errstate(divide="ignore"):
            level = 10 * np.log10(mean if per_channel else mean.sum())
        out[index] = level + offset
    return out


def _weights(
    channels: int, loudspeakers: Loudspeakers | None, *, lfe: bool, degrees: bool
) -> FloatArray:
    """Return the weight of each channel."""
    weights = np.ones(channels)
    if loudspeakers is None:
        return weights
    layout = layout_of(loudspeakers, degrees=degrees)
    places, lows = speaker_rows(layout, lfe=lfe)
    checks.channels_of_layout(channels, len(places) + len(lows))
    x, y, z = layout.vectors.T
    beside = (np.abs(np.arctan2(y, x)) >= np.deg2rad(60) - 1e-9) & (
        np.abs(np.arctan2(y, x)) <= np.deg2rad(120) + 1e-9
    )
    level = np.abs(np.arcsin(np.clip(z, -1, 1))) < np.deg2rad(30) - 1e-9
    weights[places] = np.where(beside & level, _SURROUND, 1.0)
    weights[lows] = 0.0
    return weights


def _heard(power: FloatArray, offset: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which blocks (K,) count; their levels are those of their power and an offset in dB."""
    with np.errstate(divide="ignore"):
        heard = 10 * np.log10(power) + offset > _SILENCE
    if heard.any():
        heard &= power > power[heard].mean() * 10 ** (_RELATIVE / 10)
    return np.asarray(heard)


def _mean_squares(x: FloatArray, rate: float, step: int) -> FloatArray:
    """Return the mean squares (L, K) of filtered signals (L, n) over steps, tile by tile."""
    import scipy.signal

    sos = k_weighting(rate)
    whole = x.shape[-1] // step
    squares = np.empty((len(x), whole))
    state = np.zeros((len(sos), len(x), 2))
    steps = max(1, _TILE // step)
    for begin in range(0, whole, steps):
        end = min(begin + steps, whole)
        wide = x[:, begin * step : end * step].astype(np.float64)
        heard, state = scipy.signal.sosfilt(sos, wide, zi=state)
        squares[:, begin:end] = (heard**2).reshape(len(x), end - begin, step).mean(axis=-1)
    return squares


def k_weighting(rate: float) -> FloatArray:
    """Return the two filters of BS.1770 (2, 6) at any sample rate.

    The frequencies and qualities are those of the analogue filters that give the standard's
    coefficients at 48 kHz.
    """
    shelf, cut = (
        math.tan(math.pi * _SHELF / rate),
        math.tan(math.pi * 38.13547087602444 / rate),
    )
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    q = 0.7071752369554196
    norm = 1 + shelf / q + shelf**2
    first = (
        (high + band * shelf / q + shelf**2) / norm,
        2 * (shelf**2 - high) / norm,
        (high - band * shelf / q + shelf**2) / norm,
        1.0,
        2 * (shelf**2 - 1) / norm,
        (1 - shelf / q + shelf**2) / norm,
    )
    q = 0.5003270373238773
    norm = 1 + cut / q + cut**2
    second = (1.0, -2.0, 1.0, 1.0, 2 * (cut**2 - 1) / norm, (1 - cut / q + cut**2) / norm)
    return np.array([first, second])
