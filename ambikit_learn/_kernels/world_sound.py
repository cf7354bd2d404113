"""Moving delay line with 1/r gain."""

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


# The sum over the taps may be reordered, so that it runs in vector registers.
@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def delay_line(signal: Signal, delay: Floats, gain: Floats, out: Signal) -> None:
    """Delay `signal` (n,) by `delay` samples and scale by `gain`: keys (K,) spread over the span.

    Between keys both are linear. Outside its span the signal is silent.
    """
    n = signal.shape[0]
    keys = delay.shape[0]
    step = (keys - 1) / (n - 1) if n > 1 else 0.0
    for i in range(n):
        key = i * step
        k = min(int(key), max(keys - 2, 0))
        m = min(k + 1, keys - 1)
        w = key - k
        g = gain[k] + w * (gain[m] - gain[k])
        place = i - (delay[k] + w * (delay[m] - delay[k]))
        whole = math.floor(place)
        taps = _FILTERS[int((place - whole) * _PHASES + 0.5)]
        first = whole - (_TAPS // 2 - 1)
        total = np.float32(0.0)
        if first >= 0 and first + _TAPS <= n:
            for j in range(_TAPS):
                total += taps[j] * signal[first + j]
        else:
            for j in range(max(0, -first), min(_TAPS, n - first)):
                total += taps[j] * signal[first + j]
        out[i] = g * total
