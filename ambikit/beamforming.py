"""Beams with fixed patterns."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev, legendre

from ambikit import _mixing, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.directions import angles_to_vector
from ambikit.harmonics import spherical_harmonics

_SIDE_LOBES = 25.0
"""Height of the main lobe of "dolph_chebyshev" over its side lobes, in dB."""


def steering_vector(
    azimuth: ArrayLike, elevation: ArrayLike = 0.0, *, order: int = 1, degrees: bool = False
) -> FloatArray:
    """Return the AmbiX channels of a unit plane wave from a direction.

    Parameters
    ----------
    azimuth, elevation : array_like
        Directions in radians, broadcast against each other.
    order : int, optional
        Ambisonic order.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2)
        Real spherical harmonics (ACN, SN3D); ``[1, sin az cos el, sin el, cos az cos el]`` at order
        1. float64.

    Raises
    ------
    InputError
        If an angle is not finite, or an elevation lies beyond ±90°.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.steering_vector(30, 30, degrees=True).round(3)
    array([1.   , 0.433, 0.5  , 0.75 ])
    """
    return spherical_harmonics(angles_to_vector(azimuth, elevation, degrees=degrees), order)


def beam_weights(
    pattern: str,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    order: int = 1,
    degrees: bool = False,
) -> FloatArray:
    r"""Return the weights of a beam: its output is ``weights @ x``.

    Parameters
    ----------
    pattern : str
        At order 1, with t the angle from the beam's axis:

        - ``"basic"``: the steering vector itself, 1 + cos t; its gain on axis is order + 1;
        - ``"omni"``: 1;
        - ``"figure8"``: cos t; at order N, (cos t)**N;
        - ``"cardioid"``: (1 + cos t) / 2; at order N, ((1 + cos t) / 2)**N;
        - ``"hypercardioid"`` or ``"max_di"``: (1 + 3 cos t) / 4, the highest directivity;
        - ``"supercardioid"``: 0.366 + 0.634 cos t, the highest ratio of energy from the front half
          to that from the back half;
        - ``"in_phase"``: another name of the cardioid;
        - ``"dolph_chebyshev"``: the narrowest main lobe whose side lobes are all 25 dB lower:
          T_2N(x cos(t / 2)), with T_2N(x) of 25 dB [4]_;
        - ``"max_re"``: the longest energy vector: weights P_n(r), r the largest root of P_{N+1};
          1 / sqrt(3) at order 1, where it is the supercardioid.
    azimuth, elevation : array_like
        Directions in radians, broadcast against each other.
    order : int, optional
        Ambisonic order N of the signals and of the pattern.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2)
        Weights for AmbiX signals (ACN, SN3D), with a gain of 1 on the axis, except for ``"basic"``.
        float64.

    Raises
    ------
    InputError
        If the pattern is unknown, an angle is not finite, or an elevation lies beyond ±90°.

    Notes
    -----
    Each pattern is a sum of Legendre polynomials, :math:`\sum_n c_n P_n(\cos t)`, and by the
    addition theorem of SN3D harmonics the weights are :math:`c_n Y_n^m` of the beam's direction.

    References
    ----------
    .. [1] B. Rafaely, "Fundamentals of Spherical Array Processing", 2nd ed., Springer, 2019.
    .. [2] F. Zotter and M. Frank, "Ambisonics", Springer, 2019, for max-rE.
    .. [3] G. W. Elko, "Differential microphone arrays", in "Audio Signal Processing for
           Next-Generation Multimedia Communication Systems", Kluwer, 2004.
    .. [4] A. Koretz and B. Rafaely, "Dolph-Chebyshev beampattern design for spherical arrays", IEEE
           Transactions on Signal Processing 57 (2009), 2417-2420.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.beam_weights("cardioid", 90, degrees=True).round(12)
    array([0.5, 0.5, 0. , 0. ])
    """
    order = checks.order(order)
    gains = degree_gains(pattern, order)
    degree, _ = degrees_and_indices(order)
    return gains[degree] * steering_vector(azimuth, elevation, order=order, degrees=degrees)


def beamform(
    x: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    pattern: str = "cardioid",
    degrees: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Form beams in one direction or in several.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D), ``channels == (order + 1)**2``, float32 or float64.
    azimuth, elevation : float or array_like, shape (directions,)
        Directions of the beams in radians.
    pattern : str, optional
        Pattern of the beam at the order of `x`: see `beam_weights`.
    degrees : bool, optional
        Take the angles in degrees.
    out : ndarray, optional
        Array to write to, of the shape of the result and the dtype of `x`.

    Returns
    -------
    ndarray, shape (..., directions, samples), or (..., samples) for one number
        The beams' signals; float32 stays float32. NaN in `x` stays in its sample.

    Raises
    ------
    InputError
        If shapes do not fit, the pattern is unknown, or an angle is out of range.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    beam_weights : The patterns, with their formulas and sources.
    beamform_adaptive : Beams that adapt to the sound.

    Notes
    -----
    ``beam_weights(pattern, azimuth, elevation, order=order) @ x``.

    Examples
    --------
    A cardioid rejects sound from behind:

    >>> import ambikit
    >>> x = ambikit.encode([1.0, 2.0], 0.0)
    >>> ambikit.beamform(x, [0, 90, 180], degrees=True).round(12) + 0.0
    array([[1. , 2. ],
           [0.5, 1. ],
           [0. , 0. ]])
    """
    x, order = checks.ambisonic(x)
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    checks.at_most_1d(az, "azimuth and elevation", "directions")
    weights = np.atleast_2d(beam_weights(pattern, az, el, order=order))
    shape = (*x.shape[:-2], *az.shape, x.shape[-1])
    out = checks.output(out, shape, x.dtype, x)
    beams = out if az.ndim else out[..., None, :]
    _mixing.mix(x, weights, _mixing.one_block(*weights.shape), beams)
    return out


