"""Beams and their patterns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit.beamforming import degree_gains
from tests import naive

PATTERNS = [
    "basic", "omni", "figure8", "cardioid", "supercardioid", "hypercardioid", "max_re", "max_di",
]  # fmt: skip
ROOT3 = math.sqrt(3)
FIRST_ORDER = {
    "basic": lambda c: 1 + c,
    "omni": lambda c: 1 + 0 * c,
    "figure8": lambda c: c,
    "cardioid": lambda c: (1 + c) / 2,
    "supercardioid": lambda c: (1 + ROOT3 * c) / (1 + ROOT3),
    "hypercardioid": lambda c: (1 + 3 * c) / 4,
    "max_re": lambda c: (1 + ROOT3 * c) / (1 + ROOT3),
    "max_di": lambda c: (1 + 3 * c) / 4,
}

any_pattern = st.sampled_from(PATTERNS)
azimuths = st.floats(-4, 4)
elevations = st.floats(-np.pi / 2, np.pi / 2)


@given(
    pattern=any_pattern,
    beam=st.tuples(azimuths, elevations),
    source=st.tuples(azimuths, elevations),
)
def test_first_order_polynomials(pattern, beam, source):
    cosine = naive.direction(*beam) @ naive.direction(*source)
    got = ambikit.beamform(ambikit.encode([1.0], *source), *beam, pattern=pattern)
    assert_allclose(got, FIRST_ORDER[pattern](cosine), atol=1e-14)


def response(pattern, order, cosine):
    """Beam at the front for a wave `cosine` away, through the public functions."""
    weights = ambikit.beam_weights(pattern, 0.0, order=order)
    return ambikit.steering_vector(np.arccos(cosine), order=order) @ weights


@given(pattern=any_pattern, order=st.integers(0, 7), azimuth=azimuths, elevation=elevations)
def test_gain_on_axis(pattern, order, azimuth, elevation):
    weights = ambikit.beam_weights(pattern, azimuth, elevation, order=order)
    wave = ambikit.steering_vector(azimuth, elevation, order=order)
    assert_allclose(weights @ wave, order + 1 if pattern == "basic" else 1, rtol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 7])
def test_higher_order_polynomials(order):
    cosine = np.linspace(-1, 1, 41)
    assert_allclose(response("cardioid", order, cosine), ((1 + cosine) / 2) ** order, atol=1e-12)
    assert_allclose(response("figure8", order, cosine), cosine**order, atol=1e-12)
    plane_wave_decomposition = [
        sum((2 * n + 1) * naive.legendre(n, c) for n in range(order + 1)) / (order + 1) ** 2
        for c in cosine
    ]
    assert_allclose(response("hypercardioid", order, cosine), plane_wave_decomposition, atol=1e-12)
    basic = [sum(naive.legendre(n, c) for n in range(order + 1)) for c in cosine]
    assert_allclose(response("basic", order, cosine), basic, atol=1e-12)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)


def sphere_mean(gains, power=0):
    """Mean over the sphere of the squared pattern times a power of the cosine."""
    pattern = np.polynomial.legendre.legval(NODES, gains)
    return (WEIGHTS * NODES**power * pattern**2).sum() / 2


def directivity(gains):
    return gains.sum() ** 2 / sphere_mean(gains)


def energy_vector(gains):
    """Length of rE when waves from everywhere are weighed with the pattern."""
    return sphere_mean(gains, power=1) / sphere_mean(gains)


def front_to_back(gains):
    """Energy from the front half over energy from the back half."""
    half = (NODES + 1) / 2
    front = (WEIGHTS * np.polynomial.legendre.legval(half, gains) ** 2).sum()
    return front / (WEIGHTS * np.polynomial.legendre.legval(-half, gains) ** 2).sum()


@pytest.mark.parametrize(
    ("pattern", "quality"),
    [
        ("hypercardioid", directivity),
        ("max_di", directivity),
        ("max_re", energy_vector),
        ("supercardioid", front_to_back),
    ],
)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_optimal_patterns_are_optimal(pattern, quality, order):
    """No neighbour of the pattern does better at what its name promises."""
    best = degree_gains(pattern, order)
    rng = np.random.default_rng(order)
    for _ in range(200):
        other = best + 1e-3 * rng.normal(size=order + 1) * np.abs(best)
        assert quality(other) <= quality(best) * (1 + 1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_known_optima(order):
    assert_allclose(directivity(degree_gains("max_di", order)), (order + 1) ** 2)
    longest = np.polynomial.legendre.leggauss(order + 1)[0].max()
    assert_allclose(energy_vector(degree_gains("max_re", order)), longest)


def test_max_re_is_exact_not_approximated():
    """1 / sqrt(3) at first order; the common formula 137.9° / (N + 1.51) gives 0.57443."""
    gains = degree_gains("max_re", 1)
    assert_allclose(gains[1] / gains[0] / 3, 1 / ROOT3, rtol=1e-14)


@pytest.mark.parametrize(
    ("pattern", "literal", "tolerance"),
    [
        ("cardioid", [1.7725, 1.0233], 1e-4),
        ("hypercardioid", [0.8862, 1.5350], 1e-4),
        ("max_re", [1.3017, 1.2951], 5e-3),  # SAF approximates max-rE
    ],
)
def test_spatial_audio_framework_weights(pattern, literal, tolerance):
    """beamWeights...2Spherical(1) of SAF: weights of orthonormal harmonics, scaled to our axis."""
    degree = np.arange(2)
    gains = degree_gains(pattern, 1)
    assert_allclose(gains * np.sqrt(4 * np.pi / (2 * degree + 1)), literal, atol=tolerance)


def test_sap_supercardioid_weights():
    """spherical-array-processing 0.6.0: [4.5996, 2.6556], weights of (2n + 1) / (4 pi) P_n."""
    gains = degree_gains("supercardioid", 1)
    assert_allclose(gains * 4 * np.pi / (2 * np.arange(2) + 1), [4.5996, 2.6556], atol=1e-4)


def test_cardioid_nulls_the_back():
    """Fails for N3D signals and for W, X, Y, Z."""
    x = ambikit.encode(np.random.default_rng(0).normal(size=100), 30, 40, degrees=True)
    assert_allclose(ambikit.beamform(x, 30 + 180, -40, degrees=True), 0, atol=1e-14)
    n3d = ambikit.convert(x, "ambix", "n3d")
    assert np.abs(ambikit.beamform(n3d, 210, -40, degrees=True)).max() > 0.1


@given(order=st.integers(0, 3), azimuth=azimuths, elevation=elevations)
def test_steering_vector_is_encoding(order, azimuth, elevation):
    got = ambikit.steering_vector(azimuth, elevation, order=order)
    assert_allclose(got, naive.harmonics(naive.direction(azimuth, elevation), order), atol=1e-14)


@given(pattern=any_pattern, turn=st.tuples(azimuths, azimuths, azimuths))
def test_turning_field_and_beam_together_changes_nothing(pattern, turn):
    x = np.random.default_rng(0).normal(size=(9, 10))
    azimuth, elevation = ambikit.vector_to_angles(
        naive.rotation_matrix(*turn) @ naive.direction(0.4, 0.3)
    )
    turned = ambikit.beamform(ambikit.rotate(x, *turn), azimuth, elevation, pattern=pattern)
    assert_allclose(turned, ambikit.beamform(x, 0.4, 0.3, pattern=pattern), atol=1e-12)


def test_directions_and_batch_are_loops():
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 20_000)).astype(np.float32)
    azimuth, elevation = [0.1, 1.0, -2.0], [0.0, 0.5, -0.5]
    got = ambikit.beamform(x, azimuth, elevation, pattern="max_re")
    assert got.shape == (2, 3, 3, 20_000)
    assert got.dtype == np.float32
    for d in range(3):
        one = ambikit.beamform(x, azimuth[d], elevation[d], pattern="max_re")
        assert one.shape == (2, 3, 20_000)
        assert_allclose(got[:, :, d], one, atol=1e-6)
    expected = ambikit.beam_weights("max_re", 0.1, order=2) @ x[1, 2].astype(float)
    assert_allclose(got[1, 2, 0], expected, atol=1e-5)


def test_weights_broadcast():
    weights = ambikit.beam_weights("cardioid", np.zeros((3, 1)), np.zeros(5), order=2)
    assert weights.shape == (3, 5, 9)


@pytest.mark.parametrize("azimuth", [0.3, [0.3, 1.0]])
def test_out_and_input(azimuth):
    x = np.random.default_rng(0).normal(size=(4, 30))
    kept = x.copy()
    expected = ambikit.beamform(x, azimuth)
    wide = np.zeros((*np.shape(azimuth), 60))
    out = wide[..., ::2]
    assert ambikit.beamform(x, azimuth, out=out) is out
    assert_allclose(out, expected, atol=1e-14)
    assert_array_equal(x, kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"azimuth": 0.0, "pattern": "shotgun"}, "unknown pattern 'shotgun'.*basic, omni"),
        ({"azimuth": np.zeros((2, 2))}, r"directions.*\(2, 2\)"),
        ({"azimuth": 0.0, "elevation": -2.0}, "±90°"),
        ({"azimuth": [0.0, 1.0], "out": np.empty(9)}, r"shape \(2, 9\)"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ambikit.InputError, match=message):
        ambikit.beamform(np.zeros((4, 9)), **arguments)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_dolph_chebyshev_lobes_are_level(order):
    """All side lobes reach -25 dB, none is higher: Chebyshev's polynomial, by its definition."""
    angle = np.linspace(0, np.pi, 4001)
    waves = ambikit.steering_vector(angle, order=order)
    gain = waves @ ambikit.beam_weights("dolph_chebyshev", 0.0, order=order)
    x = np.cosh(np.arccosh(10 ** (25 / 20)) / (2 * order)) * np.cos(angle / 2)
    inside = np.abs(x) <= 1
    expected = np.where(
        inside,
        np.cos(2 * order * np.arccos(np.clip(x, -1, 1))),
        np.cosh(2 * order * np.arccosh(np.maximum(np.abs(x), 1))),
    )
    assert_allclose(gain, expected / 10 ** (25 / 20), atol=1e-9)
    assert_allclose(20 * np.log10(np.abs(gain[inside]).max()), -25, atol=1e-3)


def test_in_phase_is_the_cardioid():
    weights = [ambikit.beam_weights(p, 1.0, 0.3, order=3) for p in ("in_phase", "cardioid")]
    assert_allclose(*weights)
