"""Frames sampled at given positions, several per pixel."""

from __future__ import annotations

import numpy as np

from ambikit._kernels.compiling import compiled
from ambikit_learn._typing import Floats32, Frames


@compiled(error_model="numpy")
def sample(frames: Frames, columns: Floats32, rows: Floats32, out: Frames) -> None:
    """Fill out (T, h, w, 3) from frames (T, H, W, 3): each pixel is the mean of n samples.

    `columns` and `rows` (h, w, n) are the positions of the samples, in pixels from the centre of
    the first one; they lie in [0, W - 1] and [0, H - 1].
    """
    count, height, width, _ = frames.shape
    _, h, w, _ = out.shape
    n = columns.shape[2]
    pixels = frames.reshape(count, height * width, 3)
    share = np.float32(1.0 / n)
    for i in range(h):
        for j in range(w):
            for t in range(count):
                red, green, blue = np.float32(0.5), np.float32(0.5), np.float32(0.5)
                for k in range(n):
                    column, row = columns[i, j, k], rows[i, j, k]
                    c0, r0 = np.int32(column), np.int32(row)
                    right, below = column - np.float32(c0), row - np.float32(r0)
                    # Unsigned indices save a test for negative ones in each access.
                    p0 = np.uint32(r0 * width + c0)
                    p1 = p0 + np.uint32(c0 + 1 < width)
                    p2 = p0 + np.uint32(width if r0 + 1 < height else 0)
                    p3 = p2 + p1 - p0
                    w3 = share * right * below
                    w2, w1 = share * below - w3, share * right - w3
                    w0 = share - w1 - w2 - w3
                    red += (
                        w0 * pixels[t, p0, 0]
                        + w1 * pixels[t, p1, 0]
                        + w2 * pixels[t, p2, 0]
                        + w3 * pixels[t, p3, 0]
                    )
                    green += (
                        w0 * pixels[t, p0, 1]
                        + w1 * pixels[t, p1, 1]
                        + w2 * pixels[t, p2, 1]
                        + w3 * pixels[t, p3, 1]
                    )
                    blue += (
                        w0 * pixels[t, p0, 2]
                        + w1 * pixels[t, p1, 2]
                        + w2 * pixels[t, p2, 2]
                        + w3 * pixels[t, p3, 2]
                    )
                out[t, i, j, 0] = np.uint8(red)
                out[t, i, j, 1] = np.uint8(green)
                out[t, i, j, 2] = np.uint8(blue)
