"""Spatial covariance in mel bands: ten numbers that determine the features of every viewpoint."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beam_weights
from ambikit.features._pooling import (
    PAIRS,
    Overrides,
    feature_settings,
    first_order,
    pool_covariance,
)
from ambikit.rotation import sh_rotation_matrix


def mel_covariance(
    x: ArrayLike,
    sample_rate: float,
    *,
    preset: str = "avsa",
    resample: bool = False,
    **overrides: Unpack[Overrides],
) -> FloatArray:
    r"""Return the spatial covariance of first-order sound in mel bands.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        AmbiX signals; of higher orders the first four channels are used.
    sample_rate : float
        Rate of `x` in Hz; it must be the preset's, unless `resample` is set.
    preset : str, optional
        As for `foa_features`.
    resample : bool, optional
        Take sound of any rate, and resample it to the preset's as `read` does.
    **overrides
        As for `foa_features`; `power`, `average`, `intensity` and `top_db` have no effect.

    Returns
    -------
    ndarray of float32, shape (..., 10, samples // hop, n_mels)
        :math:`\sum_f H_{bf} \mathrm{Re}(x_i x_j^*)` for (i, j) = WW, WY, WZ, WX, YY, YZ, YX, ZZ,
        ZX, XX: the upper triangle.

    Raises
    ------
    InputError
        As `foa_features`.

    Notes
    -----
    These ten numbers per frame and band suffice for rotation, beams and `foa_features` with
    ``power=2``, so that many viewpoints of a clip need only one transform.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    >>> ambikit.mel_covariance(x, 24000).shape
    (10, 100, 128)
    """
    settings = feature_settings(preset, overrides)
    signal, gains = first_order(x, sample_rate, settings, resample)
    out = pool_covariance(signal, settings)
    for bands, gain in zip(out, gains, strict=True):
        if gain != 1.0:
            bands /= np.float32(gain)  # twice: the square may be no number
            bands /= np.float32(gain)
    return out.reshape(*np.shape(x)[:-2], *out.shape[1:])


def rotate_covariance(
    covariance: ArrayLike, rotation: ArrayLike | checks.SupportsMatrix
) -> FloatArray:
    """Rotate the sound field that a covariance describes.

    Parameters
    ----------
    covariance : array_like, shape (..., 10, frames, mels)
        From `mel_covariance`.
    rotation : array_like, shape (..., 3, 3), or scipy.spatial.transform.Rotation
        Active rotations of (x, y, z), for example `rotation_matrix` or `look_at`; their leading
        dimensions broadcast against the covariance's.

    Returns
    -------
    ndarray, shape (..., 10, frames, mels)
        ``mel_covariance`` of the rotated sound.

    Raises
    ------
    InputError
        If the shapes do not fit or `rotation` is not made of rotations.

    Notes
    -----
    ``M C Mᵀ`` in each frame and band, with ``M = sh_rotation_matrix(rotation)``.

    Examples
    --------
    Four viewpoints of one clip:

    >>> import ambikit, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((4, 24000)).astype(np.float32)
    >>> views = ambikit.rotation_matrix([0, 90, 180, 270], degrees=True)
    >>> ambikit.rotate_covariance(ambikit.mel_covariance(x, 24000), views).shape
    (4, 10, 100, 128)
    """
    c = checks.covariance_bands(covariance)
    matrix = sh_rotation_matrix(rotation).astype(c.dtype)
    first, second = PAIRS
    left, right = matrix[..., first, :], matrix[..., second, :]
    mixed = left[..., first] * right[..., second]
    mixed += (first != second) * left[..., second] * right[..., first]
    shape = checks.leading(mixed.shape[:-2], c.shape[:-3], "rotation", "covariance")
    flat = c.reshape(*c.shape[:-2], math.prod(c.shape[-2:]))
    return np.asarray(mixed @ flat).reshape(*shape, *c.shape[-3:])


def beamform_covariance(
    covariance: ArrayLike,
    azimuth: ArrayLike,
    elevation: ArrayLike = 0.0,
    *,
    pattern: str = "cardioid",
    degrees: bool = False,
) -> FloatArray:
    """Return the power in mel bands of beams in the sound field that a covariance describes.

    Parameters
    ----------
    covariance : array_like, shape (..., 10, frames, mels)
        From `mel_covariance`.
    azimuth, elevation : float or array_like, shape (directions,)
        Directions of the beams in radians.
    pattern : str, optional
        Pattern of `beam_weights`.
    degrees : bool, optional
        Take the angles in degrees.

    Returns
    -------
    ndarray, shape (..., frames, mels) or (..., directions, frames, mels)
        Mel bands of the power of `beamform` of the same sound, 0 or more.

    Raises
    ------
    InputError
        If a shape or an angle does not fit.

    Notes
    -----
    ``wᵀ C w`` in each frame and band, with the weights w of `beam_weights`.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> left = ambikit.mel_covariance(ambikit.encode(noise, 90, degrees=True), 24000)
    >>> beams = ambikit.beamform_covariance(left, [90, -90], degrees=True)
    >>> bool((beams[1] < 1e-5 * beams[0]).all())
    True
    """
    c = checks.covariance_bands(covariance)
    weights = beam_weights(pattern, azimuth, elevation, degrees=degrees).astype(c.dtype)
    first, second = PAIRS
    gains = weights[..., first] * weights[..., second] * np.where(first == second, 1, 2)
    flat = c.reshape(*c.shape[:-2], math.prod(c.shape[-2:]))
    power: FloatArray = np.maximum(gains.astype(c.dtype) @ flat, 0)
    return power.reshape(*power.shape[:-1], *c.shape[-2:])
