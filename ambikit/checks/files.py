"""Files, spans of time and pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.checks.arrays import ambisonic, array, real, samples
from ambikit.checks.scalars import number, positive

FASTEST = 960.0
"""Highest rate of video frames in Hz, far above that of any 360° camera: beyond lies a slip of the
unit, and work without end."""


def input_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that exists and holds something."""
    p = Path(path)
    if not p.exists():
        raise FileNotFoundError(f"{p} does not exist: check the path (here is {Path.cwd()})")
    if p.is_dir():
        raise InputError(f"{p} is a folder: give one file in it")
    if p.is_file() and p.stat().st_size == 0:  # a pipe has no size
        raise InputError(f"{p} is empty (0 bytes): copy or download it again")
    return p


def span(
    start: float, duration: float | None, length: int, rate: float, name: str
) -> tuple[int, int]:
    """Return the first and last-plus-one sample of a span of a file that has `length` samples.

    Times are rounded to samples; a span that ends with the file, but for this rounding, is whole.
    """
    begin = number(start, "start")
    if not math.isfinite(begin) or begin < 0:
        raise InputError(f"start must be a time of 0 s or later, got {start!r}")
    first = round(begin * rate)
    last = length
    if duration is not None:
        seconds = positive(duration, "duration", "s")
        count = round(seconds * rate)
        last = first + count
        if last == length + 1 and (begin + seconds) * rate <= length + 0.5 + 1e-6:
            first, last = first - 1, length
    if first >= length or first < 0 or last > length:
        end = "its end" if duration is None else f"{start + duration:g} s"
        raise InputError(
            f"{name} lasts {length / rate:.6g} s: a span from {start:g} s to {end} is outside it"
        )
    if last == first:
        raise InputError(f"duration {duration!r} s is shorter than one sample at {rate:g} Hz")
    return first, last


def sound_to_write(x: ArrayLike) -> FloatArray:
    """Return one finite Ambisonic signal (channels, samples), fit to be stored."""
    signal, _ = ambisonic(x, min_order=1)
    return channels_to_write(signal)


def channels_to_write(x: ArrayLike) -> FloatArray:
    """Return finite channels (channels, samples) of any number, fit to be stored."""
    channels = samples(x, "x")
    if channels.ndim != 2:
        raise InputError(f"x must be (channels, samples), one signal, got shape {channels.shape}")
    if channels.shape[1] == 0:
        raise InputError(f"x holds no samples (shape {channels.shape}): no file is written")
    if not np.isfinite(channels).all():
        raise InputError("x holds NaN or infinity: no file is written")
    return channels


def frames(pictures: ArrayLike, name: str = "frames") -> npt.NDArray[np.uint8]:
    """Return pictures (..., height, width, 3) of bytes."""
    p = array(pictures, name)
    if p.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8 (RGB, 0 to 255), got {p.dtype}")
    if p.ndim < 3 or p.shape[-1] != 3 or 0 in p.shape[-3:]:
        raise InputError(f"{name} must be (..., height, width, 3), got shape {p.shape}")
    return p


def frame_size(value: Sequence[int], name: str = "frame_size") -> tuple[int, int]:
    """Return height and width in pixels, both even, as 4:2:0 video needs them."""
    size = tuple(value)
    if len(size) != 2 or any(not isinstance(s, int | np.integer) or s < 2 or s % 2 for s in size):
        raise InputError(f"{name} must be (height, width), both even and positive, got {value!r}")
    return int(size[0]), int(size[1])


def frame_rate(value: float, name: str = "frame_rate") -> float:
    """Return a rate of video frames in Hz, at most `FASTEST`."""
    rate = positive(value, name, "Hz")
    if rate > FASTEST:
        raise InputError(f"{name} must be at most {FASTEST:g} Hz, got {value!r}")
    return rate


def picture_of_map(values: ArrayLike) -> FloatArray:
    """Return a finite map (height, width)."""
    m = real(values, "values")
    if m.ndim != 2 or m.size == 0 or not np.isfinite(m).all():
        raise InputError(f"values must be a finite map (height, width), got shape {m.shape}")
    return m
