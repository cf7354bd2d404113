"""A-format and spherical arrays, recorded in simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError
from ambikit.microphones.arrays import array_of, radial_terms
from tests.ambikit.microphones import anchors

RATE = 48_000
GRID = ambikit.fibonacci_sphere(500)
ARRAYS = ["a_format", "em32", "zylia"]


def recorded(array, vectors, taps=512):
    """Return what an array records of clicks (D, Q, taps), `taps` / 2 samples late."""
    frequency = np.fft.rfftfreq(taps, 1 / RATE)
    heard = array_of(array).responses(np.atleast_2d(vectors), frequency)
    late = np.exp(-1j * np.pi * np.arange(len(frequency)))
    return np.fft.irfft((heard * late[:, None, None]).transpose(2, 1, 0), taps)


def encoded(array, frequency, **options):
    """Return what is encoded of waves from GRID (channels, D) at a frequency."""
    filters = ambikit.array_filters(array, RATE, **options)
    taps = filters.shape[-1]
    k = round(frequency * taps / RATE)
    turn = np.exp(-2j * np.pi * k * (np.arange(taps) - taps // 2) / taps)
    return (filters @ turn) @ array_of(array).responses(GRID, np.array([k * RATE / taps]))[0]


def by_degree(got):
    """Return correlation with the harmonics and level over theirs in dB, of each degree."""
    order = round(np.sqrt(len(got))) - 1
    harmonics = ambikit.spherical_harmonics(GRID, order).T
    power, wanted = (np.mean(np.abs(a) ** 2, axis=1) for a in (got, harmonics))
    correlation = np.abs((got * harmonics).mean(axis=1)) / np.sqrt(power * wanted)
    degree = np.floor(np.sqrt(np.arange(len(got))))
    parts = [degree == n for n in range(order + 1)]
    return [correlation[p].mean() for p in parts], [
        10 * np.log10(power[p].mean() / wanted[p].mean()) for p in parts
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("open_omni", {"rigid": False}),
        ("open_cardioid", {"rigid": False, "pattern": 0.5}),
        ("rigid", {"rigid": True}),
    ],
)
def test_spatial_audio_framework_modes(name, options):
    got = 4 * np.pi * radial_terms(4, np.array(anchors.KR), **options)
    assert_allclose(got, anchors.MODES[name], atol=1e-8)


def test_spaudiopy_a_format_matrix():
    """At low frequencies, where the capsules stand at one place: up to two factors."""
    filters = ambikit.array_filters("a_format", RATE, taps=2048, max_gain=60)
    low = filters @ np.exp(-2j * np.pi * 2 * (np.arange(2048) - 1024) / 2048)
    got = low.real[[0, 3, 1, 2]]
    expected = np.array(anchors.SPAUDIOPY_A_TO_B)
    expected[0] *= got[0, 0] / expected[0, 0]
    expected[1:] *= got[1, 0] / expected[1, 0]
    assert_allclose(got, expected, rtol=2e-3)


def test_a_format_of_a_wave():
    """Cardioids at one point hear (1 + cos) / 2; a wave from the left comes out as one."""
    wave = np.random.default_rng(0).normal(size=4000)
    array = ambikit.tetrahedron(radius=1e-5)
    gains = 0.5 + 0.5 * array.vectors @ [0, 1, 0]
    x = ambikit.to_ambisonics(gains[:, None] * wave, RATE, array=array, max_gain=60)
    expected = ambikit.encode(wave, 90, degrees=True)
    inside = slice(600, 3400)
    assert_allclose(x[:, inside], expected[:, inside], atol=2e-2)


@pytest.mark.parametrize("corners", ["BRU BLD FRD FLU", "FLD FRU BLU BRD"])
def test_other_orders_of_capsules(corners):
    """The same wave, whatever the capsules are called."""
    direction = ambikit.angles_to_vector(50, 20, degrees=True)
    click = recorded(corners, direction)[0]
    x = ambikit.to_ambisonics(click, RATE, array=corners)
    spectra = np.fft.rfft(x)[:, 2:8]  # to 700 Hz
    expected = ambikit.spherical_harmonics(direction)
    assert_allclose((spectra / spectra[0]).real, np.tile(expected, (6, 1)).T, atol=0.1)


# Correlation at frequencies where the array is good: measured, minus a hundredth
GOOD = {
    "a_format": [(1000, (0.99, 0.98)), (4000, (0.98, 0.89))],
    "em32": [(2000, (0.99,) * 5), (5000, (0.99, 0.99, 0.99, 0.98, 0.97))],
    "zylia": [(1000, (0.99, 0.99, 0.99, 0.89)), (2000, (0.99, 0.99, 0.98, 0.97))],
}


@pytest.mark.parametrize("array", ARRAYS)
def test_patterns_are_harmonics(array):
    for frequency, least in GOOD[array]:
        correlation, _ = by_degree(encoded(array, frequency))
        assert (np.array(correlation) >= least).all(), (frequency, correlation)


@pytest.mark.parametrize("array", ARRAYS)
def test_levels(array):
    """Within 1 dB above aliasing for all degrees, and for pressure everywhere."""
    for frequency in (150, 1000, 6000, 9000, 15_000):
        _, level = by_degree(encoded(array, frequency))
        assert abs(level[0]) < 1
        if frequency >= 6000:
            assert np.abs(level).max() < 1


def test_without_equalisation_levels_fall_above_aliasing():
    _, level = by_degree(encoded("em32", 9000, equalize=False))
    assert min(level) < -3


@pytest.mark.parametrize("limit", [0.0, 10.0, 20.0])
def test_gain_is_limited(limit):
    """No pattern of the capsules is amplified by more, at any frequency."""
    filters = ambikit.array_filters("em32", RATE, max_gain=limit, equalize=False)
    gains = np.linalg.svd(np.fft.rfft(filters).transpose(2, 0, 1), compute_uv=False)
    assert 20 * np.log10(gains.max()) < limit + 0.5


def test_localisation_of_a_simulated_recording():
    noise = np.random.default_rng(1).normal(size=24_000)
    direction = ambikit.angles_to_vector(-70, 30, degrees=True)
    clicks = recorded("zylia", direction)[0]
    x = np.stack([np.convolve(noise, click)[:24_000] for click in clicks])
    foa = ambikit.to_ambisonics(x, RATE, array="zylia", order=1)
    found = ambikit.localize(foa, RATE, n_sources=1, degrees=True)
    assert_allclose([found.azimuth[0], found.elevation[0]], [-70, 30], atol=3.0)


def test_sound_is_not_late():
    """A click that passes the middle of the array at sample 256 is encoded there."""
    click = recorded("a_format", ambikit.angles_to_vector(30, 10, degrees=True))[0]
    got = ambikit.to_ambisonics(click, RATE, array="a_format")
    spectra = np.fft.rfft(got[0])[:40] * np.exp(1j * np.pi * np.arange(40))
    assert_allclose(np.angle(spectra), 0, atol=0.05)


REFUSED = [
    (
        lambda: ambikit.to_ambisonics(np.zeros((30, 9)), RATE, array="em32"),
        r"x has shape \(30, 9\), but the array 'em32' has 32 capsules",
    ),
    (
        lambda: ambikit.to_ambisonics(np.zeros((900, 4)), RATE, array="a_format"),
        r"channels-last, pass x\.T",
    ),
    (lambda: ambikit.array_filters("em64", RATE), r"unknown microphone array 'em64': did you mean"),
    (lambda: ambikit.array_filters("zylia", RATE, order=4), "order 4 needs 25 capsules or more"),
    (lambda: ambikit.tetrahedron("FLU FRU BLD BRD"), "corners must be four like"),
    (lambda: ambikit.tetrahedron("FLU FRD BLD"), "corners must be four like"),
    (lambda: ambikit.MicrophoneArray([[0, 0]] * 3, 0.02), "needs four capsules or more, got 3"),
    (lambda: ambikit.MicrophoneArray([[i, 0] for i in range(5)], 0.02), "lie in one plane"),
    (
        lambda: ambikit.MicrophoneArray(array_of("em32").directions, 0.02, pattern=0.5),
        "needs an open sphere",
    ),
    (lambda: ambikit.MicrophoneArray(array_of("em32").directions, 0.0), "radius must be positive"),
    (lambda: ambikit.array_filters("em32", RATE, taps=65), "taps must be even"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_cannot_be_used(call, message):
    with pytest.raises(InputError, match=message):
        call()
