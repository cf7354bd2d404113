"""Every argument check, once; messages quote the shape or value, and the mend."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, ComplexArray, FloatArray


@runtime_checkable
class SupportsMatrix(Protocol):
    """What is asked of a scipy Rotation, so that scipy need not be loaded to recognise one."""

    def as_matrix(self) -> Any:
        """Return rotation matrices (..., 3, 3)."""


def real(values: ArrayLike, name: str) -> FloatArray:
    """Return `values` as a float32 or float64 array; integers and complex numbers are refused."""
    x = np.asarray(values)
    if x.dtype in (np.float32, np.float64):
        return x
    if x.dtype == np.float16:
        return x.astype(np.float32)
    if np.issubdtype(x.dtype, np.integer):
        raise TypeError(
            f"{name} holds integers ({x.dtype}): scale them to ±1 first, for example "
            f"{name} / 32768.0 for 16-bit sound, or use ambikit.read"
        )
    raise TypeError(f"{name} must be real floats (float32 or float64), got {x.dtype}")


def samples(signal: ArrayLike, name: str) -> FloatArray:
    """Return a sound (..., samples) as floats."""
    s = real(signal, name)
    if s.ndim == 0:
        raise InputError(f"{name} must be (..., samples), got a single number")
    return s


def ambisonic(
    signals: ArrayLike, *, min_order: int = 0, max_order: int | None = None, name: str = "x"
) -> tuple[FloatArray, int]:
    """Return `signals` (..., channels, samples) as floats, with its Ambisonic order."""
    x = real(signals, name)
    if x.ndim < 2:
        raise InputError(f"{name} must be (..., channels, samples), got shape {x.shape}")
    channels = x.shape[-2]
    order = math.isqrt(channels) - 1
    if (order + 1) ** 2 != channels or order < min_order:
        hint = ""
        last = x.shape[-1]
        if (math.isqrt(last)) ** 2 == last and 1 < last <= 64 and last < channels:
            hint = f"; it looks channels-last: pass {name}.T"
        raise InputError(
            f"{name} has {channels} channels (shape {x.shape}), not (order + 1)**2 "
            f"with order >= {min_order}{hint}"
        )
    last = x.shape[-1]
    # 900 samples would pass as "order 29": tell a channels-last array from a high order
    if order > 7 and math.isqrt(last) ** 2 == last and 1 < last <= 64:
        raise InputError(
            f"{name} has shape {x.shape}: that would be order {order}; it looks channels-last: "
            f"pass {name}.T, (channels, samples)"
        )
    if max_order is not None and order > max_order:
        raise InputError(
            f"{name} is of order {order} ({channels} channels); this function takes at most order "
            f"{max_order}: pass the first {(max_order + 1) ** 2} channels"
        )
    return x, order


def order(value: int, name: str = "order") -> int:
    """Return an Ambisonic order, a non-negative integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise InputError(f"{name} must be a non-negative integer, got {value!r}")
    return int(value)


def angle(value: ArrayLike, name: str, *, degrees: bool = False) -> FloatArray:
    """Return finite angles in radians (float64)."""
    a = np.asarray(value)
    if not (np.issubdtype(a.dtype, np.floating) or np.issubdtype(a.dtype, np.integer)):
        raise TypeError(f"{name} must be a real angle, got {a.dtype}")
    a = a.astype(np.float64)
    if not np.isfinite(a).all():
        raise InputError(f"{name} holds NaN or infinity: give finite angles")
    return np.deg2rad(a) if degrees else a


def elevation(value: ArrayLike, name: str = "elevation", *, degrees: bool = False) -> FloatArray:
    """Return elevations in radians; beyond ±90° is most likely a colatitude."""
    e = angle(value, name, degrees=degrees)
    if e.size and np.abs(e).max() > np.pi / 2 + 1e-6:
        worst = float(np.asarray(value, dtype=float).ravel()[np.abs(e).argmax()])
        unit, mend = ("°", "") if degrees else (" rad", "; for degrees pass degrees=True")
        raise InputError(f"{name} must lie within ±90° of the horizon, got {worst:g}{unit}{mend}")
    return e


