"""Directions of arrival of scenes whose directions are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ambikit
from ambikit import InputError

RATE = 24000


def noise(samples: int = 24000, seed: int = 0) -> np.ndarray:
    """Return white noise."""
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def talkers(*directions: tuple[float, float]) -> np.ndarray:
    """Return sources of speech-like sparseness: each is on in its own stretches and bands."""
    x = np.zeros((4, 3 * RATE), np.float32)
    for k, direction in enumerate(directions):
        t = np.arange(x.shape[1]) / RATE
        pitch = 110 * 2 ** (0.37 * k)
        voice = sum(np.sin(2 * np.pi * pitch * h * t + h) / h for h in range(1, 30))
        gate = np.sin(2 * np.pi * (1.7 + 0.6 * k) * t + 2 * k) > 0
        x += ambikit.encode(
            (voice * gate / (1 + 0.3 * k)).astype(np.float32), *direction, degrees=True
        )
    return x


def diffuse(samples: int = 3 * RATE) -> np.ndarray:
    """Return the ideal diffuse field."""
    gains = np.float32([1, 3**-0.5, 3**-0.5, 3**-0.5])
    return noise(4 * samples, 5).reshape(4, -1) * gains[:, None]


def angle(found: ambikit.Directions, k: int, azimuth: float, elevation: float) -> float:
    """Return the angle in degrees between a direction found and the true one."""
    a = ambikit.angles_to_vector(found.azimuth[k], found.elevation[k], degrees=True)
    b = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    return math.degrees(math.acos(min(1.0, float(a @ b))))


@settings(max_examples=15)
@given(st.floats(-180, 180), st.floats(-90, 90), st.sampled_from(["intensity", "pwd", "music"]))
def test_one_source_anywhere(azimuth: float, elevation: float, method: str) -> None:
    x = ambikit.encode(noise(12000), azimuth, elevation, degrees=True)
    found = ambikit.localize(x, RATE, n_sources=1, method=method, degrees=True)
    assert len(found) == 1
    assert angle(found, 0, azimuth, elevation) < 0.1


def test_three_talkers_strongest_first() -> None:
    truth = [(60, 10), (-80, -20), (170, 60)]
    found = ambikit.localize(talkers(*truth), RATE, degrees=True)
    assert len(found) == 3
    for k, direction in enumerate(truth):
        assert angle(found, k, *direction) < 3
    assert (np.diff(found.weight) < 0).all()
    assert len(ambikit.localize(talkers(*truth), RATE, n_sources=2)) == 2


def test_talkers_in_diffuse_noise() -> None:
    truth = [(30, 0), (-60, 15)]
    x = talkers(*truth)
    x += 0.3 * x[0].std() * diffuse()
    found = ambikit.localize(x, RATE, n_sources=2, degrees=True)
    for k, direction in enumerate(truth):
        assert angle(found, k, *direction) < 5


def test_loudness_and_length_do_not_matter() -> None:
    x = talkers((60, 10), (-80, -20))
    loud = ambikit.localize(100 * x, RATE)
    twice = ambikit.localize(np.tile(x, 4), RATE)  # several blocks of analysis
    quiet = ambikit.localize(x, RATE)
    np.testing.assert_allclose(loud.azimuth, quiet.azimuth, atol=1e-3)
    np.testing.assert_allclose(twice.azimuth, quiet.azimuth, atol=0.01)


@pytest.mark.parametrize("method", ["intensity", "pwd"])
def test_nothing_stands_out_of_a_diffuse_field_or_silence(method: str) -> None:
    assert len(ambikit.localize(diffuse(), RATE, method=method)) == 0
    silence = ambikit.localize(np.zeros((4, 24000), np.float32), RATE, method=method)
    assert len(silence) == 0
    assert silence.azimuth.shape == (0,)


def test_third_order_resolves_what_first_order_blurs() -> None:
    pair = [(25.0, 0.0), (-25.0, 0.0)]
    x = sum(ambikit.encode(noise(seed=k), *d, order=3, degrees=True) for k, d in enumerate(pair))
    for method in ("pwd", "music"):
        found = ambikit.localize(x, RATE, n_sources=2, method=method, degrees=True)
        errors = [min(angle(found, k, *d) for k in range(2)) for d in pair]
        assert max(errors) < (5 if method == "pwd" else 1)


def test_rotating_the_field_rotates_what_is_found() -> None:
    x = talkers((60, 10))
    turn = ambikit.rotation_matrix(100, 30, 20, degrees=True)
    found = ambikit.localize(ambikit.rotate(x, rotation=turn), RATE, n_sources=1, degrees=True)
    moved = turn @ ambikit.angles_to_vector(60, 10, degrees=True)
    assert angle(found, 0, *ambikit.vector_to_angles(moved, degrees=True)) < 0.5


def test_power_map_is_the_power_of_the_beams() -> None:
    x = talkers((60, 10), (-80, -20))[None]
    azimuth, elevation = np.array([[60, -80, 0, 180]]), np.array([[10], [-20], [90]])
    power = ambikit.power_map(x, azimuth, elevation, pattern="supercardioid", degrees=True)
    assert power.shape == (1, 3, 4)
    assert power.dtype == np.float32
    for i in range(3):
        for j in range(4):
            beam = ambikit.beamform(
                x[0], azimuth[0, j], elevation[i, 0], pattern="supercardioid", degrees=True
            )
            assert power[0, i, j] == pytest.approx(
                float((beam.astype(float) ** 2).mean()), rel=1e-3
            )


def test_intensity_map_has_mean_one_and_peaks_at_the_source() -> None:
    x = talkers((60, 10))
    azimuth, elevation = ambikit.vector_to_angles(ambikit.fibonacci_sphere(5000))
    density = ambikit.intensity_map(x, RATE, azimuth, elevation)
    assert density.mean() == pytest.approx(1, abs=0.02)
    top = density.argmax()
    assert math.degrees(azimuth[top]) == pytest.approx(60, abs=3)
    flat = ambikit.intensity_map(diffuse(), RATE, azimuth, elevation)
    assert 0.7 < flat.min() < flat.max() < 1.3


def test_peaks_know_the_seam_and_the_poles() -> None:
    azimuth, elevation = np.meshgrid(np.arange(-180, 180, 4), np.arange(-90, 91, 4))
    vectors = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    truth = [(-180, 2, 1.0), (0, 90, 0.7), (60, -30, 0.4), (70, -34, 0.39)]
    power = np.zeros(azimuth.shape)
    for a, e, height in truth:
        centre = ambikit.angles_to_vector(a, e, degrees=True)
        power += height * np.exp(80 * (vectors @ centre - 1))
    peaks = ambikit.find_peaks(power, azimuth, elevation, degrees=True)
    assert len(peaks) == 3  # one at the seam, one at the pole, one of the close pair
    assert angle(peaks, 0, -180, 2) < 3
    assert angle(peaks, 1, 0, 90) < 3
    assert angle(peaks, 2, 64, -32) < 8
    close = ambikit.find_peaks(power, azimuth, elevation, separation=5, n_peaks=2, degrees=True)
    assert len(close) == 2
    all_low = ambikit.find_peaks(power, azimuth, elevation, threshold=0.8, degrees=True)
    assert len(all_low) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "srp"}, "intensity, pwd, music"),
        ({"method": "music"}, "needs n_sources"),
        ({"method": "music", "n_sources": 3}, "1 to 2"),
        ({"n_sources": 0}, "n_sources"),
        ({"sample_rate": -1}, "sample_rate"),
        ({"x": np.zeros((4, 100))}, "100 samples"),
        ({"x": np.zeros((2, 4, 24000))}, "one signal"),
        ({"x": np.full((4, 24000), np.nan)}, "NaN"),
    ],
)
def test_what_cannot_be_located(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ambikit.localize(**{"x": talkers((0, 0)), "sample_rate": RATE, **arguments})


def test_maps_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="broadcast"):
        ambikit.find_peaks(np.ones(5), np.zeros(4), 0.0)
    with pytest.raises(InputError, match="NaN"):
        ambikit.find_peaks(np.array([np.nan, 1]), np.zeros(2), 0.0)
    with pytest.raises(InputError, match="separation"):
        ambikit.find_peaks(np.ones(2), np.zeros(2), 0.0, separation=0.0)


def test_music_is_asked_for_no_more_than_it_can_tell() -> None:
    """Three noises at first order leave one vector of noise, which is zero along a circle."""
    places = [(40.0, 0.0), (-70.0, 20.0), (160.0, -30.0)]
    x = sum(ambikit.encode(noise(seed=k), *d, order=2, degrees=True) for k, d in enumerate(places))
    found = ambikit.localize(x, RATE, n_sources=3, method="music", degrees=True)
    assert max(min(angle(found, k, *d) for k in range(3)) for d in places) < 1
    with pytest.raises(InputError, match="1 to 2 for 4 channels"):
        ambikit.localize(x[:4], RATE, n_sources=3, method="music")
    with pytest.raises(InputError, match="1 to 6 for 9 channels"):
        ambikit.localize(x, RATE, n_sources=7, method="music")


@pytest.mark.parametrize(("half", "peaks"), [(20, [0]), (45, [0]), (90, [90, -90])])
def test_two_noises_at_once_share_their_intensity(half: float, peaks: list[float]) -> None:
    """As the documentation says: one peak between them, unless they are opposite."""
    x = sum(ambikit.encode(noise(seed=k), a, degrees=True) for k, a in enumerate((half, -half)))
    found = ambikit.localize(x, RATE, degrees=True)
    assert len(found) == len(peaks)
    for place in peaks:
        assert min(angle(found, k, place, 0.0) for k in range(len(found))) < 3
