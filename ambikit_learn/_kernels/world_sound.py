"""Sound along moving paths: fractional delay, and a weight for each channel."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Signal = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_TAPS = 16
_PHASES = 512


def _filters() -> Signal:
    """Windowed-sinc filters for each fraction of a sample, (phases + 1, taps), unit DC gain."""
    fraction = np.arange(_PHASES + 1)[:, None] / _PHASES
    x = np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1) - fraction
    window = 0.5 + 0.5 * np.cos(np.pi * x / (_TAPS // 2 + 0.5))
    table = np.sinc(x) * window
    unit: Floats = table / table.sum(-1, keepdims=True)
    return unit.astype(np.float32)


_FILTERS = _filters()
BLOCK = 64
"""Samples in which a delay changes so little that fading between its ends stands for it."""
MARGIN = BLOCK + _TAPS
"""Samples of silence that a signal needs at both ends."""
_FADE = (np.arange(BLOCK) / BLOCK).astype(np.float32)


# A fixed number of steps and indices without a sign run in vector registers.
@njit(cache=True, nogil=True, fastmath={"contract"})
def _filter(signal: Signal, taps: Signal, out: Signal) -> None:
    """Filter `signal` (BLOCK + taps) into `out` (BLOCK)."""
    for i in range(BLOCK):
        total = np.float32(0.0)
        for j in range(_TAPS):
            total += taps[j] * signal[np.uint64(i + j)]
        out[i] = total


@njit(cache=True, nogil=True, fastmath={"contract"})
def add_paths(signal: Signal, first: int, delays: Floats, weights: Floats, out: Signal) -> None:
    """Add a signal to `out` (channels, n) along P paths.

    `signal` holds silence, from `first` on the signal, and silence again: at least MARGIN, and
    before it as much more as the longest delay. `delays` (P, K) in samples and `weights`
    (P, K, channels) are keys spread over the span, linear between them.
    """
    n, keys = out.shape[1], delays.shape[1]
    step = (keys - 1) / (n - 1) if n > 1 else 0.0
    ends = np.empty((2, BLOCK), np.float32)
    for path in range(delays.shape[0]):
        for start in range(0, n, BLOCK):
            for end in range(2):
                key = (start + end * BLOCK) * step
                k = min(int(key), max(keys - 2, 0))
                m = min(k + 1, keys - 1)
                delay = delays[path, k] + (key - k) * (delays[path, m] - delays[path, k])
                whole = math.floor(-delay)
                taps = _FILTERS[int((-delay - whole) * _PHASES + 0.5)]
                place = first + start + int(whole) - (_TAPS // 2 - 1)
                _filter(signal[place : place + BLOCK + _TAPS], taps, ends[end])
            for i in range(BLOCK):
                ends[0, i] += _FADE[i] * (ends[1, i] - ends[0, i])
            key = start * step
            k = min(int(key), max(keys - 2, 0))
            m = min(k + 1, keys - 1)
            for c in range(out.shape[0]):
                slope = weights[path, m, c] - weights[path, k, c]
                gain, rise = (
                    np.float32(weights[path, k, c] + (key - k) * slope),
                    np.float32(slope * step),
                )
                row = out[c, start : start + BLOCK]
                for i in range(row.shape[0]):
                    row[i] += (gain + rise * np.float32(i)) * ends[0, i]
