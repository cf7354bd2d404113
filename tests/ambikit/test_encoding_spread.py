"""Sources that are wide, sources that are everywhere, and keys at given times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests import naive
from tests.tolerance import assert_sums_close, transform_terms

seeds = st.integers(0, 2**32 - 1)


def cap_of_waves(azimuth, elevation, spread, order):
    """Mean of the harmonics over a cap, by summing plane waves; exact to the order."""
    axis = naive.direction(azimuth, elevation)
    side = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    side /= np.linalg.norm(side)
    node, weight = np.polynomial.legendre.leggauss(order + 1)
    low = np.cos(spread / 2)
    total = np.zeros((order + 1) ** 2)
    for z, share in zip(low + (1 - low) * (node + 1) / 2, weight / 2, strict=True):
        for turn in 2 * np.pi * np.arange(order + 1) / (order + 1):
            ring = np.cos(turn) * side + np.sin(turn) * np.cross(axis, side)
            wave = naive.harmonics(z * axis + np.sqrt(1 - z * z) * ring, order)
            total += share / (order + 1) * wave
    return total


@given(
    azimuth=st.floats(-7, 7),
    elevation=st.floats(-np.pi / 2, np.pi / 2),
    spread=st.floats(0, 2 * np.pi),
    order=st.integers(0, 3),
)
def test_spread_source_is_the_mean_of_the_waves_of_its_cap(azimuth, elevation, spread, order):
    got = ambikit.encode([1.0], azimuth, elevation, order=order, spread=spread).ravel()
    assert_allclose(got, cap_of_waves(azimuth, elevation, spread, order), atol=1e-12)


@pytest.mark.parametrize("spread", [0, 1e-7, 60, 180, 360])
def test_share_of_first_order_has_a_closed_form(spread):
    """X, Y, Z keep (1 + cos(spread / 2)) / 2; an angle taken for half the width would not fit."""
    x = ambikit.encode([1.0], 0.0, spread=spread, degrees=True).ravel()
    assert_allclose(x, [1, 0, 0, (1 + np.cos(np.radians(spread / 2))) / 2], atol=1e-14)


def test_no_spread_is_the_plain_wave_to_the_bit():
    signal = np.random.default_rng(0).normal(size=50)
    for azimuth in (0.3, [0.3, 2.0]):
        assert_array_equal(
            ambikit.encode(signal, azimuth, order=5, spread=0.0),
            ambikit.encode(signal, azimuth, order=5),
        )


def test_spread_source_moves_and_turns(path):
    """The shares do not depend on where the source is: width and motion are independent."""
    signal = np.random.default_rng(0).normal(size=300)
    keys = [0.0, 1.0, -2.0], [0.0, 0.9, -1.0]
    plain = ambikit.encode(signal, *keys, order=2)
    wide = ambikit.encode(signal, *keys, order=2, spread=1.5)
    shares = ambikit.encode([1.0], 0.0, np.pi / 2, order=2, spread=1.5).ravel()[[0, 2, 6]]
    assert_allclose(wide, plain * np.repeat(shares, [1, 3, 5])[:, None], atol=1e-12)


def test_wide_sources_look_diffuse():
    noise = np.random.default_rng(0).normal(size=400)
    measured = [
        ambikit.diffuseness(ambikit.encode(noise, 1.0, spread=s, degrees=True), 8000)[-1]
        for s in (0, 90, 180, 360)
    ]
    g = np.array([1, (1 + np.cos(np.pi / 4)) / 2, 0.5, 0])
    assert_allclose(measured, 1 - 2 * g / (1 + g**2), atol=1e-12)


@given(seed=seeds, keys=st.integers(2, 5))
def test_times_spread_evenly_are_the_default(path, seed, keys):
    rng = np.random.default_rng(seed)
    signal, azimuth = rng.normal(size=41), rng.uniform(-3, 3, keys)
    assert_allclose(
        ambikit.encode(signal, azimuth, times=np.linspace(0, 40, keys)),
        ambikit.encode(signal, azimuth),
        atol=1e-12,
    )


def test_times_hold_the_nearest_key_outside_their_range(path):
    x = ambikit.encode(np.ones(50), [0, 90], times=[20, 30], degrees=True)
    assert_allclose(x[:, :21], np.repeat([[1], [0], [0], [1.0]], 21, axis=1), atol=1e-12)
    assert_allclose(x[:, 30:], np.repeat([[1], [1], [0], [0.0]], 20, axis=1), atol=1e-12)
    assert_allclose(x[1, 20:31], np.sin(np.linspace(0, np.pi / 2, 11)), atol=1e-4)


@settings(max_examples=30)
@given(seed=seeds, cut=st.integers(1, 199), length=st.floats(2, 5000), order=st.integers(0, 2))
def test_parts_of_a_motion_are_parts_of_the_whole(path, seed, cut, length, order):
    """However fast the motion, where it is cut does not show."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=200)
    keys = rng.uniform(-3, 3, 3), rng.uniform(-1.5, 1.5, 3)
    times = np.array([0.0, 0.3, 1.0]) * length - 50
    whole = ambikit.encode(signal, *keys, order=order, times=times)
    parts = [
        ambikit.encode(signal[:cut], *keys, order=order, times=times),
        ambikit.encode(signal[cut:], *keys, order=order, times=times - cut),
    ]
    assert_allclose(np.concatenate(parts, axis=-1), whole, atol=1e-10)


