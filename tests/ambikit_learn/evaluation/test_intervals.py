from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ambikit_learn.evaluation.intervals import bootstrap_mean


def test_interval_of_independent_clips_is_the_binomial_one():
    right = np.r_[np.ones(300), np.zeros(100)]
    estimate = bootstrap_mean(right, np.arange(400), resamples=20_000)
    exact = stats.binom.interval(0.95, 400, 0.75)
    assert estimate.mean == 0.75
    assert estimate.clips == 400
    assert [estimate.low, estimate.high] == pytest.approx(np.array(exact) / 400, abs=0.005)


def test_repeats_of_a_clip_add_no_certainty():
    right = np.r_[np.ones(30), np.zeros(10)]
    once = bootstrap_mean(right, np.arange(40))
    often = bootstrap_mean(np.repeat(right, 50), np.repeat(np.arange(40), 50))
    assert (often.low, often.high, often.clips) == (once.low, once.high, 40)


def test_long_clips_weigh_more():
    values, clips = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1])
    assert bootstrap_mean(values, clips).mean == 0.75