def direction(
    azimuth: ArrayLike, elevation_: ArrayLike, *, degrees: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Return azimuths and elevations in radians, broadcast against each other."""
    az, el = broadcast(
        azimuth=angle(azimuth, "azimuth", degrees=degrees),
        elevation=elevation(elevation_, degrees=degrees),
    )
    return az, el


def broadcast(**arrays: FloatArray) -> tuple[FloatArray, ...]:
    """Return arrays broadcast against each other; the message names them."""
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise InputError(f"these do not broadcast to one shape: {shapes}") from None


def at_most_1d(value: FloatArray, name: str, meaning: str) -> FloatArray:
    """Return `value`, a number or a list of them with at least one."""
    if value.ndim > 1 or value.size == 0:
        raise InputError(f"{name} must be one number or 1-D ({meaning}), got shape {value.shape}")
    return value


def vectors(values: ArrayLike, name: str) -> FloatArray:
    """Return finite vectors (..., 3) other than zero, as float64."""
    v = np.asarray(values)
    if not (np.issubdtype(v.dtype, np.floating) or np.issubdtype(v.dtype, np.integer)):
        raise TypeError(f"{name} must be real vectors, got {v.dtype}")
    if v.ndim == 0 or v.shape[-1] != 3:
        raise InputError(f"{name} must be (..., 3): x front, y left, z up; got shape {v.shape}")
    v = v.astype(np.float64)
    if not np.isfinite(v).all():
        raise InputError(f"{name} holds NaN or infinity: give finite vectors")
    if not v.any(axis=-1).all():
        raise InputError(f"{name} holds a zero vector, which points nowhere")
    return v


def rotation(value: ArrayLike | SupportsMatrix, name: str = "rotation") -> FloatArray:
    """Return proper rotation matrices (..., 3, 3), float64, from arrays or a scipy Rotation."""
    r = np.asarray(value.as_matrix() if isinstance(value, SupportsMatrix) else value)
    if not (np.issubdtype(r.dtype, np.floating) or np.issubdtype(r.dtype, np.integer)):
        raise TypeError(f"{name} must be real 3 x 3 matrices or a scipy Rotation, got {r.dtype}")
    if r.ndim < 2 or r.shape[-2:] != (3, 3):
        raise InputError(f"{name} must be (..., 3, 3) or a scipy Rotation, got shape {r.shape}")
    r = r.astype(np.float64)
    # the negation also catches NaN
    if not (np.abs(r @ r.swapaxes(-1, -2) - np.eye(3)) < 1e-4).all():
        raise InputError(f"{name} is not orthonormal: R @ R.T differs from the identity")
    if (np.linalg.det(r) < 0).any():
        raise InputError(f"{name} is a reflection (determinant -1), not a rotation")
    return r


def keys_of_matrices(matrices: FloatArray) -> FloatArray:
    """Return one matrix (3, 3) or keys along time (K, 3, 3)."""
    if matrices.ndim > 3 or matrices.size == 0:
        raise InputError(
            "rotations must be one, or a 1-D list of keys along time, got shape "
            f"{matrices.shape[:-2]}; to give each signal of a batch its own rotation, multiply by "
            "sh_rotation_matrix"
        )
    return matrices


def unused(values: tuple[ArrayLike, ...], names: str, other: str) -> None:
    """Refuse values that another argument makes void."""
    if any(np.any(np.asarray(value)) for value in values):
        raise InputError(f"give either {names} or {other}, not both")


def key_times(times: ArrayLike, keys: int) -> FloatArray:
    """Return the times of `keys` keys, in samples: finite and rising."""
    if keys < 2:
        raise InputError("times needs keys: give two or more angles or rotations")
    t = np.asarray(times)
    if not (np.issubdtype(t.dtype, np.floating) or np.issubdtype(t.dtype, np.integer)):
        raise TypeError(f"times must be real numbers of samples, got {t.dtype}")
    if t.shape != (keys,):
        raise InputError(f"times must hold one time a key, shape ({keys},), got shape {t.shape}")
    t = t.astype(np.float64)
    if not (np.isfinite(t).all() and (np.diff(t) > 0).all()):
        raise InputError("times must be finite and strictly rising, in samples")
    return t


def positive(value: float, name: str, unit: str = "") -> float:
    """Return a positive finite number."""
    v = float(value)
    if not (math.isfinite(v) and v > 0):
        raise InputError(f"{name} must be positive{unit and f' ({unit})'}, got {value!r}")
    return v


def count(value: int, name: str) -> int:
    """Return a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def choice(value: str, options: tuple[str, ...], name: str) -> str:
    """Return `value` if it is one of `options`."""
    if value not in options:
        raise InputError(f"unknown {name} {value!r}: choose one of {', '.join(options)}")
    return value


def one_pole(time_constant: float, sample_rate: float) -> float:
    """Return the weight of the newest sample in a one-pole average of that time constant."""
    tau = positive(time_constant, "time_constant", "seconds")
    rate = positive(sample_rate, "sample_rate", "Hz")
    return -math.expm1(-1.0 / (tau * rate))


def stayed_finite(averages: FloatArray, name: str = "x") -> None:
    """Refuse a signal by its running averages, which carry any NaN and infinity on to the end."""
    if not np.isfinite(averages).all():
        raise InputError(f"{name} holds NaN or infinity: an average over time would never recover")


def output(
    out: FloatArray | None, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> FloatArray:
    """Return `out` if it fits, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out must be a {dtype} array of shape {shape}, got {got}")
    if not out.flags.writeable:
        raise InputError("out is read-only: pass a writeable array")
    return out


def frames(pictures: ArrayLike, name: str = "frames") -> npt.NDArray[np.uint8]:
    """Return pictures (..., height, width, 3) of bytes."""
    p = np.asarray(pictures)
    if p.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8 (RGB, 0 to 255), got {p.dtype}")
    if p.ndim < 3 or p.shape[-1] != 3 or 0 in p.shape[-3:]:
        raise InputError(f"{name} must be (..., height, width, 3), got shape {p.shape}")
    return p


def field_of_view(value: ArrayLike, name: str, *, degrees: bool = False) -> FloatArray:
    """Return fields of view in radians; a flat picture shows less than half of the sphere."""
    a = angle(value, name, degrees=degrees)
    if not ((a > 0) & (a < np.pi)).all():
        unit = "°" if degrees else " rad"
        raise InputError(
            f"{name} must be a field of view between 0 and 180°, got {np.asarray(value)}{unit}"
        )
    return a


def input_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that exists and holds something."""
    p = Path(path)
    if not p.exists():
        raise FileNotFoundError(f"{p} does not exist: check the path (here is {Path.cwd()})")
    if p.is_dir():
        raise InputError(f"{p} is a folder: give one file in it")
    if p.stat().st_size == 0:
        raise InputError(f"{p} is empty (0 bytes): copy or download it again")
    return p


def span(
    start: float, duration: float | None, length: int, rate: float, name: str
) -> tuple[int, int]:
    """Return the first and last-plus-one sample of a span of a file that has `length` samples."""
    if not math.isfinite(start) or start < 0:
        raise InputError(f"start must be a time of 0 s or later, got {start!r}")
    first = round(start * rate)
    last = length if duration is None else first + round(positive(duration, "duration", "s") * rate)
    if first >= length or last > length:
        end = "its end" if duration is None else f"{start + duration:g} s"
        raise InputError(
            f"{name} lasts {length / rate:.6g} s: a span from {start:g} s to {end} is outside it"
        )
    if last == first:
        raise InputError(f"duration {duration!r} s is shorter than one sample at {rate:g} Hz")
    return first, last


def natural(value: int, name: str) -> int:
    """Return a non-negative integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise InputError(f"{name} must be a non-negative integer, got {value!r}")
    return int(value)


def share(value: float, name: str) -> float:
    """Return a number from 0 to 1."""
    v = float(value)
    if not 0.0 <= v <= 1.0:
        raise InputError(f"{name} must lie between 0 and 1, got {value!r}")
    return v


def sound_to_write(x: ArrayLike, sample_rate: int) -> tuple[FloatArray, int]:
    """Return one finite Ambisonic signal (channels, samples) and its rate, fit to be stored."""
    planes, _ = ambisonic(x, min_order=1)
    if planes.ndim != 2 or planes.shape[1] == 0:
        raise InputError(f"x must be (channels, samples), one signal, got shape {planes.shape}")
    if not np.isfinite(planes).all():
        raise InputError("x holds NaN or infinity: no file is written")
    return planes, count(sample_rate, "sample_rate")


def frame_size(value: Sequence[int], name: str = "frame_size") -> tuple[int, int]:
    """Return height and width in pixels, both even, as 4:2:0 video needs them."""
    size = tuple(value)
    if len(size) != 2 or any(not isinstance(s, int | np.integer) or s < 2 or s % 2 for s in size):
        raise InputError(f"{name} must be (height, width), both even and positive, got {value!r}")
    return int(size[0]), int(size[1])


def even(value: int, name: str) -> int:
    """Return a positive even integer."""
    n = count(value, name)
    if n % 2:
        raise InputError(f"{name} must be even, got {value!r}")
    return n


def window(value: ArrayLike, length: int) -> FloatArray:
    """Return a window of that length."""
    w = np.asarray(value)
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
    s = np.asarray(values)
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
    if weight.min() < 1e-3 * weight.max():
        raise InputError(f"frames leave gaps: a hop of {hop} is too long for this window")


def average(value: Sequence[int]) -> tuple[int, int]:
    """Return the sizes of an average over frames and bins, both odd."""
    sizes = tuple(value)
    if len(sizes) != 2 or any(count(size, "average") % 2 == 0 for size in sizes):
        raise InputError(f"average must be (frames, bins), both odd, got {value!r}")
    return sizes[0], sizes[1]


def rate(value: float, needed: float) -> None:
    """Refuse a sample rate that is not the one that settings are made for."""
    if value != needed:
        raise InputError(
            f"sample_rate is {value:g} Hz and the preset is made for {needed:g} Hz: resample "
            f"first, for example with ambikit.read(path, sample_rate={needed:g})"
        )


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
    if not 0 <= fmin < fmax <= sample_rate / 2:
        raise InputError(
            f"fmin and fmax must satisfy 0 <= fmin < fmax <= {sample_rate / 2:g} Hz (half the "
            f"sample rate), got {fmin!r} and {fmax!r}"
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


def covariance_bands(values: ArrayLike) -> FloatArray:
    """Return covariances in bands (..., 10, frames, mels)."""
    c = real(values, "covariance")
    if c.ndim < 3 or c.shape[-3] != 10:
        raise InputError(
            f"covariance must be (..., 10, frames, mels) as from mel_covariance, got {c.shape}"
        )
    return c


def leading(a: FloatArray, b: tuple[int, ...], name_a: str, name_b: str) -> tuple[int, ...]:
    """Return the shape that the leading dimensions of a (..., m, n) and of b broadcast to."""
    try:
        return np.broadcast_shapes(a.shape[:-2], b)
    except ValueError as error:
        raise InputError(
            f"leading dimensions of {name_a} {a.shape[:-2]} and {name_b} {b} do not broadcast "
            "against each other"
        ) from error


def one_signal(x: ArrayLike) -> tuple[FloatArray, int]:
    """Return one finite Ambisonic signal (channels, samples) of order 1 or more, and its order."""
    signal, n = ambisonic(x, min_order=1)
    if signal.ndim != 2:
        raise InputError(f"x must be one signal (channels, samples), got shape {signal.shape}")
    if not np.isfinite(signal).all():
        raise InputError("x holds NaN or infinity: cut or mend it first")
    return signal, n


def map_of(
    values: FloatArray, azimuth: FloatArray, elevation_: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the direction of each value of a finite map."""
    try:
        az, el = (np.broadcast_to(angle_, values.shape) for angle_ in (azimuth, elevation_))
    except ValueError as error:
        raise InputError(
            f"azimuth and elevation {azimuth.shape} do not broadcast to the map {values.shape}"
        ) from error
    if not np.isfinite(values).all():
        raise InputError("power holds NaN or infinity")
    return az, el


def separation(value: float | None, default: float, *, degrees: bool) -> float:
    """Return an angle between peaks in radians."""
    if value is None:
        return default
    a = float(angle(value, "separation", degrees=degrees))
    if not 0 < a <= np.pi:
        raise InputError(f"separation must be an angle between 0 and 180°, got {value!r}")
    return a


def sources(value: int | None, method: str, channels: int) -> int | None:
    """Return how many sources to look for; MUSIC needs to know, and fewer than channels."""
    if value is not None:
        count(value, "n_sources")
    if method == "music" and (value is None or value >= channels):
        raise InputError(
            f"method 'music' needs n_sources from 1 to {channels - 1} for {channels} channels, got "
            f"{value}; method 'intensity' finds any number"
        )
    return value


def finite(value: float, name: str) -> float:
    """Return a finite number."""
    v = float(value)
    if not math.isfinite(v):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return v


def within(value: float, low: float, high: float, name: str) -> float:
    """Return a number from low to high."""
    v = float(value)
    if not low <= v <= high:
        raise InputError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
    return v


def single(value: FloatArray, name: str) -> float:
    """Return the one number of an array of no dimension."""
    if value.ndim:
        raise InputError(f"{name} must be one number, got shape {value.shape}")
    return float(value)


def width(value: float, *, degrees: bool) -> float:
    """Return an angle across a region of the sphere, in radians."""
    a = single(angle(value, "width", degrees=degrees), "width")
    if not np.radians(1) <= a <= 2 * np.pi:
        raise InputError(f"width must be an angle from 1° to 360°, got {value!r}")
    return a


def picture_of_map(values: ArrayLike) -> FloatArray:
    """Return a finite map (height, width)."""
    m = real(values, "values")
    if m.ndim != 2 or m.size == 0 or not np.isfinite(m).all():
        raise InputError(f"values must be a finite map (height, width), got shape {m.shape}")
    return m


def numbers(values: ArrayLike, name: str) -> ComplexArray:
    """Return finite floats or complex numbers; integers become float64."""
    v = np.asarray(values)
    if not np.issubdtype(v.dtype, np.number):
        raise TypeError(f"{name} must be numbers, got {v.dtype}")
    if not np.isfinite(v).all():
        raise InputError(f"{name} holds NaN or infinity")
    return v.astype(np.float64) if np.issubdtype(v.dtype, np.integer) else v


def channel_covariance(values: ArrayLike) -> ComplexArray:
    """Return covariance matrices (..., channels, channels), real or complex and Hermitian."""
    c = numbers(values, "covariance")
    if c.ndim < 2 or c.shape[-1] != c.shape[-2] or c.shape[-1] == 0:
        raise InputError(f"covariance must be (..., channels, channels), got shape {c.shape}")
    if np.abs(c - c.swapaxes(-1, -2).conj()).max(initial=0) > 1e-3 * np.abs(c).max(initial=0):
        raise InputError("covariance is not Hermitian: it must equal its conjugate transpose")
    return c


def constraints(
    values: ArrayLike, gains: ArrayLike, channels: int
) -> tuple[ComplexArray, ComplexArray]:
    """Return independent steering vectors (..., K, channels) and their gains (..., K)."""
    c, g = numbers(values, "constraints"), numbers(gains, "gains")
    if c.ndim < 2 or c.shape[-1] != channels:
        raise InputError(f"constraints must be (..., K, {channels}), got shape {c.shape}")
    if g.ndim == 0 or g.shape[-1] != c.shape[-2]:
        raise InputError(f"gains must be (..., {c.shape[-2]}), one a constraint, got {g.shape}")
    return independent(c, "constraints"), g


def independent(vectors_: ComplexArray, name: str) -> ComplexArray:
    """Return vectors (..., K, channels) none of which is a sum of the others."""
    count_, channels = vectors_.shape[-2:]
    if count_ > channels:
        raise InputError(f"{count_} {name} are too many for {channels} channels")
    if (np.linalg.matrix_rank(vectors_, rtol=1e-6) < count_).any():
        raise InputError(f"{name} depend on each other: leave out those that repeat others")
    return vectors_


def steering(values: ArrayLike, channels: int) -> ComplexArray:
    """Return steering vectors (..., channels), not zero."""
    d = numbers(values, "steering")
    if d.ndim == 0 or d.shape[-1] != channels:
        raise InputError(f"steering must be (..., {channels}), got shape {d.shape}")
    if not d.any(axis=-1).all():
        raise InputError("steering holds a zero vector, which no weights can pass")
    return d


def invertible(matrices: ComplexArray) -> ComplexArray:
    """Return loaded covariances that can be inverted."""
    if not (np.linalg.cond(matrices) < 1e13).all():
        raise InputError(
            "covariance cannot be inverted: raise loading, or average over more frames than there "
            "are channels"
        )
    return matrices


def loading(value: float) -> float:
    """Return a diagonal loading: finite, 0 or more."""
    v = finite(value, "loading")
    if v < 0:
        raise InputError(f"loading must be 0 or more, got {value!r}")
    return v


def directions_table(
    values: ArrayLike | None, name: str, *, degrees: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the azimuths and elevations (K,) of a table (K, 2), in radians; None has no rows."""
    t = np.empty((0, 2)) if values is None else angle(values, name)
    if t.ndim != 2 or t.shape[1] != 2:
        raise InputError(f"{name} must be (K, 2), azimuth and elevation a row, got shape {t.shape}")
    return direction(t[:, 0], t[:, 1], degrees=degrees)


def weights_of(values: ArrayLike, spectra_: ComplexArray) -> ComplexArray:
    """Return weights (..., bins, channels) or (channels,) that fit spectra."""
    w = np.atleast_2d(numbers(values, "weights"))
    channels, bins = spectra_.shape[-3:-1]
    if w.shape[-1] != channels or w.shape[-2] not in (1, bins):
        raise InputError(
            f"weights must be (..., {bins}, {channels}) or ({channels},) for spectra of shape "
            f"{spectra_.shape}, got shape {np.shape(values)}"
        )
    return w
