"""Equirectangular frames: pixels, directions and perspective crops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit_learn._typing import Floats, Frames


def pixel_to_direction(u: npt.ArrayLike, v: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the direction of a position in an equirectangular frame.

    Parameters
    ----------
    u, v : array_like
        Fractions of the width from the left edge and of the height from the top edge. The centre
        of pixel (row i, column j) of an H × W frame is ``u = (j + 0.5) / W, v = (i + 0.5) / H``.

    Returns
    -------
    azimuth, elevation : arrays
        Radians, azimuth in (−π, π].

    Notes
    -----
    ``azimuth = (1 − 2u)·π``, ``elevation = (1 − 2v)·π/2``: the middle of the frame is the front,
    its left quarter (u = 0.25) is 90° to the left. Columns beyond the frame wrap.

    Examples
    --------
    >>> azimuth, elevation = pixel_to_direction(0.25, 0.5)
    >>> float(np.rad2deg(azimuth)), float(np.rad2deg(elevation))
    (90.0, 0.0)
    """
    wrapped = 1.0 - np.mod(np.asarray(u, dtype=np.float64), 1.0) * 2.0
    azimuth = np.where(wrapped <= -1.0, 1.0, wrapped) * np.pi
    return azimuth, (0.5 - np.asarray(v, dtype=np.float64)) * np.pi


