"""Means with confidence intervals over clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float
    clips: int

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def bootstrap_mean(
    values: npt.NDArray[Any],
    clips: npt.NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return the mean of `values`, with a percentile bootstrap interval that draws whole clips.

    Spans, crops and the aligned and misaligned pair of a clip are not independent, but clips are.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values, for example 1.0 for a right decision and 0.0 for a wrong one.
    clips : ndarray, shape (n,)
        Clip of each value.
    level : float
        Coverage of the interval.
    resamples : int
        Number of bootstrap draws.
    seed : int
        Random seed of the draws.

    Returns
    -------
    Estimate
        Mean over values, interval, and the number of clips.

    Notes
    -----
    A clip with more spans has more weight in the mean, in each draw as in the whole.

    References
    ----------
    .. [1] B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> import numpy as np
    >>> right = np.r_[np.ones(75), np.zeros(25)]
    >>> print(bootstrap_mean(right, np.arange(100)))
    75.0 [67.0, 83.0]
    """
    values = np.asarray(values, float)
    _, owner = np.unique(clips, return_inverse=True)
    sums = np.bincount(owner, values)
    counts = np.bincount(owner).astype(float)
    draws = np.random.default_rng(seed).integers(0, sums.size, (resamples, sums.size))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high), int(sums.size))
