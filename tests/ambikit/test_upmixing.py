"""Room responses of higher order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit import InputError
from tests.ambikit.test_reflections import shoebox

RATE = 48_000


def degrees(x):
    """Return the energy of each degree, which is the same for waves and diffuse fields."""
    begin = np.arange(round(np.sqrt(len(x)))) ** 2
    return np.add.reduceat((x**2).sum(axis=-1), begin)


@pytest.mark.parametrize(("given", "wanted"), [(1, 2), (1, 4), (2, 3)])
def test_one_wave_is_that_of_the_higher_order(given, wanted):
    s = np.random.default_rng(0).normal(size=3000)
    x = ambikit.encode(s, 0.4, -0.3, order=given)
    got = ambikit.upmix_response(x, RATE, wanted)
    assert_array_equal(got[: len(x)], x)
    assert_allclose(got, ambikit.encode(s, 0.4, -0.3, order=wanted), atol=1e-6)


def test_reflections_as_at_the_higher_order():
    """The direct sound and six reflections, two of them 0.4 ms apart, to -15 dB."""
    first, third = (
        ambikit.image_source_response(*shoebox(), RATE, order=order) for order in (1, 3)
    )
    error = degrees(ambikit.upmix_response(first, RATE, 3) - third)[2:]
    assert (error < 10**-1.5 * degrees(third)[2:]).all()


def test_a_diffuse_tail_stays_diffuse():
    """Its power in each degree and octave, its decay, and no correlation of its channels."""
    decay = 10 ** (-3 * np.arange(RATE) / RATE / 0.8)
    noise = np.random.default_rng(0).normal(size=(4, RATE))
    first = np.diag([1, 3**-0.5, 3**-0.5, 3**-0.5]) @ noise * decay
    got = ambikit.upmix_response(first, RATE, 3)
    level = 10 * np.log10(degrees(got)[2:] / (first[0] ** 2).sum())
    assert_allclose(level, 0, atol=1.2)
    spectrum = np.abs(np.fft.rfft(got[4:])) ** 2
    frequency = np.fft.rfftfreq(RATE, 1 / RATE)
    octaves = [
        spectrum[:, (frequency >= f) & (frequency < 2 * f)].mean()
        for f in 125 * 2.0 ** np.arange(7)
    ]
    assert np.ptp(10 * np.log10(octaves)) < 2
    left = ambikit.energy_decay(got)[:, RATE // 2]
    assert_allclose(left, left[0], atol=1)
    assert np.abs(np.corrcoef(got / decay) - np.eye(16)).max() < 0.06


def test_no_sound_before_the_sound():
    first = ambikit.image_source_response(*shoebox(), RATE)
    got = ambikit.upmix_response(first, RATE, 3)
    assert np.abs(got[:, :380]).max() < 1e-3 * np.abs(got).max()


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_other_rates(rate):
    x = ambikit.encode(np.random.default_rng(0).normal(size=700), 2.0, 0.5)
    got = ambikit.upmix_response(x, rate, 2)
    assert_allclose(got, ambikit.encode(x[0], 2.0, 0.5, order=2), atol=1e-6)


def test_scale_type_and_seed():
    x = np.random.default_rng(0).normal(size=(4, 900))
    got = ambikit.upmix_response(x, RATE, 2)
    for gain in (1e-200, 0.3, 1e200):
        assert_allclose(ambikit.upmix_response(gain * x, RATE, 2) / gain, got, atol=1e-9)
    assert_array_equal(ambikit.upmix_response(x, RATE, 2), got)
    other = ambikit.upmix_response(x, RATE, 2, seed=1)
    assert_array_equal(other[:4], got[:4])
    assert np.abs(other[4:] - got[4:]).max() > 0.1
    single = ambikit.upmix_response(x.astype(np.float32), RATE, 2)
    assert single.dtype == np.float32
    assert_allclose(single, got, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 31, 33])
def test_short_and_silent(samples):
    got = ambikit.upmix_response(np.ones((4, samples)), RATE)
    assert got.shape == (16, samples)
    assert np.isfinite(got).all()
    assert_array_equal(ambikit.upmix_response(np.zeros((4, samples)), RATE), np.zeros_like(got))


def test_a_measured_room(test_data):
    """Every degree decays as W does, and has its energy to 1.5 dB."""
    x, rate = ambikit.read(test_data / "foa" / "room_1_bf.wav", convention="fuma")
    got = ambikit.upmix_response(x, rate, 3)
    energy = 10 * np.log10(degrees(got))
    assert_allclose(energy[2:], energy[0], atol=1.5)
    w, high = (ambikit.reverberation_time(part, rate) for part in (got[0], got[9:]))
    assert_allclose(high.mean(axis=0), w, rtol=0.15)


def test_what_is_refused():
    x = np.zeros((9, 100))
    for order in (1, 2):
        with pytest.raises(InputError, match="of order 2 already: order must be higher"):
            ambikit.upmix_response(x, RATE, order)
    with pytest.raises(InputError, match="order must be a positive integer"):
        ambikit.upmix_response(x, RATE, 2.5)
    with pytest.raises(InputError, match="NaN"):
        ambikit.upmix_response(np.full((4, 10), np.nan), RATE)
    with pytest.raises(InputError, match="seed must be a non-negative"):
        ambikit.upmix_response(np.zeros((4, 10)), RATE, seed=-1)
    with pytest.raises(InputError, match="sample_rate must be positive"):
        ambikit.upmix_response(np.zeros((4, 10)), 0)
