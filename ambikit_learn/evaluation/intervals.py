"""Estimates with confidence intervals, and paired comparisons, over clips or recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Floats, Indices

RESAMPLES = 2000
"""Bootstrap draws of an interval."""


@dataclass(frozen=True)
class Estimate:
    """A mean or another statistic, and its confidence interval.

    Attributes
    ----------
    mean : float
        The statistic of all values.
    low, high : float
        Bounds of the interval; NaN if there is none.
    clips : int
        Number of the units that were drawn: clips, recordings or sources.
    """

    mean: float
    low: float = float("nan")
    high: float = float("nan")
    clips: int = 0

    def __str__(self) -> str:
        return self.text("%")

    def text(self, unit: str) -> str:
        """Return the estimate in a unit: fractions in ``"%"``, other units as they are.

        Examples
        --------
        >>> Estimate(0.75, 0.67, 0.83, 100).text("%"), Estimate(12.34).text("°")
        ('75.0 [67.0, 83.0]', '12.3')
        """
        scale, digits = {"%": (100.0, 1), "°": (1.0, 1)}.get(unit, (1.0, 3))
        if np.isnan(self.low):
            return f"{scale * self.mean:.{digits}f}"
        mean, low, high = (f"{scale * x:.{digits}f}" for x in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"


@dataclass(frozen=True)
class Comparison:
    """Two rows on the same units, the first minus the second.

    Attributes
    ----------
    difference : Estimate
        Mean of the paired differences, with its interval over units.
    wins, losses : int
        Units on which the first is better or worse; others are ties.
    p : float
        Two-sided p-value of the exact sign test over these units.
    """

    difference: Estimate
    wins: int
    losses: int
    p: float


def bootstrap_mean(
    values: npt.NDArray[Any],
    clips: npt.NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean of `values`, with a percentile bootstrap interval that draws whole clips.

    Spans, crops and the aligned and misaligned pair of a clip are not independent, but clips are;
    nor are the clips of one recording, but recordings are.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values, for example 1.0 for a right decision and 0.0 for a wrong one.
    clips : ndarray, shape (n,)
        Clip of each value, or recording, or another unit that is drawn as a whole.
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

    Raises
    ------
    InputError
        If there are no values, or not as many clips.

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
    owner, number = _owners(values, clips)
    sums, counts = np.bincount(owner, values), np.bincount(owner).astype(float)
    draws = np.random.default_rng(seed).integers(0, number, (resamples, number))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    return Estimate(float(values.mean()), *_bounds(means, level), number)


def bootstrap(
    statistic: Callable[[npt.NDArray[Any]], float],
    values: npt.NDArray[Any],
    clips: npt.NDArray[Any],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return a statistic of `values`, with a percentile interval that draws whole clips.

    Parameters
    ----------
    statistic : callable
        Function of values (m, ...), such as `numpy.median`.
    values : ndarray, shape (n, ...)
        Values.
    clips, level, resamples, seed
        As for `bootstrap_mean`, which is faster for means.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        As for `bootstrap_mean`.

    Examples
    --------
    >>> import numpy as np
    >>> print(bootstrap(np.median, np.arange(101.0), np.arange(101)).text("°"))
    50.0 [41.0, 59.0]
    """
    values = np.asarray(values)
    owner, number = _owners(values, clips)
    order = np.argsort(owner, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(owner))[:-1])
    rng = np.random.default_rng(seed)
    draws = (
        np.concatenate([rows[i] for i in rng.integers(0, number, number)]) for _ in range(resamples)
    )
    found = np.array([float(statistic(values[some])) for some in draws])
    return Estimate(float(statistic(values)), *_bounds(found, level), number)


def compare(
    first: npt.NDArray[Any],
    second: npt.NDArray[Any],
    clips: npt.NDArray[Any],
    *,
    higher_is_better: bool = True,
    seed: int = 0,
) -> Comparison:
    """Compare two rows of values that were measured on the same clips.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        Values of both, in the same order.
    clips : ndarray, shape (n,)
        Unit of each value, see `bootstrap_mean`.
    higher_is_better : bool
        Whether larger values win.
    seed : int
        Random seed of the draws.

    Returns
    -------
    Comparison
        Mean difference with its interval; the sign test takes each unit once, by its mean.

    Raises
    ------
    InputError
        If there are no values, or not as many of each.

    Examples
    --------
    Better on eight recordings, worse on two: the sign test does not reject equality.

    >>> import numpy as np
    >>> first, second = np.r_[np.ones(8), np.zeros(2)], np.r_[np.zeros(8), np.ones(2)]
    >>> found = compare(first, second, np.arange(10))
    >>> found.wins, found.losses, round(found.p, 3)
    (8, 2, 0.109)
    """
    from scipy.stats import binomtest

    if len(first) != len(second):
        raise InputError(f"{len(first)} and {len(second)} values: a comparison takes pairs")
    gain = np.asarray(first, float) - np.asarray(second, float)
    difference = bootstrap_mean(gain, clips, seed=seed)
    owner, number = _owners(gain, clips)
    each = np.bincount(owner, gain if higher_is_better else -gain, number) / np.bincount(owner)
    # Sums of differences of decisions are whole numbers, others carry rounding errors
    each[np.abs(each) < 1e-12] = 0.0
    wins, losses = int((each > 0).sum()), int((each < 0).sum())
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return Comparison(difference, wins, losses, p)


def _owners(values: npt.NDArray[Any], clips: npt.NDArray[Any]) -> tuple[Indices, int]:
    """Return the number of the clip of each value, and how many clips there are."""
    if not len(values) or len(values) != len(clips):
        raise InputError(
            f"{len(values)} values of {len(clips)} clips: an interval takes as many of both, one "
            "at least"
        )
    names, owner = np.unique(clips, return_inverse=True)
    return owner, len(names)


def _bounds(found: Floats, level: float) -> tuple[float, float]:
    """Return the percentiles between which a share `level` of the draws lies."""
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)
