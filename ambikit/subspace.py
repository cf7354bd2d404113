"""How many sources there are, and where: from the covariance of the channels alone."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, FloatArray
from ambikit.conventions import degrees_and_indices
from ambikit.directions import icosphere
from ambikit.harmonics import unit_harmonics
from ambikit.maps import Directions, directions_of, mean_products

_DIFFUSE = 0.95
"""Diffuseness of the covariance above which there is no source."""

_AXES = np.array([(1.0, 0, 0), (0, 1, 0), (0, 0, 1), (3, 2, 1), (-2, 3, 1), (1, -2, 3), (2, 1, -3)])
"""Directions along which sources are told apart: the one that does it best is taken."""


def count_sources(x: ArrayLike) -> int:
    r"""Estimate how many sources there are, from the eigenvalues of the covariance.

    Parameters
    ----------
    x : array_like, shape (channels, samples)
        One AmbiX signal of order N, 1 or more.

    Returns
    -------
    int
        1 to ``(N + 1)**2 - 3``, or 0 if the field is diffuse or silent. At first order it can only
        be told whether there is a source.

    Raises
    ------
    InputError
        If `x` is not one signal, or holds NaN or infinity.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    esprit : Directions of so many sources.

    Notes
    -----
    SORTE [1]_: with the eigenvalues λ of the covariance of Q channels in N3D, largest first, their
    differences :math:`\Delta_i = \lambda_i - \lambda_{i + 1}` and the variance
    :math:`\sigma_k^2` of those from k on, the number is the k from 1 to Q - 3 for which
    :math:`\sigma_{k + 1}^2 / \sigma_k^2` is least: the differences that belong to noise are
    alike. A diffuse field has equal eigenvalues: where the diffuseness of COMEDIE [2]_,
    :math:`1 - \sum |\lambda - \bar\lambda| / (2 (Q - 1) \bar\lambda)`, is above 0.95 there is no
    source.

    Sources are those whose sounds differ: an echo within the same signal is none, and adds to the
    rank only as far as its delay makes it unlike the direct sound.

    References
    ----------
    .. [1] Z. He, A. Cichocki, S. Xie and K. Choi, "Detecting the number of clusters in n-way
           probabilistic clustering", IEEE Transactions on Pattern Analysis and Machine Intelligence
           32 (2010), 2006-2021.
    .. [2] N. Epain and C. T. Jin, "Spherical harmonic signal covariance and sound field
           diffuseness", IEEE/ACM Transactions on Audio, Speech, and Language Processing 24 (2016),
           1796-1807.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=(3, 8000))
    >>> x = sum(ambikit.encode(s, a, order=2) for s, a in zip(noise, [0, 2, 4]))
    >>> x += 0.1 * np.random.default_rng(1).normal(size=x.shape)
    >>> ambikit.count_sources(x)
    3
    """
    return _sorte(_eigenvalues(_covariance(x)[0]))


def esprit(x: ArrayLike, n_sources: int | None = None, *, degrees: bool = False) -> Directions:
    r"""Estimate the directions of sources without a search: ESPRIT on spherical harmonics.

    Parameters
    ----------
    x : array_like, shape (channels, samples)
        One AmbiX signal of order N, 1 or more.
    n_sources : int, optional
        Number of sources, at most N²; by default that of `count_sources`, at most N².
    degrees : bool, optional
        Return the angles in degrees.

    Returns
    -------
    Directions
        Strongest first; `weight` is the mean power of each source. Two sources that cannot be told
        apart come back as two close directions.

    Raises
    ------
    InputError
        If `x` is not one signal, holds NaN or infinity, or sources are more than N².
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    localize : Maps and their peaks; for sources that overlap little in time and frequency it needs
        first-order channels alone.

    Notes
    -----
    A harmonic of degree below N times a coordinate of the direction is a sum of harmonics to degree
    N. With the matrices :math:`A_u` of these sums, the signal subspace
    :math:`U = Y T` of the covariance (in N3D) and its rows :math:`U'` of degrees below N,

    .. math:: A_u U = U'\, \Psi_u, \qquad \Psi_u = T^{-1} \mathrm{diag}(u_1, ..., u_K)\, T,
              \qquad u \in \{x, y, z\},

    so that the three matrices have the same eigenvectors, and their eigenvalues are the vectors of
    the directions. This is the method of [1]_ in Cartesian coordinates: it has neither an ambiguity
    nor a singularity at the poles, and stays real. Sounds must not be copies of each other.

    References
    ----------
    .. [1] B. Jo and J.-W. Choi, "Parametric direction-of-arrival estimation with three recurrence
           relations of spherical harmonics", J. Acoust. Soc. Am. 145 (2019), 480-488.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=(2, 8000))
    >>> x = ambikit.encode(2 * noise[0], 20, order=2, degrees=True)
    >>> x += ambikit.encode(noise[1], -100, 45, order=2, degrees=True)
    >>> found = ambikit.esprit(x, 2, degrees=True)
    >>> found.azimuth.round(6), found.elevation.round(6) + 0.0
    (array([  20., -100.]), array([ 0., 45.]))
    """
    covariance, order, gain = _covariance(x)
    if n_sources is None:
        count = min(_sorte(_eigenvalues(covariance)), order**2)
    else:
        count = checks.sources_of_order(n_sources, order)
    _, vectors = np.linalg.eigh(covariance)
    space = vectors[:, len(covariance) - count :]
    low = np.linalg.pinv(space[: order**2])
    turned = np.stack([low @ (matrix @ space) for matrix in _coordinates(order)])
    found = _common_eigenvalues(turned)
    size = np.linalg.norm(found, axis=-1, keepdims=True)
    # sources that merge may leave no direction at all
    units = np.where(size > 1e-9, found / np.maximum(size, 1e-9), [1.0, 0.0, 0.0])
    back = np.linalg.pinv(_n3d(units, order))
    power = np.maximum(np.einsum("ck,cd,dk->k", back, covariance, back), 0.0) / gain / gain
    strongest = np.argsort(-power, kind="stable")
    return directions_of(units[strongest], power[strongest], degrees=degrees)


def _covariance(x: ArrayLike) -> tuple[FloatArray, int, float]:
    """Return the covariance of a signal in N3D, its order, and the gain it was scaled by."""
    signal, order = checks.one_signal(x)
    gain = gain_for(signal)
    degree, _ = degrees_and_indices(order)
    norm = np.sqrt(2.0 * degree + 1.0)
    products = mean_products(scaled(signal, gain).astype(np.float64, copy=False))
    return products * norm * norm[:, None], order, gain


def _eigenvalues(covariance: FloatArray) -> FloatArray:
    """Return the eigenvalues, largest first."""
    return np.asarray(np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0.0))


def _sorte(values: FloatArray) -> int:
    """Return the number of sources of eigenvalues, largest first."""
    mean = values.mean()
    if mean <= 0:
        return 0
    if 1 - np.abs(values - mean).sum() / (2 * (len(values) - 1) * mean) > _DIFFUSE:
        return 0
    gaps = values[:-1] - values[1:]
    # below rounding all variances are none
    gaps = np.where(gaps > 1e-12 * values[0], gaps, 0.0)
    # the variance of the last difference alone is 0, and would always be the least
    spread = np.array([gaps[k:].var() for k in range(len(gaps) - 1)])
    before, after = spread[:-1], spread[1:]
    ratio = np.divide(after, before, out=np.full(len(before), np.inf), where=before > 0)
    return int(ratio.argmin()) + 1


def _n3d(units: FloatArray, order: int) -> FloatArray:
    """Return harmonics (K, channels) of mean square 1."""
    degree, _ = degrees_and_indices(order)
    return np.asarray(unit_harmonics(units, order) * np.sqrt(2.0 * degree + 1.0))


@lru_cache
def _coordinates(order: int) -> FloatArray:
    """Return the matrices (3, N², (N + 1)²) that times harmonics give x, y, z times the lower ones.

    The products are polynomials of degree N, so that they are fitted without error.
    """
    points = icosphere(max(2, math.ceil(math.log2(order + 1))))
    harmonics = _n3d(points, order)
    low = harmonics[:, : order**2]
    inverse = np.linalg.pinv(harmonics)
    return np.asarray([(inverse @ (u[:, None] * low)).T for u in points.T])


def _common_eigenvalues(matrices: FloatArray) -> FloatArray:
    """Return the eigenvalues (K, 3) of three matrices (3, K, K) of the same eigenvectors.

    The vectors are those of the mixture of the three that makes all of them the most diagonal: on
    an axis along which two sources have the same coordinate, their vectors are open.
    """
    count = matrices.shape[1]
    best, least = np.zeros((count, 3)), np.inf
    for axis in _AXES:
        _, vectors = np.linalg.eig(np.tensordot(axis / np.linalg.norm(axis), matrices, 1))
        turned = np.linalg.pinv(vectors) @ matrices @ vectors
        values = np.einsum("ukk->ku", turned)
        beside = np.abs(turned - values.T[..., None] * np.eye(count)).max(initial=0.0)
        if beside < least:
            best, least = values.real, beside
    return np.asarray(best)
