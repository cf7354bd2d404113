"""The cross-pattern coherence post-filter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests import naive

seeds = st.integers(0, 2**32 - 1)
azimuths = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@given(
    order=st.integers(1, 4),
    azimuth=azimuths,
    elevation=elevations,
    towards=st.tuples(azimuths, elevations),
)
def test_plane_wave(order, azimuth, elevation, towards):
    """P_{N-1}(cos t) P_N(cos t), where it is positive."""
    spectra = ambikit.stft(ambikit.encode(noise(0, 300), azimuth, elevation, order=order), n_fft=32)
    gains = ambikit.cross_pattern_coherence(spectra, *towards, floor=0)
    cosine = naive.direction(azimuth, elevation) @ naive.direction(*towards)
    expected = max(0, naive.legendre(order - 1, cosine) * naive.legendre(order, cosine))
    assert_allclose(gains, expected, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_source_passes_with_unit_gain(order, dtype):
    x = ambikit.encode(noise(1, 2000).astype(dtype), 1.2, 0.4, order=order)
    gains = ambikit.cross_pattern_coherence(ambikit.stft(x, n_fft=128), 1.2, 0.4)
    assert gains.dtype == dtype
    assert gains.max() <= 1
    assert_allclose(gains, 1, atol=1e-5 if dtype == np.float32 else 1e-12)


@given(seed=seeds, azimuth=azimuths, elevation=elevations)
def test_at_order_one_it_is_the_intensity_along_the_direction(seed, azimuth, elevation):
    spectra = ambikit.stft(noise(seed, 4, 400), n_fft=32)
    vectors = ambikit.spectral_normalized_intensity(spectra, average=(5, 3))
    along = np.einsum("i,ibt->bt", naive.direction(azimuth, elevation), vectors)
    gains = ambikit.cross_pattern_coherence(spectra, azimuth, elevation, average=(5, 3), floor=0.1)
    assert_allclose(gains, np.maximum(along, 0.1), atol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_diffuse_field_meets_the_floor(order):
    """The longer the average, the nearer; with unequal energies in the degrees it would not."""
    gains = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(300), order)
    spectra = ambikit.stft(gains.T @ noise(2, 300, 32000), n_fft=256)
    short = ambikit.cross_pattern_coherence(spectra, 0.3, 0.2, floor=0)
    long = ambikit.cross_pattern_coherence(spectra, 0.3, 0.2, floor=0, average=(101, 21))
    assert short.mean() < 0.12
    assert long.mean() < 0.03


@given(seed=seeds, order=st.integers(1, 3), floor=st.floats(0, 1))
def test_bounds(seed, order, floor):
    spectra = noise(seed, (order + 1) ** 2, 5, 9) + 1j * noise(seed + 1, (order + 1) ** 2, 5, 9)
    gains = ambikit.cross_pattern_coherence(spectra, 1.0, average=(1, 1), floor=floor)
    assert gains.min() >= floor
    assert gains.max() <= 1


def test_silence_has_the_floor():
    gains = ambikit.cross_pattern_coherence(np.zeros((4, 5, 6), np.complex64), 0.0, floor=0.25)
    assert_array_equal(gains, 0.25)


def test_batches_and_directions():
    spectra = ambikit.stft(noise(3, 2, 9, 500), n_fft=64)
    gains = ambikit.cross_pattern_coherence(spectra, [0.1, 0.2, 0.3], 0.4)
    assert gains.shape == (2, 3, 33, spectra.shape[-1])
    one = ambikit.cross_pattern_coherence(spectra[1], 0.3, 0.4)
    assert one.shape == spectra.shape[2:]
    assert_allclose(gains[1, 2], one, atol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"azimuth": np.nan}, "azimuth"),
        ({"azimuth": np.zeros((2, 2))}, "1-D"),
        ({"azimuth": 0.0, "floor": -0.1}, "floor"),
        ({"azimuth": 0.0, "average": (2, 1)}, "both odd"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ambikit.InputError, match=message):
        ambikit.cross_pattern_coherence(np.ones((4, 5, 6), complex), **arguments)
