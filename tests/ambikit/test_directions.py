"""Angles, unit vectors and grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests import naive

azimuths = st.floats(-np.pi, np.pi, exclude_min=True)
elevations = st.floats(-np.pi / 2, np.pi / 2)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "vector"),
    [
        (0, 0, [1, 0, 0]),
        (90, 0, [0, 1, 0]),
        (180, 0, [-1, 0, 0]),
        (-90, 0, [0, -1, 0]),
        (270, 0, [0, -1, 0]),
        (123, 90, [0, 0, 1]),
        (0, -90, [0, 0, -1]),
    ],
)
def test_axes(azimuth, elevation, vector):
    assert_allclose(ambikit.angles_to_vector(azimuth, elevation, degrees=True), vector, atol=1e-14)


@given(azimuths, elevations)
def test_vector_is_the_definition(azimuth, elevation):
    got = ambikit.angles_to_vector(azimuth, elevation)
    assert_allclose(got, naive.direction(azimuth, elevation), atol=1e-14)


@given(azimuths, st.floats(-1.57, 1.57), st.floats(1e-200, 1e200))
def test_round_trip(azimuth, elevation, length):
    back = ambikit.vector_to_angles(length * ambikit.angles_to_vector(azimuth, elevation))
    assert_allclose(back[1], elevation, atol=1e-12)
    assert_allclose(np.exp(1j * back[0]), np.exp(1j * azimuth), atol=1e-12)


def test_poles_and_back_have_one_name():
    vectors = [[0, 0, 3.0], [-0.0, 0.0, -1.0], [-1.0, -0.0, 0.0], [-1.0, 0.0, 0.0]]
    azimuth, elevation = ambikit.vector_to_angles(vectors, degrees=True)
    assert_array_equal(azimuth, [0, 0, 180, 180])
    assert_array_equal(elevation, [90, -90, 0, 0])


def test_broadcast():
    got = ambikit.angles_to_vector(np.zeros((3, 1)), np.zeros(5))
    assert got.shape == (3, 5, 3)
    with pytest.raises(ambikit.InputError, match=r"azimuth \(3,\), elevation \(2,\)"):
        ambikit.angles_to_vector(np.zeros(3), np.zeros(2))


@pytest.mark.parametrize("count", [1, 2, 7, 500])
def test_fibonacci_points_are_on_the_sphere(count):
    grid = ambikit.fibonacci_sphere(count)
    assert grid.shape == (count, 3)
    assert_allclose(np.linalg.norm(grid, axis=-1), 1, atol=1e-14)


def test_fibonacci_spacing_is_even():
    """The nearest neighbour is never much nearer than an even packing allows."""
    grid = ambikit.fibonacci_sphere(500)
    cosines = grid @ grid.T - 2 * np.eye(500)
    nearest = np.arccos(cosines.max(axis=-1))
    even = np.sqrt(4 * np.pi / 500)
    assert nearest.min() > 0.8 * even
    assert nearest.max() < 1.2 * even


def test_fibonacci_points_stand_for_equal_areas():
    harmonics = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(2000), 4)
    assert_allclose(harmonics.mean(axis=0), np.eye(1, 25)[0], atol=2e-3)


def test_icosahedron_is_a_5_design():
    mean = ambikit.spherical_harmonics(ambikit.icosphere(), 6).mean(axis=0)
    assert_allclose(mean[:36], np.eye(1, 36)[0], atol=1e-14)
    assert np.abs(mean[36:]).max() > 0.1


@pytest.mark.parametrize("subdivisions", [0, 1, 2, 3])
def test_icosphere_points_are_distinct_and_even(subdivisions):
    grid = ambikit.icosphere(subdivisions)
    assert grid.shape == (10 * 4**subdivisions + 2, 3)
    assert_allclose(np.linalg.norm(grid, axis=-1), 1, atol=1e-14)
    cosines = grid @ grid.T - 2 * np.eye(len(grid))
    nearest = np.arccos(cosines.max(axis=-1))
    assert nearest.max() / nearest.min() < 1.25


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_bad_counts(count):
    with pytest.raises(ambikit.InputError, match="count must be a positive integer"):
        ambikit.fibonacci_sphere(count)
