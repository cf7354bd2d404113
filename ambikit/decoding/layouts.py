"""Loudspeaker layouts by name: those of ITU-R BS.2051, and regular ones."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import angles_to_vector, icosphere, vector_to_angles

Loudspeakers = str | ArrayLike
"""A layout's name, or azimuths and elevations (L, 2)."""


class Layout(NamedTuple):
    """Unit vectors (L, 3), and where low-frequency channels stand among the outputs."""

    vectors: FloatArray
    lfe: tuple[int, ...]

    @property
    def planar(self) -> bool:
        """Whether all loudspeakers stand at the height of the ears."""
        return bool(np.abs(self.vectors[:, 2]).max() < _LEVEL)


_LEVEL = np.sin(np.deg2rad(0.5))

_BS2051 = {
    "0+2+0": "M+030 M-030",
    "0+5+0": "M+030 M-030 M+000 LFE M+110 M-110",
    "2+5+0": "M+030 M-030 M+000 LFE M+110 M-110 U+030 U-030",
    "4+5+0": "M+030 M-030 M+000 LFE M+110 M-110 U+030 U-030 U+110 U-110",
    "4+5+1": "M+030 M-030 M+000 LFE M+110 M-110 U+030 U-030 U+110 U-110 B+000",
    "3+7+0": "M+000 M+030 M-030 U+045 U-045 M+090 M-090 M+135 M-135 H+180 LFE LFE",
    "4+9+0": "M+030 M-030 M+000 LFE M+090 M-090 M+135 M-135 U+045 U-045 U+135 U-135 M+015 M-015",
    "9+10+3": "M+060 M-060 M+000 LFE M+135 M-135 M+030 M-030 M+180 LFE M+090 M-090 U+045 U-045 "
    "U+000 T+000 U+135 U-135 U+090 U-090 U+180 B+000 B+045 B-045",
    "0+7+0": "M+030 M-030 M+000 LFE M+090 M-090 M+135 M-135",
    "4+7+0": "M+030 M-030 M+000 LFE M+090 M-090 M+135 M-135 U+045 U-045 U+135 U-135",
}
"""Channels in the order of ITU-R BS.2051-3, at nominal azimuths; M+SC, M-SC stand at ±15°."""

_ELEVATION = {"B": -30.0, "M": 0.0, "U": 30.0, "H": 45.0, "T": 90.0}

_ALIASES = {
    "stereo": "0+2+0",
    "5.1": "0+5+0",
    "5.1.2": "2+5+0",
    "5.1.4": "4+5+0",
    "7.1": "0+7+0",
    "7.1.4": "4+7+0",
    "9.1.4": "4+9+0",
    "22.2": "9+10+3",
    "tdesign12": "icosahedron",
}

_RINGS = {"quad": 4, "hexagon": 6, "octagon": 8}


def loudspeaker_layout(name: str, *, degrees: bool = False) -> FloatArray:
    """Return the directions of the loudspeakers of a layout.

    Parameters
    ----------
    name : str
        A layout of ITU-R BS.2051 by its numbers of loudspeakers above, at and below the height of
        the ears (``"0+2+0"``, ``"0+5+0"``, ``"2+5+0"``, ``"4+5+0"``, ``"4+5+1"``, ``"3+7+0"``,
        ``"4+9+0"``, ``"9+10+3"``, ``"0+7+0"``, ``"4+7+0"``) or by its usual name (``"stereo"``,
        ``"5.1"``, ``"7.1.4"``, ``"22.2"``, ...); a ring (``"quad"``, ``"hexagon"``,
        ``"octagon"``); a regular body (``"tetrahedron"``, ``"octahedron"``, ``"cube"``,
        ``"icosahedron"``, ``"dodecahedron"``); or a spherical t-design (``"tdesign12"``, the
        icosahedron, a 5-design; ``"tdesign24"``, a 7-design).
    degrees : bool, optional
        Return degrees instead of radians.

    Returns
    -------
    ndarray, shape (loudspeakers, 2)
        Nominal azimuth and elevation of each, in the standard's order of channels, without the
        low-frequency ones.

    Raises
    ------
    InputError
        If there is no layout of that name; the message names the nearest ones.

    References
    ----------
    .. [1] ITU-R BS.2051-3, "Advanced sound system for programme production", 2022.
    .. [2] R. H. Hardin and N. J. A. Sloane, "McLaren's improved snub cube and other new spherical
           designs in three dimensions", Discrete & Computational Geometry 15 (1996), 429-441.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.loudspeaker_layout("quad", degrees=True).round(6).tolist()
    [[45.0, 0.0], [-45.0, 0.0], [135.0, 0.0], [-135.0, 0.0]]
    """
    vectors = named_layout(name).vectors
    return np.stack(vector_to_angles(vectors, degrees=degrees), axis=-1)


