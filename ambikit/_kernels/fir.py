"""Filters from many channels to two ears, sample by sample: the fastest way for short blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ambikit._kernels.compiling import compiled


@compiled(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def filter_block(x: Any, filters: Any, past: Any, out: Any) -> bool:
    """Fill out (2, n) with x (C, n) through filters (2, C, taps), last tap first.

    past (C, taps - 1 + room for n) begins with the samples before x, and then with those before
    the next block. Four samples are summed at a time, so that each tap is read once for them.
    Returns whether all sums are finite.
    """
    channels, samples = x.shape
    taps = filters.shape[2]
    before = taps - 1
    width = past.shape[1]
    history, gains = past.reshape(-1), filters.reshape(-1)
    for c in range(channels):
        for i in range(samples):
            past[c, before + i] = x[c, i]
    count = np.uint64(taps)
    zero = out.dtype.type(0)
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for begin in range(0, samples, 4):
        # beyond the end there is room, and what is computed there is not kept
        l0 = l1 = l2 = l3 = r0 = r1 = r2 = r3 = zero
        for c in range(channels):
            h = np.uint64(c * width + begin)
            left, right = np.uint64(c * taps), np.uint64((channels + c) * taps)
            for k in range(count):
                f, g = gains[left + k], gains[right + k]
                a, b = history[h + k], history[h + k + one]
                d, e = history[h + k + two], history[h + k + three]
                l0 += f * a
                r0 += g * a
                l1 += f * b
                r1 += g * b
                l2 += f * d
                r2 += g * d
                l3 += f * e
                r3 += g * e
        out[0, begin], out[1, begin] = l0, r0
        if begin + 1 < samples:
            out[0, begin + 1], out[1, begin + 1] = l1, r1
        if begin + 2 < samples:
            out[0, begin + 2], out[1, begin + 2] = l2, r2
        if begin + 3 < samples:
            out[0, begin + 3], out[1, begin + 3] = l3, r3
    for c in range(channels):
        for i in range(before):
            past[c, i] = past[c, samples + i]
    total = zero
    for i in range(samples):
        total += out[0, i] + out[1, i]
    return bool(np.isfinite(total))
