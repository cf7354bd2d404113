"""Encoding, still and moving."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests import naive

azimuths = st.floats(-7, 7)
elevations = st.floats(-np.pi / 2, np.pi / 2)
seeds = st.integers(0, 2**32 - 1)


def test_ambix_literal():
    """A plane wave at azimuth 30°, elevation 30°: [1, .433, .5, .75] in W, Y, Z, X and SN3D.

    N3D would give [1, .75, .866, 1.299], W, X, Y, Z would swap the others about.
    """
    got = ambikit.encode([1.0], 30, 30, degrees=True).ravel()
    assert_allclose(got, [1, np.sqrt(3) / 4, 0.5, 0.75], atol=1e-14)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "channels"),
    [
        (90, 0, [1, 1, 0, 0]),
        (-90, 0, [1, -1, 0, 0]),
        (0, 90, [1, 0, 1, 0]),
        (180, 0, [1, 0, 0, -1]),
    ],
)
def test_axes(azimuth, elevation, channels):
    got = ambikit.encode([1.0], azimuth, elevation, degrees=True).ravel()
    assert_allclose(got, channels, atol=1e-14)


@given(azimuth=azimuths, elevation=elevations, order=st.integers(0, 3), seed=seeds)
def test_still_source_is_the_definition(azimuth, elevation, order, seed):
    signal = np.random.default_rng(seed).normal(size=7)
    got = ambikit.encode(signal, azimuth, elevation, order=order)
    assert_allclose(got, naive.encode(signal, azimuth, elevation, order), atol=1e-13)


@given(
    directions=st.lists(st.tuples(st.floats(-3, 3), st.floats(-1.5, 1.5)), min_size=2, max_size=6),
    order=st.integers(0, 3),
    samples=st.integers(1, 60),
    seed=seeds,
)
def test_moving_source_follows_great_circles(path, directions, order, samples, seed):
    signal = np.random.default_rng(seed).normal(size=samples)
    azimuth, elevation = np.array(directions).T
    got = ambikit.encode(signal, azimuth, elevation, order=order)
    expected = naive.encode_moving(signal, [naive.direction(*d) for d in directions], order)
    assert_allclose(got, expected, atol=1e-4 * np.abs(signal).max())


def test_moving_source_hits_its_keys(path):
    azimuth, elevation = np.array([0.1, 2.0, -2.0, -0.5]), np.array([0.0, 0.5, 1.0, -1.0])
    signal = np.random.default_rng(0).normal(size=31)
    got = ambikit.encode(signal, azimuth, elevation, order=3)
    for key in range(4):
        expected = ambikit.encode(signal, azimuth[key], elevation[key], order=3)
        assert_allclose(got[:, 10 * key], expected[:, 10 * key], atol=1e-12)


def test_across_the_back_is_the_short_way(path):
    """From 170° to -170° the source passes the back (X < 0), not the front."""
    x = ambikit.encode(np.ones(101), [170, -170], degrees=True)
    assert_allclose(x[:, 50], [1, 0, 0, -1], atol=1e-4)
    assert x[3].max() < -0.98


def test_over_the_top_keeps_its_speed(path):
    """From the front over the zenith to the back: elevation is linear in time."""
    x = ambikit.encode(np.ones(181), [0, 180], [60, 60], degrees=True)
    angle = np.rad2deg(np.arctan2(x[2], x[3]))
    assert_allclose(angle, np.linspace(60, 120, 181), atol=0.01)


@pytest.mark.parametrize(("azimuth", "middle"), [(0, 90), (30, 120), (-90, 0)])
def test_opposite_keys_turn_counter_clockwise(path, azimuth, middle):
    x = ambikit.encode(np.ones(3), [azimuth, azimuth + 180], degrees=True)
    assert_allclose(x[:, 1], ambikit.encode([1.0], middle, degrees=True)[:, 0], atol=1e-12)


def test_from_pole_to_pole(path):
    x = ambikit.encode(np.ones(3), 0.0, [-np.pi / 2, np.pi / 2])
    assert_allclose(x[:, 1], [1, 0, 0, 1], atol=1e-12)


def test_moving_source_does_not_click(path):
    """Gains change from sample to sample by what the motion asks for, no more and no less."""
    samples, turn = 4800, 2 * np.pi
    x = ambikit.encode(np.ones(samples), np.linspace(0, turn, 9), order=2)
    speed = turn / (samples - 1)
    assert np.abs(np.diff(x)).max() < 2.05 * speed  # order 2 changes at most twice as fast
    # a gain held for a control period, then stepped, would stand still in between
    turning = np.abs(np.diff(x[[1, 3]])).sum(axis=0)
    assert turning.min() > 0.95 * speed


@given(seed=seeds)
def test_more_keys_than_samples(path, seed):
    azimuth = np.random.default_rng(seed).uniform(-3, 3, size=9)
    x = ambikit.encode(np.ones(3), azimuth)
    assert_allclose(x, ambikit.encode(np.ones(9), azimuth)[:, [0, 4, 8]], atol=1e-4)


def test_batch_is_a_loop(path):
    signals = np.random.default_rng(0).normal(size=(2, 3, 40)).astype(np.float32)
    for azimuth in (0.3, [0.3, 1.0, 2.0]):
        got = ambikit.encode(signals, azimuth, 0.2, order=2)
        assert got.shape == (2, 3, 9, 40)
        assert got.dtype == np.float32
        for b in np.ndindex(2, 3):
            assert_allclose(got[b], ambikit.encode(signals[b], azimuth, 0.2, order=2), rtol=1e-6)


def test_input_is_not_modified_and_single_precision_is_enough(path):
    signal = np.random.default_rng(0).normal(size=500)
    single = signal.astype(np.float32)
    kept = single.copy()
    for azimuth in (1.0, [1.0, 2.0, -2.0]):
        x = ambikit.encode(single, azimuth)
        assert_allclose(x, ambikit.encode(single.astype(float), azimuth), atol=2e-6)
    assert_array_equal(single, kept)


@pytest.mark.parametrize("azimuth", [0.5, [0.5, 1.0]])
def test_out(path, azimuth):
    signal = np.random.default_rng(0).normal(size=20)
    expected = ambikit.encode(signal, azimuth)
    wide = np.zeros((4, 40))
    for out in (np.empty((4, 20)), wide[:, ::2], wide[::-1, 20:]):
        assert ambikit.encode(signal, azimuth, out=out) is out
        assert_allclose(out, expected, atol=1e-14)


@pytest.mark.parametrize("azimuth", [0.5, [0.5, 1.0]])
def test_no_samples(path, azimuth):
    assert ambikit.encode(np.zeros((2, 0)), azimuth).shape == (2, 4, 0)


def test_sound_beyond_the_kernel_threshold():
    """Large sounds take the kernel by themselves, small ones numpy: both are one function."""
    signal = np.random.default_rng(0).normal(size=20_000)
    azimuth = np.linspace(0, 3, 7)
    whole = ambikit.encode(signal, azimuth)
    parts = [ambikit.encode(signal[i : i + 1], 3 * i / 19_999) for i in range(0, 20_000, 999)]
    assert_allclose(whole[:, ::999], np.concatenate(parts, axis=1), atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"azimuth": np.nan}, "azimuth holds NaN"),
        ({"azimuth": 0.0, "elevation": 2.0}, "within ±90°.*2 rad.*degrees=True"),
        ({"azimuth": 0.0, "elevation": 91, "degrees": True}, "91°"),
        ({"azimuth": np.zeros((2, 2))}, r"1-D.*\(2, 2\)"),
        ({"azimuth": []}, "azimuth"),
        ({"azimuth": [0.0, 1.0], "elevation": [0.0, 1.0, 2.0 / 3]}, "broadcast"),
        ({"azimuth": 0.0, "order": -1}, "order must be a non-negative integer, got -1"),
        ({"azimuth": 0.0, "order": 1.0}, "order"),
        ({"azimuth": 0.0, "out": np.empty((4, 2))}, r"out must be .*\(4, 3\), got .*\(4, 2\)"),
        ({"azimuth": 0.0, "out": np.empty((4, 3), np.float32)}, "float64.*got float32"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ambikit.InputError, match=message):
        ambikit.encode(np.zeros(3), **arguments)


def test_integer_sound_is_refused_with_a_hint():
    with pytest.raises(TypeError, match=r"int16.*signal / 32768"):
        ambikit.encode(np.zeros(3, np.int16), 0.0)
