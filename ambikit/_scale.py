"""Sound of any amplitude, brought to one whose squares and their squares are numbers.

Ratios and directions do not depend on the amplitude, but on their way there is the fourth power of
it: in single precision, sound at the scale of 32-bit integers is beyond that. A power of two
changes no digit, and sound of ordinary amplitude is left as it is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

_FEW = 64


def gain_for(x: npt.NDArray[Any], dtype: npt.DTypeLike | None = None) -> float:
    """Return the power of two that brings real or complex values into range, 1 if they are.

    The range is that of the fourth powers of spectra in `dtype`, by default in the type of `x`.
    """
    reach = np.finfo(dtype or x.dtype).maxexp // 8
    low, high = 2.0**-reach, 2.0**reach
    if x.size == 0:
        return 1.0
    rows = _rows(x)
    if rows:  # one fast pass tells that all is well
        energy = sum(float(np.vdot(row, row).real) for row in rows)
        if low**2 * x.size <= energy <= high**2:
            return 1.0
    peak = _peak(x)
    if peak == 0.0 or low <= peak <= high:
        return 1.0
    exponent = math.frexp(peak)[1]  # peak <= 2**exponent < 2 peak
    return 2.0 ** ((reach if peak > high else 1 - reach) - exponent)


def scaled(x: npt.NDArray[Any], gain: float) -> npt.NDArray[Any]:
    """Return values times a power of two, themselves where it is 1."""
    return x if gain == 1.0 else x * x.real.dtype.type(gain)


def _rows(x: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Return the values as rows that fill their memory, none where there are many.

    Nor where they lie between two numbers: `numpy.vdot` hands that to BLAS as it is, and kernels
    for processors without AVX end the interpreter.
    """
    if not x.flags.aligned:
        return []
    reach = sum((n - 1) * step for n, step in zip(x.shape, x.strides, strict=True))
    if min(x.strides, default=0) >= 0 and reach + x.itemsize == x.nbytes:
        return [x.ravel(order="K")]
    if x.ndim > 1 and x.strides[-1] == x.itemsize and math.prod(x.shape[:-1]) <= _FEW:
        return [x[index] for index in np.ndindex(x.shape[:-1])]
    return []


def _peak(x: npt.NDArray[Any]) -> float:
    """Return the largest finite magnitude of real and imaginary parts."""
    parts = (x.real, x.imag) if np.iscomplexobj(x) else (x,)
    peak = max(max(float(part.max()), -float(part.min())) for part in parts)
    if math.isfinite(peak):
        return peak
    return max(float(np.abs(part[np.isfinite(part)]).max(initial=0.0)) for part in parts)
