"""Filters to two ears, and sound through them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit import InputError
from ambikit.decoding import _convolution, binaural
from ambikit.decoding.heads import head_of
from tests.ambikit.decoding import anchors

RATE = 48_000
BANDS = [(1500, 4000), (4000, 8000), (8000, 16000)]
DIRECTIONS = ambikit.vector_to_angles(ambikit.fibonacci_sphere(300))
HEAD = ambikit.sphere_head(RATE)


def ears(filters, angles=DIRECTIONS):
    """Return the responses (M, 2, taps) of decoded plane waves."""
    order = round(np.sqrt(filters.shape[1])) - 1
    return np.einsum("mc,ect->met", ambikit.steering_vector(*angles, order=order), filters)


def wanted(angles=DIRECTIONS):
    return ambikit.sphere_head(RATE, azimuth=angles[0], elevation=angles[1])[2]


def by_band(spectra, bands):
    frequency = np.fft.rfftfreq(4096, 1 / RATE)
    return [spectra[..., (frequency >= low) & (frequency < high)] for low, high in bands]


def level_errors(filters):
    """Return the rms error of the magnitude in dB in three bands."""
    got, expected = (np.abs(np.fft.rfft(r, 4096)) for r in (ears(filters), wanted()))
    return [np.sqrt((e**2).mean()) for e in by_band(20 * np.log10(got / expected), BANDS)]


def time_differences(responses):
    """Return how much the left ear leads below some 700 Hz, in seconds."""
    frequency = np.fft.rfftfreq(4096, 1 / RATE)
    low = 1 / (1 + (frequency / 700) ** 12)
    left, right = np.moveaxis(np.fft.rfft(responses, 4096), 1, 0)
    match = np.fft.fftshift(np.fft.irfft(right * left.conj() * low, 8 * 4096), axes=-1)
    return (match.argmax(axis=-1) - 4 * 4096) / (8 * RATE)


# Filters


def test_spatial_audio_framework_least_squares():
    """Up to 3 kHz, where both grids of directions carry the head's harmonics."""
    filters = ambikit.binaural_filters(1, RATE, head="sphere", method="ls")
    got = np.fft.rfft(filters, 256).transpose(2, 0, 1)[anchors.BINS]
    delay = np.exp(2j * np.pi * np.array(anchors.BINS) / 256 * anchors.SPHERE_DELAY)
    expected = np.array(anchors.SAF_LEAST_SQUARES) * delay[:, None, None]
    assert_allclose(got, expected, atol=1e-3 * np.abs(expected).max())


def test_least_squares_is_the_projection_of_the_head():
    """By the definition, sample by sample, with the areas of the grid's cells."""
    azimuth, elevation, responses = HEAD
    root = np.sqrt(head_of(HEAD, RATE).weights)[:, None]
    harmonics = ambikit.steering_vector(azimuth, elevation, order=2) * root
    flat = responses.reshape(len(responses), -1) * root
    expected = np.linalg.lstsq(harmonics, flat, rcond=None)[0]
    got = ambikit.binaural_filters(2, RATE, head=HEAD, method="ls")
    assert_allclose(got, expected.reshape(9, 2, -1).transpose(1, 0, 2), atol=1e-9)


@pytest.mark.parametrize(("order", "goals"), [(1, (1.5, 1.6, 1.7)), (3, (0.8, 1.3, 1.3))])
def test_magnitude_least_squares_keeps_levels(order, goals):
    filters = ambikit.binaural_filters(order, RATE, head="sphere")
    assert (np.array(level_errors(filters)) <= goals).all()
    least_squares = ambikit.binaural_filters(order, RATE, head="sphere", method="ls")
    assert min(level_errors(least_squares)) > 5


def test_magnitude_least_squares_keeps_level_differences():
    filters = ambikit.binaural_filters(1, RATE, head="sphere")
    differences = []
    for responses in (ears(filters), wanted()):
        power = by_band(
            np.abs(np.fft.rfft(responses, 4096)) ** 2, [(125, 500), (500, 1500), *BANDS]
        )
        differences.append([10 * np.log10(p.sum(axis=-1)) @ [1, -1] for p in power])
    assert np.abs(np.subtract(*differences)).mean() <= 1.4


@pytest.mark.parametrize("order", [1, 2, 3])
def test_magnitude_least_squares_keeps_time_differences(order):
    expected = time_differences(wanted())
    errors = [
        np.abs(time_differences(ears(filters)) - expected).mean()
        for filters in (
            ambikit.binaural_filters(order, RATE, head="sphere", method=method)
            for method in ("magls", "ls")
        )
    ]
    assert errors[0] <= errors[1] + 1e-6


def test_kemar_hears_where_sound_comes_from():
    for order in (1, 3):
        filters = ambikit.binaural_filters(order, RATE)
        azimuth = np.deg2rad([0, 45, 90, 135, 180, -45, -90, -135])
        responses = ears(filters, (azimuth, 0 * azimuth))
        level = 10 * np.log10((responses**2).sum(axis=-1)) @ [1, -1]
        assert_allclose(level[[0, 4]], 0, atol=0.1)
        assert (level[[1, 2, 3]] > 3).all()
        assert_allclose(level[5:], -level[1:4], atol=0.1)
        lead = time_differences(responses)
        assert (lead[[1, 2, 3]] > 2e-4).all()


def diffuse(filters):
    """Return the covariance (F, 2, 2) of the ears in a diffuse field."""
    spectra = np.fft.rfft(filters, 512)
    order = round(np.sqrt(filters.shape[1])) - 1
    share = 1 / (2 * np.floor(np.sqrt(np.arange((order + 1) ** 2))) + 1)
    return np.einsum("ecf,dcf,c->fed", spectra, spectra.conj(), share)


