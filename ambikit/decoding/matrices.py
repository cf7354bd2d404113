"""Decoder matrices: what each loudspeaker plays of each Ambisonic channel."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre

from ambikit import checks
from ambikit._typing import FloatArray
from ambikit.beamforming import degree_gains
from ambikit.conventions import degrees_and_indices
from ambikit.decoding._circle import ring_of
from ambikit.decoding._hull import hull_of
from ambikit.decoding.layouts import Layout, Loudspeakers, layout_of
from ambikit.directions import fibonacci_sphere
from ambikit.harmonics import unit_harmonics

_RANK = 1e-3
"""Singular values below this share of the largest are those of a layout without full rank."""

_UNEVEN = 20.0
"""Spread of the energy over the sphere, in dB, beyond which mode matching is warned of."""


def decoder_matrix(
    loudspeakers: Loudspeakers,
    order: int,
    *,
    method: str = "allrad",
    weighting: str | None = None,
    degrees: bool = False,
) -> FloatArray:
    r"""Return the matrix that decodes Ambisonic signals to loudspeakers.

    Parameters
    ----------
    loudspeakers : str or array_like, shape (L, 2)
        A layout by name (see `loudspeaker_layout`), or azimuth and elevation of each loudspeaker in
        radians. Where all stand at the height of the ears, the decoder is a two-dimensional one: it
        uses the 2 N + 1 channels of horizontal sound, and those of height are not heard.
    order : int
        Ambisonic order N of the signals.
    method : {"allrad", "allrad+", "epad", "mode_matching", "sampling"}, optional
        - ``"allrad"``: to all directions alike, and from there by vector-base amplitude panning;
          for any layout, and the default [1]_;
        - ``"allrad+"``: two parts of it and one of sampling, which is softer between loudspeakers
          and in gaps [2]_;
        - ``"epad"``: the same energy from every direction [3]_; where the layout leaves some
          channels without effect, these are left out;
        - ``"mode_matching"``: exact in the middle of even layouts; the pseudo-inverse;
        - ``"sampling"``: the steering vectors themselves, for even layouts.
    weighting : {None, "max_re", "in_phase"}, optional
        Weights of the degrees: none (the sharpest amplitude in the middle), the longest energy
        vector, or no loudspeaker in opposite phase (for large audiences).
    degrees : bool, optional
        Take the angles of `loudspeakers` in degrees.

    Returns
    -------
    ndarray, shape (L, (order + 1)**2)
        ``matrix @ x`` are the signals of the loudspeakers for AmbiX signals x (ACN, SN3D). float64.
        The mean power of plane waves from all over the sphere is 1 (0 dB).

    Raises
    ------
    InputError
        If a name is unknown, loudspeakers coincide, lie in a plane other than the horizontal one,
        or are fewer than mode matching or EPAD need.

    Warns
    -----
    UserWarning
        If mode matching on this layout makes some directions more than 20 dB louder than others.

    See Also
    --------
    decode : From signals to signals, also with two bands and low-frequency channels.
    decoder_quality : Energy and energy vector of a decoder over the sphere.

    Notes
    -----
    With orthonormal harmonics Y (L, channels) of the loudspeakers, the matrices are, up to the
    factor that makes the mean power 1, Y for sampling, the pseudo-inverse of :math:`Y^T`, and U Vᵀ
    of the singular value decomposition of Y for EPAD. AllRAD is the integral of panning gains times
    harmonics over the sphere, :math:`\int g(d)\, Y(d)^T dd`; it is evaluated facet by facet of the
    hull, where the gains are smooth, and is exact but for rounding. See `vbap_gains` for imaginary
    loudspeakers and facets of four corners. max-rE weights are :math:`P_n(r)`, r the largest root
    of :math:`P_{N + 1}`, and in-phase ones
    :math:`N!\,(N + 1)! / ((N + n + 1)!\,(N - n)!)`; in two dimensions :math:`\cos(n \pi / (2 N +
    2))` and :math:`N!^2 / ((N + n)!\,(N - n)!)`.

    A horizontal layout plays horizontal sound louder than the mean over the sphere, since sound
    from above reaches it in W alone: by 1.1 dB at order 1.

    References
    ----------
    .. [1] F. Zotter and M. Frank, "All-round Ambisonic panning and decoding", J. Audio Eng. Soc. 60
           (2012), 807-820.
    .. [2] F. Zotter, M. Frank and H. Pomberger, "Comparison of energy-preserving and all-round
           Ambisonic decoders", AIA-DAGA 2013.
    .. [3] F. Zotter, H. Pomberger and M. Noisternig, "Energy-preserving Ambisonic decoding", Acta
           Acustica united with Acustica 98 (2012), 37-47.
    .. [4] J. Daniel, "Représentation de champs acoustiques, application à la transmission et à la
           reproduction de scènes sonores complexes dans un contexte multimédia", thesis, Université
           Paris 6, 2000, for the weights.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> matrix = ambikit.decoder_matrix("quad", 1, method="sampling", weighting="max_re")
    >>> (matrix / matrix[0, 0]).round(3) + 0.0  # W, Y, Z, X
    array([[ 1.,  1.,  0.,  1.],
           [ 1., -1.,  0.,  1.],
           [ 1.,  1.,  0., -1.],
           [ 1., -1.,  0., -1.]])
    """
    layout = layout_of(loudspeakers, degrees=degrees)
    order = checks.order(order)
    settings(method, weighting)
    return matrix_of(layout, order, method, weighting)


def settings(method: str, weighting: str | None) -> None:
    """Refuse methods and weightings that there are not."""
    checks.choice(method, tuple(_METHODS), "method")
    if weighting is not None:
        checks.choice(weighting, ("max_re", "in_phase"), "weighting")


def matrix_of(layout: Layout, order: int, method: str, weighting: str | None) -> FloatArray:
    """Do the same for checked arguments."""
    matrix = _kept(layout.vectors.tobytes(), layout.planar, order, method, weighting)
    if method == "mode_matching":
        _warn_of_unevenness(matrix, order, planar=layout.planar)
    return matrix.copy()


@lru_cache(maxsize=32)
def _kept(
    vectors: bytes, planar: bool, order: int, method: str, weighting: str | None
) -> FloatArray:
    """Make a matrix once: AllRAD takes as long as a minute of sound takes to be decoded."""
    make = _planar if planar else _spatial
    matrix = make(np.frombuffer(vectors).reshape(-1, 3), order, method, weighting)
    degree, _ = degrees_and_indices(order)
    power = (matrix**2 / (2.0 * degree + 1.0)).sum()
    return np.asarray(matrix / np.sqrt(power))


def _spatial(vectors: FloatArray, order: int, method: str, weighting: str | None) -> FloatArray:
    """Return a decoder of space for SN3D signals, up to a factor."""
    degree, _ = degrees_and_indices(order)
    norm = np.sqrt(2.0 * degree + 1.0)
    if method in ("mode_matching", "epad"):
        checks.enough_loudspeakers(len(vectors), len(degree), method, order)
    checks.spans_space(vectors)
    harmonics = norm * unit_harmonics(vectors, order)
    matrix = _METHODS[method](harmonics, lambda: norm * _allrad(vectors, order))
    return np.asarray(matrix * norm * _weights(order, weighting)[degree])


def _planar(vectors: FloatArray, order: int, method: str, weighting: str | None) -> FloatArray:
    """Return a decoder of horizontal sound for SN3D signals, up to a factor."""
    azimuth = np.arctan2(vectors[:, 1], vectors[:, 0])
    if method in ("mode_matching", "epad"):
        checks.enough_loudspeakers(len(vectors), 2 * order + 1, method, order)
    circular = _METHODS[method](_circular(azimuth, order), lambda: _allrad_ring(azimuth, order))
    weights = _circular_weights(order, weighting)
    matrix = np.zeros((len(vectors), (order + 1) ** 2))
    matrix[:, 0] = circular[:, 0]
    for n in range(1, order + 1):
        # the two horizontal harmonics of degree n have this height in SN3D
        height = unit_harmonics(np.array([1.0, 0.0, 0.0]), n)[-1]
        matrix[:, n**2] = circular[:, 2 * n - 1] * weights[n] * np.sqrt(2.0) / height
        matrix[:, (n + 1) ** 2 - 1] = circular[:, 2 * n] * weights[n] * np.sqrt(2.0) / height
    return matrix


def _sampling(harmonics: FloatArray, allrad: Callable[[], FloatArray]) -> FloatArray:
    """Return the harmonics, as if the layout were even."""
    return harmonics / len(harmonics)


def _mode_matching(harmonics: FloatArray, allrad: Callable[[], FloatArray]) -> FloatArray:
    """Return the decoder whose signals, encoded again, are the channels."""
    return np.asarray(np.linalg.pinv(harmonics.T, rcond=_RANK))


def _epad(harmonics: FloatArray, allrad: Callable[[], FloatArray]) -> FloatArray:
    """Return the decoder nearest to sampling that keeps the energy of all that it can play."""
    left, size, right = np.linalg.svd(harmonics, full_matrices=False)
    kept = size > _RANK * size[0]
    return np.asarray(left[:, kept] @ right[kept])


def _allrad_plus(harmonics: FloatArray, allrad: Callable[[], FloatArray]) -> FloatArray:
    """Return two parts of AllRAD and one of sampling."""
    return 2.0 * allrad() + _sampling(harmonics, allrad)


_METHODS: dict[str, Callable[[FloatArray, Callable[[], FloatArray]], FloatArray]] = {
    "allrad": lambda harmonics, allrad: allrad(),
    "allrad+": _allrad_plus,
    "epad": _epad,
    "mode_matching": _mode_matching,
    "sampling": _sampling,
}


def _allrad(vectors: FloatArray, order: int) -> FloatArray:
    """Return the mean over the sphere of panning gains (L,) times SN3D harmonics (channels,)."""
    hull = hull_of(vectors)
    weights, area = _triangle_rule(order // 2 + 10)
    gains = weights / np.linalg.norm(weights, axis=-1, keepdims=True)
    total = np.zeros((len(hull.corners), (order + 1) ** 2))
    for facet in hull.facets:
        for triangle in facet.fans.reshape(-1, 3):
            corners = hull.corners[triangle]
            points = weights @ corners
            distance = np.linalg.norm(points, axis=-1)
            angle = area * abs(np.linalg.det(corners)) / distance**3 / len(facet.fans)
            harmonics = unit_harmonics(points / distance[:, None], order)
            total[triangle] += (gains * angle[:, None]).T @ harmonics
    return np.asarray(hull.shares.T @ total) / (4.0 * np.pi)


def _triangle_rule(points: int) -> tuple[FloatArray, FloatArray]:
    """Return barycentric points (P, 3) of a triangle, and their areas where its whole is 1 / 2.

    The triangle is cut into sixteen: large facets come close to the middle of the sphere.
    """
    node, weight = legendre.leggauss(points)
    u, v = np.meshgrid((node + 1) / 2, (node + 1) / 2, indexing="ij")
    rule = np.stack([1 - u, u * (1 - v), u * v], axis=-1).reshape(-1, 3)
    area = (np.outer(weight, weight) / 4 * u).ravel()
    parts = np.eye(3)[None]
    for _ in range(2):
        middle = (parts + np.roll(parts, -1, axis=1)) / 2
        outer = [np.stack([parts[:, i], middle[:, i], middle[:, i - 1]], 1) for i in range(3)]
        parts = np.concatenate([*outer, middle])
    return (rule @ parts).reshape(-1, 3), np.tile(area / len(parts), len(parts))


def _allrad_ring(azimuth: FloatArray, order: int) -> FloatArray:
    """Return the mean over the circle of panning gains (L,) times circular harmonics."""
    ring = ring_of(azimuth)
    node, weight = legendre.leggauss(order + 12)
    begin, width = ring.pairs()
    arc = np.repeat(np.arange(len(begin)), len(node))
    passed = width[:, None] * (node + 1) / 2
    gains = ring.between(arc, passed.ravel(), width[arc])
    share = (width[:, None] * weight / (4 * np.pi)).ravel()
    harmonics = _circular((begin[:, None] + passed).ravel(), order)
    return np.asarray((gains * share[:, None]).T @ harmonics)


def _circular(azimuth: FloatArray, order: int) -> FloatArray:
    """Return circular harmonics (P, 2 N + 1) of mean square 1: 1, then sine and cosine pairs."""
    angle = azimuth[:, None] * np.arange(1, order + 1)
    waves = np.sqrt(2.0) * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    return np.concatenate([np.ones((len(azimuth), 1)), waves.reshape(len(azimuth), -1)], axis=1)


def _weights(order: int, weighting: str | None) -> FloatArray:
    """Return a weight for each degree (order + 1,)."""
    n = np.arange(order + 1)
    if weighting == "max_re":
        return degree_gains("max_re", order) / (2 * n + 1)
    if weighting == "in_phase":
        return degree_gains("cardioid", order) / (2 * n + 1)
    return np.ones(order + 1)


def _circular_weights(order: int, weighting: str | None) -> FloatArray:
    """Return a weight for each degree (order + 1,) of horizontal sound."""
    n = range(order + 1)
    if weighting == "max_re":
        return np.array([math.cos(k * math.pi / (2 * order + 2)) for k in n])
    if weighting == "in_phase":
        f = math.factorial
        return np.array([f(order) ** 2 / (f(order + k) * f(order - k)) for k in n])
    return np.ones(order + 1)


def _warn_of_unevenness(matrix: FloatArray, order: int, *, planar: bool) -> None:
    """Warn of decoders that make some directions much louder than others."""
    grid = fibonacci_sphere(1000)
    if planar:
        angle = np.arange(0.0, 2 * np.pi, np.pi / 180)
        grid = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1)
    energy = ((unit_harmonics(grid, order) @ matrix.T) ** 2).sum(axis=-1)
    spread = 10 * np.log10(energy.max() / max(energy.min(), 1e-30))
    if spread > _UNEVEN:
        warnings.warn(
            f"mode matching at order {order} on this layout makes some directions {spread:.0f} dB "
            "louder than others: take a lower order, or method 'epad' or 'allrad'",
            stacklevel=4,
        )
