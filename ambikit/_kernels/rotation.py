"""Rotation that changes along time."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def moving(
    x: Any, start: Any, control: Any, first: Any, slope: Any, matrices: Any, scratch: Any, out: Any
) -> None:
    """Fill out (B, C, n) with x (B, C, n) times the matrices (K, C, C) along the lines.

    The matrices are block-diagonal: degree l takes the channels l**2 to (l + 1)**2. The first row
    of scratch holds the fraction of the way, the others one degree, so out may be x itself.
    """
    for b in range(x.shape[0]):
        for line in range(control.shape[0]):
            begin = start[line]
            length = start[line + 1] - begin
            key = control[line]
            ramp = scratch[0]
            for i in range(length):
                ramp[i] = first[line] + i * slope[line]
            low = 0
            size = 1
            while low < x.shape[1]:
                for row in range(size):
                    total = scratch[1 + row]
                    for column in range(size):
                        here = matrices[key, low + row, low + column]
                        change = matrices[key + 1, low + row, low + column] - here
                        source = x[b, low + column, begin : begin + length]
                        if column == 0:
                            for i in range(length):
                                total[i] = source[i] * (here + ramp[i] * change)
                        else:
                            for i in range(length):
                                total[i] += source[i] * (here + ramp[i] * change)
                for row in range(size):
                    target = out[b, low + row, begin : begin + length]
                    for i in range(length):
                        target[i] = scratch[1 + row, i]
                low += size
                size += 2
