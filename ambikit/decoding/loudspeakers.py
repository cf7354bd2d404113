"""Decoding sound to loudspeakers."""

from __future__ import annotations

import numpy as np

from ambikit import _mixing, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding._crossover import Crossover
from ambikit.decoding.layouts import Layout, Loudspeakers, layout_of
from ambikit.decoding.matrices import matrix_of, settings

LFE_CUTOFF = 120.0
"""Hz, and half the amplitude: what BS.2127 sends to low-frequency channels."""

LFE_GAIN = 0.5

_TILE = 16384


def decode(
    x: ArrayLike,
    loudspeakers: Loudspeakers,
    *,
    method: str = "allrad",
    weighting: str | None = None,
    dual_band: float | None = None,
    sample_rate: float | None = None,
    lfe: bool = False,
    gains: ArrayLike | None = None,
    degrees: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Decode Ambisonic signals to loudspeakers.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D), ``channels == (order + 1)**2``, float32 or float64.
    loudspeakers : str or array_like, shape (L, 2)
        A layout by name (see `loudspeaker_layout`), or azimuth and elevation of each loudspeaker in
        radians.
    method : {"allrad", "allrad+", "epad", "mode_matching", "sampling"}, optional
        How the matrix is made: see `decoder_matrix`.
    weighting : {None, "max_re", "in_phase"}, optional
        Weights of the degrees: see `decoder_matrix`.
    dual_band : float, optional
        Frequency in Hz, for example 800, below which the weights are none and above which they are
        `weighting`, by default max-rE; both bands have the same mean power. The crossover is a
        Linkwitz-Riley one of fourth order.
    sample_rate : float, optional
        Samples a second; needed for `dual_band` and `lfe`.
    lfe : bool, optional
        Add the layout's low-frequency channels, where BS.2051 has them, or one at the end: half of
        W below 120 Hz.
    gains : array_like, shape (L,), optional
        A factor for each channel of the result, low-frequency ones included: to align the levels of
        loudspeakers that differ or stand at other distances, to mute one (0), or to invert it (-1).
    degrees : bool, optional
        Take the angles of `loudspeakers` in degrees.
    out : ndarray, optional
        Array to write to, of the shape of the result and the dtype of `x`.

    Returns
    -------
    ndarray, shape (..., L, samples)
        One signal for each loudspeaker; float32 stays float32.

    Raises
    ------
    InputError
        As `decoder_matrix`; if shapes do not fit; if `sample_rate` is missing where it is needed.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    decoder_matrix : The methods, with their sources.
    ambikit.streaming.Decoder : The same, block by block.

    Notes
    -----
    ``gains[:, None] * decoder_matrix(loudspeakers, order, ...) @ x``: without gains the mean power
    of plane waves from all over the sphere is 1. NaN in `x` stays in its sample without `dual_band`
    and `lfe`, and is refused with them.

    References
    ----------
    .. [1] S. P. Lipshitz and J. Vanderkooy, "A family of linear-phase crossover networks of high
           slope derived by time delay", J. Audio Eng. Soc. 31 (1983), 2-20.
    .. [2] ITU-R BS.2127, "Audio Definition Model renderer for advanced sound systems", 2019.

    Examples
    --------
    A source at the left, on four loudspeakers at 45°, -45°, 135° and -135°:

    >>> import ambikit
    >>> x = ambikit.encode([1.0], 90, degrees=True)
    >>> ambikit.decode(x, "quad", weighting="in_phase").ravel().round(2) + 0.0
    array([0.71, 0.2 , 0.71, 0.2 ])
    """
    x, order = checks.ambisonic(x)
    layout = layout_of(loudspeakers, degrees=degrees)
    places, lows = speaker_rows(layout, lfe=lfe)
    rows = len(places) + len(lows)
    factors = checks.channel_gains(gains, rows)
    settings(method, weighting)
    if dual_band is None and not lows:
        matrix = factors[:, None] * matrix_of(layout, order, method, weighting)
        out = checks.output(out, (*x.shape[:-2], rows, x.shape[-1]), x.dtype, x)
        _mixing.mix(x, matrix, _mixing.one_block(*matrix.shape), out)
        return out
    matrices = bands(layout, order, method, weighting, dual_band is not None)
    low, high = ((factors[places, None] * matrix).astype(x.dtype) for matrix in matrices)
    sub_gains = (LFE_GAIN * factors[lows, None]).astype(x.dtype)
    crossovers = [
        checks.crossover(f, sample_rate, name)
        for f, name in ((dual_band, "dual_band"), (LFE_CUTOFF if lows else None, "lfe"))
        if f is not None
    ]
    out = checks.output(out, (*x.shape[:-2], rows, x.shape[-1]), x.dtype, x)
    for index in np.ndindex(x.shape[:-2]):
        signal, target = x[index], out[index]
        split = Crossover(*crossovers[0], len(signal)) if dual_band is not None else None
        sub = Crossover(*crossovers[-1], 1) if lows else None
        for begin in range(0, signal.shape[-1], _TILE):
            tile = np.require(signal[:, begin : begin + _TILE], requirements=["C", "A"])
            played = target[:, begin : begin + _TILE]
            two = np.empty((2, *tile.shape), x.dtype)
            if split is not None:
                split.process(tile, two)
                played[places] = low @ two[0] + high @ two[1]
            else:
                played[places] = high @ tile
            if sub is not None:
                sub.process(tile[:1], two[:, :1])
                played[lows] = sub_gains * two[0, 0]
    return out


def bands(
    layout: Layout, order: int, method: str, weighting: str | None, two: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the matrices of the lower and the upper band."""
    low = matrix_of(layout, order, method, None if two else weighting)
    return low, matrix_of(layout, order, method, weighting or "max_re") if two else low


def speaker_rows(layout: Layout, *, lfe: bool) -> tuple[list[int], list[int]]:
    """Return the rows of the output that are loudspeakers, and those of low-frequency channels."""
    lows = list(layout.lfe) if lfe else []
    rows = len(layout.vectors) + len(lows)
    return [row for row in range(rows) if row not in lows], lows
