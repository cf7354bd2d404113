"""Mel bands of the short-time spectra of first-order sound: settings, and pooling.

Pooled are levels, intensity and energy density, or the covariance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit._scale import gain_for
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.features._mel import MelFilters, mel_filters

_INTENSITIES = ("bounded", "dcase", "salsa")
PAIRS = np.triu_indices(4)
"""Rows and columns of the upper triangle, in the order of covariances."""
_TILE = 1 << 16
"""Samples in a tile of frames: scratch that stays in the processor's cache."""
_KERNEL_PAYS = 4096
"""Frames above which loading the compiled kernel costs less than it saves."""


Scratch = tuple[FloatArray, FloatArray]


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
        Sample rate of the preset in Hz.
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
        Normalisation of the intensity; see `foa_features`.
    top_db : float or None
        Levels are clipped to this many dB below the highest one of their channel.
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
            checks.positive_int(getattr(self, name), name)
        checks.choice(self.mel_scale, ("slaney", "htk"), "mel_scale")
        checks.choice(self.intensity, _INTENSITIES, "intensity")
        checks.mel_settings(self.n_fft, self.window_length, self.fmin, self.fmax, self.sample_rate)
        checks.bands(self.filters.matrix, self.n_fft)
        checks.pooling_settings(self.power, self.average, self.intensity, self.top_db)

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


def feature_settings(preset: str, overrides: Overrides) -> FeatureSettings:
    """Return a preset with some fields replaced."""
    checks.choice(preset, tuple(PRESETS), "preset")
    return dataclasses.replace(PRESETS[preset], **overrides)


def first_order(
    x: ArrayLike, sample_rate: float, settings: FeatureSettings, resample: bool
) -> tuple[FloatArray, list[float]]:
    """Return the first-order signals (B, 4, n) as float32, once they fit the settings.

    Those whose fourth powers would be no numbers are turned down; the gains (B) say how far.
    """
    signal, _ = checks.ambisonic(x, min_order=1)
    needed = settings.n_fft // 2 + 1, settings.hop
    if not resample:
        checks.rate(sample_rate, settings.sample_rate, "with resample=True or ")
    if not resample or signal.shape[-1] == 0:
        checks.long_enough(signal.shape[-1], *needed)
    foa = signal[..., :4, :].reshape(-1, 4, signal.shape[-1])
    gains = [loud_gain(clip) for clip in foa]
    if any(gain != 1.0 for gain in gains):
        foa = foa * np.array(gains, foa.dtype)[:, None, None]
    if resample:
        foa = _resampled(foa, checks.positive(sample_rate, "sample_rate", "Hz"), settings)
        checks.long_enough(foa.shape[-1], *needed)
    foa = foa.astype(np.float32, copy=False)
    return foa if _in_rows(foa) else np.require(foa, requirements=["C", "A"]), gains


def _in_rows(foa: FloatArray) -> bool:
    """Tell whether each channel lies in memory as a kernel takes it, wherever the next one is."""
    return foa.flags.aligned and foa.strides[-1] == foa.itemsize


def _resampled(foa: FloatArray, rate: float, settings: FeatureSettings) -> FloatArray:
    """Return signals (B, 4, n) at the rate of the settings, as `read` resamples."""
    import soxr

    if rate == settings.sample_rate or foa.size == 0:
        return foa
    flat = foa.reshape(-1, foa.shape[-1]).T
    turned: FloatArray = soxr.resample(flat, rate, settings.sample_rate).T
    return turned.reshape(*foa.shape[:2], -1)


def loud_gain(clip: FloatArray) -> float:
    """Return the power of two by which a signal is turned down: 1 unless it is beyond range."""
    return min(1.0, gain_for(clip, np.float32))


def pool(
    signal: FloatArray,
    settings: FeatureSettings,
    first: int,
    last: int,
    out: FloatArray | None = None,
    scratch: Scratch | None = None,
) -> FloatArray:
    """Return the 8 rows of `_kernels.features.pool`, (B, 8, last - first, mels).

    Of signals (B, 4, n) and the frames first to last; with scratch in the kernel, however few.
    """
    if out is None:
        out = np.empty((len(signal), 8, last - first, settings.n_mels), np.float32)
    many = signal.size > _KERNEL_PAYS * 4 * settings.hop
    if _power_of_two(settings.n_fft) and (many or scratch is not None):
        _fill_compiled(signal, settings, first, settings.intensity, out, scratch)
    else:
        _pool_numpy(signal, settings, first, out)
    return out


def pool_covariance(signal: FloatArray, settings: FeatureSettings) -> FloatArray:
    """Return the covariance of signals (B, 4, n), (B, 10, frames, mels)."""
    count = signal.shape[-1] // settings.hop
    out = np.empty((len(signal), 10, count, settings.n_mels), np.float32)
    if _power_of_two(settings.n_fft):
        _fill_compiled(signal, settings, 0, "covariance", out)
    else:
        _covariance_numpy(signal, settings, out)
    return out


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
        for product, i, j in zip(products, *PAIRS, strict=True):
            np.multiply(re[i], re[j], out=product)
            product += im[i] * im[j]
        np.matmul(products, matrix, out=out[clip, :, frames])


def _power_of_two(n_fft: int) -> bool:
    """Whether the kernel has a transform of this length."""
    return n_fft >= 8 and n_fft & (n_fft - 1) == 0


def scratch_for(settings: FeatureSettings, rows: int = 8) -> Scratch:
    """Return what the kernel works in."""
    from ambikit._kernels import features as kernels

    z = np.empty((2, settings.n_fft // 2, kernels.LANES), np.float32)
    return z, np.empty((settings.n_mels + 4, rows * kernels.FRAMES), np.float32)


def _fill_compiled(
    signal: FloatArray,
    settings: FeatureSettings,
    first: int,
    variant: str,
    out: FloatArray,
    scratch: Scratch | None = None,
) -> None:
    """Do in a kernel what `_pool_numpy` does, or `_covariance_numpy`."""
    from ambikit._kernels import features as kernels

    _, band, weights = settings.filters
    window, turn, places = _tables(settings)
    z, bins = scratch or scratch_for(settings, out.shape[1])
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
