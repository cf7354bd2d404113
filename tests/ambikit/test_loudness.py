"""Loudness by ITU-R BS.1770, against the numbers that the standards publish."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError
from ambikit.loudness import k_weighting

RATE = 48_000


def sine(*parts, frequency=1000.0, rate=RATE):
    """Return a sine whose level in dBFS changes: parts of (seconds, level)."""
    gain = np.concatenate([np.full(round(s * rate), 10 ** (level / 20)) for s, level in parts])
    return gain * np.sin(2 * np.pi * frequency / rate * np.arange(len(gain)))


def test_filters_of_the_standard():
    """Tables 1 and 2 of BS.1770 at 48 kHz."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    expected = [
        [*shelf, 1, -1.69065929318241, 0.73248077421585],
        [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
    ]
    assert_allclose(k_weighting(RATE), expected, atol=1e-8)


@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000, 96_000])
def test_full_scale_sine_in_one_channel(rate):
    """BS.1770: 0 dBFS at 997 Hz in the left channel is -3.01 LKFS; other rates bend the filters."""
    loud = ambikit.loudness([sine((1, 0), frequency=997, rate=rate)], rate)
    assert_allclose(loud, -3.01, atol=0.005 if rate == RATE else 0.04)


TECH_3341 = {
    1: ([(20, -23)], -23.0),
    2: ([(20, -33)], -33.0),
    3: ([(10, -36), (60, -23), (10, -36)], -23.0),
    4: ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23.0),
    5: ([(20, -26), (20.1, -20), (20, -26)], -23.0),
}


@pytest.mark.parametrize("case", TECH_3341)
def test_minimum_requirements_of_ebu_tech_3341(case):
    """Sines of 1 kHz in two channels; the standard allows 0.1 LU."""
    parts, expected = TECH_3341[case]
    x = sine(*parts)
    assert_allclose(ambikit.loudness(np.stack([x, x]), RATE), expected, atol=0.1)


@pytest.mark.parametrize("lfe", [False, True])
def test_five_channels_of_ebu_tech_3341(lfe):
    """Case 6: surrounds count 1.5 dB more; the low-frequency channel, however loud, not at all."""
    levels = [-28, -28, -24, -30, -30]
    x = np.stack([sine((5, level)) for level in levels])
    if lfe:
        x = np.insert(x, 3, sine((5, 0)), axis=0)
    loud = ambikit.loudness(x, RATE, loudspeakers="5.1", lfe=lfe)
    assert_allclose(loud, -23.0, atol=0.1)


def test_weights_by_direction():
    """60 to 120° at the height of the ears, within 30°: not the heights of 7.1.4, not the back."""
    x = np.stack([sine((1, -20))] * 11)
    each = ambikit.loudness(x, RATE, loudspeakers="7.1.4", per_channel=True)
    azimuth, elevation = ambikit.loudspeaker_layout("7.1.4", degrees=True).T
    expected = np.where((np.abs(azimuth) == 90) & (elevation == 0), 1.5, 0.0)
    assert_allclose(each - each[0], expected, atol=1e-9)
    whole = ambikit.loudness(x, RATE, loudspeakers="7.1.4")
    # every level holds the offset, the sum once
    offset = -0.691
    together = 10 * np.log10((10 ** ((each - offset) / 10)).sum()) + offset
    assert_allclose(whole, together, atol=1e-9)


def test_gain_and_silence():
    x = np.random.default_rng(0).normal(size=(2, 2, RATE))
    loud = ambikit.loudness(x, RATE)
    assert loud.shape == (2,)
    assert_allclose(ambikit.loudness(0.01 * x, RATE), loud - 40, atol=1e-9)
    assert_allclose(ambikit.loudness(x.astype(np.float32), RATE), loud, atol=1e-4)
    assert ambikit.loudness(np.zeros((2, RATE)), RATE) == -np.inf
    assert_allclose(ambikit.loudness(1e200 * x, RATE), loud + 4000, atol=1e-6)


def test_what_is_refused():
    with pytest.raises(InputError, match="19199 samples: 19200"):
        ambikit.loudness(np.zeros((2, 19_199)), RATE)
    with pytest.raises(InputError, match="signals has 2 channels, but the layout 5"):
        ambikit.loudness(np.zeros((2, RATE)), RATE, loudspeakers="5.1")
    with pytest.raises(InputError, match="NaN"):
        ambikit.loudness(np.full((2, RATE), np.nan), RATE)
