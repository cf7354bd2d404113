"""Room responses and image sources."""

from __future__ import annotations

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.checks.arrays import numbers
from ambikit.checks.scalars import finite, positive_int


def octaves(centres: FloatArray, rate: float) -> None:
    """Refuse octaves beyond the spectrum."""
    if centres.ndim != 1 or not (centres > 0).all():
        raise InputError("bands must be a list of frequencies in Hz, all positive")
    if centres.size and centres.max() * np.sqrt(2) >= rate / 2:
        raise InputError(
            f"the octave at {centres.max():g} Hz reaches beyond half the rate, {rate / 2:g} Hz"
        )


def falling(start: float, stop: float) -> None:
    """Refuse levels of a decay that do not fall."""
    if not finite(stop, "stop") < finite(start, "start") <= 0:
        raise InputError(f"start and stop must fall from 0 dB on, got {start!r} and {stop!r}")


def higher_order(order: int, given: int) -> int:
    """Return the order of a result, which is higher than that of its input."""
    if positive_int(order, "order") <= given:
        raise InputError(
            f"response is of order {given} already: order must be higher, got {order} (see "
            "truncate_order for lower ones)"
        )
    return int(order)


def image_sources(
    positions: ArrayLike, gains: ArrayLike, listener: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return image sources (K, 3), their gains (K,) and the listener (3,)."""
    p, g, m = (
        numbers(positions, "positions"),
        numbers(gains, "gains"),
        numbers(listener, "listener"),
    )
    if p.ndim != 2 or p.shape[1] != 3:
        raise InputError(f"positions must be (K, 3), x, y, z in metres, got shape {p.shape}")
    if g.shape != p.shape[:1]:
        raise InputError(f"gains must be one for each of {len(p)} positions, got shape {g.shape}")
    if m.shape != (3,):
        raise InputError(f"listener must be x, y, z in metres, got shape {m.shape}")
    if p.size and np.linalg.norm(p - m, axis=1).min() < 1e-3:
        raise InputError("a source is where the listener is: its direction is open")
    return p.real, g.real, m.real
