"""Convolution of many channels to few, by overlap-save."""

from __future__ import annotations

import numpy as np

from ambikit import checks
from ambikit._typing import FloatArray

_SIZE = 8192
_BLOCKS = 4
"""Transforms of that many blocks are done at once: pocketfft fills its vectors with them."""


def convolve(x: FloatArray, filters: FloatArray, out: FloatArray, skip: int = 0) -> None:
    """Fill out (R, n) with the samples from `skip` on of x (C, m) through filters (R, C, taps).

    After its m samples x is silent.
    """
    import scipy.fft

    taps, samples = filters.shape[-1], out.shape[-1]
    if samples == 0:
        return
    whole = x.shape[-1] + taps - 1
    size = scipy.fft.next_fast_len(min(max(_SIZE, 8 * taps), max(whole, 16)), real=True)
    hop = size - taps + 1
    # axes: output, input, one of the blocks, frequency
    spectra = scipy.fft.rfft(filters.astype(x.dtype), size)[:, :, None]
    blocks = min(_BLOCKS, -(-samples // hop))
    total = np.empty((len(filters), blocks, size // 2 + 1), spectra.dtype)
    part = np.empty_like(total)
    for begin in range(0, samples, blocks * hop):
        count = min(blocks, -(-(samples - begin) // hop))
        seen = scipy.fft.rfft(_segments(x, begin + skip - taps + 1, count, size, hop), axis=-1)
        np.multiply(seen[0], spectra[:, 0], out=total[:, :count])
        for channel in range(1, len(x)):
            np.multiply(seen[channel], spectra[:, channel], out=part[:, :count])
            total[:, :count] += part[:, :count]
        # the sum of a segment knows of each of its samples
        checks.all_finite(total[:, :count, 0], "x")
        heard = scipy.fft.irfft(total[:, :count], size, axis=-1)[..., taps - 1 :]
        for block in range(count):
            target = out[:, begin + block * hop : begin + (block + 1) * hop]
            target[...] = heard[:, block, : target.shape[-1]]


def _segments(x: FloatArray, begin: int, count: int, size: int, hop: int) -> FloatArray:
    """Return overlapping segments (C, count, size) from a sample on; 0 beyond the ends."""
    end = begin + (count - 1) * hop + size
    inside = x[:, max(begin, 0) : end]
    if inside.shape[-1] < end - begin:
        padded = np.zeros((len(x), end - begin), x.dtype)
        first = max(-begin, 0)
        padded[:, first : first + inside.shape[-1]] = inside
        inside = padded
    windows = np.lib.stride_tricks.sliding_window_view(inside, size, axis=-1)
    return windows[:, ::hop]
