"""What a decoder does to plane waves from all over the sphere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding.layouts import Loudspeakers, layout_of
from ambikit.directions import angles_to_vector, fibonacci_sphere
from ambikit.harmonics import unit_harmonics

_POINTS = 2562


class DecoderQuality(NamedTuple):
    """Energy and localisation vectors of a decoder for plane waves of amplitude 1.

    Attributes
    ----------
    directions : ndarray, shape (..., 3)
        Unit vectors that the waves come from.
    energy : ndarray, shape (...)
        Sum of the squares of the loudspeakers' gains.
    energy_vector : ndarray, shape (..., 3)
        rE: mean of the loudspeakers' directions, weighted by the squares of their gains. Its length
        is 1 where one loudspeaker plays.
    velocity_vector : ndarray, shape (..., 3)
        rV: mean of the loudspeakers' directions, weighted by their gains. Infinite where these add
        up to 0.
    """

    directions: FloatArray
    energy: FloatArray
    energy_vector: FloatArray
    velocity_vector: FloatArray

    @property
    def level(self) -> FloatArray:
        """Energy in dB, shape (...)."""
        return np.asarray(10.0 * np.log10(np.maximum(self.energy, 1e-30)))

    @property
    def error(self) -> FloatArray:
        """Angle between the energy vector and the wave's direction in radians, shape (...)."""
        return _angle(self.energy_vector, self.directions)

    @property
    def mean_power(self) -> float:
        """Mean of the energy over the directions: 1 for a decoder of `decoder_matrix`."""
        return float(self.energy.mean())

    @property
    def spread(self) -> float:
        """Level of the loudest direction over the softest one, in dB."""
        return float(self.level.max() - self.level.min())

    def upper(self) -> DecoderQuality:
        """Return the same for the directions at and above the horizon."""
        return DecoderQuality(*(values[self.directions[..., 2] >= 0] for values in self))


def decoder_quality(
    matrix: ArrayLike,
    loudspeakers: Loudspeakers,
    azimuth: ArrayLike | None = None,
    elevation: ArrayLike = 0.0,
    *,
    degrees: bool = False,
) -> DecoderQuality:
    r"""Return the energy, the energy vector and the velocity vector of a decoder.

    Parameters
    ----------
    matrix : array_like, shape (L, (order + 1)**2)
        Decoder for AmbiX signals (ACN, SN3D), as from `decoder_matrix`.
    loudspeakers : str or array_like, shape (L, 2)
        The layout that it is for.
    azimuth, elevation : array_like, optional
        Directions of plane waves in radians, broadcast against each other; by default 2,562 points
        all over the sphere, each of which stands for the same area.
    degrees : bool, optional
        Take all angles in degrees.

    Returns
    -------
    DecoderQuality
        `directions`, `energy`, `energy_vector`, `velocity_vector`; and from these `level`, `error`,
        `mean_power`, `spread`, and `upper()`, the half at and above the horizon.

    Raises
    ------
    InputError
        If the matrix does not fit the layout, or an angle is out of range.

    See Also
    --------
    decoder_matrix : Makes decoders.
    ambikit.plot.decoder : Draws this.

    Notes
    -----
    With the gains g of the loudspeakers l for a wave,

    .. math:: E = \sum_l g_l^2, \quad r_E = \frac{\sum_l g_l^2\, u_l}{E}, \quad
              r_V = \frac{\sum_l g_l\, u_l}{\sum_l g_l} .

    The direction of rV predicts where low frequencies are heard, that of rE those above some
    700 Hz; 2 acos of the length of rE is about as wide as the source is heard.

    References
    ----------
    .. [1] M. A. Gerzon, "General metatheory of auditory localisation", 92nd AES Convention, 1992.
    .. [2] F. Zotter and M. Frank, "Ambisonics", Springer, 2019.

    Examples
    --------
    >>> import ambikit
    >>> matrix = ambikit.decoder_matrix("cube", 1, weighting="max_re")
    >>> quality = ambikit.decoder_quality(matrix, "cube")
    >>> bool(quality.spread < 1e-9), round(quality.mean_power, 9)
    (True, 1.0)
    """
    layout = layout_of(loudspeakers, degrees=degrees)
    m = checks.decoder(matrix, len(layout.vectors))
    if azimuth is None:
        directions = fibonacci_sphere(_POINTS)
    else:
        directions = angles_to_vector(*checks.direction(azimuth, elevation, degrees=degrees))
    gains = unit_harmonics(directions, round(np.sqrt(m.shape[1])) - 1) @ m.T
    energy = (gains**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        energy_vector = (gains**2) @ layout.vectors / energy[..., None]
        velocity_vector = gains @ layout.vectors / gains.sum(axis=-1, keepdims=True)
    return DecoderQuality(directions, energy, energy_vector, velocity_vector)


def _angle(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the angles between vectors, exact for small ones."""
    return np.asarray(
        np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), np.einsum("...i,...i->...", a, b))
    )
