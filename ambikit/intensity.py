"""Active intensity and diffuseness of a sound field."""

from __future__ import annotations

import math

import numpy as np

from ambikit import _motion, checks
from ambikit._typing import ArrayLike, FloatArray

TILE = 256
"""Samples whose averages a kernel holds at a time."""

_XYZ = (3, 1, 2)
"""ACN channels of the axes x, y, z."""


def intensity(x: ArrayLike) -> FloatArray:
    """Return the instantaneous active intensity, pointing towards the source.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D) of order 1 or more, float32 or float64; channels above the fourth
        are not used.

    Returns
    -------
    ndarray, shape (..., 3, samples)
        ``W * (X, Y, Z)``, along x front, y left, z up; float32 stays float32.

    Raises
    ------
    InputError
        If `x` is not (..., channels, samples) of order 1 or more.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    Physical intensity points the other way, along the flow of energy, and carries the factor
    1 / (ρc); neither matters for directions [1]_. NaN in `x` stays in its sample.

    References
    ----------
    .. [1] J. Merimaa, "Analysis, synthesis, and perception of spatial sound", thesis, Helsinki
           University of Technology, 2006.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.intensity(ambikit.encode([2.0], 90, degrees=True)).ravel().round(12)  # the left
    array([0., 4., 0.])
    """
    x, _ = checks.ambisonic(x, min_order=1)
    out = np.empty((*x.shape[:-2], 3, x.shape[-1]), x.dtype)
    for axis, channel in enumerate(_XYZ):
        np.multiply(x[..., 0, :], x[..., channel, :], out=out[..., axis, :])
    return out


def normalized_intensity(
    x: ArrayLike, sample_rate: float, *, time_constant: float = 0.05
) -> FloatArray:
    r"""Return the active intensity over the energy density, both averaged along time.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D) of order 1 or more, float32 or float64; channels above the fourth
        are not used.
    sample_rate : float
        Samples a second.
    time_constant : float, optional
        Time constant of the one-pole averages, in seconds.

    Returns
    -------
    ndarray, shape (..., 3, samples)
        Vectors towards the source, along x front, y left, z up, of length 0 (diffuse, or silent) to
        1 (one plane wave); float32 stays float32.

    Raises
    ------
    InputError
        If shapes do not fit, `x` holds NaN or infinity, or a number is not positive.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    diffuseness : One minus the length of these vectors.

    Notes
    -----
    .. math:: \hat\imath = \frac{\langle W (X, Y, Z) \rangle}
                                  {\langle \tfrac12 (W^2 + X^2 + Y^2 + Z^2) \rangle}

    The averages begin with the first sample and are normalised by the weight gathered so far, which
    cancels in the ratio: the start is not biased, but the first few time constants average less
    sound. Short averages do not show diffuseness: in a diffuse field one sample gives a length of
    0.71 on average, ten independent ones still 0.28. Averages are kept in double precision.

    References
    ----------
    .. [1] V. Pulkki, "Spatial sound reproduction with directional audio coding", J. Audio Eng. Soc.
           55 (2007), 503-516.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=800)
    >>> x = ambikit.encode(noise, 0, 90, degrees=True)  # from above
    >>> ambikit.normalized_intensity(x, 8000)[:, -1].round(6)
    array([0., 0., 1.])
    """
    foa, newest = _arguments(x, sample_rate, time_constant)
    state = at_rest(foa)
    out = np.empty((*foa.shape[:-2], 3, foa.shape[-1]), foa.dtype)
    if foa.size > _motion.KERNEL_PAYS:
        from ambikit._kernels import intensity as kernels

        kernels.normalized_intensity(
            foa.reshape(-1, *foa.shape[-2:]),
            newest,
            state,
            np.empty((4, TILE)),
            out.reshape(-1, *out.shape[-2:]),
        )
        checks.stayed_finite(state)
    else:
        average, bound = _averages(foa, newest, state)
        out[...] = average / np.where(bound > 0, bound, 1.0)
    return out


