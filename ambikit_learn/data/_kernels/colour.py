"""Affine maps of colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ambikit._kernels.compiling import compiled
from ambikit_learn._typing import Integers32

Pixels = npt.NDArray[np.uint8]


@compiled()
def totals(pixels: Pixels, out: npt.NDArray[np.int64]) -> None:
    """Sum pixels (N, 3) over N."""
    red, green, blue = np.int64(0), np.int64(0), np.int64(0)
    for i in range(len(pixels)):
        red += pixels[i, 0]
        green += pixels[i, 1]
        blue += pixels[i, 2]
    out[0], out[1], out[2] = red, green, blue


@compiled()
def recolour(pixels: Pixels, matrix: Integers32, offset: Integers32, out: Pixels) -> None:
    """Map pixels (N, 3) by a matrix (3, 3) and an offset (3,) in units of 1/4096."""
    for i in range(len(pixels)):
        red, green, blue = np.int32(pixels[i, 0]), np.int32(pixels[i, 1]), np.int32(pixels[i, 2])
        for k in range(3):
            value = np.int32(
                matrix[k, 0] * red + matrix[k, 1] * green + matrix[k, 2] * blue + offset[k]
            ) >> np.int32(12)
            out[i, k] = np.uint8(min(max(value, np.int32(0)), np.int32(255)))
