"""Covariances, steering vectors and weights."""

from __future__ import annotations

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, ComplexArray
from ambikit.checks.arrays import leading, numbers
from ambikit.checks.scalars import finite, positive_int


def channel_covariance(values: ArrayLike) -> ComplexArray:
    """Return covariance matrices (..., channels, channels), real or complex and Hermitian."""
    c = numbers(values, "covariance")
    if c.ndim < 2 or c.shape[-1] != c.shape[-2] or c.shape[-1] == 0:
        raise InputError(f"covariance must be (..., channels, channels), got shape {c.shape}")
    if (np.diagonal(c, axis1=-2, axis2=-1).real < 0).any():
        raise InputError("covariance has negative powers on its diagonal")
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


def weights_of(values: ArrayLike, spectra_: ComplexArray) -> ComplexArray:
    """Return weights (..., bins, channels) or (channels,) that fit spectra."""
    w = np.atleast_2d(numbers(values, "weights"))
    channels, bins = spectra_.shape[-3:-1]
    if w.shape[-1] != channels or w.shape[-2] not in (1, bins):
        raise InputError(
            f"weights must be (..., {bins}, {channels}) or ({channels},) for spectra of shape "
            f"{spectra_.shape}, got shape {np.shape(values)}"
        )
    leading(spectra_.shape[:-3], w.shape[:-2], "spectra", "weights")
    return w


def sources(value: int | None, method: str, channels: int) -> int | None:
    """Return how many sources to look for; MUSIC needs to know, and can tell only so many apart."""
    if value is not None:
        positive_int(value, "n_sources")
    # With n vectors of noise, a source is where n functions of the direction are zero: one or two
    # functions are so along curves, or (above first order) also where no source is.
    most = 2 if channels == 4 else channels - 3
    if method == "music" and (value is None or value > most):
        raise InputError(
            f"method 'music' needs n_sources from 1 to {most} for {channels} channels, got "
            f"{value}; method 'intensity' finds any number"
        )
    return value


def sources_of_order(value: int, order: int) -> int:
    """Return how many sources to look for by ESPRIT: at most the square of the order."""
    count = positive_int(value, "n_sources")
    if count > order**2:
        raise InputError(
            f"n_sources is {count}, but ESPRIT at order {order} tells at most {order**2} apart: "
            "pass fewer, or take ambikit.localize"
        )
    return count
