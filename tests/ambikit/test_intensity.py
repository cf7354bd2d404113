"""Intensity and diffuseness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests import naive

seeds = st.integers(0, 2**32 - 1)
angles = st.floats(-4, 4)
RATE = 8000


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@given(azimuth=angles, elevation=st.floats(-1.5, 1.5))
def test_intensity_points_at_the_source(azimuth, elevation):
    """Fails for a flipped axis, for W, X, Y, Z, and for physical intensity, which points away."""
    signal = noise(5)
    got = ambikit.intensity(ambikit.encode(signal, azimuth, elevation))
    assert_allclose(got, naive.direction(azimuth, elevation)[:, None] * signal**2, atol=1e-13)


@pytest.mark.parametrize("samples", [0, 1, 2, 63, 64, 65, 300])
def test_definitions(path, samples):
    """Lengths around the blocks and tiles of either path."""
    x = noise(4, samples)
    assert_allclose(
        ambikit.normalized_intensity(x, RATE, time_constant=0.004),
        naive.normalized_intensity(x, RATE, 0.004),
        atol=1e-12,
    )
    assert_allclose(
        ambikit.diffuseness(x, RATE, time_constant=0.004),
        naive.diffuseness(x, RATE, 0.004),
        atol=1e-12,
    )


@given(tau=st.floats(1e-6, 1e3), seed=seeds)
def test_any_time_constant(path, tau, seed):
    x = noise(4, 150, seed=seed)
    got = ambikit.diffuseness(x, RATE, time_constant=tau)
    assert_allclose(got, naive.diffuseness(x, RATE, tau), atol=1e-9)


@given(turn=st.tuples(angles, angles, angles), seed=seeds)
def test_rotation_turns_intensity_and_leaves_diffuseness(path, turn, seed):
    x = noise(4, 64, seed=seed)
    turned = ambikit.rotate(x, *turn)
    assert_allclose(ambikit.diffuseness(turned, RATE), ambikit.diffuseness(x, RATE), atol=1e-12)
    assert_allclose(
        ambikit.normalized_intensity(turned, RATE),
        naive.rotation_matrix(*turn) @ ambikit.normalized_intensity(x, RATE),
        atol=1e-12,
    )


@given(azimuth=angles, elevation=st.floats(-1.5, 1.5), gain=st.floats(1e-6, 1e6))
def test_plane_wave(path, azimuth, elevation, gain):
    """Length exactly 1 with SN3D; N3D would give 0.87, the DCASE form 0.75."""
    x = ambikit.encode(gain * noise(50), azimuth, elevation)
    direction = naive.direction(azimuth, elevation)[:, None]
    got = ambikit.normalized_intensity(x, RATE)
    assert_allclose(got, np.broadcast_to(direction, (3, 50)), atol=1e-12)
    assert_allclose(ambikit.diffuseness(x, RATE), 0, atol=1e-12)


def test_opposite_waves_are_diffuse():
    """Incoherent equal waves: 1 - |mean of their directions|, for 0°, 90° and 0°, 180°."""
    signals = noise(2, 16_000)
    for azimuth, expected in ((90, 1 - np.sqrt(0.5)), (180, 1.0)):
        x = ambikit.encode(signals[0], 0) + ambikit.encode(signals[1], azimuth, degrees=True)
        psi = ambikit.diffuseness(x, RATE, time_constant=1.0)
        assert_allclose(psi[-1], expected, atol=0.03)


def test_short_averages_do_not_see_a_diffuse_field():
    """The numbers of the docstring, for a diffuse field: v with a third of the power of W each."""
    x = noise(4, 10, 1500)
    x[1:] /= np.sqrt(3)
    one = np.linalg.norm(ambikit.normalized_intensity(x[:, 0], RATE, time_constant=1e-9), axis=0)
    assert_allclose(one.mean(), 0.71, atol=0.02)
    # a time constant so long that all ten samples weigh the same
    ten = ambikit.normalized_intensity(x.transpose(2, 0, 1), RATE, time_constant=1e6)[..., -1]
    assert_allclose(np.linalg.norm(ten, axis=-1).mean(), 0.28, atol=0.02)


@given(
    x=st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 4), min_size=1, max_size=30),
    single=st.booleans(),
)
def test_bounds_hold_exactly(path, x, single):
    x = np.array(x).T.astype(np.float32 if single else np.float64)
    psi = ambikit.diffuseness(x, RATE)
    vectors = ambikit.normalized_intensity(x, RATE)
    assert psi.dtype == vectors.dtype == x.dtype
    assert psi.min() >= 0
    assert psi.max() <= 1
    assert np.abs(vectors).max() <= 1
    assert_allclose(np.linalg.norm(vectors, axis=0), 1 - psi, atol=4 * np.finfo(x.dtype).eps)


def test_silence(path):
    x = np.zeros((4, 100), np.float32)
    assert_array_equal(ambikit.diffuseness(x, RATE), 1)
    assert_array_equal(ambikit.normalized_intensity(x, RATE), 0)


def test_silence_before_and_long_after_sound(path):
    """A long silence lets the averages sink through the smallest numbers to nothing."""
    x = np.zeros((4, 3000))
    x[:, 10:20] = ambikit.encode(noise(10), 1.0)
    psi = ambikit.diffuseness(x, RATE, time_constant=3 / RATE)
    assert_array_equal(psi[:10], 1)
    assert_allclose(psi[10:1000], 0, atol=1e-9)
    assert_array_equal(psi[-100:], 1)
    assert psi.min() >= 0
    assert psi.max() <= 1


def test_batch_is_a_loop_and_input_is_left_alone(path):
    x = noise(2, 3, 9, 80).astype(np.float32)
    kept = x.copy()
    psi = ambikit.diffuseness(x, RATE)
    vectors = ambikit.normalized_intensity(x, RATE)
    assert psi.shape == (2, 3, 80)
    assert vectors.shape == ambikit.intensity(x).shape == (2, 3, 3, 80)
    for b in np.ndindex(2, 3):
        assert_array_equal(psi[b], ambikit.diffuseness(x[b][:4], RATE))
        assert_array_equal(vectors[b], ambikit.normalized_intensity(x[b], RATE))
    assert_array_equal(x, kept)


def test_single_precision_sums_in_double(path):
    """A quiet source after a loud one: single-precision averages would lose it."""
    x = noise(4, 2000)
    x[:, 1000:] *= 1e-4
    single = ambikit.diffuseness(x.astype(np.float32), RATE, time_constant=0.02)
    assert_allclose(single, ambikit.diffuseness(x, RATE, time_constant=0.02), atol=1e-5)


def test_both_paths_agree_beyond_the_threshold():
    x = noise(4, 20_000)
    whole = ambikit.diffuseness(x, RATE, time_constant=0.01)  # compiled
    # numpy, on a part that begins 40 time constants early
    part = ambikit.diffuseness(x[:, 6000:12_000], RATE, time_constant=0.01)
    assert_allclose(part[3200:], whole[9200:12_000], atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [ambikit.diffuseness, ambikit.normalized_intensity])
def test_nan_and_infinity_are_refused(path, function, bad):
    for channel, sample in ((0, 0), (3, 50), (1, 99)):
        x = noise(2, 4, 100)
        x[1, channel, sample] = bad
        with np.errstate(invalid="ignore"), pytest.raises(ambikit.InputError, match="NaN or inf"):
            function(x, RATE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros((1, 9)), "sample_rate": RATE}, "1 channels.*order >= 1"),
        ({"x": np.zeros((4, 9)), "sample_rate": 0}, r"sample_rate must be positive \(Hz\), got 0"),
        ({"x": np.zeros((4, 9)), "sample_rate": RATE, "time_constant": -1}, "time_constant"),
        ({"x": np.zeros((4, 9)), "sample_rate": np.nan}, "sample_rate"),
    ],
)
@pytest.mark.parametrize("function", [ambikit.diffuseness, ambikit.normalized_intensity])
def test_bad_arguments(function, arguments, message):
    with pytest.raises(ambikit.InputError, match=message):
        function(**arguments)
