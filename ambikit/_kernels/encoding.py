"""Encoding of moving sources."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def moving(
    signal: Any, start: Any, control: Any, first: Any, slope: Any, gains: Any, ramp: Any, out: Any
) -> None:
    """Fill out (B, C, n) with signal (B, n) times the gains (K, C) along the lines."""
    for b in range(signal.shape[0]):
        for line in range(control.shape[0]):
            begin = start[line]
            length = start[line + 1] - begin
            key = control[line]
            for i in range(length):
                ramp[i] = first[line] + i * slope[line]
            source = signal[b, begin : begin + length]
            for c in range(gains.shape[1]):
                here = gains[key, c]
                change = gains[key + 1, c] - here
                target = out[b, c, begin : begin + length]
                for i in range(length):
                    target[i] = source[i] * (here + ramp[i] * change)
