"""Views of the sphere as rays, and the windows of a view in which an object is visible.

The ray of pixel (i, j) is along ``rows[i, :3] + rows[i, 3] * columns[j]``. This form holds for the
whole sphere and for tangent planes, and needs no trigonometric function per pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ambikit_learn._typing import Floats, Integers
from ambikit_learn.sphere.equirect import local_axes


class Rays(NamedTuple):
    """Rays of a view: `rows` (H, 4), `columns` (W, 3), and the angle between neighbours."""

    rows: Floats
    columns: Floats
    grain: float


def sphere(heading: float, height: int, width: int) -> Rays:
    """Return the rays of an equirectangular frame whose centre is at the azimuth `heading`.

    Examples
    --------
    >>> rows, columns, _ = sphere(0.0, 2, 4)
    >>> (rows[0, :3] + rows[0, 3] * columns[1]).round(3)  # up, front and left
    array([0.5  , 0.5  , 0.707])
    """
    elevation = np.pi * (0.5 - (np.arange(height) + 0.5) / height)
    azimuth = 2.0 * np.pi * (0.5 - (np.arange(width) + 0.5) / width) + heading
    rows = np.zeros((height, 4))
    rows[:, 2], rows[:, 3] = np.sin(elevation), np.cos(elevation)
    columns = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(width)], axis=-1)
    return Rays(rows, columns, np.pi / height)


def sphere_windows(
    azimuth: Floats, elevation: Floats, reach: Floats, height: int, width: int
) -> Integers:
    """Return the window of an equirectangular frame within an angle of a direction.

    Parameters
    ----------
    azimuth, elevation, reach : (...) ndarray
        Direction from the camera and angle around it, in radians.
    height, width : int
        Size of the frame in pixels.

    Returns
    -------
    (..., 4) ndarray
        First row, end row, first column, end column. Columns may extend beyond the seam.
    """
    top = np.maximum(0, ((0.5 - (elevation + reach) / np.pi) * height).astype(np.int64))
    bottom = np.minimum(height, ((0.5 - (elevation - reach) / np.pi) * height).astype(np.int64) + 2)
    # Near a pole all azimuths are within reach.
    polar = np.abs(elevation) + reach >= 0.5 * np.pi
    sine = np.where(polar, 1.0, np.sin(reach) / np.where(polar, 1.0, np.cos(elevation)))
    span = np.where(polar, np.pi, np.arcsin(np.minimum(sine, 1.0)))
    half = np.minimum(width // 2, (span / (2.0 * np.pi) * width).astype(np.int64) + 2)
    first = ((0.5 - azimuth / (2.0 * np.pi)) * width).astype(np.int64) - half
    return np.stack([top, bottom, first, np.minimum(first + 2 * half + 1, first + width)], axis=-1)


def perspectives(axes: Floats, size: int) -> list[Rays]:
    """Return the rays of square pictures on tangent planes of the sphere.

    The rows of each of `axes` (K, 3, 3) are the forward, left and up vectors of a view; the last
    two have half the size of the view on the plane as their length.
    """
    step = (1.0 - (2.0 * np.arange(size) + 1.0) / size)[:, None]
    forward, left, up = axes[:, 0, None], axes[:, 1, None], axes[:, 2, None]
    rows = np.concatenate([forward + step * up, np.ones((len(axes), size, 1))], axis=-1)
    grain = 2.0 / size * np.square(axes[:, 1:]).sum(-1).prod(-1) ** 0.25
    return [Rays(*one) for one in zip(rows, step * left, grain.tolist(), strict=True)]


def view_axes(azimuth: Floats, elevation: Floats, width: Floats, height: Floats) -> Floats:
    """Return the axes (K, 3, 3) that `perspectives` takes, of views in radians."""
    axes = local_axes(azimuth, elevation)
    axes[:, 1] *= np.tan(0.5 * width)[:, None]
    axes[:, 2] *= np.tan(0.5 * height)[:, None]
    return axes


def view_windows(axes: Floats, towards: Floats, reach: Floats, size: int) -> Integers:
    """Return the window of a picture that contains all within an angle of a direction.

    Parameters
    ----------
    axes : (K, 3, 3) ndarray
        As for `perspectives`.
    towards : (..., 3) ndarray
        Directions as unit vectors.
    reach : (...) ndarray
        Angles around the directions, in radians.
    size : int
        Size of the pictures in pixels.

    Returns
    -------
    (K, ..., 4) ndarray
        First row, end row, first column, end column; all 0 where nothing is visible.
    """
    corner = np.arctan(np.sqrt(np.square(axes[:, 1:]).sum((1, 2))))
    away = np.arccos(np.clip(np.tensordot(axes[:, 0], towards, (-1, -1)), -1.0, 1.0))
    seen = away < reach + corner.reshape(-1, *[1] * reach.ndim)
    windows: Integers = seen[..., None] * np.array([0, size, 0, size])
    return windows
