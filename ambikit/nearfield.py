"""Sources at a distance: the bass of near waves, and the distance of loudspeakers."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray

_SPEED_OF_SOUND = 343.0
_TILE = 1 << 14
_STEEPEST = 30
"""Order above which the polynomials no longer have roots in double precision."""


def near_field(
    x: ArrayLike,
    sample_rate: float,
    *,
    distance: float = math.inf,
    reference: float,
    max_gain: float = 40.0,
    out: FloatArray | None = None,
) -> FloatArray:
    r"""Bring a source to a distance, or make up for the distance of loudspeakers.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals of plane waves (ACN, SN3D), float32 or float64, as of `encode`.
    sample_rate : float
        Samples a second.
    distance : float, optional
        Distance of the source in metres; infinite (a plane wave) by default.
    reference : float
        Distance of the loudspeakers in metres, whose own near field is taken out. It also keeps the
        filters finite: without it, the bass of near sources would grow without limit.
    max_gain : float, optional
        Largest gain in dB. In degrees that would exceed it the source is held farther away.
    out : ndarray, shape of `x`, optional
        Array to write to, of the dtype of `x`; it may be `x` itself.

    Returns
    -------
    ndarray, shape of `x`
        The signals for loudspeakers at `reference`; float32 stays float32. The loss of level with
        distance and the delay are not in it.

    Raises
    ------
    InputError
        If a distance is not positive, shapes do not fit, or `x` holds NaN or infinity.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    The wave of a point source at the distance d has, beside a plane wave, the factor
    :math:`i^{-(n + 1)} k d\, e^{i k d} h_n^{(2)}(k d)` in degree n, up to a sign; loudspeakers at R
    add theirs. What is left of both is

    .. math:: F_n(s) = \Big(\frac{R}{d}\Big)^n
              \frac{\theta_n(s d / c)}{\theta_n(s R / c)}, \qquad c = 343\ \text{m/s},

    with the reverse Bessel polynomials θ: a filter of n poles, all of them stable, with a gain of
    (R / d)ⁿ in the bass and 1 in the treble [1]_. For a plane wave it is a high-pass filter. It is
    made digital by the bilinear transform, whose error lies in the treble, where all is flat.

    References
    ----------
    .. [1] J. Daniel, "Spatial sound encoding including near field effect: introducing distance
           coding filters and a viable, new Ambisonic format", 23rd AES Conference, 2003.

    Examples
    --------
    A source at 0.5 m, for loudspeakers at 2 m: four times the velocity in the bass.

    >>> import numpy as np
    >>> import ambikit
    >>> x = ambikit.encode(np.ones(48000), 0.0)
    >>> ambikit.near_field(x, 48000, distance=0.5, reference=2.0)[:, -1].round(3) + 0.0
    array([1., 0., 0., 4.])
    """
    x, order = checks.ambisonic(x)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    radius = checks.positive(reference, "reference", "m")
    source = checks.positive_or_infinite(distance, "distance")
    limit = checks.finite(max_gain, "max_gain")
    checks.at_most_order(order, _STEEPEST, "near-field filters")
    out = checks.output(out, x.shape, x.dtype, x, in_place=True)
    if out is not x:
        out[..., 0, :] = x[..., 0, :]
    for degree in range(1, order + 1):
        held = max(source, radius * 10 ** (-max(limit, 0.0) / 20 / degree))
        channels = slice(degree**2, (degree + 1) ** 2)
        _filter(x[..., channels, :], sections(degree, held, radius, rate), out[..., channels, :])
    return out


@lru_cache(maxsize=64)
def sections(degree: int, distance: float, reference: float, rate: float) -> FloatArray:
    """Return the filter of a degree as second-order sections (S, 6)."""
    import scipy.signal

    roots = _bessel_roots(degree)
    poles = roots * _SPEED_OF_SOUND / reference
    zeros = 0 * roots if math.isinf(distance) else roots * _SPEED_OF_SOUND / distance
    # of s as it is in the analogue filter: the gain in the treble is 1
    z, p, k = scipy.signal.bilinear_zpk(zeros, poles, 1.0, rate)
    return np.asarray(scipy.signal.zpk2sos(z, p, float(k)))  # type: ignore[arg-type]


def _bessel_roots(degree: int) -> npt.NDArray[np.complex128]:
    """Return the roots of the reverse Bessel polynomial: sum of (n + i)! / ((n - i)! i! 2^i)."""
    f = math.factorial
    falling = [f(degree + i) / (f(degree - i) * f(i) * 2.0**i) for i in range(degree + 1)]
    return np.roots(falling).astype(np.complex128)


def _filter(x: FloatArray, sos: FloatArray, out: FloatArray) -> None:
    """Filter along time in double precision: poles this near to 1 leave little of a float32."""
    import scipy.signal

    state = np.zeros((len(sos), *x.shape[:-1], 2))
    for begin in range(0, x.shape[-1], _TILE):
        tile = slice(begin, begin + _TILE)
        wide = x[..., tile].astype(np.float64)
        out[..., tile], state = scipy.signal.sosfilt(sos, wide, zi=state)
    checks.stayed_finite(state)
