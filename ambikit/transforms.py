"""Transformations of a sound field by direction: mirror, directional gain, zoom, warp.

Except for the mirror, a transformation is a matrix that decodes the field on a quadrature of the
sphere, gives each point a gain and a new direction, and encodes it there [1]_.

.. [1] M. Kronlachner and F. Zotter, "Spatial transformations for the enhancement of Ambisonic
       recordings", 2nd International Conference on Spatial Audio, Erlangen, 2014.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.directions import angles_to_vector
from ambikit.harmonics import spherical_harmonics

_TILE = 16384


def mirror(x: ArrayLike, axis: str) -> FloatArray:
    r"""Mirror a sound field.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        Ambisonic signals in ACN order, ``channels == (order + 1)**2``, float32 or float64.
    axis : {"left_right", "front_back", "up_down"}
        The two sides that are exchanged.

    Returns
    -------
    ndarray, shape (..., channels, samples)
        The mirrored signals; float32 stays float32. At order 1, Y, X or Z changes its sign.

    Raises
    ------
    InputError
        If `x` is not (..., channels, samples), or the axis is unknown.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    Harmonic n, m keeps its sign or changes it. With s = 1 for m < 0 (the sine harmonics, odd in y)
    and 0 otherwise, the sign is :math:`(-1)^s` for left and right, :math:`(-1)^{m + s}` for front
    and back, :math:`(-1)^{n + m}` for up and down [1]_.

    References
    ----------
    .. [1] M. Kronlachner, "Spatial transformations for the alteration of Ambisonic recordings",
           master's thesis, University of Music and Performing Arts Graz, 2014.

    Examples
    --------
    >>> import ambikit
    >>> left = ambikit.encode([1.0], 90, degrees=True)
    >>> ambikit.mirror(left, "left_right").ravel().round(12) + 0.0  # now at the right
    array([ 1., -1.,  0.,  0.])
    """
    signals, order = checks.ambisonic(x)
    checks.choice(axis, ("left_right", "front_back", "up_down"), "axis")
    n, m = degrees_and_indices(order)
    sine = m < 0
    parity = {"left_right": sine, "front_back": m + sine, "up_down": n + m}[axis]
    signs = np.where(parity % 2, -1, 1).astype(signals.dtype)
    out: FloatArray = signals * signs[:, None]
    return out


def directional_gain(
    x: ArrayLike,
    azimuth: float,
    elevation: float,
    gain_db: float,
    width: float,
    *,
    degrees: bool = False,
) -> FloatArray:
    r"""Make one region of a sound field louder or softer.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D), ``channels == (order + 1)**2``, float32 or float64.
    azimuth, elevation : float
        Centre of the region, in radians.
    gain_db : float
        Gain at the centre, in dB.
    width : float
        Angle across the region, 1° to 360°, in radians: at half of it from the centre, half of the
        change of gain remains.
    degrees : bool, optional
        Take `azimuth`, `elevation` and `width` in degrees.

    Returns
    -------
    ndarray, shape (..., channels, samples)
        Signals of the same order; float32 stays float32. NaN in `x` stays in its sample.

    Raises
    ------
    InputError
        If shapes do not fit, or a number is out of range.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    The field of order N is multiplied by a von Mises-Fisher bump and truncated to order N again
    [1]_. With t the angle from the centre and G the gain as a factor,

    .. math::
        g = 1 + \frac{G - 1}{c}\, e^{\kappa (\cos t - 1)}, \qquad
        \kappa = \frac{\ln 2}{1 - \cos(\text{width} / 2)} .

    A field of order N resolves no detail much finer than 360° / (2N + 1). So that a narrow region
    is not lost, c is chosen such that a plane wave from the centre, received by the beam
    ``"max_di"`` towards it, changes by `gain_db` at any width; c is 1 for wide regions. A region
    much narrower than the field resolves acts like that beam, side lobes included.

    References
    ----------
    .. [1] M. Kronlachner and F. Zotter, "Spatial transformations for the enhancement of Ambisonic
           recordings", 2nd International Conference on Spatial Audio, Erlangen, 2014.

    Examples
    --------
    >>> import ambikit
    >>> x = ambikit.encode([1.0], 30, order=3, degrees=True)
    >>> softer = ambikit.directional_gain(x, 30, 0, -20, 60, degrees=True)
    >>> ambikit.beamform(softer, 30, pattern="max_di", degrees=True).round(6)
    array([0.1])
    """
    signals, order = checks.ambisonic(x)
    centre = _direction(azimuth, elevation, degrees)
    half = checks.width(width, degrees=degrees) / 2
    gain = 10 ** (checks.finite(gain_db, "gain_db") / 20)
    kappa = math.log(2) / (1 - math.cos(half))
    # to rounding, the bump is a polynomial of degree 12 sqrt(kappa) + 20
    bump = _matrix(
        order,
        order,
        centre,
        order + 10 + math.ceil(6 * math.sqrt(kappa)),
        lambda cosine: np.exp(kappa * (cosine - 1)),
    )
    wave = spherical_harmonics(centre, order)
    beam = _analysis(order) * wave / (order + 1) ** 2
    return _apply(np.eye(len(wave)) + (gain - 1) / (beam @ bump @ wave) * bump, signals)


def zoom(
    x: ArrayLike, azimuth: float, elevation: float, amount: float, *, degrees: bool = False
) -> FloatArray:
    r"""Zoom in on a direction: sources move towards it, and are louder the nearer they are.

    At order 1 this is the Lorentz transformation of W, X, Y, Z, known as dominance [1]_.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D), ``channels == (order + 1)**2``, float32 or float64.
    azimuth, elevation : float
        The direction, in radians.
    amount : float
        From -0.99 to 0.99. A source at right angles to the direction comes to the angle from it
        whose cosine is `amount`: 0 changes nothing, less than 0 zooms out.
    degrees : bool, optional
        Take `azimuth` and `elevation` in degrees.

    Returns
    -------
    ndarray, shape (..., channels, samples)
        Signals of the same order; float32 stays float32. NaN in `x` stays in its sample.

    Raises
    ------
    InputError
        If shapes do not fit, or a number is out of range.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    warp : Moves sources in the same way and keeps the loudness of each.

    Notes
    -----
    With b the amount and :math:`\gamma = 1 / \sqrt{1 - b^2}`, a plane wave at the angle t from the
    direction becomes a plane wave at the angle t' from it, on the same side, where

    .. math::
        \cos t' = \frac{\cos t + b}{1 + b \cos t}, \qquad
        \text{gain} = \bigl(\gamma (1 + b \cos t)\bigr)^N .

    This is exact at every order N: with that exponent, and no other, the harmonics of the new
    direction times the gain are a polynomial of degree N in the old one, so nothing is truncated. A
    source in the direction itself gains :math:`\lambda^N`, an opposite one loses as much;
    :math:`\lambda = \sqrt{(1 + b) / (1 - b)}` is the dominance gain. Zooms towards one direction
    add like velocities: by a, then by b, is by (a + b) / (1 + ab), and -b undoes b.

    References
    ----------
    .. [1] M. A. Gerzon and G. J. Barton, "Ambisonic decoders for HDTV", 92nd AES Convention,
           Vienna, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> x = ambikit.encode([1.0], 90, order=2, degrees=True)  # at the left
    >>> zoomed = ambikit.zoom(x, 0, 0, 0.5, degrees=True)  # towards the front: to acos(0.5)
    >>> np.allclose(zoomed, ambikit.encode([4 / 3], 60, order=2, degrees=True))
    True
    """
    signals, order = checks.ambisonic(x)
    towards = _direction(azimuth, elevation, degrees)
    amount = checks.within(amount, -0.99, 0.99, "amount")
    gamma = 1 / math.sqrt(1 - amount**2)
    matrix = _matrix(
        order,
        order,
        towards,
        order + 1,  # exact for polynomials of degree 2 * order
        lambda cosine: (gamma * (1 + amount * cosine)) ** order,
        amount,
    )
    return _apply(matrix, signals)


def warp(
    x: ArrayLike,
    azimuth: float,
    elevation: float,
    amount: float,
    *,
    preserve: str = "amplitude",
    order: int | None = None,
    degrees: bool = False,
) -> FloatArray:
    r"""Move all sources towards a direction, or away from it.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D), float32 or float64.
    azimuth, elevation : float
        The direction, in radians.
    amount : float
        From -0.99 to 0.99. A source at right angles to the direction comes to the angle from it
        whose cosine is `amount`: 0 changes nothing, less than 0 moves sources away.
    preserve : {"amplitude", "energy"}, optional
        ``"amplitude"``: each source keeps its level (W does not change), and regions into which
        sources crowd become louder. ``"energy"``: the field keeps its energy, and a diffuse field
        stays uniform; sources that crowd become softer.
    order : int, optional
        Order of the result; that of `x` if not given. Where sources crowd, each becomes smaller,
        and a higher order keeps that detail.
    degrees : bool, optional
        Take `azimuth` and `elevation` in degrees.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        float32 stays float32. NaN in `x` stays in its sample.

    Raises
    ------
    InputError
        If shapes do not fit, a number is out of range, or `preserve` is unknown.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    zoom : Moves sources in the same way, exactly and at no higher order, but changes their level.

    Notes
    -----
    A point at the angle t from the direction moves to t', by a conformal (Möbius) map of the
    sphere, and is weighted:

    .. math::
        \cos t' = \frac{\cos t + a}{1 + a \cos t}, \qquad
        g_\text{amplitude} = 1, \qquad
        g_\text{energy} = \frac{\sqrt{1 - a^2}}{1 + a \cos t} .

    These are the bilinear curve and the de-emphasis of [1]_; :math:`g_\text{energy}^2` is the ratio
    of the areas around a point after and before the map. A field of order N represents a plane wave
    as a patch, which the map squeezes or stretches and the order of the result blurs again.

    References
    ----------
    .. [1] M. Kronlachner and F. Zotter, "Spatial transformations for the enhancement of Ambisonic
           recordings", 2nd International Conference on Spatial Audio, Erlangen, 2014.

    Examples
    --------
    >>> import ambikit
    >>> x = ambikit.encode([1.0], 90, order=3, degrees=True)  # at the left
    >>> warped = ambikit.warp(x, 0, 0, 0.5, degrees=True)  # towards the front, to 60 degrees
    >>> beams = ambikit.beamform(warped, range(0, 180, 20), pattern="max_re", degrees=True)
    >>> int(abs(beams[:, 0]).argmax()) * 20
    60
    """
    signals, order_in = checks.ambisonic(x)
    towards = _direction(azimuth, elevation, degrees)
    amount = checks.within(amount, -0.99, 0.99, "amount")
    order_out = order_in if order is None else checks.order(order)
    gains: dict[str, Callable[[FloatArray], FloatArray]] = {
        "amplitude": np.ones_like,
        "energy": lambda cosine: math.sqrt(1 - amount**2) / (1 + amount * cosine),
    }
    gain = gains[checks.choice(preserve, tuple(gains), "preserve")]
    # the map has a pole of order_out at -1 / amount: the error falls like exp(-2 * nodes * decay)
    decay = math.acosh(1 / max(abs(amount), 1e-6))
    nodes = order_in + order_out + 2 + math.ceil((20 + 2 * order_out) / decay)
    return _apply(_matrix(order_in, order_out, towards, nodes, gain, amount), signals)


def _direction(azimuth: float, elevation: float, degrees: bool) -> FloatArray:
    """Return the unit vector of two angles."""
    az, el = checks.direction(azimuth, elevation, degrees=degrees)
    return angles_to_vector(checks.single(az, "azimuth"), checks.single(el, "elevation"))


def _analysis(order: int) -> FloatArray:
    """Return 2n + 1 of each channel, the factor between SN3D encoding and decoding."""
    return 2.0 * degrees_and_indices(order)[0] + 1.0


def _matrix(
    order_in: int,
    order_out: int,
    axis: FloatArray,
    nodes: int,
    gain: Callable[[FloatArray], FloatArray],
    amount: float = 0.0,
) -> FloatArray:
    """Return the matrix that gives each point a gain and moves it along its meridian of the axis.

    The gain is a function of the cosine of the angle from the axis. The quadrature (Gauss-Legendre
    in that cosine, even steps around the axis) has as many steps as are exact for both orders.
    """
    cosine, weight = np.polynomial.legendre.leggauss(nodes)
    sine = np.sqrt((1 - cosine) * (1 + cosine))
    turn = np.arange(order_in + order_out + 1) * (2 * np.pi / (order_in + order_out + 1))
    side = np.eye(3)[np.abs(axis).argmin()]
    side = side - axis * (axis @ side)
    side /= np.linalg.norm(side)
    ring = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * np.cross(axis, side)

    points = cosine[:, None, None] * axis + sine[:, None, None] * ring
    # (cos t', sin t') up to the length, which does not matter for the harmonics
    moved_sine = math.sqrt(1 - amount**2) * sine
    moved = (cosine + amount)[:, None, None] * axis + moved_sine[:, None, None] * ring

    weights = (gain(cosine) * weight / (2 * len(turn)))[:, None, None]
    decode = (weights * spherical_harmonics(points, order_in)).reshape(-1, (order_in + 1) ** 2)
    encode = spherical_harmonics(moved, order_out).reshape(-1, (order_out + 1) ** 2)
    matrix: FloatArray = encode.T @ decode * _analysis(order_in)
    return matrix


def _apply(matrix: FloatArray, x: FloatArray) -> FloatArray:
    """Return the matrix times the signals, tile by tile."""
    m = matrix.astype(x.dtype)
    out = np.empty((*x.shape[:-2], len(m), x.shape[-1]), x.dtype)
    for begin in range(0, x.shape[-1], _TILE):
        tile = slice(begin, begin + _TILE)
        np.matmul(m, x[..., tile], out=out[..., tile])
    return out
