"""Loudspeakers, decoders and names among many."""

from __future__ import annotations

import difflib

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.checks.analysis import needed_rate
from ambikit.checks.arrays import numbers
from ambikit.checks.scalars import positive

_CLOSE = np.cos(np.deg2rad(0.5))


def name_among(value: str, options: tuple[str, ...], what: str) -> str:
    """Return `value` if it is one of many names; the message gives the nearest."""
    if not isinstance(value, str):
        raise TypeError(f"the name of a {what} must be text, got {type(value).__name__}")
    if value not in options:
        near = difflib.get_close_matches(value, options, n=3, cutoff=0.3) or list(options)
        raise InputError(
            f"unknown {what} {value!r}: did you mean {' or '.join(map(repr, near))}? All names: "
            f"{', '.join(options)}"
        )
    return value


def apart(vectors: FloatArray) -> FloatArray:
    """Return two or more unit vectors, none of which coincide."""
    if len(vectors) < 2:
        raise InputError(f"loudspeakers must be two or more, got {len(vectors)}")
    close = np.triu(vectors @ vectors.T, 1) > _CLOSE
    if close.any():
        i, j = np.argwhere(close)[0]
        raise InputError(
            f"loudspeakers {i} and {j} stand in the same direction (within 0.5°): decode for one "
            "of them, and share its signal among both"
        )
    return vectors


def spans_space(vectors: FloatArray) -> FloatArray:
    """Return loudspeakers that enclose a volume."""
    if np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)[-1] < 1e-3:
        raise InputError(
            f"the {len(vectors)} loudspeakers lie in one plane, which is not the horizontal one "
            "through the ears: a decoder of space needs four or more that enclose a volume; give "
            "them elevation 0 for a horizontal decoder, or add loudspeakers off the plane"
        )
    return vectors


def enough_loudspeakers(count: int, channels: int, method: str, order: int) -> None:
    """Refuse decoders that match or keep more channels than there are loudspeakers."""
    if count < channels:
        raise InputError(
            f"method {method!r} at order {order} needs {channels} loudspeakers or more, got "
            f"{count}: pass a lower order (the first channels of the signals), or method 'allrad', "
            "which takes any number"
        )


def decoder(values: ArrayLike, loudspeakers: int) -> FloatArray:
    """Return a finite decoder matrix (L, channels) of full order."""
    matrix = numbers(values, "matrix")
    order = round(np.sqrt(matrix.shape[-1])) - 1 if matrix.ndim == 2 else -1
    if matrix.ndim != 2 or len(matrix) != loudspeakers or (order + 1) ** 2 != matrix.shape[-1]:
        raise InputError(
            f"matrix must be ({loudspeakers}, (order + 1)**2) for {loudspeakers} loudspeakers, "
            f"got shape {matrix.shape}"
        )
    if np.iscomplexobj(matrix):
        raise TypeError(f"matrix must be real, got {matrix.dtype}")
    return matrix


def crossover(frequency: float, sample_rate: float | None, what: str) -> tuple[float, float]:
    """Return the frequency of a crossover and the sample rate, both in Hz."""
    rate = needed_rate(sample_rate, what)
    f = positive(frequency, what, "Hz")
    if f >= rate / 2:
        raise InputError(f"{what} must lie below half the sample rate, {rate / 2:g} Hz, got {f:g}")
    return f, rate


def channel_gains(values: ArrayLike | None, channels: int) -> FloatArray:
    """Return a finite gain for each channel of a decoder's output; 1 by default."""
    if values is None:
        return np.ones(channels)
    gains = numbers(values, "gains")
    if np.iscomplexobj(gains):
        raise TypeError(f"gains must be real, got {gains.dtype}")
    if gains.shape != (channels,):
        raise InputError(
            f"gains must be one number for each of the {channels} channels of the output, those of "
            f"low frequencies included, got shape {gains.shape}"
        )
    return gains


def channels_of_layout(channels: int, needed: int) -> None:
    """Refuse signals of another number of channels than a layout has."""
    if channels != needed:
        raise InputError(
            f"signals has {channels} channels, but the layout {needed}: leave out loudspeakers= if "
            "they are not its signals, or say lfe=True if low-frequency channels are among them"
        )
