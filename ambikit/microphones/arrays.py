"""Microphone arrays on a sphere: where the capsules are, and what they hear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import legendre

from ambikit import checks
from ambikit._typing import ComplexArray, FloatArray
from ambikit.decoding.sphere import SPEED_OF_SOUND, rigid_radial
from ambikit.directions import angles_to_vector

_CORNERS = {
    "FLU": (1, 1, 1),
    "FRD": (1, -1, -1),
    "BLD": (-1, 1, -1),
    "BRU": (-1, -1, 1),
    "FLD": (1, 1, -1),
    "FRU": (1, -1, 1),
    "BLU": (-1, 1, 1),
    "BRD": (-1, -1, -1),
}
"""Corners of a cube by front or back, left or right, up or down."""

_EM32 = (
    "69,0 90,32 111,0 90,328 32,0 55,45 90,69 125,45 148,0 125,315 90,291 55,315 21,91 58,90 "
    "121,90 159,89 69,180 90,212 111,180 90,148 32,180 55,225 90,249 125,225 148,180 125,135 "
    "90,111 55,135 21,269 58,270 122,270 159,271"
)
"""Colatitude and azimuth in degrees, of mh acoustics' Eigenmike em32."""

_ZYLIA = (
    "0,90 0.18,48.14 120.09,48.14 -119.94,48.18 -82.17,19.42 -37.61,19.43 37.89,19.42 82.29,19.43 "
    "157.88,19.43 -157.60,19.44 -142.11,-19.42 -97.71,-19.43 -22.12,-19.43 22.40,-19.44 "
    "97.83,-19.42 142.39,-19.43 -179.82,-48.14 -59.91,-48.14 60.06,-48.18"
)
"""Azimuth and elevation in degrees, of the Zylia ZM-1."""

_RADII = {"em32": 0.042, "zylia": 0.049}
"""In metres."""


@dataclass(frozen=True, eq=False)
class MicrophoneArray:
    """Capsules on a sphere, all pointing outwards.

    Attributes
    ----------
    directions : ndarray, shape (Q, 2)
        Azimuth and elevation of each capsule in radians, in the order of the channels.
    radius : float
        Of the sphere, in metres.
    rigid : bool
        Whether the sphere is solid, with pressure capsules in its surface, or open.
    pattern : float
        For open spheres, the share a of a + (1 - a) cos t in a capsule's gain: 1 for pressure, 0.5
        for cardioids.

    Examples
    --------
    >>> import ambikit
    >>> array = ambikit.MicrophoneArray([[0, 0], [2, 0], [4, 0], [0, 1.5]], 0.02, rigid=False)
    >>> array.count, array.order
    (4, 1)
    """

    directions: FloatArray
    radius: float
    rigid: bool = True
    pattern: float = 1.0

    def __post_init__(self) -> None:
        """Check the geometry."""
        azimuth, elevation = checks.directions_table(self.directions, "directions", degrees=False)
        object.__setattr__(self, "directions", np.stack([azimuth, elevation], axis=-1))
        object.__setattr__(self, "radius", checks.positive(self.radius, "radius", "m"))
        object.__setattr__(self, "pattern", checks.fraction(self.pattern, "pattern"))
        checks.capsules(angles_to_vector(azimuth, elevation), self.rigid, self.pattern)

    @property
    def count(self) -> int:
        """Number of capsules."""
        return len(self.directions)

    @property
    def order(self) -> int:
        """Highest order that so many capsules can tell."""
        return int(np.sqrt(self.count)) - 1

    @property
    def vectors(self) -> FloatArray:
        """Unit vectors (Q, 3) of the capsules."""
        return angles_to_vector(*self.directions.T)

    def responses(self, vectors: FloatArray, frequency: FloatArray) -> ComplexArray:
        """Return what the capsules hear of plane waves (F, Q, D) from unit vectors (D, 3).

        Relative to the pressure in the middle of the sphere, if it were not there.
        """
        radial = self.radial(frequency)
        n = np.arange(radial.shape[1])
        cosine = np.clip(self.vectors @ vectors.T, -1.0, 1.0)
        polynomials = legendre.legvander(cosine, len(n) - 1)
        return np.asarray(
            np.einsum("fn,qdn->fqd", (2 * n + 1) * radial, polynomials, optimize=True)
        )

    def radial(self, frequency: FloatArray) -> ComplexArray:
        """Return the modes i^n b_n (F, orders) of the sphere, to the order at which they vanish."""
        kr = 2.0 * np.pi * np.asarray(frequency) * self.radius / SPEED_OF_SOUND
        order = int(np.ceil(1.1 * kr.max() + 3.0 * kr.max() ** (1 / 3))) + 6
        return radial_terms(order, kr, rigid=self.rigid, pattern=self.pattern)


