"""Arrays of sound, their shapes, and arrays to write to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, ComplexArray, FloatArray

_HIGHEST = 24
"""Order above which a few samples, as many as an order has channels, are taken for channels."""
_COMMON, _FIRST_ORDER = 7, 4
"""Order above which just four samples are taken for the channels of first order."""


def array(values: ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return `values` as an array in the machine's order of bytes."""
    if hasattr(values, "filled"):  # numpy.ma is not loaded for this
        raise TypeError(f"{name} is a masked array: fill the gaps first, {name}.filled(0)")
    try:
        x = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} is a list of lists of different lengths") from None
    if x.dtype.kind not in "biufc":
        plain = values is None or isinstance(values, str)
        got = f"{values!r:.60}" if plain else f"{type(values).__name__} of {x.dtype}"
        raise TypeError(f"{name} must be numbers, got {got}")
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def real(values: ArrayLike, name: str) -> FloatArray:
    """Return `values` as a float32 or float64 array; integers and complex numbers are refused."""
    x = array(values, name)
    if x.dtype in (np.float32, np.float64):
        return x
    if x.dtype == np.float16:
        return x.astype(np.float32)
    raise TypeError(f"{name} must be real floats (float32 or float64), got {x.dtype}")


def sound(signal: ArrayLike, name: str) -> FloatArray:
    """Return a sound of any shape as floats."""
    s = array(signal, name)
    if s.ndim == 0:
        raise InputError(
            f"{name} must be an array of sound, got the single number {s}: see the order of the "
            "arguments"
        )
    if s.dtype.kind in "iu":
        raise TypeError(
            f"{name} holds integers ({s.dtype}): scale them to ±1 first, for example "
            f"{name} / 32768.0 for 16-bit sound, or use ambikit.read"
        )
    return real(s, name)


def samples(signal: ArrayLike, name: str) -> FloatArray:
    """Return a sound (..., samples) as floats."""
    return sound(signal, name)


def ambisonic(
    signals: ArrayLike,
    *,
    min_order: int = 0,
    max_order: int | None = None,
    name: str = "x",
    oriented: bool = False,
) -> tuple[FloatArray, int]:
    """Return `signals` (..., channels, samples) as floats, with its Ambisonic order.

    Of signals that are `oriented` it is known which axis has the channels: those of a file are, and
    those of a stream after its first block.
    """
    x = sound(signals, name)
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
            f"{name} has {channels} channels (shape {x.shape}), not (order + 1)**2 with order >= "
            f"{min_order}{hint or ': give all channels of one order, 4, 9, 16, ...'}"
        )
    last = x.shape[-1]
    # 900 samples would pass as "order 29", a block of 256 of first order as order 15. Other short
    # blocks of high orders are what they seem
    square = math.isqrt(last) ** 2 == last and 1 < last <= 64
    doubtful = (order > _HIGHEST and square) or (order > _COMMON and last == _FIRST_ORDER)
    if doubtful and not oriented:
        raise InputError(
            f"{name} has shape {x.shape}: that would be order {order}; it looks channels-last: "
            f"pass {name}.T, (channels, samples); if these are {last} samples of that order, "
            "append one of zeros"
        )
    if max_order is not None and order > max_order:
        raise InputError(
            f"{name} is of order {order} ({channels} channels); this function takes at most order "
            f"{max_order}: pass the first {(max_order + 1) ** 2} channels"
        )
    return x, order


def one_signal(x: ArrayLike) -> tuple[FloatArray, int]:
    """Return one finite Ambisonic signal (channels, samples) of order 1 or more, and its order."""
    signal, n = ambisonic(x, min_order=1)
    if signal.ndim != 2:
        raise InputError(f"x must be one signal (channels, samples), got shape {signal.shape}")
    return all_finite(signal, "x"), n


def all_finite(values: FloatArray, name: str) -> FloatArray:
    """Return `values`, none of which is NaN or infinite."""
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds NaN or infinity: cut or repair it first")
    return values


def stayed_finite(averages: FloatArray, name: str = "x") -> None:
    """Refuse a signal by its running averages, which carry any NaN and infinity on to the end."""
    if not np.isfinite(averages).all():
        raise InputError(f"{name} holds NaN or infinity: an average over time would never recover")


def broadcast(**arrays: FloatArray) -> tuple[FloatArray, ...]:
    """Return arrays broadcast against each other; the message names them."""
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise InputError(f"these do not broadcast to one shape: {shapes}") from None


