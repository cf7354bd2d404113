"""One-pole averages of intensity and energy density, kept in double precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ambikit._kernels.compiling import compiled

SILENCE = 1e-300
"""An energy density whose inverse is still a number."""


# A fused multiply-add halves the waiting of the recursion for its own result, and rounds once less.
# Rows of their own, and quotients that raise nothing, let all other loops run in vectors.
@compiled(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _average(
    x: Any, b: int, begin: int, length: int, newest: float, state: Any, averages: Any
) -> None:
    """Fill averages (4, length) with <WX>, <WY>, <WZ> and <E> of x[b, :, begin : begin + length].

    state (4,) holds the averages before the first sample, and after the last one on return.
    """
    keep = 1.0 - newest
    end = begin + length
    ws, ys = x[b, 0, begin:end], x[b, 1, begin:end]
    zs, xs = x[b, 2, begin:end], x[b, 3, begin:end]
    along_x, along_y, along_z, energy = averages[0], averages[1], averages[2], averages[3]
    for i in range(length):
        # float() of a float32 would keep it one, and its square could vanish
        w, front = np.float64(ws[i]), np.float64(xs[i])
        left, up = np.float64(ys[i]), np.float64(zs[i])
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


@compiled(fastmath={"contract"}, error_model="numpy")
def diffuseness(x: Any, newest: float, state: Any, averages: Any, out: Any) -> bool:
    """Fill out (B, n) from x (B, 4, n), ACN/SN3D, with state (B, 4) and scratch averages (4, m).

    Returns whether the state, which carries along any NaN and infinity, stayed finite.
    """
    samples = x.shape[2]
    tile = averages.shape[1]
    number = out.dtype.type
    one = number(1)
    for b in range(x.shape[0]):
        for begin in range(0, samples, tile):
            length = min(tile, samples - begin)
            _average(x, b, begin, length, newest, state[b], averages)
            along_x, along_y, along_z, energy = averages[0], averages[1], averages[2], averages[3]
            target = out[b, begin : begin + length]
            for i in range(length):
                scale = 1.0 / energy[i] if energy[i] > SILENCE else 0.0
                ix, iy, iz = along_x[i] * scale, along_y[i] * scale, along_z[i] * scale
                directed = number(min(ix * ix + iy * iy + iz * iz, 1.0))
                target[i] = one - np.sqrt(directed)
    finite = True
    for b in range(x.shape[0]):
        for k in range(4):
            finite = finite and math.isfinite(state[b, k])
    return finite


@compiled(fastmath={"contract"}, error_model="numpy")
def normalized_intensity(x: Any, newest: float, state: Any, averages: Any, out: Any) -> None:
    """Fill out (B, 3, n) from x (B, 4, n), ACN/SN3D, with state (B, 4) and scratch averages."""
    samples = x.shape[2]
    tile = averages.shape[1]
    for b in range(x.shape[0]):
        for begin in range(0, samples, tile):
            length = min(tile, samples - begin)
            _average(x, b, begin, length, newest, state[b], averages)
            along_x, along_y, along_z, energy = averages[0], averages[1], averages[2], averages[3]
            xs = out[b, 0, begin : begin + length]
            ys = out[b, 1, begin : begin + length]
            zs = out[b, 2, begin : begin + length]
            for i in range(length):
                ix, iy, iz = along_x[i], along_y[i], along_z[i]
                bound = max(energy[i], np.sqrt(ix * ix + iy * iy + iz * iz))
                scale = 1.0 / bound if bound > 0.0 else 0.0
                xs[i], ys[i], zs[i] = ix * scale, iy * scale, iz * scale
