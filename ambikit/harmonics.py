"""Real spherical harmonics of any order."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import normalized


def spherical_harmonics(directions: ArrayLike, order: int = 1) -> FloatArray:
    r"""Evaluate the real spherical harmonics of AmbiX: ACN, SN3D, no Condon-Shortley phase.

    Parameters
    ----------
    directions : array_like, shape (..., 3)
        Vectors (x front, y left, z up); only their direction counts.
    order : int, optional
        Highest degree.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2)
        Harmonic n, m at channel ``n**2 + n + m``; at order 1 it is ``(1, y, z, x)``. float64.

    Raises
    ------
    InputError
        If `directions` are not finite vectors other than zero, or `order` is negative.

    Notes
    -----
    With :math:`x + iy = \cos\theta\, e^{i\varphi}` and :math:`z = \sin\theta` (azimuth φ,
    elevation θ),

    .. math:: Y_n^{\pm m} = Q_n^m(z)\, \{\Re, \Im\}(x + iy)^m,

    where the normalised, stable recursion

    .. math::
        \sqrt{n^2 - m^2}\, Q_n^m = (2n - 1) z\, Q_{n-1}^m - \sqrt{(n-1)^2 - m^2}\, Q_{n-2}^m

    starts from :math:`Q_m^m`. It is a polynomial in x, y, z: no angle is computed, and nothing is
    divided by the cosine of the elevation, so the poles are as exact as any other point.

    References
    ----------
    .. [1] C. Nachbar, F. Zotter, E. Deleflie and A. Sontacchi, "ambiX - A suggested Ambisonics
           format", Ambisonics Symposium, Lexington, 2011.
    .. [2] S. A. Holmes and W. E. Featherstone, "A unified approach to the Clenshaw summation and
           the recursive computation of very high degree and order normalised associated Legendre
           functions", Journal of Geodesy 76 (2002), 279-299.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.spherical_harmonics([0.0, 0.6, 0.8])
    array([1. , 0.6, 0.8, 0. ])
    """
    order = checks.order(order)
    return unit_harmonics(normalized(checks.vectors(directions, "directions")), order)


def unit_harmonics(directions: FloatArray, order: int) -> FloatArray:
    """Evaluate the harmonics of unit vectors, without checks."""
    x, y, z = np.moveaxis(directions, -1, 0)
    out = np.empty(((order + 1) ** 2, *z.shape))
    power = np.ones(z.shape, np.complex128)  # (x + iy)**m
    sectoral = 1.0  # Q_m^m, a number
    for m in range(order + 1):
        if m:
            power = power * (x + 1j * y)
            sectoral *= np.sqrt((2 * m - 1) / (2 * m)) * (np.sqrt(2.0) if m == 1 else 1.0)
        before, q = np.zeros(z.shape), np.full(z.shape, sectoral)
        for n in range(m, order + 1):
            if n > m:
                ahead = (2 * n - 1) * z * q - np.sqrt((n - 1) ** 2 - m**2) * before
                before, q = q, ahead / np.sqrt(n**2 - m**2)
            out[n**2 + n - m] = q * power.imag
            out[n**2 + n + m] = q * power.real
    return np.moveaxis(out, 0, -1)
