"""Settings and results of analysis along time and frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, ComplexArray, FloatArray
from ambikit.checks.arrays import array, real
from ambikit.checks.scalars import number, positive, positive_int

Found = TypeVar("Found")


def one_pole(time_constant: float, sample_rate: float) -> float:
    """Return the weight of the newest sample in a one-pole average of that time constant."""
    tau = positive(time_constant, "time_constant", "seconds")
    rate = positive(sample_rate, "sample_rate", "Hz")
    return -math.expm1(-1.0 / (tau * rate))


def window(value: ArrayLike, length: int) -> FloatArray:
    """Return a window of that length."""
    w = array(value, "window")
    if not np.issubdtype(w.dtype, np.floating):
        raise TypeError(f"window must be a name or real floats, got {w.dtype}")
    if w.shape != (length,):
        raise InputError(f"window must have n_fft = {length} samples, got shape {w.shape}")
    if not np.isfinite(w).all():
        raise InputError("window holds NaN or infinity")
    return w


def spectra(
    values: ArrayLike, *, channels: bool = True, min_order: int = 0, name: str = "spectra"
) -> ComplexArray:
    """Return spectra (..., channels, bins, frames), or (..., bins, frames), as complex numbers."""
    s = array(values, name)
    if s.dtype not in (np.complex64, np.complex128):
        raise TypeError(f"{name} must be complex64 or complex128, as from stft, got {s.dtype}")
    axes = "(..., channels, bins, frames)" if channels else "(..., bins, frames)"
    if s.ndim < 2 + channels or s.shape[-2] < 2:
        raise InputError(f"{name} must be {axes}, got shape {s.shape}")
    if channels:
        size = s.shape[-3]
        if math.isqrt(size) ** 2 != size or size < (min_order + 1) ** 2:
            raise InputError(
                f"{name} has {size} channels (shape {s.shape}, {axes}), not (order + 1)**2 with "
                f"order >= {min_order}"
            )
    return s


def frames_of(spectra_: ComplexArray, frames_: int, samples_: int, hop: int) -> None:
    """Refuse spectra with another number of frames than so many samples have."""
    if spectra_.shape[-1] != frames_:
        raise InputError(
            f"spectra has {spectra_.shape[-1]} frames (shape {spectra_.shape}), but {samples_} "
            f"samples at hop {hop} have {frames_}: give the samples and the hop of the stft"
        )


def gapless(weight: FloatArray, hop: int) -> None:
    """Refuse windows that leave samples with next to no weight."""
    if weight.min(initial=np.inf) < 1e-3 * weight.max(initial=0.0):
        raise InputError(f"frames leave gaps: a hop of {hop} is too long for this window")


def average(value: Sequence[int]) -> tuple[int, int]:
    """Return the sizes of an average over frames and bins, both odd."""
    sizes = tuple(value) if isinstance(value, Sequence) else ()
    if len(sizes) != 2 or any(positive_int(size, "average") % 2 == 0 for size in sizes):
        raise InputError(f"average must be (frames, bins), both odd, got {value!r}")
    return sizes[0], sizes[1]


def rate(value: float, needed: float, remedy: str = "") -> None:
    """Refuse a sample rate that is not the one that settings are made for."""
    if number(value, "sample_rate") != needed:
        raise InputError(
            f"sample_rate is {value:g} Hz and the preset is made for {needed:g} Hz: resample "
            f"first, {remedy}for example with ambikit.read(path, sample_rate={needed:g})"
        )


def rate_for_filter(value: float, highest: float, what: str) -> float:
    """Return a sample rate that can hold a filter up to its highest frequency in Hz."""
    sample_rate = positive(value, "sample_rate", "Hz")
    if sample_rate <= 2 * highest:
        raise InputError(
            f"sample_rate must be above {2 * highest:.0f} Hz for {what}, got {sample_rate:g}: "
            "resample first"
        )
    return sample_rate


def long_enough(samples: int, half_window: int, hop: int) -> None:
    """Refuse a signal that cannot be reflected at its ends or gives no frame."""
    needed = max(half_window, hop)
    if samples < needed:
        raise InputError(f"x has {samples} samples: {needed} or more are needed for one frame")


def mel_settings(
    n_fft: int, window_length: int, fmin: float, fmax: float, sample_rate: float
) -> None:
    """Refuse a window longer than its transform and bands beyond the spectrum."""
    if window_length > n_fft:
        raise InputError(f"window_length ({window_length}) must be at most n_fft ({n_fft})")
    if not 0 <= number(fmin, "fmin") < number(fmax, "fmax") <= sample_rate / 2:
        raise InputError(
            f"fmin and fmax must satisfy 0 <= fmin < fmax <= {sample_rate / 2:g} Hz (half the "
            f"sample rate), got {fmin!r} and {fmax!r}"
        )


def bands(filters: FloatArray, n_fft: int) -> None:
    """Refuse mel filters (bins, mels) some of which lie between the bins."""
    empty = np.flatnonzero(~filters.any(axis=0))
    if empty.size:
        raise InputError(
            f"n_mels ({filters.shape[1]}) is too many for n_fft={n_fft}: {empty.size} of the "
            f"bands hold no bin, the first is number {empty[0]}: take fewer or raise n_fft"
        )


def pooling_settings(power: int, average: int, intensity: str, top_db: float | None) -> None:
    """Refuse settings of mel bands and intensity that contradict each other."""
    if power not in (1, 2):
        raise InputError(f"power must be 1 (magnitude) or 2 (power), got {power!r}")
    if average % 2 == 0:
        raise InputError(f"average must be an odd number of frames, got {average}")
    if average > 1 and intensity != "bounded":
        raise InputError(
            f"average={average} goes with intensity='bounded'; {intensity!r} divides each bin by "
            "itself: pass average=1"
        )
    if top_db is not None:
        positive(top_db, "top_db", "dB")


def streamable(top_db: float | None) -> None:
    """Refuse a limit that is not known before the sound has ended."""
    if top_db is not None:
        raise InputError(
            f"top_db={top_db:g} is measured from the loudest frame of the whole sound, which a "
            "stream does not know: pass top_db=None"
        )


def covariance_bands(values: ArrayLike) -> FloatArray:
    """Return covariances in bands (..., 10, frames, mels)."""
    c = real(values, "covariance")
    if c.ndim < 3 or c.shape[-3] != 10:
        raise InputError(
            f"covariance must be (..., 10, frames, mels) as from mel_covariance, got {c.shape}"
        )
    return c


def moments(found: Sequence[Any], kind: type[Found]) -> list[Found]:
    """Return what was found at each moment, all of one kind."""
    needed = f"found must be a list of {kind.__name__}, one for each moment"
    if not isinstance(found, Sequence):
        raise TypeError(f"{needed}, got {type(found).__name__}")
    for place, one in enumerate(found):
        if not isinstance(one, kind):
            raise TypeError(f"{needed}; number {place} is of type {type(one).__name__}")
    return list(found)


def seconds_at_least(samples: int, needed: int, seconds: float, name: str) -> None:
    """Refuse sound that is shorter than a measure needs."""
    if samples < needed:
        raise InputError(
            f"{name} has {samples} samples: {needed} ({seconds:g} s) or more are needed"
        )


def needed_rate(sample_rate: float | None, what: str) -> float:
    """Return a sample rate that an option needs."""
    if sample_rate is None:
        raise InputError(f"{what} needs the sample rate: pass sample_rate=")
    return positive(sample_rate, "sample_rate", "Hz")
