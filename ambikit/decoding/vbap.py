"""Vector-base amplitude panning on loudspeakers."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding._circle import ring_of
from ambikit.decoding._hull import hull_of
from ambikit.decoding.layouts import Layout, Loudspeakers, layout_of
from ambikit.directions import angles_to_vector

_SIDES = 8


def vbap_gains(
    loudspeakers: Loudspeakers,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    spread: float = 0.0,
    degrees: bool = False,
) -> FloatArray:
    r"""Return the gains that pan sources between loudspeakers: vector-base amplitude panning.

    Parameters
    ----------
    loudspeakers : str or array_like, shape (L, 2)
        A layout by name (see `loudspeaker_layout`), or azimuth and elevation of each loudspeaker in
        radians. Where all stand at the height of the ears, the elevation of sources is ignored.
    azimuth, elevation : array_like
        Directions of the sources in radians, broadcast against each other.
    spread : float, optional
        Angle across a source, in radians: it is panned to its middle and to eight directions
        around.
    degrees : bool, optional
        Take all angles in degrees.

    Returns
    -------
    ndarray, shape (..., L)
        Gains of 0 or more, the sum of their squares 1. float64.

    Raises
    ------
    InputError
        If loudspeakers coincide or lie in a plane that is not the horizontal one through the ears,
        a layout's name is unknown, or an angle is out of range.

    Notes
    -----
    The direction is a sum of the loudspeakers' unit vectors at the corners of the facet of their
    convex hull that it passes, :math:`d = \sum_i g_i l_i` [1]_. Facets of four and more corners can
    be cut into triangles in several ways: the gains are the mean of all fans, so that mirrored
    layouts give mirrored gains. Facets that lie in no cap of 72°, such as the floor below a dome,
    get an imaginary loudspeaker, which sends equal parts to its neighbours [2]_.

    References
    ----------
    .. [1] V. Pulkki, "Virtual sound source positioning using vector base amplitude panning",
           J. Audio Eng. Soc. 45 (1997), 456-466; "Uniform spreading of amplitude panned virtual
           sources", IEEE WASPAA 1999, for the spread.
    .. [2] F. Zotter and M. Frank, "All-round Ambisonic panning and decoding", J. Audio Eng. Soc. 60
           (2012), 807-820.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.vbap_gains("quad", [45, 0], degrees=True).round(3) + 0.0
    array([[1.   , 0.   , 0.   , 0.   ],
           [0.707, 0.707, 0.   , 0.   ]])
    """
    layout = layout_of(loudspeakers, degrees=degrees)
    directions = angles_to_vector(*checks.direction(azimuth, elevation, degrees=degrees))
    width = checks.spread(spread, degrees=degrees)
    points = _around(directions, width / 2.0) if width else directions[..., None, :]
    gains = pan(layout, points.reshape(-1, 3)).reshape(*points.shape[:-1], -1).sum(axis=-2)
    return np.asarray(gains / np.linalg.norm(gains, axis=-1, keepdims=True))


def pan(layout: Layout, directions: FloatArray) -> FloatArray:
    """Return gains (P, L) of unit vectors (P, 3), the sum of their squares 1."""
    if layout.planar:
        x, y, _ = layout.vectors.T
        gains = ring_of(np.arctan2(y, x)).pan(np.arctan2(directions[:, 1], directions[:, 0]))
    else:
        gains = hull_of(layout.vectors).pan(directions)
    return np.asarray(gains / np.linalg.norm(gains, axis=-1, keepdims=True))


def _around(directions: FloatArray, radius: float) -> FloatArray:
    """Return unit vectors (..., 1 + sides, 3): each direction, and those at an angle around it."""
    x, y, z = np.moveaxis(directions, -1, 0)
    level = np.hypot(x, y)
    steep = level < 1e-9
    flat = np.where(steep, 1.0, level)
    side = np.stack([np.where(steep, 0.0, -y / flat), np.where(steep, 1.0, x / flat), 0 * z], -1)
    up = np.cross(directions, side)
    turn = (np.arange(_SIDES) * 2 * np.pi / _SIDES)[:, None]
    across = np.cos(turn) * side[..., None, :] + np.sin(turn) * up[..., None, :]
    ring = np.cos(radius) * directions[..., None, :] + np.sin(radius) * across
    return np.concatenate([directions[..., None, :], ring], axis=-2)
