"""Numbers and names."""

from __future__ import annotations

import math
from reprlib import Repr

import numpy as np

from ambikit._errors import InputError

_FASTEST = 100_000_000
"""Highest sample rate in Hz, far above ultrasound: beyond lies a slip of the unit, and more samples
than memory or headers hold."""


_SHORT = Repr()
_SHORT.maxother = _SHORT.maxstring = 60


def shown(value: object) -> str:
    """Return what was given on one short line, also where it is an array."""
    return " ".join(_SHORT.repr(value).split())


def order(value: int, name: str = "order") -> int:
    """Return an Ambisonic order, a non-negative integer."""
    return nonnegative_int(value, name)


def nonnegative_int(value: int, name: str) -> int:
    """Return a non-negative integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise InputError(f"{name} must be a non-negative integer, got {shown(value)}")
    return int(value)


def positive_int(value: int, name: str) -> int:
    """Return a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {shown(value)}")
    return int(value)


def whole_rate(value: float, name: str = "sample_rate") -> int:
    """Return a sample rate in Hz that is a whole number, of whatever type: 44100 or 44100.0."""
    v = positive(value, name, "Hz")
    if v != round(v):
        raise InputError(f"{name} must be a whole number of Hz, got {value!r}")
    if v > _FASTEST:
        raise InputError(f"{name} must be at most {_FASTEST:g} Hz, got {value!r}")
    return round(v)


def at_least(value: int, low: int, name: str) -> int:
    """Return an integer of `low` or more."""
    n = positive_int(value, name)
    if n < low:
        raise InputError(f"{name} must be {low} or more, got {value!r}")
    return n


def even(value: int, name: str) -> int:
    """Return a positive even integer."""
    n = positive_int(value, name)
    if n % 2:
        raise InputError(f"{name} must be even, got {value!r}")
    return n


def number(value: float, name: str) -> float:
    """Return one real number."""
    v = np.asarray(value)
    if v.ndim or v.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be one real number, got {shown(value)}")
    return float(v)


def positive(value: float, name: str, unit: str = "") -> float:
    """Return a positive finite number."""
    v = number(value, name)
    if not (math.isfinite(v) and v > 0):
        raise InputError(f"{name} must be positive{unit and f' ({unit})'}, got {value!r}")
    return v


def finite(value: float, name: str) -> float:
    """Return a finite number."""
    v = number(value, name)
    if not math.isfinite(v):
        raise InputError(f"{name} must be a finite number, got {value!r}")
    return v


def within(value: float, low: float, high: float, name: str) -> float:
    """Return a number from low to high."""
    v = number(value, name)
    if not low <= v <= high:
        raise InputError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
    return v


def fraction(value: float, name: str) -> float:
    """Return a number from 0 to 1."""
    return within(value, 0.0, 1.0, name)


def choice(value: str, options: tuple[str, ...], name: str) -> str:
    """Return `value` if it is one of `options`."""
    if not isinstance(value, str) or value not in options:
        raise InputError(f"unknown {name} {shown(value)}: choose one of {', '.join(options)}")
    return value


def name_of(value: str, options: tuple[str, ...], name: str) -> str:
    """Return the one of `options` that `value` names, in whatever case."""
    found = {option.lower(): option for option in options}
    key = value.lower() if isinstance(value, str) else value
    return found[key] if isinstance(key, str) and key in found else choice(value, options, name)


def positive_or_infinite(value: float, name: str) -> float:
    """Return a positive number, which may be infinite."""
    v = number(value, name)
    if not v > 0:
        raise InputError(f"{name} must be positive, or math.inf, got {value!r}")
    return v


def at_most_order(value: int, highest: int, what: str) -> int:
    """Return an order that is not higher than something allows."""
    if value > highest:
        raise InputError(
            f"{what} go to order {highest}, got {value}: pass the first {(highest + 1) ** 2} "
            "channels"
        )
    return value


def not_above(value: int, highest: int, name: str, other: str) -> int:
    """Return a number that is not above another one."""
    if value > highest:
        raise InputError(f"{name} must not be above {other} {highest}, got {value}")
    return value
