"""Filters from Ambisonic channels to ears."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypedDict

import numpy as np

from ambikit import checks
from ambikit._typing import ComplexArray, FloatArray
from ambikit.beamforming import degree_gains
from ambikit.conventions import degrees_and_indices
from ambikit.decoding.heads import NAMES, Head, HeadLike, head_of
from ambikit.harmonics import unit_harmonics

METHODS = ("magls", "ls")
EQUALIZATIONS = ("diffuse_field", "truncation", "covariance")

CUTOFF = 1500.0
"""Frequency in Hz above which MagLS ignores the phase."""

_ITERATIONS = 2


class FilterOptions(TypedDict, total=False):
    """Keywords of `binaural_filters` besides the head."""

    method: str
    cutoff: float
    weighting: str | None
    equalization: str | None
    taps: int | None


def binaural_filters(
    order: int,
    sample_rate: float,
    *,
    head: HeadLike = "kemar",
    method: str = "magls",
    cutoff: float = CUTOFF,
    weighting: str | None = None,
    equalization: str | None = None,
    taps: int | None = None,
) -> FloatArray:
    r"""Return the filters that decode Ambisonic signals to two ears.

    Parameters
    ----------
    order : int
        Ambisonic order N.
    sample_rate : float
        Samples a second.
    head : str, path or tuple, optional
        - ``"kemar"``: the dummy head of MIT [1]_, equalised to a flat diffuse field;
        - ``"sphere"``: a rigid sphere of 8.75 cm; see `sphere_head` for others;
        - a SOFA file of the convention SimpleFreeFieldHRIR (needs ``pip install "ambikit[sofa]"``);
        - (azimuth, elevation, responses (M, 2, taps)): angles in radians, responses at
          `sample_rate`, left ear first.
    method : {"magls", "ls"}, optional
        Least squares, or magnitude least squares [2]_: as least squares below `cutoff`, and above
        it the magnitudes alone, where low orders cannot have both.
    cutoff : float, optional
        Hz.
    weighting : {None, "max_re"}, optional
        Weights of the degrees; the power of the diffuse field is kept.
    equalization : {None, "diffuse_field", "truncation", "covariance"}, optional
        - ``"diffuse_field"``: the head's mean power over all directions is made flat first;
        - ``"truncation"``: the filters' mean power over all directions is made the head's;
        - ``"covariance"``: and also the coherence of the ears in a diffuse field [3]_, at the price
          of errors in level.
    taps : int, optional
        Length of the filters; by default that of the head's responses.

    Returns
    -------
    ndarray, shape (2, channels, taps)
        ``y[ear] = sum(filters[ear, c] * x[c])``, convolved, for AmbiX signals x (ACN, SN3D); left
        ear first. Sound is as late as in the head's responses. float64.

    Raises
    ------
    InputError
        If a name is unknown, the head's directions do not carry the order, sound from the left is
        louder at its right ear, or a SOFA file is of another convention or lacks fields.
    MissingPackage
        If a SOFA file is given and sofar is not installed.

    See Also
    --------
    decode_binaural : From signals to signals.
    ambikit.streaming.Binauralizer : The same, block by block.

    Notes
    -----
    With the harmonics Y (M, channels) of the head's directions, the areas Ω that these stand for,
    and its responses H at a frequency k, common delay removed,

    .. math:: W_k = (Y^T \Omega Y)^{-1} Y^T \Omega H_k, \qquad
              H_k \to |H_k|\, e^{i \angle (Y W_{k - 1})} \quad \text{above the cutoff.}

    References
    ----------
    .. [1] B. Gardner and K. Martin, "HRTF measurements of a KEMAR dummy-head microphone", MIT Media
           Lab Perceptual Computing Technical Report 280, 1994.
    .. [2] C. Schörkhuber, M. Zaunschirm and R. Höldrich, "Binaural rendering of Ambisonic signals
           via magnitude least squares", DAGA 2018.
    .. [3] M. Zaunschirm, C. Schörkhuber and R. Höldrich, "Binaural rendering of Ambisonic signals
           by head-related impulse response time alignment and a diffuseness constraint",
           J. Acoust. Soc. Am. 143 (2018), 3616-3627.

    Examples
    --------
    >>> import ambikit
    >>> filters = ambikit.binaural_filters(1, 48000, head="sphere")
    >>> filters.shape
    (2, 4, 256)
    >>> left, right = ambikit.steering_vector(90, degrees=True) @ filters  # from the left
    >>> bool((left**2).sum() > 5 * (right**2).sum())
    True
    """
    order = checks.order(order)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    checks.choice(method, METHODS, "method")
    if weighting is not None:
        checks.choice(weighting, ("max_re",), "weighting")
    if equalization is not None:
        checks.choice(equalization, EQUALIZATIONS, "equalization")
    cutoff = checks.positive(cutoff, "cutoff", "Hz")
    if taps is not None:
        taps = checks.at_least(taps, 16, "taps")
    settings = (order, rate, method, cutoff, weighting, equalization, taps)
    if isinstance(head, str) and head in NAMES:
        return _designed(head, *settings).copy()
    return _design(head_of(head, rate), *settings)


@lru_cache(maxsize=16)
def _designed(
    name: str,
    order: int,
    rate: float,
    method: str,
    cutoff: float,
    weighting: str | None,
    equalization: str | None,
    taps: int | None,
) -> FloatArray:
    """Design the filters of a head that is known by name, once."""
    head = head_of(name, rate)
    return _design(head, order, rate, method, cutoff, weighting, equalization, taps)


def _design(
    head: Head,
    order: int,
    rate: float,
    method: str,
    cutoff: float,
    weighting: str | None,
    equalization: str | None,
    taps: int | None,
) -> FloatArray:
    """Return filters (2, channels, taps)."""
    size = head.responses.shape[-1]
    taps = taps or size
    # even, so that there is a bin at half the sample rate
    length = max(size, taps) + max(size, taps) % 2
    degree, _ = degrees_and_indices(order)
    harmonics = unit_harmonics(head.vectors, order) * np.sqrt(2.0 * degree + 1.0)
    solve = _solver(harmonics, head, order)
    wanted = np.fft.rfft(head.responses, length).transpose(2, 0, 1)
    lag = _common_delay(head.responses)
    advance = np.exp(2j * np.pi * np.arange(len(wanted)) / length * lag)
    wanted *= advance[:, None, None]
    if equalization == "diffuse_field":
        wanted *= _flattening(wanted, head.weights)[:, None, None]
    filters = solve @ wanted
    if method == "magls":
        first = int(np.ceil(cutoff * length / rate))
        filters = _magnitudes(filters, wanted, harmonics, solve, max(first, 1))
    if weighting == "max_re":
        gains = degree_gains("max_re", order) / (2 * np.arange(order + 1) + 1)
        before = (np.abs(filters) ** 2).sum(axis=1, keepdims=True)
        filters *= gains[degree][:, None]
        filters *= np.sqrt(before / (np.abs(filters) ** 2).sum(axis=1, keepdims=True))
    if equalization in ("truncation", "covariance"):
        filters = _equalized(filters, wanted, head.weights, equalization)
    filters /= advance[:, None, None]
    result = np.fft.irfft(filters.transpose(2, 1, 0), length)
    result *= np.sqrt(2.0 * degree + 1.0)[:, None]
    return np.ascontiguousarray(_fitted(result, taps))


def _solver(harmonics: FloatArray, head: Head, order: int) -> FloatArray:
    """Return the matrix (channels, M) of weighted least squares."""
    weighted = harmonics.T * _integrating(head, order)
    gram = weighted @ harmonics
    checks.enough_directions(len(harmonics), order, float(np.linalg.cond(gram)))
    return np.asarray(np.linalg.solve(gram, weighted))


def _integrating(head: Head, order: int) -> FloatArray:
    """Return equal weights (M,) or areas, whichever integrate harmonics better.

    Designs are made for equal weights, other grids need the areas.
    """
    order = max(order, min(order + 4, math.isqrt(len(head.vectors)) // 2))
    degree, _ = degrees_and_indices(order)
    harmonics = unit_harmonics(head.vectors, order) * np.sqrt(2.0 * degree + 1.0)
    equal = np.full_like(head.weights, 1.0 / len(head.weights))
    return min(
        (equal, head.weights),
        key=lambda w: float(np.abs((harmonics.T * w) @ harmonics - np.eye(len(degree))).max()),
    )


def _common_delay(responses: FloatArray) -> int:
    """Return the samples before sound arrives at the middle of the head."""
    size = np.abs(responses)
    onset = (size > 0.2 * size.max(axis=-1, keepdims=True)).argmax(axis=-1)
    return round(float(onset.mean()))


def _magnitudes(
    filters: ComplexArray,
    wanted: ComplexArray,
    harmonics: FloatArray,
    solve: FloatArray,
    first: int,
) -> ComplexArray:
    """Return filters whose magnitudes are fitted from the bin `first` on.

    Each bin takes the phase of the one below, and then once more that of the solution.
    """
    size = np.abs(wanted)
    for k in range(first, len(filters)):
        played = harmonics @ filters[k - 1]
        for _ in range(_ITERATIONS):
            filters[k] = solve @ (size[k] * played / np.maximum(np.abs(played), 1e-30))
            played = harmonics @ filters[k]
    filters[-1] = filters[-1].real
    return filters


def _flattening(wanted: ComplexArray, weights: FloatArray) -> ComplexArray:
    """Return the spectrum (F,) of minimum phase that makes the diffuse field flat."""
    power = np.einsum("m,fme->f", weights / 2, np.abs(wanted) ** 2)
    floor = 1e-3 * power.max()
    magnitude = 1.0 / np.sqrt(np.maximum(power, floor))
    bins = len(magnitude) - 1
    cepstrum = np.fft.irfft(np.log(magnitude))
    cepstrum[1:bins] *= 2
    cepstrum[bins + 1 :] = 0
    return np.exp(np.fft.rfft(cepstrum))


def _equalized(
    filters: ComplexArray, wanted: ComplexArray, weights: FloatArray, kind: str
) -> ComplexArray:
    """Return filters (F, C, 2) with the power or covariance of the head in a diffuse field."""
    reference = np.einsum("m,fmi,fmj->fij", weights, wanted.conj(), wanted)
    got = np.einsum("fci,fcj->fij", filters.conj(), filters)
    if kind == "truncation":
        gain = np.sqrt(
            np.einsum("fii->f", reference).real / np.maximum(np.einsum("fii->f", got).real, 1e-30)
        )
        return np.asarray(filters * gain[:, None, None])
    loading = 1e-9 * np.einsum("fii->f", reference).real[:, None, None] * np.eye(2) + 1e-30
    aim = np.linalg.cholesky(reference + loading)
    have = np.linalg.cholesky(got + loading)
    left, _, right = np.linalg.svd(have.conj().swapaxes(-1, -2) @ aim)
    # filters @ M has the covariance aim aim^H and is as close to the filters as can be
    mixing = np.linalg.inv(have.conj().swapaxes(-1, -2)) @ left @ right
    return np.asarray(filters @ mixing @ aim.conj().swapaxes(-1, -2))


def _fitted(filters: FloatArray, taps: int) -> FloatArray:
    """Return filters of so many taps, faded out where they are cut short."""
    surplus = filters.shape[-1] - taps
    filters = filters[..., :taps].copy()
    if surplus > 1:
        fade = max(taps // 16, 1)
        filters[..., -fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return filters
