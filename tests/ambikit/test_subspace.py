"""Number and directions of sources from the covariance; tracks of directions over time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linear_sum_assignment

import ambikit
from ambikit import InputError

GRID = ambikit.fibonacci_sphere(60)


def sources(order, places, noise=0.0, samples=4000, seed=0):
    """Return independent noises from points of a grid, and what a diffuse field adds."""
    rng = np.random.default_rng(seed)
    angles = np.stack(ambikit.vector_to_angles(GRID[places]), axis=-1)
    x = sum(ambikit.encode(rng.normal(size=samples), *a, order=order) for a in angles)
    return x + noise * ambikit.encode_diffuse(rng.normal(size=samples), order=order, seed=seed)


def errors(found, places):
    """Return the angles in degrees between what was found and what is there, by best pairs."""
    cosine = ambikit.angles_to_vector(found.azimuth, found.elevation) @ GRID[places].T
    angle = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    return angle[linear_sum_assignment(angle)]


places_ = st.lists(st.integers(0, 59), min_size=1, max_size=4, unique=True)


@settings(max_examples=10, deadline=None)
@given(places=places_, order=st.sampled_from([2, 3]), seed=st.integers(0, 99))
def test_esprit_finds_sources_without_noise_exactly(places, order, seed):
    """Poles, horizon and seam alike: to rounding, as no search and no grid can."""
    found = ambikit.esprit(sources(order, places, seed=seed), len(places))
    assert errors(found, places).max() < 1e-3


def test_esprit_tells_as_many_sources_as_the_square_of_the_order():
    places = [0, 7, 15, 24, 30, 36, 44, 51, 59]
    assert errors(ambikit.esprit(sources(3, places, samples=20_000), 9), places).max() < 1e-4
    assert len(ambikit.esprit(sources(1, [5], noise=0.1))) == 1
    with pytest.raises(InputError, match="n_sources is 5, but ESPRIT at order 2 tells at most 4"):
        ambikit.esprit(sources(2, [1]), 5)


@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_esprit_does_not_mind_equal_coordinates(turn):
    """Sources on one height, one meridian and one cone about x, in noise.

    With one coordinate alone, the eigenvectors of those with the same one would be open.
    """
    vectors = np.array([(0.8, 0.6, 0.0), (0.8, -0.6, 0.0), (0.8, 0.0, 0.6), (-0.8, 0.0, 0.6)])
    vectors = vectors @ ambikit.rotation_matrix(turn).T
    rng = np.random.default_rng(1)
    x = 0.1 * ambikit.encode_diffuse(rng.normal(size=20_000), order=3)
    for azimuth, elevation in zip(*ambikit.vector_to_angles(vectors), strict=True):
        x = x + ambikit.encode(rng.normal(size=20_000), azimuth, elevation, order=3)
    found = ambikit.esprit(x, 4)
    cosine = ambikit.angles_to_vector(found.azimuth, found.elevation) @ vectors.T
    assert np.rad2deg(np.arccos(np.sort(cosine.max(axis=0)))).max() < 0.5


def test_esprit_is_unbiased_in_a_diffuse_field():
    """Normalised to N3D, a diffuse field is white; in SN3D it would pull on the directions."""
    places = [4, 33]
    got = [errors(ambikit.esprit(sources(2, places, 0.5, 20_000, s), 2), places) for s in range(5)]
    assert np.max(got) < 1.0


def test_esprit_turns_with_the_field_and_tells_powers():
    x = sources(2, [10], samples=8000) + 2 * sources(2, [40], samples=8000, seed=1)
    before, after = ambikit.esprit(x, 2), ambikit.esprit(ambikit.rotate(x, 0.7), 2)
    assert_allclose(after.azimuth, (before.azimuth + 0.7 + np.pi) % (2 * np.pi) - np.pi, atol=1e-6)
    assert_allclose(after.weight, before.weight, rtol=1e-6)
    assert_allclose(before.weight, [4.0, 1.0], rtol=0.1)
    quiet = ambikit.esprit(1e-30 * x, 2)
    assert_allclose(quiet.weight, 1e-60 * before.weight, rtol=1e-6)


@settings(max_examples=8, deadline=None)
@given(places=places_, order=st.sampled_from([3, 4]), seed=st.integers(0, 99))
def test_sources_are_counted(places, order, seed):
    """Between sources that are 20° apart and a field 14 dB below each."""
    cosine = GRID[places] @ GRID[places].T - 2 * np.eye(len(places))
    if cosine.max() > np.cos(np.deg2rad(35)):
        places = places[:1]
    assert ambikit.count_sources(sources(order, places, 0.2, seed=seed)) == len(places)


def test_sorte_of_written_eigenvalues():
    """By hand: gaps 5, 4, .1, .1, 0; the variance falls most after the second."""
    from ambikit.subspace import _sorte

    assert _sorte(np.array([10.0, 5.0, 1.0, 0.9, 0.8, 0.8])) == 2


@pytest.mark.parametrize("order", [1, 2, 3])
def test_no_source_in_silence_and_in_a_diffuse_field(order):
    diffuse = ambikit.encode_diffuse(np.random.default_rng(0).normal(size=20_000), order=order)
    assert ambikit.count_sources(diffuse) == 0
    silence = np.zeros((4, 100))
    assert ambikit.count_sources(silence) == 0
    assert len(ambikit.esprit(silence)) == 0


@pytest.mark.parametrize("call", [ambikit.count_sources, ambikit.esprit])
def test_what_they_refuse(call):
    with pytest.raises(InputError, match="one signal"):
        call(np.zeros((2, 4, 10)))
    with pytest.raises(InputError, match="NaN or infinity"):
        call(np.full((4, 10), np.nan))
