"""Directions: azimuth and elevation, unit vectors, and grids of the sphere.

Vectors are (x front, y left, z up); azimuth runs counter-clockwise from the front, elevation
upwards from the horizon.
"""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


def angles_to_vector(
    azimuth: ArrayLike, elevation: ArrayLike = 0.0, *, degrees: bool = False
) -> FloatArray:
    """Return the unit vectors that point in the given directions.

    Parameters
    ----------
    azimuth, elevation : array_like
        Directions in radians; they are broadcast against each other.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., 3)
        ``(cos el cos az, cos el sin az, sin el)``: x front, y left, z up; float64.

    Raises
    ------
    InputError
        If an angle is not finite, or an elevation lies beyond ±90°.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.angles_to_vector(90, degrees=True).round(12)  # left
    array([0., 1., 0.])
    """
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    level = np.cos(el)
    return np.moveaxis(np.array([level * np.cos(az), level * np.sin(az), np.sin(el)]), 0, -1)


def vector_to_angles(vectors: ArrayLike, *, degrees: bool = False) -> tuple[FloatArray, FloatArray]:
    """Return azimuth and elevation of vectors of any length.

    Parameters
    ----------
    vectors : array_like, shape (..., 3)
        Vectors (x front, y left, z up), not zero.
    degrees : bool, optional
        Return degrees instead of radians.

    Returns
    -------
    azimuth, elevation : ndarray, shape (...)
        Azimuth in (-π, π] and elevation in [-π/2, π/2]. Straight up and down, where the azimuth is
        free, it is 0.

    Raises
    ------
    InputError
        If the last axis does not hold three finite numbers, or a vector is zero.

    Notes
    -----
    ``azimuth = atan2(y, x)`` and ``elevation = atan2(z, hypot(x, y))``.

    Examples
    --------
    >>> import ambikit
    >>> azimuth, elevation = ambikit.vector_to_angles([0.0, -2.0, 0.0], degrees=True)
    >>> float(azimuth), float(elevation)
    (-90.0, 0.0)
    """
    x, y, z = np.moveaxis(checks.vectors(vectors, "vectors"), -1, 0)
    # adding 0.0 turns -0.0 into 0.0, so that the back is at +π and never at -π
    azimuth = np.arctan2(y + 0.0, np.where((x == 0) & (y == 0), 1.0, x))
    elevation = np.arctan2(z, np.hypot(x, y))
    return (np.rad2deg(azimuth), np.rad2deg(elevation)) if degrees else (azimuth, elevation)


def normalized(vectors: FloatArray) -> FloatArray:
    """Return vectors (..., 3) at unit length; tiny and huge ones do not under- or overflow."""
    unit: FloatArray = vectors / np.abs(vectors).max(axis=-1, keepdims=True)
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    return unit


def fibonacci_sphere(count: int) -> FloatArray:
    """Return nearly uniform points on the sphere, along a Fibonacci spiral.

    Parameters
    ----------
    count : int
        Number of points, 1 or more.

    Returns
    -------
    ndarray, shape (count, 3)
        Unit vectors from the zenith down to the nadir. Each represents the same area.

    Raises
    ------
    InputError
        If `count` is not a positive integer.

    References
    ----------
    .. [1] Á. González, "Measurement of areas on a sphere using Fibonacci and latitude-longitude
           lattices", Mathematical Geosciences 42 (2010), 49-64.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> grid = ambikit.fibonacci_sphere(1000)
    >>> grid.shape, bool(np.abs(grid.mean(axis=0)).max() < 1e-3)
    ((1000, 3), True)
    """
    i = np.arange(checks.positive_int(count, "count"))
    z = 1.0 - (2.0 * i + 1.0) / count
    radius = np.sqrt((1.0 - z) * (1.0 + z))
    return np.stack([radius * np.cos(GOLDEN_ANGLE * i), radius * np.sin(GOLDEN_ANGLE * i), z], -1)


def icosphere(subdivisions: int = 0) -> FloatArray:
    """Return the vertices of an icosahedron whose faces are repeatedly divided into four.

    Parameters
    ----------
    subdivisions : int, optional
        Number of divisions. 0 is the icosahedron itself, a spherical 5-design: the mean over its
        vertices integrates every polynomial up to degree 5 exactly.

    Returns
    -------
    ndarray, shape (10 * 4**subdivisions + 2, 3)
        Unit vectors.

    Raises
    ------
    InputError
        If `subdivisions` is not a non-negative integer.

    Examples
    --------
    >>> import ambikit
    >>> [len(ambikit.icosphere(k)) for k in range(4)]
    [12, 42, 162, 642]
    """
    corners, faces = _icosahedron()
    for _ in range(checks.order(subdivisions, "subdivisions")):
        edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1), axis=-1)
        unique, middle = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
        middle = middle.reshape(-1, 3) + len(corners)  # on the edges (0, 1), (1, 2), (2, 0)
        corners = np.concatenate([corners, corners[unique].sum(axis=1)])
        corners /= np.linalg.norm(corners, axis=1, keepdims=True)
        outer = np.stack([faces, middle, np.roll(middle, 1, axis=1)], axis=-1)
        faces = np.concatenate([outer.reshape(-1, 3), middle])
    return corners


def _icosahedron() -> tuple[FloatArray, FloatArray]:
    """Return the 12 vertices and the 20 faces (three vertices each) of the icosahedron."""
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    signs = np.array([(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]) * (1.0, golden)
    rectangle = np.column_stack([np.zeros(4), signs])
    corners = np.concatenate([np.roll(rectangle, shift, axis=1) for shift in range(3)])
    near = np.isclose(np.linalg.norm(corners[:, None] - corners, axis=-1), 2.0)
    triples = np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i + 1, 12)
            for k in range(j + 1, 12)
            if near[i, j] and near[j, k] and near[i, k]
        ]
    )
    return corners / np.hypot(1.0, golden), triples
