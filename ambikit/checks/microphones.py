"""Microphone arrays and the channels that they record."""

from __future__ import annotations

import numpy as np

from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray
from ambikit.checks.arrays import sound


def capsules(vectors: FloatArray, rigid: bool, pattern: float) -> None:
    """Refuse arrays whose capsules cannot tell directions apart."""
    if len(vectors) < 4:
        raise InputError(f"an array needs four capsules or more, got {len(vectors)}")
    if np.linalg.matrix_rank(vectors - vectors.mean(axis=0), tol=1e-3) < 3:
        raise InputError(
            f"the {len(vectors)} capsules lie in one plane and cannot tell above from below: add "
            "capsules off the plane"
        )
    if rigid and pattern != 1.0:
        raise InputError(
            f"pattern={pattern:g} needs an open sphere: capsules in the surface of a rigid one "
            "hear the pressure; pass rigid=False"
        )


def tetrahedral(names: str, known: dict[str, tuple[int, int, int]]) -> list[str]:
    """Return the names of four corners of a cube no two of which are neighbours."""
    corners = names.upper().split() if isinstance(names, str) else []
    good = len(set(corners)) == 4 and all(corner in known for corner in corners)
    if good:
        places = np.array([known[corner] for corner in corners])
        good = bool((places @ places.T == 4 * np.eye(4) - 1).all())
    if not good:
        raise InputError(
            "corners must be four like 'FLU FRD BLD BRU' (front or back, left or right, up or "
            f"down), no two of which share an edge of the cube, got {names!r}"
        )
    return corners


def recording(values: ArrayLike, capsules_: int, array: object) -> FloatArray:
    """Return signals (..., capsules, samples) of an array."""
    x = sound(values, "x")
    if x.ndim < 2 or x.shape[-2] != capsules_:
        hint = ": it looks channels-last, pass x.T" if x.shape[-1:] == (capsules_,) else ""
        raise InputError(
            f"x has shape {x.shape}, but the array {array} has {capsules_} capsules: give "
            f"(..., {capsules_}, samples){hint}"
        )
    return x


def carried_order(order: int, highest: int, capsules_: int) -> int:
    """Return an order that so many capsules can tell."""
    if order > highest:
        raise InputError(
            f"order {order} needs {(order + 1) ** 2} capsules or more, the array has {capsules_}: "
            f"pass order={highest} or lower"
        )
    return order