# The diffuse field


def impulse_responses(order=1, length=512, seed=0):
    return ambikit.encode_diffuse(np.eye(1, length).ravel(), order=order, length=length, seed=seed)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_diffuse_channels_are_orthogonal_with_isotropic_energies(order):
    """diag(1, 1/3, 1/3, 1/3, 1/5, ...): 1 throughout would be N3D."""
    h = impulse_responses(order)
    degree = np.floor(np.sqrt(np.arange(len(h))))
    assert_allclose(h @ h.T, np.diag(1 / (2 * degree + 1)), atol=1e-12)


def test_diffuse_channels_have_flat_spectra():
    power = np.abs(np.fft.rfft(impulse_responses(length=2048))) ** 2 * [[1], [3], [3], [3]]
    assert_allclose(power[:, 1:-1], 1, atol=0.35)
    assert_allclose(power.mean(axis=1), 1, atol=0.01)


def test_diffuse_field_is_incoherent_in_every_band():
    """Delayed copies of one filter would pass the sum over all frequencies."""
    spectra = np.fft.rfft(impulse_responses(length=4096))
    bands = (spectra[:, None] * spectra.conj()).reshape(4, 4, -1)[..., :2048].reshape(4, 4, 8, -1)
    coherence = (
        np.abs(bands.mean(axis=-1)) * np.sqrt(np.outer([1, 3, 3, 3], [1, 3, 3, 3]))[..., None]
    )
    assert coherence[~np.eye(4, dtype=bool)].max() < 4 / np.sqrt(256)


def test_diffuse_field_measures_as_diffuse():
    noise = np.random.default_rng(0).normal(size=24_000)
    x = ambikit.encode_diffuse(noise)
    assert ambikit.diffuseness(x, 24_000, time_constant=0.5)[-1] > 0.95
    turned = ambikit.rotate(x, 1.0, 0.5, -2.0)
    assert_allclose(turned @ turned.T / 24_000, x @ x.T / 24_000, atol=0.02)


def test_diffuse_field_keeps_the_power_of_the_sound():
    noise = np.random.default_rng(1).normal(size=48_000)
    x = ambikit.encode_diffuse(noise, order=2)
    energy = np.mean(x**2, axis=-1) * (2 * np.floor(np.sqrt(np.arange(9))) + 1)
    assert_allclose(energy, np.mean(noise**2), rtol=0.1)


@settings(max_examples=20)
@given(samples=st.integers(0, 40_000), seed=seeds)
def test_diffuse_field_is_a_convolution(samples, seed):
    """Blocks do not show: the definition of the convolution, at some samples."""
    signal = np.random.default_rng(seed).normal(size=samples)
    x = ambikit.encode_diffuse(signal, length=64, seed=3)
    h = impulse_responses(length=64, seed=3)
    assert x.shape == (4, samples)
    for t in {0, 1, 63, 64, samples // 2, 16_300, 16_384, 16_400, samples - 1} & {*range(samples)}:
        past = signal[max(t - 63, 0) : t + 1][::-1]
        assert_allclose(x[:, t], h[:, : len(past)] @ past, atol=1e-12)


def test_seeds_give_independent_fields():
    first, again, other = (impulse_responses(length=4096, seed=s) for s in (0, 0, 1))
    assert_array_equal(first, again)
    assert np.abs(first @ other.T).max() < 4 / np.sqrt(4096)


def test_diffuse_batch_is_a_loop_and_keeps_single_precision():
    signals = np.random.default_rng(0).normal(size=(2, 3, 200)).astype(np.float32)
    got = ambikit.encode_diffuse(signals, order=2, length=128)
    assert got.shape == (2, 3, 9, 200)
    assert got.dtype == np.float32
    for b in np.ndindex(2, 3):
        one = ambikit.encode_diffuse(signals[b], order=2, length=128)
        assert_sums_close(got[b], one, np.abs(one).max(), transform_terms(512))
    wide = ambikit.encode_diffuse(signals.astype(float), order=2, length=128)
    assert_allclose(got, wide, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ambikit.encode([1.0], 0.0, spread=-0.1),
            "spread must be an angle from 0°",
        ),
        (lambda: ambikit.encode([1.0], 0.0, spread=361, degrees=True), "spread.*got 361"),
        (lambda: ambikit.encode([1.0], 0.0, spread=np.nan), "spread holds NaN"),
        (lambda: ambikit.encode([1.0], 0.0, spread=[0.1, 0.2]), r"one number, got shape \(2,\)"),
        (lambda: ambikit.encode([1.0], 0.0, times=[0.0]), "times needs keys"),
        (lambda: ambikit.encode([1.0], [0.0, 1.0], times=[1.0, 0.0]), "strictly rising"),
        (lambda: ambikit.encode([1.0], [0.0, 1.0], times=[1.0]), r"shape \(2,\), got shape \(1,\)"),
        (lambda: ambikit.encode_diffuse([np.nan]), "signal holds NaN"),
        (lambda: ambikit.encode_diffuse([1.0], length=8), "length must be 16 or more, got 8"),
        (lambda: ambikit.encode_diffuse([1.0], seed=-1), "seed must be a non-negative integer"),
        (lambda: ambikit.encode_diffuse(1.0), "single number"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ambikit.InputError, match=message):
        call()
