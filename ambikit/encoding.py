"""Encoding: sources at directions become Ambisonic signals."""

from __future__ import annotations

import numpy as np

from ambikit import _motion, _validate
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import angles_to_vector
from ambikit.harmonics import spherical_harmonics

_TILE = 16384


def encode(
    signal: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    order: int = 1,
    degrees: bool = False,
    out: FloatArray | None = None,
) -> FloatArray:
    """Encode a source at a direction, still or moving, as an Ambisonic plane wave.

    Parameters
    ----------
    signal : array_like, shape (..., samples)
        Sound of the source, float32 or float64.
    azimuth, elevation : float or array_like, shape (keys,)
        Direction in radians: azimuth counter-clockwise from the front, elevation up. One number
        each: the source stands still. Lists: keys of a motion, the first at the first sample, the
        last at the last sample, the others evenly between.
    order : int, optional
        Ambisonic order.
    degrees : bool, optional
        Take the angles in degrees.
    out : ndarray, shape (..., (order + 1)**2, samples), optional
        Array to write to, of the dtype of `signal`.

    Returns
    -------
    ndarray, shape (..., (order + 1)**2, samples)
        AmbiX signals (ACN, SN3D); float32 stays float32. At order 1:
        ``[1, sin az cos el, sin el, cos az cos el] * signal``.

    Raises
    ------
    InputError
        If angles are not finite, elevations lie beyond ±90°, or shapes do not fit.
    TypeError
        If `signal` is not real floating point.

    Notes
    -----
    Between keys the source runs along the great circle, the shorter way, at constant speed; across
    ±180° that is no special case. The way between exactly opposite keys is level and
    counter-clockwise. Gains change along straight lines between points at most 0.02 / order radians
    apart, so nothing clicks, and the wave stays within 5e-5 of its amplitude of the circle.

    NaN in `signal` stays in its sample.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> ambikit.encode([1.0, 2.0], 90, degrees=True).round(12)  # a source at the left
    array([[1., 2.],
           [1., 2.],
           [0., 0.],
           [0., 0.]])

    From the left over the back to the right, in one second:

    >>> x = ambikit.encode(np.ones(48000, np.float32), [90, 180, 270], degrees=True)
    >>> x[:, [0, -1]].round(3) + 0.0
    array([[ 1.,  1.],
           [ 1., -1.],
           [ 0.,  0.],
           [ 0.,  0.]], dtype=float32)
    """
    s = _validate.samples(signal, "signal")
    order = _validate.order(order)
    az, el = _validate.direction(azimuth, elevation, degrees=degrees)
    _validate.at_most_1d(az, "azimuth and elevation", "keys along time")
    out = _validate.output(out, (*s.shape[:-1], (order + 1) ** 2, s.shape[-1]), s.dtype)
    if az.size == 1:
        gains = spherical_harmonics(angles_to_vector(az, el).reshape(3), order).astype(s.dtype)
        for begin in range(0, s.shape[-1], _TILE):
            tile = slice(begin, begin + _TILE)
            np.multiply(s[..., None, tile], gains[:, None], out=out[..., tile])
    else:
        _encode_moving(s, angles_to_vector(az, el), order, out)
    return out


def _encode_moving(signal: FloatArray, keys: FloatArray, order: int, out: FloatArray) -> None:
    """Encode along direction keys (K, 3)."""
    samples = signal.shape[-1]
    points, position = _motion.control_points(
        keys, _motion.key_positions(len(keys), samples), samples, _motion.CHORD / max(order, 1)
    )
    gains = spherical_harmonics(points, order).astype(signal.dtype)
    lines = _motion.lines_between(position, samples)
    fill = _moving_compiled if out.size > _motion.KERNEL_PAYS else _moving_numpy
    fill(signal, lines, gains, out)


def _moving_numpy(
    signal: FloatArray, lines: _motion.Lines, gains: FloatArray, out: FloatArray
) -> None:
    """Fill out (..., C, n) with signal (..., n) times the gains (K, C) along the lines."""
    key, fraction = lines.per_sample(signal.dtype)
    here = gains[key].T
    np.multiply(signal[..., None, :], here + fraction * (gains[key + 1].T - here), out=out)


def _moving_compiled(
    signal: FloatArray, lines: _motion.Lines, gains: FloatArray, out: FloatArray
) -> None:
    """Do the same as `_moving_numpy` in a kernel."""
    from ambikit._kernels import encoding as kernels

    ramp = np.empty(lines.longest(), signal.dtype)
    target = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    kernels.moving(
        np.ascontiguousarray(signal).reshape(-1, signal.shape[-1]),
        *lines,
        np.ascontiguousarray(gains),
        ramp,
        target.reshape(-1, *out.shape[-2:]),
    )
    if target is not out:
        out[...] = target
