"""Horizontal and mixed-order signals, and orders that are cut down."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit import InputError

RATE = 48_000


@pytest.mark.parametrize(
    ("horizontal", "height", "count"),
    [(1, 0, 3), (1, 1, 4), (2, 0, 5), (2, 1, 6), (2, 2, 9), (3, 0, 7), (3, 1, 8), (3, 2, 11)],
)
def test_numbers_of_channels_are_those_of_amb_files(horizontal, height, count):
    """The .amb format tells its order by the number of channels."""
    channels = ambikit.mixed_order_channels(horizontal, height)
    assert len(channels) == count == (height + 1) ** 2 + 2 * (horizontal - height)


def test_horizontal_channels_are_those_that_hear_the_horizon():
    """The others of degree 1, 2 are 0 there, or follow from a lower one."""
    x = ambikit.encode([1.0], np.deg2rad(50), order=4)
    channels = ambikit.mixed_order_channels(4)
    expected = np.cos(np.outer(range(5), np.deg2rad(50)))
    positive = [n**2 + 2 * n for n in range(5)]
    assert set(positive) <= set(channels)
    ratio = x[positive, 0] / expected.ravel()
    assert_allclose(ratio / ambikit.encode([1.0], 0.0, order=4)[positive, 0], 1, atol=1e-12)


@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_there_and_back(leading):
    channels = ambikit.mixed_order_channels(3, 1)
    x = np.random.default_rng(0).normal(size=(*leading, 8, 50)).astype(np.float32)
    whole = ambikit.expand_channels(x, channels)
    assert (whole.shape, whole.dtype) == ((*leading, 16, 50), np.float32)
    assert_array_equal(ambikit.select_channels(whole, channels), x)
    silent = np.delete(np.arange(16), channels)
    assert not whole[..., silent, :].any()
    shuffled = channels[::-1]
    assert_array_equal(ambikit.expand_channels(x[..., ::-1, :], shuffled), whole)


def test_a_horizontal_layout_hears_nothing_of_what_is_left_out():
    x = ambikit.encode(np.random.default_rng(0).normal(size=100), 1.0, order=3)
    channels = ambikit.mixed_order_channels(3)
    flat = ambikit.expand_channels(ambikit.select_channels(x, channels), channels)
    expected = ambikit.decode(x, "octagon")
    assert_allclose(ambikit.decode(flat, "octagon"), expected, atol=1e-12)


def test_truncation_gives_a_head_its_treble_back():
    """Mean power over directions at the ear of a sphere, from its responses in the time domain."""
    order, high = 1, 5
    click = np.zeros(1024)
    click[512] = 1.0
    azimuth, elevation, responses = ambikit.sphere_head(RATE)
    ears = ambikit.binaural_filters(high, RATE, head="sphere", method="ls")
    assert len(azimuth) == len(elevation) == len(responses)

    def power(low, **options):
        grid = ambikit.vector_to_angles(ambikit.fibonacci_sphere(50))
        total = 0.0
        for angles in zip(*grid, strict=True):
            x = ambikit.truncate_order(ambikit.encode(click, *angles, order=high), low, **options)
            heard = sum(np.convolve(c, h) for c, h in zip(x, ears[0, : len(x)], strict=True))
            total = total + np.abs(np.fft.rfft(heard)) ** 2
        return 10 * np.log10(total)

    full, cut = power(high), power(order)
    equalized = power(order, sample_rate=RATE, equalize=True)
    frequency = np.fft.rfftfreq(1024 + 255, 1 / RATE)
    band = (frequency > 300) & (frequency < 2500)
    # where order 5 is all that there is, to 3 kHz
    assert np.abs(equalized - full)[band].max() < 0.5
    assert np.abs(cut - full)[band].max() > 3


def test_truncation_is_in_time_and_does_nothing_where_there_is_nothing_to_do():
    x = np.random.default_rng(0).normal(size=(2, 9, 3000))
    assert_array_equal(ambikit.truncate_order(x, 1), x[:, :4])
    same = ambikit.truncate_order(x, 2, sample_rate=RATE, equalize=True)
    assert_allclose(same, x, atol=1e-9)
    y = ambikit.truncate_order(x, 1, sample_rate=RATE, equalize=True)
    lag = np.correlate(y[0, 0], x[0, 0], "full").argmax() - 2999
    assert lag == 0


def test_what_is_refused():
    x = np.zeros((4, 10))
    with pytest.raises(InputError, match="height must not be above horizontal 1, got 2"):
        ambikit.mixed_order_channels(1, 2)
    with pytest.raises(InputError, match=r"x must be \(..., 3, samples\)"):
        ambikit.expand_channels(x, [0, 1, 3])
    with pytest.raises(InputError, match="different ACN numbers"):
        ambikit.expand_channels(x, [0, 1, 1, 3])
    with pytest.raises(TypeError, match="list of ACN numbers"):
        ambikit.expand_channels(x, [0.0, 1, 2, 3])
    with pytest.raises(InputError, match="channel 8 is asked for, but x has 4"):
        ambikit.select_channels(x, [0, 8])
    with pytest.raises(InputError, match="order must not be above that of x, 1, got 2"):
        ambikit.truncate_order(x, 2)
    with pytest.raises(InputError, match="equalize needs the sample rate"):
        ambikit.truncate_order(x, 0, equalize=True)
