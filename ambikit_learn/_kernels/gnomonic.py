"""Gnomonic (perspective) crops of equirectangular frames."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Frames = npt.NDArray[np.uint8]
Axes = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def crop(frames: Frames, axes: Axes, out: Frames) -> None:
    """Sample frames (T, H, W, 3) into out (T, S, S, 3), bilinearly.

    The rows of `axes` are the view's forward, leftward and upward vectors, the last two as long
    as half of the view on the plane that touches the sphere.
    """
    n, rows, columns, _ = frames.shape
    size = out.shape[1]
    across = columns / (2.0 * math.pi)
    down = rows / math.pi
    for i in range(size):
        up = 1.0 - (2.0 * i + 1.0) / size
        for j in range(size):
            left = 1.0 - (2.0 * j + 1.0) / size
            x = axes[0, 0] + left * axes[1, 0] + up * axes[2, 0]
            y = axes[0, 1] + left * axes[1, 1] + up * axes[2, 1]
            z = axes[0, 2] + left * axes[1, 2] + up * axes[2, 2]
            # Pixel centres lie at half-integers: hence the halves. Columns wrap, rows are held.
            column = (math.pi - math.atan2(y, x)) * across - 0.5
            row = (0.5 * math.pi - math.atan2(z, math.sqrt(x * x + y * y))) * down - 0.5
            row = min(max(row, 0.0), rows - 1.0)
            c0 = math.floor(column)
            r0 = math.floor(row)
            right = np.float32(column - c0)
            below = np.float32(row - r0)
            c0 = int(c0) % columns
            r0 = int(r0)
            c1 = c0 + 1 if c0 + 1 < columns else 0
            r1 = r0 + 1 if r0 + 1 < rows else r0
            w00 = (np.float32(1) - below) * (np.float32(1) - right)
            w01 = (np.float32(1) - below) * right
            w10 = below * (np.float32(1) - right)
            w11 = below * right
            for t in range(n):
                for k in range(3):
                    value = (
                        w00 * frames[t, r0, c0, k]
                        + w01 * frames[t, r0, c1, k]
                        + w10 * frames[t, r1, c0, k]
                        + w11 * frames[t, r1, c1, k]
                    )
                    out[t, i, j, k] = np.uint8(value + np.float32(0.5))
