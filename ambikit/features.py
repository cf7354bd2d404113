"""Features of first-order sound for learning machines: log-mel levels and mel intensity vectors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from ambikit import _validate
from ambikit._mel import MelFilters, mel_filters
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.beamforming import beam_weights
from ambikit.rotation import sh_rotation_matrix

FEATURE_CHANNELS = {
    "logmel": ("W", "Y", "Z", "X"),
    "foa_iv": ("W", "Y", "Z", "X", "Ix", "Iy", "Iz"),
}
"""Names of the feature channels of each kind."""

_FLOOR = 1e-10
_INTENSITIES = ("bounded", "dcase", "salsa")
_PAIRS = np.triu_indices(4)
_TILE = 1 << 16
"""Samples in a tile of frames: scratch that stays in the processor's cache."""
_BLOCK = 1 << 17
"""Values of a channel of features that are computed at once."""
_KERNEL_PAYS = 4096
"""Frames above which loading the compiled kernel costs less than it saves."""


class Overrides(TypedDict, total=False):
    """Settings of a preset that a call may replace."""

    n_fft: int
    window_length: int
    hop: int
    n_mels: int
    fmin: float
    fmax: float
    power: int
    mel_scale: Literal["slaney", "htk"]
    average: int
    intensity: Literal["bounded", "dcase", "salsa"]
    top_db: float | None


@dataclass(frozen=True)
class FeatureSettings:
    """Settings of `foa_features`; the fields are its keywords.

    Attributes
    ----------
    sample_rate : int
        The rate in Hz that the preset is made for.
    n_fft, window_length, hop : int
        Transform, periodic Hann window (centred in it) and step, in samples.
    n_mels : int
        Mel bands, each of area 1 in Hz (Slaney's normalisation).
    fmin, fmax : float
        Edges of the lowest and highest band in Hz.
    power : int
        1: bands of the magnitude; 2: bands of the power.
    mel_scale : {"slaney", "htk"}
        Mel scale.
    average : int
        Frames over which intensity and energy density are averaged, an odd number.
    intensity : {"bounded", "dcase", "salsa"}
        What the intensity is divided by; see `foa_features`.
    top_db : float or None
        Levels are held above the highest of their channel less so many dB.
    """

    sample_rate: int = 24000
    n_fft: int = 512
    window_length: int = 512
    hop: int = 240
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 12000.0
    power: int = 1
    mel_scale: str = "slaney"
    average: int = 5
    intensity: str = "bounded"
    top_db: float | None = None

    def __post_init__(self) -> None:
        for name in ("n_fft", "window_length", "hop", "n_mels", "average"):
            _validate.count(getattr(self, name), name)
        _validate.choice(self.mel_scale, ("slaney", "htk"), "mel_scale")
        _validate.choice(self.intensity, _INTENSITIES, "intensity")
        _validate.mel_settings(
            self.n_fft, self.window_length, self.fmin, self.fmax, self.sample_rate
        )
        _validate.bands(self.filters.matrix, self.n_fft)
        _validate.pooling_settings(self.power, self.average, self.intensity, self.top_db)

    @property
    def filters(self) -> MelFilters:
        """The mel filters."""
        return mel_filters(
            self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.mel_scale
        )


PRESETS = {
    "avsa": FeatureSettings(),
    "dcase": FeatureSettings(
        n_fft=1024,
        window_length=960,
        hop=480,
        n_mels=64,
        power=2,
        average=1,
        intensity="dcase",
        top_db=80.0,
    ),
    "salsa": FeatureSettings(hop=300, fmin=50.0, power=2, average=1, intensity="salsa"),
}
"""Settings of the systems that `foa_features` reproduces."""