def test_equalizations_by_name():
    spectra = np.fft.rfft(HEAD[2], 512)
    head = np.einsum("mef,mdf->fed", spectra, spectra.conj()) / len(spectra)
    inside = slice(4, 200)

    def relative(a, b):
        return np.abs(np.asarray(a - b)[inside]).max() / np.abs(np.asarray(b)[inside]).max()

    plain = ambikit.binaural_filters(1, RATE, head=HEAD, method="ls")
    trace = np.einsum("fee->f", head).real
    assert relative(np.einsum("fee->f", diffuse(plain)).real, trace) > 0.5
    power = ambikit.binaural_filters(
        1, RATE, head=HEAD, method="ls", equalization="truncation", taps=512
    )
    assert relative(np.einsum("fee->f", diffuse(power)).real, trace) < 0.02
    whole = ambikit.binaural_filters(1, RATE, head=HEAD, equalization="covariance", taps=512)
    assert relative(diffuse(whole), head) < 0.03
    flat = ambikit.binaural_filters(3, RATE, head=HEAD, equalization="diffuse_field")
    level = 10 * np.log10(np.einsum("fee->f", diffuse(flat)).real / 2)[inside]
    assert np.abs(level).max() < 1.0


def test_max_re_narrows_nothing_but_degrees():
    """The power of the diffuse field stays; the share of the higher degree falls."""
    plain, tapered = (
        ambikit.binaural_filters(1, RATE, head=HEAD, weighting=w, taps=512)
        for w in (None, "max_re")
    )
    powers = [np.einsum("fee->f", diffuse(f)).real[4:200] for f in (plain, tapered)]
    assert_allclose(powers[1], powers[0], rtol=0.05)
    share = [(f[:, 1:] ** 2).sum() / (f[:, :1] ** 2).sum() for f in (plain, tapered)]
    assert_allclose(share[1] / share[0], 1 / 3, rtol=0.3)


def test_filters_are_not_shared():
    first = ambikit.binaural_filters(1, RATE)
    first[...] = 0
    assert ambikit.binaural_filters(1, RATE).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "tikhonov"}, "unknown method 'tikhonov': choose one of magls, ls"),
        ({"equalization": "flat"}, "unknown equalization 'flat'"),
        ({"weighting": "in_phase"}, "unknown weighting 'in_phase'"),
        ({"cutoff": 0}, "cutoff must be positive"),
        ({"taps": 3}, "taps must be 16 or more"),
    ],
)
def test_settings_that_cannot_be_used(options, message):
    with pytest.raises(InputError, match=message):
        ambikit.binaural_filters(1, RATE, **options)


# Sound


def convolved(x, filters):
    """Return sound through filters: scipy's."""
    waves = [
        [scipy.signal.fftconvolve(s, f)[: x.shape[-1]] for s, f in zip(x, ear, strict=True)]
        for ear in filters
    ]
    return np.sum(waves, axis=1)


@pytest.mark.parametrize("samples", [1, 100, 4095, 20_000])
@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decoding_is_convolution(samples, order, dtype):
    x = np.random.default_rng(0).normal(size=((order + 1) ** 2, samples)).astype(dtype)
    got = ambikit.decode_binaural(x, RATE, taps=200)
    expected = convolved(x.astype(float), ambikit.binaural_filters(order, RATE, taps=200))
    assert got.dtype == dtype
    assert_allclose(got, expected, atol=(1e-5 if dtype == np.float32 else 1e-12) * 5)


@pytest.mark.parametrize("taps", [16, 700])
def test_every_size_of_blocks(monkeypatch, taps):
    monkeypatch.setattr(_convolution, "_SIZE", 128)
    x, filters = (np.random.default_rng(1).normal(size=s) for s in ((4, 9000), (2, 4, taps)))
    out = np.empty((2, 8990))
    _convolution.convolve(x, filters, out, 10)
    assert_allclose(out, convolved(x, filters)[:, 10:], atol=1e-10)


def test_turning_the_head_is_turning_the_field():
    x = np.random.default_rng(2).normal(size=(9, 3000))
    got = ambikit.decode_binaural(x, RATE, yaw=40, pitch=-20, roll=10, degrees=True)
    turned = ambikit.rotate(x, 40, -20, 10, degrees=True, inverse=True)
    assert_allclose(got, ambikit.decode_binaural(turned, RATE), atol=1e-11)


def test_moving_head(monkeypatch):
    monkeypatch.setattr(binaural, "_SPAN", 1000)
    x = np.random.default_rng(3).normal(size=(2, 4, 5000))
    for options in ({}, {"times": [100, 3000, 9000]}):
        got = ambikit.decode_binaural(x, RATE, yaw=[0, 2, 3], pitch=0.2, **options)
        turned = ambikit.rotate(x, [0, 2, 3], 0.2, inverse=True, **options)
        assert_allclose(got, ambikit.decode_binaural(turned, RATE), atol=1e-10)


def test_left_and_right_change_places():
    """A mirrored field is heard by the other ear: the head is symmetric."""
    x = np.random.default_rng(4).normal(size=(16, 2000))
    got = ambikit.decode_binaural(ambikit.mirror(x, "left_right"), RATE)
    assert_allclose(got[::-1], ambikit.decode_binaural(x, RATE), atol=2e-3)


def test_out_is_filled():
    x = np.random.default_rng(5).normal(size=(4, 100))
    out = np.empty((2, 100))
    assert ambikit.decode_binaural(x, RATE, out=out) is out
    assert_array_equal(out, ambikit.decode_binaural(x, RATE))
