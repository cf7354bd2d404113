"""Real spherical harmonics against scipy and the printed polynomials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import sph_harm_y

import ambikit
from tests import naive


def scipy_harmonics(azimuth, elevation, order):
    """AmbiX harmonics out of scipy's complex orthonormal ones with Condon-Shortley phase."""
    columns = []
    for n in range(order + 1):
        for m in range(-n, n + 1):
            y = sph_harm_y(n, abs(m), np.pi / 2 - elevation, azimuth)
            y = y * np.sqrt(4 * np.pi / (2 * n + 1))
            if m:
                y = y * np.sqrt(2) * (-1) ** m
            columns.append(y.imag if m < 0 else y.real)
    return np.stack(columns, axis=-1)


def test_scipy_to_order_12():
    grid = ambikit.fibonacci_sphere(300)
    expected = scipy_harmonics(*ambikit.vector_to_angles(grid), 12)
    assert_allclose(ambikit.spherical_harmonics(grid, 12), expected, atol=2e-14)


@given(st.floats(-4, 4), st.floats(-np.pi / 2, np.pi / 2), st.integers(0, 3))
def test_printed_polynomials(azimuth, elevation, order):
    vector = naive.direction(azimuth, elevation)
    got = ambikit.spherical_harmonics(vector, order)
    assert_allclose(got, naive.harmonics(vector, order), atol=1e-14)


def test_poles_are_exact():
    """Straight up only m = 0 remains, with exactly 1; straight down it alternates."""
    m0 = [n * n + n for n in range(31)]
    up, down = ambikit.spherical_harmonics([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], 30)
    assert_allclose(up[m0], 1, rtol=1e-13)
    assert_allclose(down[m0], (-1.0) ** np.arange(31), rtol=1e-13)
    others = np.delete(np.arange(31**2), m0)
    assert not up[others].any()
    assert not down[others].any()


def test_high_orders_stay_stable():
    """SN3D: the squares of each degree sum to 1 in every direction."""
    squares = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(50), 60) ** 2
    for n in range(61):
        assert_allclose(squares[:, n * n : (n + 1) ** 2].sum(axis=-1), 1, rtol=1e-12)


@pytest.mark.parametrize("length", [1e-300, 1e-3, 7.0, 1e300])
def test_only_the_direction_counts(length):
    vector = np.array([0.48, -0.6, 0.64])
    got = ambikit.spherical_harmonics(length * vector, 4)
    assert_allclose(got, ambikit.spherical_harmonics(vector, 4), atol=1e-14)


def test_shapes():
    assert ambikit.spherical_harmonics(np.ones((2, 5, 3)), 2).shape == (2, 5, 9)
    assert ambikit.spherical_harmonics([1, 0, 0]).shape == (4,)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[0.0, 0.0, 0.0]], "zero vector"),
        ([1.0, 0.0], r"\(\.\.\., 3\).*got shape \(2,\)"),
        ([np.nan, 0.0, 1.0], "NaN"),
    ],
)
def test_bad_vectors(vectors, message):
    with pytest.raises(ambikit.InputError, match=message):
        ambikit.spherical_harmonics(vectors)