def direction_to_pixel(azimuth: npt.ArrayLike, elevation: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the position of a direction in an equirectangular frame.

    Parameters
    ----------
    azimuth, elevation : array_like
        Radians.

    Returns
    -------
    u, v : arrays
        Fractions of the width, in [0, 1), and of the height; the inverse of `pixel_to_direction`.

    Examples
    --------
    >>> u, v = direction_to_pixel(np.deg2rad(-90.0), 0.0)
    >>> float(u), float(v)
    (0.75, 0.5)
    """
    u = np.mod(0.5 - np.asarray(azimuth, dtype=np.float64) / (2.0 * np.pi), 1.0)
    # The remainder of a tiny negative number rounds to 1, which is the left edge again.
    return np.where(u < 1.0, u, 0.0), 0.5 - np.asarray(elevation, dtype=np.float64) / np.pi


def local_axes(azimuth: npt.ArrayLike, elevation: npt.ArrayLike) -> Floats:
    """Return the forward, left and up unit vectors of a viewer who faces a direction.

    Parameters
    ----------
    azimuth, elevation : array_like
        Radians, of shapes that broadcast to (...).

    Returns
    -------
    (..., 3, 3) array
        Rows are the vectors in (x, y, z); the product with a column vector in (x, y, z) gives its
        (forward, left, up).

    Examples
    --------
    >>> local_axes(np.pi / 2, 0.0).round(9).tolist()  # facing left: left of that is the back
    [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    a, e = np.asarray(azimuth, dtype=np.float64), np.asarray(elevation, dtype=np.float64)
    # Adding zeros of both shapes broadcasts; it also turns -0.0 into 0.0.
    zero = 0.0 * (a + e)
    sa, ca, se, ce = np.sin(a) + zero, np.cos(a) + zero, np.sin(e) + zero, np.cos(e) + zero
    rows = np.array([[ca * ce, sa * ce, se], [-sa, ca, zero], [-se * ca, -se * sa, ce]])
    return np.moveaxis(rows, (0, 1), (-2, -1)) + 0.0


def angular_distance(
    azimuth: npt.ArrayLike,
    elevation: npt.ArrayLike,
    other_azimuth: npt.ArrayLike,
    other_elevation: npt.ArrayLike,
    *,
    degrees: bool = False,
) -> Floats:
    """Return the great-circle angle between directions.

    Parameters
    ----------
    azimuth, elevation, other_azimuth, other_elevation : array_like
        Radians, of shapes that broadcast.
    degrees : bool
        Angles, and the result, are degrees.

    Returns
    -------
    array
        Angles from 0 to π (180°).

    Examples
    --------
    >>> float(angular_distance(170.0, 0.0, -170.0, 0.0, degrees=True).round(9))
    20.0
    """
    given = [np.asarray(a, float) for a in (azimuth, elevation, other_azimuth, other_elevation)]
    a1, e1, a2, e2 = map(np.deg2rad, given) if degrees else given
    # The haversine keeps its precision for small angles, where the arc cosine loses it.
    haversine = np.sin((e2 - e1) / 2) ** 2 + np.cos(e1) * np.cos(e2) * np.sin((a2 - a1) / 2) ** 2
    angle = 2.0 * np.arcsin(np.sqrt(np.clip(haversine, 0.0, 1.0)))
    distance: Floats = np.rad2deg(angle) if degrees else angle
    return distance


def between(
    azimuth: npt.ArrayLike,
    elevation: npt.ArrayLike,
    other_azimuth: npt.ArrayLike,
    other_elevation: npt.ArrayLike,
    share: npt.ArrayLike,
) -> tuple[Floats, Floats]:
    """Interpolate along the great circle from one direction to another.

    Parameters
    ----------
    azimuth, elevation, other_azimuth, other_elevation : array_like
        Degrees, of shapes that broadcast.
    share : array_like
        0 at the first direction, 1 at the other; values outside [0, 1] extrapolate.

    Returns
    -------
    azimuth, elevation : arrays
        Degrees, azimuth in [−180, 180].

    Notes
    -----
    This is spherical linear interpolation. Between opposite directions there is no shortest path,
    and the result is arbitrary.

    Examples
    --------
    >>> azimuth, elevation = between(170.0, 0.0, -170.0, 0.0, [0.25, 1.5])
    >>> azimuth.round(9).tolist()
    [175.0, -160.0]
    """
    way = angular_distance(azimuth, elevation, other_azimuth, other_elevation, degrees=True) / 180.0
    one = local_axes(np.deg2rad(azimuth), np.deg2rad(elevation))[..., 0, :]
    other = local_axes(np.deg2rad(other_azimuth), np.deg2rad(other_elevation))[..., 0, :]
    part = np.asarray(share, dtype=np.float64)
    # sinc instead of sin: it is also defined for a distance of 0, and the scale does not matter.
    weights = (1.0 - part) * np.sinc((1.0 - part) * way), part * np.sinc(part * way)
    x, y, z = np.moveaxis(weights[0][..., None] * one + weights[1][..., None] * other, -1, 0)
    return np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def gnomonic(
    frames: npt.ArrayLike,
    azimuth: npt.ArrayLike,
    elevation: npt.ArrayLike,
    width: float,
    height: float,
    size: int,
    *,
    degrees: bool = False,
) -> Frames:
    """Return perspective crops of equirectangular frames, as a camera at the centre sees them.

    Parameters
    ----------
    frames : (..., H, W, 3) uint8 array
        Frames that cover the whole sphere, of any aspect ratio.
    azimuth, elevation : float or (...) array_like
        Direction of the crop's centre, in radians: one, or one for each frame.
    width, height : float
        Field of view: the angle between the middles of the left and right edge, and of the lower
        and upper edge, in radians, below π.
    size : int
        Rows and columns of the crop.
    degrees : bool
        Angles are degrees.

    Returns
    -------
    (..., size, size, 3) uint8 array
        Not mirrored: greater azimuths are at the left.

    Raises
    ------
    InputError
        A shape is wrong, the directions do not fit the frames, an elevation lies beyond the poles,
        or a field of view is outside (0°, 180°).
    TypeError
        The frames are not uint8.

    Notes
    -----
    The ray of the pixel at (a, b) in [−1, 1]², to the left and upwards, is
    ``f + a·tan(width/2)·l + b·tan(height/2)·u``, with the viewer's axes f, l and u of
    `local_axes`. Sampling is bilinear and wraps at the seam. A crop much coarser than its frames
    aliases: scale the frames down first.

    Examples
    --------
    >>> frame = np.zeros((180, 360, 3), np.uint8)
    >>> frame[:, 80:100] = 255  # a white stripe at 90° to the left
    >>> crop = gnomonic(frame, 90.0, 0.0, 60.0, 60.0, 32, degrees=True)
    >>> crop[16, [0, 15, 31], 0].tolist()
    [0, 255, 0]
    """
    from ambikit_learn.sphere._kernels import gnomonic as kernel

    pictures = checks.frames(frames)
    batch, shape = pictures.shape[:-3], pictures.shape[-3:]
    directions = checks.direction_of_each(azimuth, elevation, batch, degrees=degrees)
    axes = local_axes(*directions).reshape(-1, 3, 3)
    axes[:, 1] *= np.tan(checks.field_of_view(width, "width", degrees=degrees) / 2.0)
    axes[:, 2] *= np.tan(checks.field_of_view(height, "height", degrees=degrees) / 2.0)
    count = checks.positive_int(size, "size")
    # The frames of one direction share the sampling positions.
    flat = np.ascontiguousarray(pictures).reshape(-1, *shape)
    together = flat.reshape(len(axes), len(flat) // max(len(axes), 1), *shape)
    out = np.empty((*together.shape[:2], count, count, 3), np.uint8)
    places = np.empty((2, count), np.float32)
    corners, weights = np.empty((2, 4, count), np.int32)
    for view, seen, crops in zip(axes.astype(np.float32), together, out, strict=True):
        kernel.crop(seen, view, places, corners, weights, crops)
    return out.reshape(*batch, count, count, 3)
