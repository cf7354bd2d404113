"""Decoding sound to loudspeakers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit import InputError

RATE = 48_000


def sound(order=1, samples=3000, leading=(), dtype=float):
    shape = (*leading, (order + 1) ** 2, samples)
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def twice(kind, frequency):
    """Return Butterworth sections of second order, twice: scipy's."""
    return np.vstack([scipy.signal.butter(2, frequency, kind, fs=RATE, output="sos")] * 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decode_is_the_matrix(path, dtype):
    x = sound(3, leading=(2,), dtype=dtype)
    got = ambikit.decode(x, "4+7+0", weighting="max_re")
    expected = ambikit.decoder_matrix("4+7+0", 3, weighting="max_re") @ x
    assert got.dtype == dtype
    assert_allclose(got, expected, atol=1e-5 if dtype == np.float32 else 1e-12)


def test_a_source_is_loudest_where_it_is():
    x = ambikit.encode([1.0], *ambikit.loudspeaker_layout("7.1.4")[7], order=3)
    assert np.abs(ambikit.decode(x, "7.1.4", weighting="max_re")[:, 0]).argmax() == 7


@pytest.mark.kernel
@pytest.mark.parametrize("samples", [1, 3000, 40_000])
def test_dual_band_is_a_crossover_of_two_matrices(samples):
    x = sound(samples=samples, leading=(2,))
    got = ambikit.decode(x, "4+5+0", dual_band=800, sample_rate=RATE)
    low = scipy.signal.sosfilt(twice("low", 800), x)
    high = scipy.signal.sosfilt(twice("high", 800), x)
    expected = ambikit.decoder_matrix("4+5+0", 1) @ low
    expected += ambikit.decoder_matrix("4+5+0", 1, weighting="max_re") @ high
    assert_allclose(got, expected, atol=1e-10)


@pytest.mark.kernel
def test_bands_add_up_to_an_all_pass():
    """With the same weights above and below, nothing but phase is left of the crossover."""
    click = np.zeros((1, 1, 8192))
    click[..., 0] = 1.0
    got = ambikit.decode(click[0], "cube", dual_band=800, sample_rate=RATE)
    spectrum = np.abs(np.fft.rfft(got[0])) / np.abs(got[0].sum())
    assert_allclose(spectrum, 1.0, atol=1e-6)


@pytest.mark.kernel
def test_low_frequency_channels_stand_where_the_standard_has_them():
    x = sound()
    got = ambikit.decode(x, "5.1", lfe=True, sample_rate=RATE)
    plain = ambikit.decode(x, "5.1")
    assert_allclose(got[[0, 1, 2, 4, 5]], plain, atol=1e-12)
    expected = 0.5 * scipy.signal.sosfilt(twice("low", 120), x[0])
    assert_allclose(got[3], expected, atol=1e-10)
    own = ambikit.decode(x, [[45, 0], [-45, 0], [180, 0]], degrees=True, lfe=True, sample_rate=RATE)
    assert_allclose(own[3], expected, atol=1e-10)


@pytest.mark.kernel
def test_both_together_and_out():
    x = sound(dtype=np.float32)
    out = np.empty((12, 3000), np.float32)
    kept = x.copy()
    x.flags.writeable = False
    got = ambikit.decode(x, "7.1.4", dual_band=700, lfe=True, sample_rate=RATE, out=out)
    assert got is out
    assert_array_equal(x, kept)
    assert_allclose(got[3], 0.5 * scipy.signal.sosfilt(twice("low", 120), x[0]), atol=1e-5)


GAINS = np.array([1.0, -0.5, 0.0, 2.0, 1.0, 3.0])


@pytest.mark.kernel
@pytest.mark.parametrize("options", [{}, {"dual_band": 700, "weighting": "in_phase"}])
@pytest.mark.parametrize("lfe", [False, True])
def test_gains_are_those_of_the_output(options, lfe):
    x = sound(leading=(2,))
    gains = GAINS if lfe else GAINS[:5]
    options = options | {"lfe": lfe, "sample_rate": RATE}
    got = ambikit.decode(x, "5.1", gains=gains.tolist(), **options)
    plain = ambikit.decode(x, "5.1", **options)
    assert_allclose(got, gains[:, None] * plain, rtol=1e-12, atol=1e-12)


def test_gains_keep_float32():
    x = sound(dtype=np.float32)
    assert ambikit.decode(x, "5.1", gains=GAINS[:5]).dtype == np.float32


@pytest.mark.parametrize(
    ("gains", "error", "message"),
    [
        (GAINS, InputError, r"each of the 5 channels of the output.*got shape \(6,\)"),
        (2.0, InputError, r"got shape \(\)"),
        ([1, 1, 1, 1, np.nan], InputError, "gains holds NaN or infinity"),
        ([1, 1, 1, 1, 1j], TypeError, "gains must be real, got complex128"),
        (["1"] * 5, TypeError, "gains must be numbers"),
    ],
)
def test_gains_that_do_not_fit(gains, error, message):
    with pytest.raises(error, match=message):
        ambikit.decode(sound(), "5.1", gains=gains)
    with pytest.raises(error, match=message):
        ambikit.streaming.Decoder("5.1", gains=gains)


@pytest.mark.parametrize("option", [{"dual_band": 800}, {"lfe": True}])
def test_crossovers_need_the_sample_rate(option):
    with pytest.raises(InputError, match="needs the sample rate: pass sample_rate="):
        ambikit.decode(sound(), "5.1", **option)


def test_crossover_beyond_the_spectrum():
    with pytest.raises(InputError, match="dual_band must lie below half the sample rate, 4000 Hz"):
        ambikit.decode(sound(), "5.1", dual_band=4000, sample_rate=8000)