def foa_features(
    x: ArrayLike,
    sample_rate: float,
    *,
    preset: str = "avsa",
    kind: str = "foa_iv",
    **overrides: Unpack[Overrides],
) -> FloatArray:
    r"""Log-mel levels of the channels and the active intensity in mel bands.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals; of higher orders the first four channels are used.
    sample_rate : float
        Rate of `x` in Hz; it must be the preset's.
    preset : {"avsa", "dcase", "salsa"}, optional
        ``"avsa"``: as in audio-visual spatial alignment [1]_, [2]_ (512-point Hann window, hop 240,
        128 bands of the magnitude, bounded intensity averaged over 5 frames); ``"dcase"``: as in
        the baselines of DCASE 2022 to 2024, task 3 (1024/960/480, 64 bands of the power, levels
        within 80 dB); ``"salsa"``: as the mel-band features beside SALSA [3]_ (512/512/300, 128
        bands from 50 Hz). All at 24 kHz.
    kind : {"foa_iv", "logmel"}, optional
        With the intensity vector or without; `FEATURE_CHANNELS` names the channels.
    **overrides
        Fields of `FeatureSettings` to replace in the preset: `n_fft`, `window_length`, `hop`,
        `n_mels`, `fmin`, `fmax`, `power`, `mel_scale`, `average`, `intensity`, `top_db`.

    Returns
    -------
    ndarray of float32, shape (..., 7 or 4, samples // hop, n_mels)
        Levels in dB of W, Y, Z, X, then the intensity along x, y, z, towards the source.

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
      denominator are pooled apart, which keeps the bound and cancels the filter's normalisation. It
      is 1 less the diffuseness of the same average: without one a diffuse field does not look
      diffuse (0.57 for one bin and frame, 0.21 for 10 independent ones).
    - ``"dcase"``: :math:`\sum_f H_{bf} I_f / (10^{-8} + |W_f|^2 + |v_f|^2/3)`. A plane wave gives
      0.75 per bin and some 0.03 after the filters. (DCASE stacks y, z, x.)
    - ``"salsa"``: :math:`\sum_f H_{bf} I_f / |I_f|`: the direction alone.

    Silence has intensity 0. NaN in `x` spreads to the frames that see it.

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
    _validate.choice(kind, tuple(FEATURE_CHANNELS), "kind")
    signal = _signal(x, sample_rate, settings)
    count, reach = signal.shape[-1] // settings.hop, settings.average // 2
    shape = (len(FEATURE_CHANNELS[kind]), count, settings.n_mels)
    out = np.empty((len(signal), *shape), np.float32)
    step = max(1, _BLOCK // settings.n_mels)
    for clip, features in zip(signal, out, strict=True):
        for begin in range(0, count, step):
            end, first = min(begin + step, count), max(begin - reach, 0)
            rows = pool(clip[None], settings, first, min(end + reach, count))
            kept = slice(begin - first, end - first)
            features[:, begin:end] = from_pooled(rows, kind, settings)[0, :, kept]
    if settings.top_db is not None:
        _hold(out[:, :4], settings.top_db)
    return out.reshape(*np.shape(x)[:-2], *shape)


def mel_covariance(
    x: ArrayLike, sample_rate: float, *, preset: str = "avsa", **overrides: Unpack[Overrides]
) -> FloatArray:
    r"""Spatial covariance of first-order sound in mel bands.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals; of higher orders the first four channels are used.
    sample_rate : float
        Rate of `x` in Hz; it must be the preset's.
    preset : str, optional
        As for `foa_features`.
    **overrides
        As for `foa_features`; `power`, `average`, `intensity` and `top_db` play no part.

    Returns
    -------
    ndarray of float32, shape (..., 10, samples // hop, n_mels)
        :math:`\sum_f H_{bf} \mathrm{Re}(x_i x_j^*)` for (i, j) = WW, WY, WZ, WX, YY, YZ, YX, ZZ,
        ZX, XX: the upper triangle.

    Raises
    ------
    InputError
        As `foa_features`.

    Notes
    -----
    Ten numbers for each frame and band hold what turning, beams and `foa_features` with
    ``power=2`` need, so that many viewpoints of one clip cost one transform.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    >>> ambikit.mel_covariance(x, 24000).shape
    (10, 100, 128)
    """
    settings = feature_settings(preset, overrides)
    signal = _signal(x, sample_rate, settings)
    shape = (10, signal.shape[-1] // settings.hop, settings.n_mels)
    out = np.empty((len(signal), *shape), np.float32)
    if _power_of_two(settings.n_fft):
        _fill_compiled(signal, settings, 0, "covariance", out)
    else:
        _covariance_numpy(signal, settings, out)
    return out.reshape(*np.shape(x)[:-2], *shape)


def rotate_covariance(
    covariance: ArrayLike, rotation: ArrayLike | _validate.SupportsMatrix
) -> FloatArray:
    """Turn the sound field that a covariance describes.

    Parameters
    ----------
    covariance : array_like, shape (..., 10, frames, mels)
        From `mel_covariance`.
    rotation : array_like, shape (..., 3, 3), or scipy.spatial.transform.Rotation
        Active rotations of (x, y, z), for example `rotation_matrix` or `look_at`; their leading
        dimensions broadcast against the covariance's.

    Returns
    -------
    ndarray, shape (..., 10, frames, mels)
        ``mel_covariance`` of the turned sound.

    Raises
    ------
    InputError
        If the shapes do not fit or `rotation` is not made of rotations.

    Notes
    -----
    ``M C Mᵀ`` in each frame and band, with ``M = sh_rotation_matrix(rotation)``.

    Examples
    --------
    Four viewpoints of one clip:

    >>> import ambikit, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    >>> views = ambikit.rotation_matrix([0, 90, 180, 270], degrees=True)
    >>> ambikit.rotate_covariance(ambikit.mel_covariance(x, 24000), views).shape
    (4, 10, 100, 128)
    """
    c = _validate.covariance_bands(covariance)
    matrix = sh_rotation_matrix(rotation).astype(c.dtype)
    first, second = _PAIRS
    left, right = matrix[..., first, :], matrix[..., second, :]
    mixed = left[..., first] * right[..., second]
    mixed += (first != second) * left[..., second] * right[..., first]
    shape = _validate.leading(mixed.shape[:-2], c.shape[:-3], "rotation", "covariance")
    flat = c.reshape(*c.shape[:-2], math.prod(c.shape[-2:]))
    return np.asarray(mixed @ flat).reshape(*shape, *c.shape[-3:])


def beamform_covariance(
    covariance: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    pattern: str = "cardioid",
    degrees: bool = False,
) -> FloatArray:
    """Power in mel bands of beams into the sound field that a covariance describes.

    Parameters
    ----------
    covariance : array_like, shape (..., 10, frames, mels)
        From `mel_covariance`.
    azimuth, elevation : float or array_like, shape (directions,)
        Where the beams point, in radians.
    pattern : str, optional
        Pattern of `beam_weights`.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., frames, mels) or (..., directions, frames, mels)
        Mel bands of the power of `beamform` of the same sound, 0 or more.

    Raises
    ------
    InputError
        If a shape or an angle does not fit.

    Notes
    -----
    ``wᵀ C w`` in each frame and band, with the weights w of `beam_weights`.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> left = ambikit.mel_covariance(ambikit.encode(noise, 90, degrees=True), 24000)
    >>> beams = ambikit.beamform_covariance(left, [90, -90], degrees=True)
    >>> bool((beams[1] < 1e-5 * beams[0]).all())
    True
    """
    c = _validate.covariance_bands(covariance)
    weights = beam_weights(pattern, azimuth, elevation, degrees=degrees).astype(c.dtype)
    first, second = _PAIRS
    gains = weights[..., first] * weights[..., second] * np.where(first == second, 1, 2)
    flat = c.reshape(*c.shape[:-2], math.prod(c.shape[-2:]))
    power: FloatArray = np.maximum(gains.astype(c.dtype) @ flat, 0)
    return power.reshape(*power.shape[:-1], *c.shape[-2:])


def features_from_covariance(
    covariance: ArrayLike,
    *,
    kind: str = "foa_iv",
    average: int = 5,
    top_db: float | None = None,
) -> FloatArray:
    """Features of the sound that a covariance describes.

    Parameters
    ----------
    covariance : array_like, shape (..., 10, frames, mels)
        From `mel_covariance` or `rotate_covariance`.
    kind : {"foa_iv", "logmel"}, optional
        As for `foa_features`.
    average : int, optional
        Frames over which the intensity is averaged, an odd number.
    top_db : float, optional
        Levels are held above the highest of their channel less so many dB.

    Returns
    -------
    ndarray of float32, shape (..., 7 or 4, frames, mels)
        What ``foa_features(x, ..., power=2, intensity="bounded")`` gives for the same sound.

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
    c = _validate.covariance_bands(covariance).astype(np.float32, copy=False)
    _validate.choice(kind, tuple(FEATURE_CHANNELS), "kind")
    _validate.pooling_settings(2, _validate.count(average, "average"), "bounded", top_db)
    first, second = _PAIRS
    powers = c[..., first == second, :, :]
    levels = _decibels(powers)
    if top_db is not None:
        _hold(levels, top_db)
    if kind == "logmel":
        return levels
    # after WW come WY, WZ, WX; the intensity is along x, y, z
    energy = 0.5 * powers.sum(axis=-3, keepdims=True)
    return np.concatenate([levels, _ratio(c[..., [3, 1, 2], :, :], energy, average)], -3)


