"""Distance of sources and of loudspeakers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import spherical_jn, spherical_yn

import ambikit
from ambikit import InputError

RATE = 48_000


def wave(degree, kd):
    """Return the factor of a point source's wave over a plane wave's, phase and loss removed."""
    h = spherical_jn(degree, kd) - 1j * spherical_yn(degree, kd)
    return (-1j) ** (degree + 1) * kd * np.exp(1j * kd) * h


def responses(distance, reference, order=3, **options):
    """Return the spectra of each degree, and frequencies, from clicks."""
    x = np.zeros(((order + 1) ** 2, 1 << 16))
    x[:, 0] = 1.0
    y = ambikit.near_field(x, RATE, distance=distance, reference=reference, **options)
    spectra = np.fft.rfft(y)[np.arange(order + 1) * (np.arange(order + 1) + 1)]
    return spectra, np.fft.rfftfreq(1 << 16, 1 / RATE)


@pytest.mark.parametrize(("distance", "reference"), [(0.5, 2.0), (3.0, 1.0), (math.inf, 1.5)])
def test_spherical_hankel_functions(distance, reference):
    """scipy's functions, complex, from 10 Hz to 2 kHz."""
    got, frequency = responses(distance, reference)
    band = (frequency > 10) & (frequency < 2000)
    k = 2 * np.pi * frequency[band] / 343
    for degree in range(4):
        near = 1.0 if math.isinf(distance) else wave(degree, k * distance)
        assert_allclose(got[degree, band], near / wave(degree, k * reference), rtol=2e-3, atol=2e-3)


def test_bass_and_treble():
    """(R / d)^n in the bass, 1 at half the sample rate."""
    got, _ = responses(0.5, 1.0)
    assert_allclose(np.abs(got[:, 0]), 2.0 ** np.arange(4), rtol=1e-6)
    assert_allclose(np.abs(got[:, -1]), 1.0, rtol=1e-6)
    plane, _ = responses(math.inf, 1.0)
    assert_allclose(np.abs(plane[1:, 0]), 0, atol=1e-6)


def test_coding_and_compensation_cancel():
    x = np.random.default_rng(0).normal(size=(2, 9, 4000))
    assert_allclose(ambikit.near_field(x, RATE, distance=1.3, reference=1.3), x, atol=1e-9)
    there = ambikit.near_field(x, RATE, distance=0.7, reference=2.0)
    assert_allclose(ambikit.near_field(there, RATE, distance=2.0, reference=0.7), x, atol=1e-6)


def test_gain_is_limited():
    """A source in the middle of the head: 20 dB in each degree, and finite."""
    got, _ = responses(1e-6, 2.0, max_gain=20)
    assert_allclose(20 * np.log10(np.abs(got[:, 0])), [0, 20, 20, 20], atol=1e-3)


def test_single_precision_and_in_place():
    x = np.random.default_rng(0).normal(size=(16, 40_000)).astype(np.float32)
    expected = ambikit.near_field(x.astype(float), RATE, distance=0.5, reference=2.0)
    got = ambikit.near_field(x, RATE, distance=0.5, reference=2.0, out=x)
    assert got is x
    assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())
    assert_array_equal(got[0], x[0])


def test_what_is_refused():
    x = np.zeros((4, 100))
    for options in ({"reference": 0.0}, {"reference": math.inf}, {"reference": 1, "distance": -1}):
        with pytest.raises(InputError, match="must be positive"):
            ambikit.near_field(x, RATE, **options)
    with pytest.raises(InputError, match="NaN"):
        ambikit.near_field(x + np.nan, RATE, reference=1.0)
