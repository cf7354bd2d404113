"""Random changes of colour, which do not change directions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats, Frames

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in luma (Rec. 601)."""
# Luma and two axes of chroma at right angles to it (NTSC's): hue is the angle in their plane.
_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_UNIT = 4096


def recolour(
    pictures: Frames,
    *,
    brightness: float = 1.0,
    contrast: float = 1.0,
    saturation: float = 1.0,
    hue: float = 0.0,
) -> Frames:
    """Change the colours of pictures that belong together, all in the same way.

    Parameters
    ----------
    pictures : (..., 3) uint8 array
        RGB.
    brightness : float
        Factor of all values.
    contrast : float
        Factor of the difference from the mean grey of all pictures.
    saturation : float
        Factor of the difference from the grey of each pixel.
    hue : float
        Rotation of hues in turns, from red towards yellow and green; in the plane of chroma, so
        that the grey of a pixel does not change.

    Returns
    -------
    (..., 3) uint8 array
        Pictures of the same shape.

    Notes
    -----
    All four are one affine map of (R, G, B), applied once, and clipped and rounded once.

    Examples
    --------
    >>> red = np.full((1, 1, 3), (200, 40, 40), np.uint8)
    >>> recolour(red, saturation=0.0).tolist(), recolour(red, brightness=0.5).tolist()
    ([[[88, 88, 88]]], [[[100, 20, 20]]])
    """
    from ambikit_learn.data._kernels import colour as kernel

    pixels = np.ascontiguousarray(pictures).reshape(-1, 3)
    sums = np.empty(3, np.int64)
    kernel.totals(pixels, sums)
    grey = float(LUMA @ sums) / max(len(pixels), 1)
    matrix = _turned(hue) @ _saturated(saturation) * (contrast * brightness)
    offset = (1.0 - contrast) * brightness * grey + 0.5
    out = np.empty_like(pixels)
    kernel.recolour(
        pixels,
        np.rint(matrix * _UNIT).astype(np.int32),
        np.full(3, round(offset * _UNIT), np.int32),
        out,
    )
    return out.reshape(pictures.shape)


def jitter_colours(pictures: Frames, strength: float, draws: npt.ArrayLike) -> Frames:
    """Change colours randomly.

    Parameters
    ----------
    pictures : (..., 3) uint8 array
        RGB.
    strength : float
        Greatest deviation of the factors of brightness, contrast and saturation from 1, and twice
        the greatest rotation of the hue in turns.
    draws : (4,) array_like
        Random numbers from −1 to 1, by which the deviations are multiplied.

    Returns
    -------
    (..., 3) uint8 array

    References
    ----------
    .. [1] P. Morgado, Y. Li, N. Vasconcelos, "Learning Representations from Audio-Visual Spatial
       Alignment", NeurIPS 2020, whose code takes 0.4, 0.4, 0.4 and 0.2.
    """
    brightness, contrast, saturation, hue = strength * np.asarray(draws, dtype=np.float64)
    return recolour(
        pictures,
        brightness=1.0 + brightness,
        contrast=1.0 + contrast,
        saturation=1.0 + saturation,
        hue=hue / 2.0,
    )


def _saturated(factor: float) -> Floats:
    """Return the matrix that scales the difference from grey."""
    matrix: Floats = factor * np.eye(3) + (1.0 - factor) * LUMA
    return matrix


def _turned(hue: float) -> Floats:
    """Return the matrix that rotates chroma by a fraction of a turn."""
    cos, sin = np.cos(2.0 * np.pi * hue), np.sin(2.0 * np.pi * hue)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    matrix: Floats = np.linalg.inv(_YIQ) @ turn @ _YIQ
    return matrix
