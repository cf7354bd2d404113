"""Gnomonic (perspective) crops of equirectangular frames."""

from __future__ import annotations

import math

import numpy as np

from ambikit._kernels.compiling import compiled
from ambikit_learn._typing import Floats32, Frames, Integers32


@compiled(error_model="numpy", forceinline=True)
def _atan2(y: np.float32, x: np.float32) -> np.float32:
    """Return the angle of (x, y) to 1e-7, without branches, so that loops are vectorised.

    The polynomial is 4.4.49 of Abramowitz & Stegun, Handbook of Mathematical Functions.
    """
    ax, ay = abs(x), abs(y)
    steep = ay > ax
    t = (ax if steep else ay) / max(ay if steep else ax, np.float32(1e-30))
    s = t * t
    p = np.float32(0.0028662257)
    p = p * s + np.float32(-0.0161657367)
    p = p * s + np.float32(0.0429096138)
    p = p * s + np.float32(-0.0752896400)
    p = p * s + np.float32(0.1065626393)
    p = p * s + np.float32(-0.1420889944)
    p = p * s + np.float32(0.1999355085)
    p = p * s + np.float32(-0.3333314528)
    a = p * s * t + t
    a = np.float32(0.5 * math.pi) - a if steep else a
    a = np.float32(math.pi) - a if x < 0 else a
    return -a if y < 0 else a


@compiled(error_model="numpy")
def crop(
    frames: Frames,
    axes: Floats32,
    places: Floats32,
    corners: Integers32,
    weights: Integers32,
    out: Frames,
) -> None:
    """Sample frames (T, H, W, 3) into out (T, S, S, 3), bilinearly.

    The rows of `axes` are the forward, left and up vectors of the view; the last two have half the
    size of the view on the tangent plane as their length. `places` (2, S), `corners` (4, S) and
    `weights` (4, S) are scratch for a row.
    """
    n, rows, columns, _ = frames.shape
    size = out.shape[1]
    pixels = frames.reshape(n, rows * columns, 3)
    # Pixel centres lie at half-integers: hence the halves.
    front, across = np.float32(0.5 * columns - 0.5), np.float32(columns / (2.0 * math.pi))
    horizon, down = np.float32(0.5 * rows - 0.5), np.float32(rows / math.pi)
    half, one, step = np.float32(0.5), np.float32(1.0), np.float32(1.0 / size)
    for i in range(size):
        up = one - np.float32(2 * i + 1) * step
        x0 = axes[0, 0] + up * axes[2, 0]
        y0 = axes[0, 1] + up * axes[2, 1]
        z = axes[0, 2] + up * axes[2, 2]
        for j in range(size):
            left = one - np.float32(2 * j + 1) * step
            x = x0 + left * axes[1, 0]
            y = y0 + left * axes[1, 1]
            places[0, j] = front - _atan2(y, x) * across
            places[1, j] = horizon - _atan2(z, np.sqrt(x * x + y * y)) * down
        for j in range(size):
            column = places[0, j]
            row = min(max(places[1, j], np.float32(0.0)), np.float32(rows - 1))
            c0, r0 = math.floor(column), int(row)
            # Weights are fixed-point numbers of 11 bits: integers sample 1.5 times faster.
            right = np.int32((column - np.float32(c0)) * np.float32(2048.0) + half)
            below = np.int32((row - np.float32(r0)) * np.float32(2048.0) + half)
            # Columns wrap at the seam, rows are clipped at the poles.
            c0 = c0 if c0 >= 0 else c0 + columns
            c1 = c0 + 1 if c0 + 1 < columns else 0
            r1 = r0 + 1 if r0 + 1 < rows else r0
            corners[0, j] = r0 * columns + c0
            corners[1, j] = r0 * columns + c1
            corners[2, j] = r1 * columns + c0
            corners[3, j] = r1 * columns + c1
            weights[0, j] = (2048 - below) * (2048 - right)
            weights[1, j] = (2048 - below) * right
            weights[2, j] = below * (2048 - right)
            weights[3, j] = below * right
        for t in range(n):
            for j in range(size):
                # Unsigned indices save a test for negative ones in each access.
                p0, p1 = np.uint32(corners[0, j]), np.uint32(corners[1, j])
                p2, p3 = np.uint32(corners[2, j]), np.uint32(corners[3, j])
                w0, w1, w2, w3 = weights[0, j], weights[1, j], weights[2, j], weights[3, j]
                for k in range(3):
                    value = (
                        np.int32(w0 * np.int32(pixels[t, p0, k]))
                        + np.int32(w1 * np.int32(pixels[t, p1, k]))
                        + np.int32(w2 * np.int32(pixels[t, p2, k]))
                        + np.int32(w3 * np.int32(pixels[t, p3, k]))
                        + np.int32(1 << 21)
                    )
                    out[t, i, j, k] = np.uint8(np.int32(value) >> np.int32(22))
