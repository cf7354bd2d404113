"""Panning between loudspeakers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ambikit
from tests.ambikit.decoding import anchors

AROUND = ambikit.vector_to_angles(anchors.DIRECTIONS, degrees=True)


def test_spatial_audio_framework_gains():
    """Single precision there, on a hull without facets of four corners."""
    got = ambikit.vbap_gains(anchors.IRREGULAR, *AROUND, degrees=True)
    assert_allclose(got, anchors.SAF_VBAP, atol=3e-4)


def test_spatial_audio_framework_spread():
    """All but the directions one of whose nine points falls between two triangles there."""
    got = ambikit.vbap_gains(anchors.IRREGULAR, *AROUND, spread=30, degrees=True)
    off = np.abs(got - anchors.SAF_SPREAD).max(axis=1)
    assert (off < 3e-4).mean() >= 0.9
    assert off.max() < 0.05


@pytest.mark.parametrize("layout", ["4+7+0", "9+10+3", "cube", "dodecahedron", "quad", "stereo"])
def test_loudspeakers_play_their_own_direction(layout):
    angles = ambikit.loudspeaker_layout(layout)
    assert_allclose(ambikit.vbap_gains(layout, *angles.T), np.eye(len(angles)), atol=1e-7)


@pytest.mark.parametrize("layout", ["4+7+0", "9+10+3", "cube", "dodecahedron", "5.1"])
def test_gains_are_continuous_and_of_unit_power(layout):
    """Along circles through edges, facets and imaginary loudspeakers."""
    angle = np.linspace(0, 2 * np.pi, 20_001)
    for tilt in (0.0, 0.3, 1.2, np.pi / 2):
        circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
        circle = circle @ ambikit.rotation_matrix(0.1, 0, tilt).T
        if layout == "5.1" and tilt == np.pi / 2:
            continue  # straight up has no azimuth
        gains = ambikit.vbap_gains(layout, *ambikit.vector_to_angles(circle))
        assert_allclose((gains**2).sum(axis=1), 1.0)
        assert gains.min() >= 0
        assert np.abs(np.diff(gains, axis=0)).max() < 0.01


@given(azimuth=st.floats(-180, 180), elevation=st.floats(-90, 90))
def test_the_velocity_vector_points_at_the_source(azimuth, elevation):
    """Whatever polygon it passes: gains on each fan reproduce the direction before they are
    normalised, and triangles still do afterwards."""
    gains = ambikit.vbap_gains("octahedron", azimuth, elevation, degrees=True)
    sum_ = gains @ ambikit.angles_to_vector(*ambikit.loudspeaker_layout("octahedron").T)
    wanted = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    assert_allclose(sum_ / np.linalg.norm(sum_), wanted, atol=1e-9)


def test_middle_of_a_rectangle_is_shared_by_its_four_corners():
    gains = ambikit.vbap_gains("cube", 0.0)
    assert_allclose(np.sort(gains), [0] * 4 + [0.5] * 4, atol=1e-12)


def test_pairs_obey_the_law_of_tangents():
    for azimuth in (0, 10, 29):
        left, right = ambikit.vbap_gains("stereo", azimuth, degrees=True)
        law = np.tan(np.deg2rad(azimuth)) / np.tan(np.deg2rad(30))
        assert_allclose((left - right) / (left + right), law, atol=1e-12)


def test_spread_of_a_full_circle_still_sounds():
    gains = ambikit.vbap_gains("cube", [0, 30], [90, -90], spread=360, degrees=True)
    assert_allclose((gains**2).sum(axis=1), 1.0)
