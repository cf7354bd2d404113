"""One-pole averages of intensity and energy density, kept in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


# A fused multiply-add halves the waiting of the recursion for its own result, and rounds once less.
@njit(cache=True, nogil=True, fastmath={"contract"})
def _average(
    x: Any, b: int, begin: int, length: int, newest: float, state: Any, averages: Any
) -> None:
    """Fill averages (4, length) with <WX>, <WY>, <WZ> and <E> of x[b, :, begin : begin + length].

    state (4,) holds the averages before the first sample, and after the last one on return.
    """
    keep = 1.0 - newest
    along_x, along_y, along_z, energy = averages[0], averages[1], averages[2], averages[3]
    for i in range(length):
        w = float(x[b, 0, begin + i])
        left = float(x[b, 1, begin + i])
        up = float(x[b, 2, begin + i])
        front = float(x[b, 3, begin + i])
        part = newest * w
        along_x[i] = part * front
        along_y[i] = part * left
        along_z[i] = part * up
        energy[i] = 0.5 * newest * (w * w + front * front + left * left + up * up)
    ix, iy, iz, e = state[0], state[1], state[2], state[3]
    for i in range(length):
        ix = keep * ix + along_x[i]
        iy = keep * iy + along_y[i]
        iz = keep * iz + along_z[i]
        e = keep * e + energy[i]
        along_x[i] = ix
        along_y[i] = iy
        along_z[i] = iz
        energy[i] = e
    state[0] = ix
    state[1] = iy
    state[2] = iz
    state[3] = e


@njit(cache=True, nogil=True)
def diffuseness(x: Any, newest: float, state: Any, averages: Any, out: Any) -> None:
    """Fill out (B, n) from x (B, 4, n), ACN/SN3D, with state (B, 4) and scratch averages (4, m)."""
    samples = x.shape[2]
    tile = averages.shape[1]
    for b in range(x.shape[0]):
        for begin in range(0, samples, tile):
            length = min(tile, samples - begin)
            _average(x, b, begin, length, newest, state[b], averages)
            for i in range(length):
                ix, iy, iz = averages[0, i], averages[1, i], averages[2, i]
                size = np.sqrt(ix * ix + iy * iy + iz * iz)
                bound = max(averages[3, i], size)
                out[b, begin + i] = 1.0 - size / bound if bound > 0.0 else 1.0


@njit(cache=True, nogil=True)
def normalized_intensity(x: Any, newest: float, state: Any, averages: Any, out: Any) -> None:
    """Fill out (B, 3, n) from x (B, 4, n), ACN/SN3D, with state (B, 4) and scratch averages."""
    samples = x.shape[2]
    tile = averages.shape[1]
    for b in range(x.shape[0]):
        for begin in range(0, samples, tile):
            length = min(tile, samples - begin)
            _average(x, b, begin, length, newest, state[b], averages)
            for i in range(length):
                ix, iy, iz = averages[0, i], averages[1, i], averages[2, i]
                bound = max(averages[3, i], np.sqrt(ix * ix + iy * iy + iz * iz))
                scale = 1.0 / bound if bound > 0.0 else 0.0
                out[b, 0, begin + i] = ix * scale
                out[b, 1, begin + i] = iy * scale
                out[b, 2, begin + i] = iz * scale