def degree_gains(pattern: str, order: int) -> FloatArray:
    """Return c (order + 1,) of the pattern sum(c[n] * P_n(cos t))."""
    gains = _PATTERNS[checks.choice(pattern, tuple(_PATTERNS), "pattern")](order)
    return gains if pattern == "basic" else gains / gains.sum()


def _cardioid(order: int) -> FloatArray:
    """Expand ((1 + cos t) / 2)**order, up to a factor."""
    n = range(order + 1)
    return np.array([(2 * i + 1) * float(math.comb(2 * order + 1, order - i)) for i in n])


def _hypercardioid(order: int) -> FloatArray:
    """Return 2n + 1: a plane-wave decomposition, of the greatest directivity."""
    return 2.0 * np.arange(order + 1) + 1.0


def _supercardioid(order: int) -> FloatArray:
    """Return the pattern with the greatest share of its energy in the front half of the sphere."""
    node, weight = legendre.leggauss(order + 1)
    # the front half, in the basis that makes the energy over the whole sphere the identity
    p = legendre.legvander((node + 1.0) / 2.0, order) * np.sqrt(_hypercardioid(order) / 2.0)
    front = p.T @ (weight[:, None] / 2.0 * p)
    best: FloatArray = np.linalg.eigh(front)[1][:, -1]
    return best * np.sqrt(_hypercardioid(order))


def _max_re(order: int) -> FloatArray:
    """Return the pattern of the longest energy vector."""
    longest = legendre.leggauss(order + 1)[0].max()
    return _hypercardioid(order) * legendre.legvander(longest, order).ravel()


def _figure8(order: int) -> FloatArray:
    """Expand (cos t)**order."""
    return np.asarray(legendre.poly2leg([0.0] * order + [1.0]))


def _dolph_chebyshev(order: int) -> FloatArray:
    """Expand T_2N(x cos(t / 2)) in Legendre polynomials; the lobes are as high as T_2N gets, 1."""
    if order == 0:
        return np.ones(1)
    height = np.cosh(np.arccosh(10.0 ** (_SIDE_LOBES / 20.0)) / (2 * order))
    node, weight = legendre.leggauss(order + 1)
    value = chebyshev.chebval(height * np.sqrt((1.0 + node) / 2.0), np.eye(2 * order + 1)[-1])
    moments = (weight * value) @ legendre.legvander(node, order)
    return np.asarray((np.arange(order + 1) + 0.5) * moments)


_PATTERNS: dict[str, Callable[[int], FloatArray]] = {
    "basic": lambda order: np.ones(order + 1),
    "omni": lambda order: np.eye(1, order + 1)[0],
    "figure8": _figure8,
    "cardioid": _cardioid,
    "in_phase": _cardioid,
    "dolph_chebyshev": _dolph_chebyshev,
    "supercardioid": _supercardioid,
    "hypercardioid": _hypercardioid,
    "max_re": _max_re,
    "max_di": _hypercardioid,
}
