"""Maps of power over time, and of least power."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

import ambikit

GRID = ambikit.plot.equirectangular_grid(18, 36)


def test_maps_over_time_are_maps_of_parts():
    x = np.random.default_rng(0).normal(size=(2, 9, 1050))
    for pattern in ("max_di", "cardioid", "mvdr"):
        got = ambikit.power_map(x, *GRID, hop=100, pattern=pattern)
        assert got.shape == (2, 10, 18, 36)
        for frame in (0, 9):
            part = x[..., frame * 100 : frame * 100 + 100]
            expected = ambikit.power_map(part, *GRID, pattern=pattern)
            assert_allclose(got[:, frame], expected, rtol=1e-9)


def test_least_power_is_that_of_mvdr_beams():
    x = np.random.default_rng(1).normal(size=(4, 500))
    x += ambikit.encode(3 * np.random.default_rng(2).normal(size=500), 0.7)
    covariance = x @ x.T / 500
    azimuth = np.array([0.7, 2.0])
    weights = ambikit.mvdr_weights(covariance, ambikit.steering_vector(azimuth), loading=1e-3)
    expected = 1 / np.einsum(
        "dc,cd->d",
        ambikit.steering_vector(azimuth),
        np.linalg.solve(
            covariance + 1e-3 * np.trace(covariance) / 4 * np.eye(4),
            ambikit.steering_vector(azimuth).T,
        ),
    )
    got = ambikit.power_map(x, azimuth, pattern="mvdr")
    assert_allclose(got, expected, rtol=1e-9)
    heard = np.einsum("dc,ce,de->d", weights, covariance, weights)
    assert_allclose(got, heard, rtol=0.01)


def test_least_power_parts_what_beams_do_not():
    rng = np.random.default_rng(3)
    x = sum(ambikit.encode(rng.normal(size=5000), a, degrees=True) for a in (-35, 35))
    azimuth = np.arange(-90, 91)
    for pattern, peaks in (("max_di", 1), ("mvdr", 2)):
        power = ambikit.power_map(x, azimuth, pattern=pattern, degrees=True)
        found = ambikit.find_peaks(power, azimuth, 0.0, degrees=True, threshold=0.5)
        assert len(found) == peaks
    assert_allclose(np.sort(found.azimuth), [-35, 35], atol=2)
