"""The hull of loudspeakers: facets to pan on, imaginary loudspeakers where it gapes, and panning.

Facets are polygons: loudspeakers in one plane, as the rectangles of most layouts, stay together.
A polygon of four or more corners can be cut into triangles in several ways, each of which favours
some corners; panning takes the mean over all fans, so that mirrored layouts stay mirrored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit._typing import FloatArray

GAPE = np.deg2rad(72.0)
"""A facet within a larger cap gets an imaginary loudspeaker (a regular tetrahedron has 70.5°)."""

_MOST_ROUNDS = 8
_COPLANAR = 1e-6

Triangles = npt.NDArray[np.intp]


class Facet(NamedTuple):
    """A plane ``normal @ x == distance`` and fans of triangles (fans, triangles, 3) on it."""

    normal: FloatArray
    distance: float
    fans: Triangles


class Hull(NamedTuple):
    """Corners (V, 3), their facets, and what each corner sends to the loudspeakers (V, L)."""

    corners: FloatArray
    facets: list[Facet]
    shares: FloatArray

    def pan(self, directions: FloatArray) -> FloatArray:
        """Return gains (P, L) for unit vectors (P, 3), before they are normalised."""
        normals = np.array([facet.normal / facet.distance for facet in self.facets])
        # the ray leaves the hull through the facet that it meets first
        where = (directions @ normals.T).argmax(axis=1)
        gains = np.zeros((len(directions), len(self.corners)))
        for index, facet in enumerate(self.facets):
            points = np.flatnonzero(where == index)
            for fan in facet.fans:
                inverse = np.linalg.inv(self.corners[fan].swapaxes(-1, -2))
                weights = np.einsum("tij,pj->pti", inverse, directions[points])
                best = weights.min(axis=-1).argmax(axis=-1)
                chosen = np.maximum(weights[np.arange(len(points)), best], 0.0)
                chosen /= np.linalg.norm(chosen, axis=-1, keepdims=True)
                gains[points[:, None], fan[best]] += chosen / len(facet.fans)
        played: FloatArray = gains @ self.shares
        return played


def hull_of(vectors: FloatArray) -> Hull:
    """Return the hull of loudspeakers (L, 3) and of imaginary ones where it gapes."""
    corners = checks.spans_space(vectors)
    for _ in range(_MOST_ROUNDS):
        facets = _facets(corners)
        gaps = [facet.normal for facet in facets if facet.distance < np.cos(GAPE)]
        if not gaps:
            break
        corners = np.concatenate([corners, _merged(np.array(gaps))])
    return Hull(corners, facets, _shares(facets, len(vectors), len(corners)))


def _merged(vectors: FloatArray) -> FloatArray:
    """Return unit vectors, groups of close ones as their mean, whatever their order."""
    close = vectors @ vectors.T > np.cos(np.deg2rad(15.0))
    for _ in range(len(vectors).bit_length()):
        close = close @ close
    groups = np.unique(close, axis=0)
    means = groups @ vectors
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def _facets(corners: FloatArray) -> list[Facet]:
    """Return the facets of the convex hull, corners in one plane together."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(corners)
    planes, left = hull.equations, np.ones(len(hull.equations), bool)
    facets = []
    for index, plane in enumerate(planes):
        if not left[index]:
            continue
        same = left & (np.abs(planes - plane).max(axis=1) < _COPLANAR)
        left &= ~same
        polygon = _around(np.unique(hull.simplices[same]), corners, plane[:3])
        facets.append(Facet(plane[:3], -plane[3], _fans(polygon)))
    return facets


def _around(polygon: Triangles, corners: FloatArray, normal: FloatArray) -> Triangles:
    """Return the corners of a polygon in the order of their angles about its middle."""
    spokes = corners[polygon] - corners[polygon].mean(axis=0)
    ahead = spokes[0] / np.linalg.norm(spokes[0])
    aside = np.cross(normal, ahead)
    rising: Triangles = polygon[np.argsort(np.arctan2(spokes @ aside, spokes @ ahead))]
    return rising


def _fans(polygon: Triangles) -> Triangles:
    """Return the ways (fans, triangles, 3) to cut a polygon from one corner into triangles."""
    size = len(polygon)
    # from opposite corners of a quadrangle the cut is the same
    starts = {3: 1, 4: 2}.get(size, size)
    return np.array(
        [
            [np.roll(polygon, -start)[[0, i, i + 1]] for i in range(1, size - 1)]
            for start in range(starts)
        ]
    )


def _shares(facets: list[Facet], loudspeakers: int, corners: int) -> FloatArray:
    """Return what each corner sends to each loudspeaker (V, L).

    An imaginary loudspeaker sends equal parts to its neighbours, imaginary ones in turn to theirs.
    """
    imaginary = np.arange(loudspeakers, corners)
    step = np.zeros((corners, corners))
    for facet in facets:
        polygon = [*facet.fans[0][:, 1], facet.fans[0][-1, 2], facet.fans[0][0, 0]]
        for here, there in zip(polygon, np.roll(polygon, 1), strict=True):
            step[here, there] = step[there, here] = 1.0
    step = step[imaginary] / np.maximum(step[imaginary].sum(axis=1, keepdims=True), 1.0)
    onward = np.eye(len(imaginary)) - step[:, imaginary]
    shared = np.linalg.solve(onward, step[:, :loudspeakers])
    return np.concatenate([np.eye(loudspeakers), shared])
