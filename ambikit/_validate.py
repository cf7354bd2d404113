"""Every argument check, once; messages quote the shape or value, and the mend."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray


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
    # Many square counts pass by accident (900 samples are "order 29"): a channels-last array is told.
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
    """Return elevations in radians; a value beyond ±90° is most likely a colatitude or a unit slip."""
    e = angle(value, name, degrees=degrees)
    if e.size and np.abs(e).max() > np.pi / 2 + 1e-6:
        worst = float(np.asarray(value, dtype=float).ravel()[np.abs(e).argmax()])
        unit, mend = ("°", "") if degrees else (" rad", "; for degrees pass degrees=True")
        raise InputError(f"{name} must lie within ±90° of the horizon, got {worst:g}{unit}{mend}")
    return e


def positive(value: float, name: str, unit: str = "") -> float:
    """Return a positive finite number."""
    v = float(value)
    if not (math.isfinite(v) and v > 0):
        raise InputError(f"{name} must be positive{unit and f' ({unit})'}, got {value!r}")
    return v


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


def count(value: int, name: str) -> int:
    """Return a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


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