def radial_terms(order: int, kr: FloatArray, *, rigid: bool, pattern: float = 1.0) -> ComplexArray:
    """Return i^n b_n (F, order + 1) of a sphere, by kr (F,) and e^{+iωt}; 1 at n = kr = 0."""
    if rigid:
        return rigid_radial(order, kr)
    from scipy.special import spherical_jn

    n = np.arange(order + 1)
    value, slope = (spherical_jn(n, kr[:, None], derivative) for derivative in (False, True))
    return np.asarray(1j**n * (pattern * value - 1j * (1.0 - pattern) * slope))


def array_of(array: str | MicrophoneArray) -> MicrophoneArray:
    """Return an array, or that of a name."""
    return array if isinstance(array, MicrophoneArray) else _named(array)


@cache
def _named(name: str) -> MicrophoneArray:
    """Return the array of a name, or of four corners such as FLU FRD BLD BRU."""
    corners = name.upper().split() if isinstance(name, str) else []
    if len(corners) == 4 and all(corner in _CORNERS for corner in corners):
        return _tetrahedron(corners)
    checks.name_among(name, ("a_format", "em32", "zylia"), "microphone array")
    if name == "a_format":
        return _tetrahedron(["FLU", "FRD", "BLD", "BRU"])
    table = _EM32 if name == "em32" else _ZYLIA
    angles = np.array([pair.split(",") for pair in table.split()], float)
    if name == "em32":
        angles = np.stack([angles[:, 1], 90.0 - angles[:, 0]], axis=-1)
    return MicrophoneArray(np.deg2rad(angles), _RADII[name])


def tetrahedron(
    corners: str = "FLU FRD BLD BRU", *, radius: float = 0.0147, pattern: float = 0.5
) -> MicrophoneArray:
    """Return a tetrahedral microphone: four capsules at corners of a cube, whose sound is A-format.

    Parameters
    ----------
    corners : str, optional
        Where the capsules point, in the order of the channels: front or back, left or right, up or
        down.
    radius : float, optional
        Distance of the capsules from the middle, in metres.
    pattern : float, optional
        The share a of the capsules' gain a + (1 - a) cos t: 0.5 for cardioids.

    Returns
    -------
    MicrophoneArray
        For `to_ambisonics`.

    Raises
    ------
    InputError
        If there are not four different corners, none of which neighbours another on the cube.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.tetrahedron("FRU FLD BLU BRD", radius=0.0147).count
    4
    """
    return _tetrahedron(checks.tetrahedral(corners, _CORNERS), radius, pattern)


def _tetrahedron(
    corners: list[str], radius: float = 0.0147, pattern: float = 0.5
) -> MicrophoneArray:
    """Return the array of four corners."""
    checks.tetrahedral(" ".join(corners), _CORNERS)
    vectors = np.array([_CORNERS[corner] for corner in corners], float) / np.sqrt(3.0)
    azimuth = np.arctan2(vectors[:, 1], vectors[:, 0])
    return MicrophoneArray(
        np.stack([azimuth, np.arcsin(vectors[:, 2])], -1), radius, rigid=False, pattern=pattern
    )
