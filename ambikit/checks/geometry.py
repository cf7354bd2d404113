"""Angles, vectors, rotations, and where they are along time."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.checks.arrays import array, broadcast, single


@runtime_checkable
class SupportsMatrix(Protocol):
    """What is asked of a scipy Rotation, so that scipy need not be loaded to recognise one."""

    def as_matrix(self) -> Any:
        """Return rotation matrices (..., 3, 3)."""


def angle(value: ArrayLike, name: str, *, degrees: bool = False) -> FloatArray:
    """Return finite angles in radians (float64)."""
    a = array(value, name)
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
        unit, remedy = ("°", "") if degrees else (" rad", "; for degrees pass degrees=True")
        raise InputError(f"{name} must lie within ±90° of the horizon, got {worst:g}{unit}{remedy}")
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


def direction_of_each(
    azimuth: ArrayLike, elevation_: ArrayLike, batch: tuple[int, ...], *, degrees: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Return one direction in radians, or one for each item of a batch of some shape."""
    az, el = direction(azimuth, elevation_, degrees=degrees)
    if az.ndim == 0:
        return az, el
    try:
        return np.broadcast_to(az, batch), np.broadcast_to(el, batch)
    except ValueError:
        raise InputError(
            f"azimuth and elevation have shape {az.shape}: give one direction, or one for each of "
            f"the frames {batch}"
        ) from None


def directions_table(
    values: ArrayLike | None, name: str, *, degrees: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the azimuths and elevations (K,) of a table (K, 2), in radians; None has no rows."""
    t = np.empty((0, 2)) if values is None else angle(values, name)
    if t.ndim != 2 or t.shape[1] != 2:
        remedy = ": give its transpose" if t.ndim == 2 and len(t) == 2 else ""
        raise InputError(
            f"{name} must be (K, 2), azimuth and elevation a row, got shape {t.shape}{remedy}"
        )
    return direction(t[:, 0], t[:, 1], degrees=degrees)


def vectors(values: ArrayLike, name: str) -> FloatArray:
    """Return finite vectors (..., 3) other than zero, as float64."""
    v = array(values, name)
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


def field_of_view(value: ArrayLike, name: str, *, degrees: bool = False) -> FloatArray:
    """Return fields of view in radians; a flat picture shows less than half of the sphere."""
    a = angle(value, name, degrees=degrees)
    if not ((a > 0) & (a < np.pi)).all():
        unit = "°" if degrees else " rad"
        raise InputError(
            f"{name} must be a field of view between 0 and 180°, got {np.asarray(value)}{unit}"
        )
    return a


def separation(
    value: float | None, default: float, *, degrees: bool, name: str = "separation"
) -> float:
    """Return an angle between directions in radians."""
    if value is None:
        return default
    a = single(angle(value, name, degrees=degrees), name)
    if not 0 < a <= np.pi:
        raise InputError(f"{name} must be an angle between 0 and 180°, got {value!r}")
    return a


def width(value: float, *, degrees: bool) -> float:
    """Return an angle across a region of the sphere, in radians."""
    a = single(angle(value, "width", degrees=degrees), "width")
    if not np.radians(1) <= a <= 2 * np.pi:
        raise InputError(f"width must be an angle from 1° to 360°, got {value!r}")
    return a


def spread(value: float, *, degrees: bool) -> float:
    """Return an angle across a source, in radians."""
    a = single(angle(value, "spread", degrees=degrees), "spread")
    if not 0 <= a <= 2 * np.pi:
        raise InputError(f"spread must be an angle from 0° to 360°, got {value!r}")
    return a


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
    if values.min(initial=0) < 0:
        raise InputError("power holds negative values: give powers, not decibels")
    return az, el


def rotation(value: ArrayLike | SupportsMatrix, name: str = "rotation") -> FloatArray:
    """Return proper rotation matrices (..., 3, 3), float64, from arrays or a scipy Rotation."""
    r = array(value.as_matrix() if isinstance(value, SupportsMatrix) else value, name)
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


def one_rotation(matrices: FloatArray) -> FloatArray:
    """Return one matrix (3, 3), given as such or as the only key."""
    if matrices.size != 9:
        raise InputError(f"give one rotation, got {len(matrices)}: targets are reached one by one")
    return matrices.reshape(3, 3)


def same_directions(shape: tuple[int, ...], before: tuple[int, ...]) -> None:
    """Refuse targets of another shape than what is to move there."""
    if shape != before:
        raise InputError(
            f"there are directions of shape {before}: give as many to turn to, got shape {shape}"
        )


def keys_of_matrices(matrices: FloatArray) -> FloatArray:
    """Return one matrix (3, 3) or keys along time (K, 3, 3)."""
    if matrices.ndim > 3 or matrices.size == 0:
        raise InputError(
            "rotations must be one, or a 1-D list of keys along time, got shape "
            f"{matrices.shape[:-2]}; to give each signal of a batch its own rotation, multiply by "
            "sh_rotation_matrix"
        )
    return matrices


def key_times(times: ArrayLike, keys: int) -> FloatArray:
    """Return the times of `keys` keys, in samples: finite and rising."""
    if keys < 2:
        raise InputError("times needs keys: give two or more angles or rotations")
    t = array(times, "times")
    if not (np.issubdtype(t.dtype, np.floating) or np.issubdtype(t.dtype, np.integer)):
        raise TypeError(f"times must be real numbers of samples, got {t.dtype}")
    if t.shape != (keys,):
        raise InputError(f"times must hold one time a key, shape ({keys},), got shape {t.shape}")
    t = t.astype(np.float64)
    if not (np.isfinite(t).all() and (np.diff(t) > 0).all()):
        raise InputError("times must be finite and strictly rising, in samples")
    return t


def unused(values: tuple[ArrayLike, ...], names: str, other: str) -> None:
    """Refuse values that another argument makes void."""
    if any(np.any(np.asarray(value)) for value in values):
        raise InputError(f"give either {names} or {other}, not both")