def diffuseness(x: ArrayLike, sample_rate: float, *, time_constant: float = 0.05) -> FloatArray:
    r"""Return the diffuseness of a sound field along time.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals (ACN, SN3D) of order 1 or more, float32 or float64; channels above the fourth
        are not used.
    sample_rate : float
        Samples a second.
    time_constant : float, optional
        Time constant of the one-pole averages, in seconds.

    Returns
    -------
    ndarray, shape (..., samples)
        0 (one plane wave) to 1 (diffuse, or silent); float32 stays float32.

    Raises
    ------
    InputError
        If shapes do not fit, `x` holds NaN or infinity, or a number is not positive.
    TypeError
        If `x` is not real floating point.

    See Also
    --------
    normalized_intensity : Vectors of length one minus the diffuseness, with notes on the averages.

    Notes
    -----
    .. math:: \psi = 1 - \frac{\|\langle W (X, Y, Z) \rangle\|}
                             {\langle \tfrac12 (W^2 + X^2 + Y^2 + Z^2) \rangle}

    References
    ----------
    .. [1] V. Pulkki, "Spatial sound reproduction with directional audio coding", J. Audio Eng. Soc.
           55 (2007), 503-516.

    Examples
    --------
    >>> import numpy as np
    >>> import ambikit
    >>> noise = np.random.default_rng(0).normal(size=(2, 8000))
    >>> one = ambikit.encode(noise[0], 40, degrees=True)
    >>> opposite = ambikit.encode(noise[1], -140, degrees=True)
    >>> bool(ambikit.diffuseness(one, 8000).max() < 1e-9)
    True
    >>> float(ambikit.diffuseness(one + opposite, 8000, time_constant=0.5)[-1].round(1))
    1.0
    """
    foa, newest = _arguments(x, sample_rate, time_constant)
    state = at_rest(foa)
    out = np.empty((*foa.shape[:-2], foa.shape[-1]), foa.dtype)
    if foa.size > _motion.KERNEL_PAYS:
        from ambikit._kernels import intensity as kernels

        kernels.diffuseness(
            foa.reshape(-1, *foa.shape[-2:]),
            newest,
            state,
            np.empty((4, TILE)),
            out.reshape(-1, out.shape[-1]),
        )
        checks.stayed_finite(state)
    else:
        average, bound = _averages(foa, newest, state)
        size = np.linalg.norm(average, axis=-2)
        bound = bound[..., 0, :]
        out[...] = np.where(bound > 0, 1.0 - size / np.where(bound > 0, bound, 1.0), 1.0)
    return out


def at_rest(foa: FloatArray) -> FloatArray:
    """Return the averages before the first sample of signals (..., 4, n): zeros (B, 4)."""
    return np.zeros((math.prod(foa.shape[:-2]), 4))


def _arguments(x: ArrayLike, sample_rate: float, time_constant: float) -> tuple[FloatArray, float]:
    """Return contiguous first-order signals (..., 4, n) and the weight of the newest sample."""
    signals, _ = checks.ambisonic(x, min_order=1)
    newest = checks.one_pole(time_constant, sample_rate)
    return np.require(signals[..., :4, :], requirements=["C", "A"]), newest


def _averages(foa: FloatArray, newest: float, state: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return averaged intensity (..., 3, n) and energy density (..., 1, n), no less than its size.

    What the kernels do, in numpy.
    """
    wide = foa.astype(np.float64)
    energy = 0.5 * np.sum(wide**2, axis=-2, keepdims=True)
    both = _accumulate(newest * np.concatenate([intensity(wide), energy], axis=-2), 1.0 - newest)
    before = state.reshape(*foa.shape[:-2], 4, 1)
    both += before * (1.0 - newest) ** np.arange(1.0, foa.shape[-1] + 1)
    before[...] = np.concatenate([before, both], axis=-1)[..., -1:]
    checks.stayed_finite(state)
    average = both[..., :3, :]
    return average, np.maximum(both[..., 3:, :], np.linalg.norm(average, axis=-2, keepdims=True))


def _accumulate(u: FloatArray, keep: float, block: int = 64) -> FloatArray:
    """Return y[t] = keep * y[t - 1] + u[t] along the last axis.

    Blocks are products with a triangular matrix; the states between blocks follow the same
    recursion with keep**block.
    """
    samples = u.shape[-1]
    age = np.arange(min(block, samples))
    response = np.triu(keep ** np.abs(age - age[:, None]))
    if samples <= block:
        short: FloatArray = u @ response
        return short
    padded = np.zeros((*u.shape[:-1], -(-samples // block) * block))
    padded[..., :samples] = u
    blocks = padded.shape[-1] // block
    y: FloatArray = padded.reshape(*u.shape[:-1], blocks, block) @ response
    ends = _accumulate(y[..., -1], keep**block)
    y[..., 1:, :] += ends[..., :-1, None] * keep ** (age + 1.0)
    return y.reshape(padded.shape)[..., :samples]