def leading(a: tuple[int, ...], b: tuple[int, ...], name_a: str, name_b: str) -> tuple[int, ...]:
    """Return the shape that leading dimensions a and b broadcast to."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError as error:
        raise InputError(
            f"leading dimensions of {name_a} {a} and {name_b} {b} do not broadcast "
            "against each other"
        ) from error


def at_most_1d(value: FloatArray, name: str, meaning: str) -> FloatArray:
    """Return `value`, a number or a list of them with at least one."""
    if value.ndim > 1 or value.size == 0:
        raise InputError(f"{name} must be one number or 1-D ({meaning}), got shape {value.shape}")
    return value


def single(value: FloatArray, name: str) -> float:
    """Return the one number of an array of no dimension."""
    if value.ndim:
        raise InputError(f"{name} must be one number, got shape {value.shape}")
    return float(value)


def numbers(values: ArrayLike, name: str) -> ComplexArray:
    """Return finite floats or complex numbers; integers become float64."""
    v = array(values, name)
    if not np.issubdtype(v.dtype, np.number):
        raise TypeError(f"{name} must be numbers, got {v.dtype}")
    if not np.isfinite(v).all():
        raise InputError(f"{name} holds NaN or infinity")
    return v.astype(np.float64) if np.issubdtype(v.dtype, np.integer) else v


def same_batch(shape: tuple[int, ...], before: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the leading dimensions of a block, which are those of the block before."""
    if before not in (None, shape):
        raise InputError(
            f"block has leading dimensions {shape}, the ones before had {before}: call reset() to "
            "begin another stream"
        )
    return shape


def output(
    out: FloatArray | None,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    source: FloatArray,
    *,
    in_place: bool = False,
) -> FloatArray:
    """Return `out` if it fits and does not share memory with the source, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out must be a {dtype} array of shape {shape}, got {got}")
    if not out.flags.writeable:
        raise InputError("out is read-only: pass a writeable array")
    if any(size > 1 and step == 0 for size, step in zip(out.shape, out.strides, strict=True)):
        raise InputError(
            "out holds some of its values in one place (broadcast): pass a whole array"
        )
    same = in_place and out.__array_interface__ == source.__array_interface__
    if not same and np.shares_memory(out, source):
        raise InputError(
            "out overlaps the input in memory, which would be overwritten while it is read: pass "
            + ("the input itself or " if in_place else "")
            + "another array"
        )
    return out


def channel_numbers(
    values: ArrayLike, signal: FloatArray | None, channels: int | None = None
) -> npt.NDArray[np.int64]:
    """Return ACN numbers: one for each channel of a signal, or those of some of its channels."""
    numbers_ = array(values, "channels")
    if numbers_.ndim != 1 or numbers_.size == 0 or numbers_.dtype.kind not in "iu":
        raise TypeError(
            f"channels must be a list of ACN numbers, got {numbers_.dtype} {numbers_.shape}"
        )
    if numbers_.min() < 0 or len(np.unique(numbers_)) < numbers_.size:
        raise InputError(
            f"channels must be different ACN numbers from 0 on, got {numbers_.tolist()}"
        )
    if signal is not None and (signal.ndim < 2 or signal.shape[-2] != numbers_.size):
        raise InputError(
            f"x must be (..., {numbers_.size}, samples) for {numbers_.size} channel numbers, got "
            f"shape {signal.shape}"
        )
    if channels is not None and numbers_.max() >= channels:
        raise InputError(
            f"channel {numbers_.max()} is asked for, but x has {channels}: expand it first"
        )
    return numbers_.astype(np.int64)


def channels_of_sound(signals: ArrayLike, name: str) -> FloatArray:
    """Return signals (..., channels, samples) of any number of channels."""
    x = sound(signals, name)
    if x.ndim < 2 or x.shape[-2] == 0:
        raise InputError(f"{name} must be (..., channels, samples), got shape {x.shape}")
    return x


def room_for_frames(out: FloatArray, shape: tuple[int, ...], source: FloatArray) -> FloatArray:
    """Return `out` if it is float32 and has room for frames (..., rows, frames, bands)."""
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.ndim != len(shape):
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out must be a float32 array of {len(shape)} dimensions, got {got}")
    needed = (*shape[:-2], max(shape[-2], out.shape[-2]), shape[-1])
    return output(out, needed, out.dtype, source)