def loudspeaker_table(loudspeakers: Loudspeakers, *, degrees: bool) -> FloatArray:
    """Return the azimuths and elevations (L, 2) of a layout in radians."""
    vectors = layout_of(loudspeakers, degrees=degrees).vectors
    return np.stack(vector_to_angles(vectors), axis=-1)


def layout_of(loudspeakers: Loudspeakers, *, degrees: bool = False) -> Layout:
    """Return a layout by its name, or of directions (L, 2)."""
    if isinstance(loudspeakers, str):
        return named_layout(loudspeakers)
    angles = checks.directions_table(loudspeakers, "loudspeakers", degrees=degrees)
    vectors = checks.apart(angles_to_vector(*angles))
    return Layout(vectors, (len(vectors),))


@cache
def named_layout(name: str) -> Layout:
    """Return the layout of that name."""
    names = (*_BS2051, *_ALIASES, *_RINGS, *_BODIES)
    checks.name_among(name, names, "layout of loudspeakers")
    name = _ALIASES.get(name, name)
    if name in _BS2051:
        channels = _BS2051[name].split()
        lfe = tuple(i for i, channel in enumerate(channels) if channel == "LFE")
        placed = [channel for channel in channels if channel != "LFE"]
        azimuth = [float(channel[1:]) for channel in placed]
        elevation = [_ELEVATION[channel[0]] for channel in placed]
        return Layout(angles_to_vector(azimuth, elevation, degrees=True), lfe)
    if name in _RINGS:
        count = _RINGS[name]
        ring = (np.arange(count // 2) + 0.5) * 360.0 / count
        return Layout(angles_to_vector(np.stack([ring, -ring], -1).ravel(), degrees=True), (count,))
    vectors = _BODIES[name]()
    return Layout(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), (len(vectors),))


def _cube() -> FloatArray:
    """Return the corners of a cube."""
    return np.array([(x, y, z) for z in (1.0, -1.0) for x in (1, -1) for y in (1, -1)])


def _octahedron() -> FloatArray:
    """Return front, left, back, right, up, down."""
    return np.array([(1.0, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])


def _dodecahedron() -> FloatArray:
    """Return the corners of a dodecahedron: the middles of the faces of an icosahedron."""
    corners = icosphere()
    near = corners @ corners.T > 0.4
    faces = [
        (i, j, k)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if near[i, j] and near[j, k] and near[i, k]
    ]
    return np.array([corners[list(face)].mean(axis=0) for face in faces])


def _snub_cube() -> FloatArray:
    """Return McLaren's improved snub cube, a 7-design: one point, by the cube's 24 rotations."""
    a, b, c = 0.866246818107820591383598, 0.422518653761111529118546, 0.266635401516704720331534
    points = []
    for shift in range(3):
        for signs in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)):
            points.append(np.roll(np.array(signs) * (a, b, c), shift))
            points.append(np.roll(-np.array(signs) * (b, a, c), shift))
    return np.array(points)


_BODIES = {
    "tetrahedron": lambda: np.array([(1.0, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]),
    "octahedron": _octahedron,
    "cube": _cube,
    "icosahedron": icosphere,
    "dodecahedron": _dodecahedron,
    "tdesign24": _snub_cube,
}
