"""How far apart two computations of one quantity may come out, from the arithmetic alone.

Processors, libraries and the shape of a call decide in which order numbers are added and where a
product is rounded. Each addition rounds relative to what was added up so far, not to what is left
of it: where a channel nearly cancels, nothing follows from the size of the result. So results are
compared relative to `summed`, the magnitudes of what was added up.

The bound is that of Higham, "Accuracy and Stability of Numerical Algorithms" (2002), §4.2: a sum
of n products, in any order, is off by at most n · eps / 2 · Σ|products|, two of them by twice that.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def assert_sums_close(
    got: npt.ArrayLike, expected: npt.ArrayLike, summed: npt.ArrayLike, terms: float
) -> None:
    """Compare two sums of so many products, of magnitudes that add up to `summed`.

    The precision is that of the coarser of the two.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    eps = max(np.finfo(a.dtype).eps for a in (got, expected))
    allowed = terms * eps * np.asarray(summed, float) + np.finfo(float).tiny
    error = np.abs(np.subtract(got, expected, dtype=np.result_type(got, expected, float)))
    worst = np.max(error / allowed, initial=0)
    assert got.shape == expected.shape
    assert worst <= 1, f"{worst:.3g} times the error that the arithmetic explains"


def assert_levels_close(
    got: npt.ArrayLike,
    expected: npt.ArrayLike,
    terms: float,
    summed: npt.ArrayLike | None = None,
) -> None:
    """Compare float32 levels in dB of sums of so many products.

    `summed` are the levels, in dB too, of the magnitudes that were added up; without it nothing
    cancels, and they are the levels themselves. The level itself is rounded as well.
    """
    got, expected = np.asarray(got, float), np.asarray(expected, float)
    summed = expected if summed is None else np.asarray(summed, float)
    eps = float(np.finfo(np.float32).eps)
    slope = math.log(10) / 10
    linear = 10 ** (expected / 10)
    allowed = eps * (terms * 10 ** (summed / 10) + slope * np.abs(expected) * linear)
    error = np.abs(10 ** (got / 10) - linear)
    worst = np.max(error / allowed, initial=0)
    assert got.shape == expected.shape
    assert worst <= 1, f"{worst:.3g} times the error that the arithmetic explains"


def transform_terms(n_fft: int) -> float:
    """Return the terms that stand for a Fourier transform, relative to the whole frame.

    In each of its log2(n) stages a value takes part in a complex product and sum: some four
    roundings. What they leave is spread over all bins, so that a bin is off relative to the frame's
    loudest, not to itself.
    """
    return 4 * math.log2(n_fft)
