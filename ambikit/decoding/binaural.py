"""Decoding sound to two ears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ambikit import _motion, checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.decoding._convolution import convolve
from ambikit.decoding.filters import CUTOFF, binaural_filters
from ambikit.decoding.heads import HeadLike
from ambikit.rotation import key_matrices, rotate_along, sh_rotation_matrix

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

_SPAN = 1 << 16
"""Samples that are turned at once where the head moves."""


def decode_binaural(
    x: ArrayLike,
    sample_rate: float,
    *,
    head: HeadLike = "kemar",
    method: str = "magls",
    cutoff: float = CUTOFF,
    weighting: str | None = None,
    equalization: str | None = None,
    taps: int | None = None,
    yaw: ArrayLike = 0.0,
    pitch: ArrayLike = 0.0,
    roll: ArrayLike = 0.0,
    rotation: ArrayLike | Rotation | None = None,
    times: ArrayLike | None = None,
    degrees: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Decode Ambisonic signals to two ears.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D), ``channels == (order + 1)**2``, float32 or float64.
    sample_rate : float
        Samples a second.
    head, method, cutoff, weighting, equalization, taps
        How the filters are made: see `binaural_filters`.
    yaw, pitch, roll : float or array_like, shape (keys,), optional
        Where the listener looks, in radians: positive yaw turns the head to the left. Lists are
        keys along time, as for `rotate`.
    rotation : array_like, shape (3, 3) or (keys, 3, 3), or scipy Rotation, optional
        The rotation of the head, instead of angles.
    times : array_like, shape (keys,), optional
        Times of the keys in samples, rising.
    degrees : bool, optional
        Take the angles in degrees.
    out : ndarray, shape (..., 2, samples), optional
        Array to write to, of the dtype of `x`.

    Returns
    -------
    ndarray, shape (..., 2, samples)
        Left and right ear; float32 stays float32. The tail after the last sample is cut off.

    Raises
    ------
    InputError
        As `binaural_filters` and `rotate`; if shapes do not fit, or `x` holds NaN or infinity.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    binaural_filters : The filters, with sources.
    ambikit.streaming.Binauralizer : The same, block by block.

    Notes
    -----
    The sound field is turned against the head, then each channel goes through a filter for each ear
    (by overlap-save). A head at rest is turned in the filters, which costs nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=4800)
    >>> x = ambikit.encode(noise, 90, degrees=True)  # from the left
    >>> left, right = ambikit.decode_binaural(x, 48000)
    >>> bool((left**2).sum() > 4 * (right**2).sum())
    True
    >>> left, right = ambikit.decode_binaural(x, 48000, yaw=180, degrees=True)  # turned round
    >>> bool((right**2).sum() > 4 * (left**2).sum())
    True
    """
    x, order = checks.ambisonic(x)
    filters = binaural_filters(
        order,
        sample_rate,
        head=head,
        method=method,
        cutoff=cutoff,
        weighting=weighting,
        equalization=equalization,
        taps=taps,
    )
    keys = key_matrices(yaw, pitch, roll, rotation, degrees)
    position = None if times is None else checks.key_times(times, keys.size // 9)
    out = checks.output(out, (*x.shape[:-2], 2, x.shape[-1]), x.dtype, x)
    if keys.size == 9:
        filters = turned(filters, keys.reshape(3, 3))
        for index in np.ndindex(x.shape[:-2]):
            convolve(x[index], filters, out[index])
        return out
    if position is None:
        position = _motion.key_positions(len(keys), x.shape[-1])
    before = filters.shape[-1] - 1
    for index in np.ndindex(x.shape[:-2]):
        for begin in range(0, x.shape[-1], _SPAN):
            first = max(begin - before, 0)
            piece = x[index][:, first : begin + _SPAN]
            turned_piece = np.empty(piece.shape, x.dtype)
            rotate_along(piece, keys, position - first, order, turned_piece, inverse=True)
            convolve(turned_piece, filters, out[index][:, begin : begin + _SPAN], begin - first)
    return out


def turned(filters: FloatArray, rotation: FloatArray) -> FloatArray:
    """Return filters (2, channels, taps) for a head turned by a rotation (3, 3)."""
    order = math.isqrt(filters.shape[1]) - 1
    return np.asarray(np.einsum("ect,cd->edt", filters, sh_rotation_matrix(rotation.T, order)))
