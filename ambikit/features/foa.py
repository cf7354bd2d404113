"""Features of first-order sound for learning: log-mel levels and mel intensity vectors."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.features._pooling import PAIRS, Overrides, feature_settings, first_order, pool
from ambikit.features._pooling import PRESETS as PRESETS
from ambikit.features._pooling import FeatureSettings as FeatureSettings

FEATURE_CHANNELS = {
    "logmel": ("W", "Y", "Z", "X"),
    "foa_iv": ("W", "Y", "Z", "X", "Ix", "Iy", "Iz"),
}
"""Names of the feature channels of each kind."""

_FLOOR = 1e-10
_TINY = float(np.finfo(np.float32).tiny)
_BLOCK = 1 << 17
"""Values per feature channel that are computed at once."""


def foa_features(
    x: ArrayLike,
    sample_rate: float,
    *,
    preset: str = "avsa",
    kind: str = "foa_iv",
    resample: bool = False,
    **overrides: Unpack[Overrides],
) -> FloatArray:
    r"""Return log-mel levels of the channels and the active intensity in mel bands.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals; of higher orders the first four channels are used.
    sample_rate : float
        Rate of `x` in Hz; it must be the preset's, unless `resample` is set.
    preset : {"avsa", "dcase", "salsa"}, optional
        ``"avsa"``: as in audio-visual spatial alignment [1]_, [2]_ (512-point Hann window, hop 240,
        128 bands of the magnitude, bounded intensity averaged over 5 frames); ``"dcase"``: as in
        the baselines of DCASE 2022 to 2024, task 3 (1024/960/480, 64 bands of the power, levels
        within 80 dB); ``"salsa"``: as the mel-band features beside SALSA [3]_ (512/512/300, 128
        bands from 50 Hz). All at 24 kHz.
    kind : {"foa_iv", "logmel"}, optional
        With the intensity vector or without; `FEATURE_CHANNELS` names the channels.
    resample : bool, optional
        Take sound of any rate, and resample it to the preset's as `read` does.
    **overrides
        Fields of `FeatureSettings` to replace in the preset: `n_fft`, `window_length`, `hop`,
        `n_mels`, `fmin`, `fmax`, `power`, `mel_scale`, `average`, `intensity`, `top_db`.

    Returns
    -------
    ndarray of float32, shape (..., 7 or 4, samples // hop, n_mels)
        Levels in dB of W, Y, Z, X, then the intensity along x, y, z, towards the source. Samples
        are those at the preset's rate.

    Raises
    ------
    InputError
        If the sample rate is not the preset's, the signal is shorter than half a window or a hop,
        or settings contradict each other.

    Notes
    -----
    Frames are centred at multiples of the hop, with the signal reflected at its ends. Levels are
    :math:`10 \log_{10} \max(\sum_f H_{bf} |X_f|^p, 10^{-10})`. With :math:`v = (X, Y, Z)`,
    :math:`I = \mathrm{Re}(W^* v)` and :math:`E = (|W|^2 + |v|^2)/2`, the intensity is

    - ``"bounded"``: :math:`\langle\sum_f H_{bf} I_f\rangle / (\langle\sum_f H_{bf} E_f\rangle +
      \varepsilon)`. Its length is at most 1, and 1 for a single plane wave. Numerator and
      denominator are pooled separately, which keeps the bound and cancels the normalisation of the
      filter. It is 1 minus the diffuseness of the same average: without averaging, a diffuse field
      does not appear diffuse (0.57 for one bin and frame, 0.21 for 10 independent ones).
    - ``"dcase"``: :math:`\sum_f H_{bf} I_f / (10^{-8} + |W_f|^2 + |v_f|^2/3)`. A plane wave gives
      0.75 per bin and about 0.03 after the filters. (DCASE stacks y, z, x.)
    - ``"salsa"``: :math:`\sum_f H_{bf} I_f / |I_f|`: the direction alone.

    Silence has intensity 0. NaN in `x` spreads to the frames that contain it.

    References
    ----------
    .. [1] P. Morgado, Y. Li, N. Vasconcelos, "Learning representations from audio-visual spatial
           alignment", NeurIPS 2020.
    .. [2] S. Wang, A. Politis, A. Mesaros, T. Virtanen, "Self-supervised learning of audio
           representations from audio-visual data using spatial alignment", IEEE JSTSP 16 (2022).
    .. [3] T. N. T. Nguyen et al., "SALSA: spatial cue-augmented log-spectrogram features for
           polyphonic sound event localization and detection", IEEE/ACM TASLP 30 (2022).

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> left = ambikit.encode(noise, 90, degrees=True)
    >>> features = ambikit.foa_features(left, 24000)
    >>> features.shape
    (7, 100, 128)
    >>> features[4:].mean(axis=(1, 2)).round(3) + 0.0  # towards the source, on y
    array([0., 1., 0.], dtype=float32)
    """
    settings = feature_settings(preset, overrides)
    checks.choice(kind, tuple(FEATURE_CHANNELS), "kind")
    signal, gains = first_order(x, sample_rate, settings, resample)
    count, reach = signal.shape[-1] // settings.hop, settings.average // 2
    shape = (len(FEATURE_CHANNELS[kind]), count, settings.n_mels)
    out = np.empty((len(signal), *shape), np.float32)
    step = max(1, _BLOCK // settings.n_mels)
    for clip, gain, features in zip(signal, gains, out, strict=True):
        for begin in range(0, count, step):
            end, first = min(begin + step, count), max(begin - reach, 0)
            rows = pool(clip[None], settings, first, min(end + reach, count))
            kept = slice(begin - first, end - first)
            features[:, begin:end] = from_pooled(rows, kind, settings, gain)[0, :, kept]
    if settings.top_db is not None:
        _hold(out[:, :4], settings.top_db)
    return out.reshape(*np.shape(x)[:-2], *shape)


def features_from_covariance(
    covariance: ArrayLike,
    *,
    kind: str = "foa_iv",
    average: int = 5,
    top_db: float | None = None,
) -> FloatArray:
    """Return the features of the sound that a covariance describes.

    Parameters
    ----------
    covariance : array_like, shape (..., 10, frames, mels)
        From `mel_covariance` or `rotate_covariance`.
    kind : {"foa_iv", "logmel"}, optional
        As for `foa_features`.
    average : int, optional
        Frames over which the intensity is averaged, an odd number.
    top_db : float, optional
        Levels are clipped to this many dB below the highest one of their channel.

    Returns
    -------
    ndarray of float32, shape (..., 7 or 4, frames, mels)
        Equal to ``foa_features(x, ..., power=2, intensity="bounded")`` of the same sound.

    Raises
    ------
    InputError
        If a shape or setting does not fit.

    Notes
    -----
    Levels are the diagonal of the covariance, the energy density is half of its trace, and the
    intensity is its entries WX, WY and WZ.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    >>> features = ambikit.features_from_covariance(ambikit.mel_covariance(x, 24000))
    >>> np.allclose(features, ambikit.foa_features(x, 24000, power=2), atol=1e-3)
    True
    """
    c = checks.covariance_bands(covariance).astype(np.float32, copy=False)
    checks.choice(kind, tuple(FEATURE_CHANNELS), "kind")
    checks.pooling_settings(2, checks.positive_int(average, "average"), "bounded", top_db)
    first, second = PAIRS
    powers = c[..., first == second, :, :]
    levels = _decibels(powers)
    if top_db is not None:
        _hold(levels, top_db)
    if kind == "logmel":
        return levels
    # after WW come WY, WZ, WX; the intensity is along x, y, z
    energy = 0.5 * powers.sum(axis=-3, keepdims=True)
    ratio = _mean(c[..., [3, 1, 2], :, :], average) / _floored(_mean(energy, average))
    return np.concatenate([levels, ratio], -3)


def from_pooled(
    pooled: FloatArray,
    kind: str,
    settings: FeatureSettings,
    gain: float = 1.0,
    out: FloatArray | None = None,
    spare: FloatArray | None = None,
) -> FloatArray:
    """Return features (B, 7 or 4, frames, mels) of the rows of `pool`, ignoring top_db.

    `gain` is the one by which the signal was turned down; spare (frames, mels) is scratch. Each row
    is done by itself: numpy takes memory to work on several that do not follow upon each other.
    """
    if out is None:
        shape = (len(pooled), len(FEATURE_CHANNELS[kind]), *pooled.shape[2:])
        out = np.empty(shape, np.float32)
    for rows, features in zip(pooled, out, strict=True):
        for channel in range(4):
            _decibels(rows[channel], gain**settings.power, features[channel])
        if kind == "foa_iv" and settings.intensity == "bounded":
            energy = _floored(_mean(rows[7], settings.average, spare), gain**2)
            for axis in range(4, 7):
                ratio = _mean(rows[axis], settings.average, features[axis])
                ratio /= energy
        elif kind == "foa_iv":
            features[4:] = rows[4:7]
    return out


def turn_down(pooled: FloatArray, settings: FeatureSettings, gain: float) -> None:
    """Make the rows of `pool` those of a signal times a gain, in place."""
    pooled[:, :4] *= np.float32(gain**settings.power)
    pooled[:, 7:] *= np.float32(gain**2)
    if settings.intensity == "bounded":
        pooled[:, 4:7] *= np.float32(gain**2)


def _decibels(levels: FloatArray, gain: float = 1.0, out: FloatArray | None = None) -> FloatArray:
    """Return 10 log10 above the floor, of levels that were multiplied by a gain."""
    floor = max(_FLOOR * gain, _TINY)
    db: FloatArray = np.maximum(levels, floor, dtype=np.float32, out=out)
    np.log(db, out=db)  # in vectors, unlike log10
    db *= np.float32(10 / math.log(10))
    if gain != 1.0:
        db -= np.float32(10 * math.log10(gain))
        np.maximum(db, np.float32(10 * math.log10(_FLOOR)), out=db)
    return db


def _hold(levels: FloatArray, top_db: float) -> None:
    """Clip levels (..., frames, mels) to top_db below the highest of each channel, in place."""
    least = levels.max(axis=(-2, -1), keepdims=True) - np.float32(top_db)
    np.maximum(levels, least, out=levels)


def _floored(energy: FloatArray, gain: float = 1.0) -> FloatArray:
    """Add the floor to energies that were multiplied by a gain, in place."""
    energy += np.float32(max(_FLOOR * gain, _TINY))
    return energy


def _mean(values: FloatArray, average: int, out: FloatArray | None = None) -> FloatArray:
    """Return the centred mean over `average` frames (axis -2); beyond the ends all counts as 0."""
    total = np.empty(values.shape, values.dtype) if out is None else out
    total[...] = values
    reach = average // 2
    count = values.shape[-2]
    for shift in range(1, min(reach, count - 1) + 1):
        total[..., shift:, :] += values[..., : count - shift, :]
        total[..., : count - shift, :] += values[..., shift:, :]
    if average > 1:
        total /= average
    return total