def feature_settings(preset: str, overrides: Overrides) -> FeatureSettings:
    """Return a preset with some fields replaced."""
    _validate.choice(preset, tuple(PRESETS), "preset")
    return dataclasses.replace(PRESETS[preset], **overrides)


def _signal(x: ArrayLike, sample_rate: float, settings: FeatureSettings) -> FloatArray:
    """Return the first-order signals (B, 4, n) as float32, once they fit the settings."""
    signal, _ = _validate.ambisonic(x, min_order=1)
    _validate.rate(sample_rate, settings.sample_rate)
    _validate.long_enough(signal.shape[-1], settings.n_fft // 2 + 1, settings.hop)
    return signal[..., :4, :].reshape(-1, 4, signal.shape[-1]).astype(np.float32, copy=False)


def _tiles(
    signal: FloatArray, settings: FeatureSettings, first: int, last: int
) -> Iterator[tuple[int, slice, ComplexArray]]:
    """Yield (clip, frames, spectra (4, frames, bins)) of signals (B, 4, n), few frames at once.

    Of the frames first to last, of which `frames` is a slice, each centred at its number times the
    hop.
    """
    from scipy import fft

    n_fft, hop = settings.n_fft, settings.hop
    window = _window(settings)
    tile = max(1, _TILE // (4 * n_fft))
    scratch = np.empty((4, tile, n_fft), np.float32)
    for clip in range(len(signal)):
        for start in range(first, last, tile):
            stop = min(start + tile, last)
            begin = start * hop - n_fft // 2
            span = _reflected(signal[clip], begin, begin + (stop - 1 - start) * hop + n_fft)
            frames = np.lib.stride_tricks.sliding_window_view(span, n_fft, axis=-1)[:, ::hop]
            windowed = np.multiply(frames, window, out=scratch[:, : stop - start])
            yield clip, slice(start - first, stop - first), fft.rfft(windowed, axis=-1)


def _window(settings: FeatureSettings) -> FloatArray:
    """Return the window, in the middle of the transform."""
    window = np.zeros(settings.n_fft, np.float32)
    begin = (settings.n_fft - settings.window_length) // 2
    turn = 2 * np.pi * np.arange(settings.window_length) / settings.window_length
    window[begin : begin + settings.window_length] = 0.5 - 0.5 * np.cos(turn)
    return window


def _reflected(signal: FloatArray, begin: int, end: int) -> FloatArray:
    """Return signal[:, begin:end]; beyond its first and last sample the signal is reflected."""
    last = signal.shape[-1] - 1
    if begin >= 0 and end <= last + 1:
        return signal[:, begin:end]
    return signal[:, last - np.abs(last - np.abs(np.arange(begin, end)))]


def pool(signal: FloatArray, settings: FeatureSettings, first: int, last: int) -> FloatArray:
    """Return the 8 rows of `_kernels.features.pool`, (B, 8, last - first, mels).

    Of signals (B, 4, n) and the frames first to last.
    """
    out = np.empty((len(signal), 8, last - first, settings.n_mels), np.float32)
    if _power_of_two(settings.n_fft) and signal.size > _KERNEL_PAYS * 4 * settings.hop:
        _fill_compiled(signal, settings, first, settings.intensity, out)
    else:
        _pool_numpy(signal, settings, first, out)
    return out


def from_pooled(pooled: FloatArray, kind: str, settings: FeatureSettings) -> FloatArray:
    """Return features (B, 7 or 4, frames, mels) of the rows of `pool`, without regard to top_db."""
    levels = _decibels(pooled[:, :4])
    if kind == "logmel":
        return levels
    intensity = pooled[:, 4:7]
    if settings.intensity == "bounded":
        intensity = _ratio(intensity, pooled[:, 7:], settings.average)
    return np.concatenate([levels, intensity], axis=1)


def _pool_numpy(signal: FloatArray, settings: FeatureSettings, first: int, out: FloatArray) -> None:
    """Fill out with levels, intensity and energy density, pooled by a matrix product."""
    matrix = settings.filters.matrix
    for clip, frames, spectra in _tiles(signal, settings, first, first + out.shape[2]):
        re, im = spectra.real, spectra.imag
        power = re**2 + im**2
        towards = [3, 1, 2]
        intensity = re[:1] * re[towards] + im[:1] * im[towards]
        energy = 0.5 * power.sum(axis=0, keepdims=True)
        if settings.intensity == "dcase":
            intensity /= np.float32(1e-8) + power[:1] + power[1:].sum(axis=0, keepdims=True) / 3
        elif settings.intensity == "salsa":
            length = np.sqrt((intensity**2).sum(axis=0))
            intensity /= np.where(length > 0, length, 1)
        level = np.sqrt(power) if settings.power == 1 else power
        rows = np.concatenate([level, intensity, energy])
        np.matmul(rows, matrix, out=out[clip, :, frames])


def _covariance_numpy(signal: FloatArray, settings: FeatureSettings, out: FloatArray) -> None:
    """Fill out (B, 10, frames, mels) with the covariance, pooled by a matrix product."""
    matrix = settings.filters.matrix
    for clip, frames, spectra in _tiles(signal, settings, 0, out.shape[2]):
        re, im = spectra.real.copy(), spectra.imag.copy()
        products = np.empty((10, *re.shape[1:]), np.float32)
        for product, i, j in zip(products, *_PAIRS, strict=True):
            np.multiply(re[i], re[j], out=product)
            product += im[i] * im[j]
        np.matmul(products, matrix, out=out[clip, :, frames])


def _power_of_two(n_fft: int) -> bool:
    """Whether the kernel has a transform of this length."""
    return n_fft >= 8 and n_fft & (n_fft - 1) == 0


def _fill_compiled(
    signal: FloatArray, settings: FeatureSettings, first: int, variant: str, out: FloatArray
) -> None:
    """Do in a kernel what `_pool_numpy` does, or `_covariance_numpy`."""
    from ambikit._kernels import features as kernels

    _, band, weights = settings.filters
    window, turn, places = _tables(settings)
    z = np.empty((2, settings.n_fft // 2, kernels.LANES), np.float32)
    bins = np.empty((settings.n_mels + 4, out.shape[1] * kernels.FRAMES), np.float32)
    for clip, rows in zip(signal, out, strict=True):
        kernels.pool(
            clip,
            first,
            settings.hop,
            window,
            turn,
            places,
            settings.power == 1,
            kernels.VARIANTS.index(variant),
            band,
            weights,
            z,
            bins,
            rows,
        )


@lru_cache(maxsize=16)
def _tables(settings: FeatureSettings) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """Return the kernel's window, its turn, and the places where its transform leaves the bins."""
    phase = 2 * np.pi * np.arange(settings.n_fft) / settings.n_fft
    turn = np.stack([np.cos(phase), np.sin(phase)]).astype(np.float32)
    size = settings.n_fft // 2
    order = np.zeros(1, np.int64)
    radices = [4] * (size.bit_length() // 2)
    radices[-1] = size // 4 ** (len(radices) - 1)
    for radix in reversed(radices):
        digits = (0, 2, 1, 3) if radix == 4 else range(radix)
        order = np.concatenate([radix * order + digit for digit in digits])
    return _window(settings), turn, np.argsort(order)


def _decibels(levels: FloatArray) -> FloatArray:
    """Return 10 log10 above the floor."""
    db = np.maximum(levels, _FLOOR, dtype=np.float32)
    np.log(db, out=db)  # in vectors, unlike log10
    db *= np.float32(10 / math.log(10))
    return db


def _hold(levels: FloatArray, top_db: float) -> None:
    """Hold levels (..., frames, mels) within top_db of the highest of each channel, in place."""
    least = levels.max(axis=(-2, -1), keepdims=True) - np.float32(top_db)
    np.maximum(levels, least, out=levels)


def _ratio(intensity: FloatArray, energy: FloatArray, average: int) -> FloatArray:
    """Return <I> / (<E> + floor), averaged over frames; beyond the ends both count as 0."""
    return _mean(intensity, average) / (_mean(energy, average) + np.float32(_FLOOR))


def _mean(values: FloatArray, average: int) -> FloatArray:
    """Return the centred mean over so many frames (axis -2)."""
    if average == 1:
        return values
    reach = average // 2
    count = values.shape[-2]
    total = values.copy()
    for shift in range(1, min(reach, count - 1) + 1):
        total[..., shift:, :] += values[..., : count - shift, :]
        total[..., : count - shift, :] += values[..., shift:, :]
    total /= average
    return total
