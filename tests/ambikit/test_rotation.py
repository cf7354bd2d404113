"""Rotation, fixed and along time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation, Slerp

import ambikit
from tests import naive

angles = st.tuples(*[st.floats(-4, 4)] * 3)
seeds = st.integers(0, 2**32 - 1)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def wave(azimuth, elevation=0.0, order=1):
    return ambikit.encode([1.0], azimuth, elevation, order=order, degrees=True)


def source_of(x):
    """Azimuth and elevation in degrees of a first-order plane wave."""
    return np.ravel(ambikit.vector_to_angles(x[[3, 1, 2], 0], degrees=True))


# --- the sense of the angles --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "before", "after"),
    [
        ({"yaw": 90}, (0, 0), (90, 0)),
        ({"yaw": 30}, (20, 40), (50, 40)),
        ({"pitch": 90}, (0, 0), (0, -90)),
        ({"roll": 90}, (90, 0), (0, 90)),
        ({"yaw": 90, "inverse": True}, (0, 0), (-90, 0)),
    ],
)
def test_sense(turn, before, after):
    turned = ambikit.rotate(wave(*before), degrees=True, **turn)
    assert_allclose(turned, wave(*after), atol=1e-14)


@given(angles)
def test_matrix_is_the_definition(turn):
    assert_allclose(ambikit.rotation_matrix(*turn), naive.rotation_matrix(*turn), atol=1e-14)


@given(angles)
def test_matrix_is_scipys_zyx(turn):
    expected = Rotation.from_euler("ZYX", turn).as_matrix()
    assert_allclose(ambikit.rotation_matrix(*turn), expected, atol=1e-14)


@pytest.mark.parametrize(
    ("axis", "azimuth", "elevation"),
    [
        ([0, -1, 0], 150.021778639249, 51.0415207997462),
        ([0, 0, 1], 112.0, 33.0),
        ([-1, 0, 0], 35.0077312770459, -18.3108067341351),
    ],
)
@pytest.mark.parametrize("order", [1, 3])
def test_resonance_audio_directions(axis, azimuth, elevation, order):
    """Directions written down in Resonance Audio's foa_rotator_test.cc and hoa_rotator_test.cc.

    A source at (22°, 33°), turned by 90° about the right, the top and the back.
    """
    turn = Rotation.from_rotvec(np.multiply(axis, np.pi / 2))
    turned = ambikit.rotate(wave(22, 33, order), rotation=turn)
    assert_allclose(turned, wave(azimuth, elevation, order), atol=1e-13)


def test_spatial_audio_framework_matrix():
    """The matrix of SAF's own test, degrees 1 to 4. SAF turns the listener: our inverse."""
    text = Path(__file__).with_name("saf_rotation.txt").read_text().splitlines()
    rows = [np.array(line.split(), float) for line in text if line and line[0] != "#"]
    matrix = ambikit.sh_rotation_matrix(ambikit.rotation_matrix(0.04, 0.54, -0.4).T, 4)
    for degree in range(1, 5):
        literal = [row for row in rows if len(row) == 2 * degree + 1]
        channels = slice(degree**2, (degree + 1) ** 2)
        assert_allclose(matrix[channels, channels], literal, atol=2e-9)


# Where a source at the front lands for yaw 30°, pitch 20°, roll 10°: measured from each library.


def test_spaudiopy_equivalence():
    """spaudiopy.sph.sh_rotation_matrix(1, y, p, r) is from_euler("ZYX", [-y, -p, -r])."""
    turned = ambikit.rotate(wave(0), -30, -20, -10, degrees=True)
    assert_allclose(source_of(turned), [-30, 20], atol=1e-9)


def test_saf_equivalence():
    """SAF's euler2rotationMatrix(y, p, r, YAW_PITCH_ROLL) is from_euler("ZYX", [y, p, r]).inv()."""
    turned = ambikit.rotate(wave(0), 30, 20, 10, degrees=True, inverse=True)
    assert_allclose(source_of(turned), [-28.45, 22.24], atol=0.01)


def test_scipy_equivalence():
    turned = ambikit.rotate(wave(0), 30, 20, 10, degrees=True)
    assert_allclose(source_of(turned), [30, -20], atol=1e-9)


# --- matrices -----------------------------------------------------------------------------------


@given(angles)
def test_order_1_is_the_axes_as_y_z_x(turn):
    r = ambikit.rotation_matrix(*turn)
    axes = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    matrix = ambikit.sh_rotation_matrix(r)
    assert_allclose(matrix[1:, 1:], axes @ r @ axes.T, atol=1e-14)
    assert_array_equal(matrix[0], [1, 0, 0, 0])
    assert_array_equal(matrix[:, 0], [1, 0, 0, 0])


@given(angles, st.integers(0, 7))
def test_harmonics_of_turned_directions(turn, order):
    """M(R) Y(d) = Y(R d)."""
    r = ambikit.rotation_matrix(*turn)
    d = ambikit.fibonacci_sphere(30)
    got = ambikit.spherical_harmonics(d, order) @ ambikit.sh_rotation_matrix(r, order).T
    assert_allclose(got, ambikit.spherical_harmonics(d @ r.T, order), atol=1e-13)


def test_high_order_stays_orthogonal():
    matrix = ambikit.sh_rotation_matrix(ambikit.rotation_matrix(0.3, -1.2, 2.5), 15)
    assert_allclose(matrix @ matrix.T, np.eye(256), atol=1e-13)


def test_no_rotation_is_the_identity():
    """Known to fail elsewhere at order 3."""
    assert_allclose(ambikit.sh_rotation_matrix(np.eye(3), 6), np.eye(49), atol=1e-14)


def test_matrices_of_many_rotations():
    rotations = ambikit.rotation_matrix(noise(4, 5), noise(5), 0.3)
    matrices = ambikit.sh_rotation_matrix(rotations, 2)
    assert matrices.shape == (4, 5, 9, 9)
    assert_allclose(matrices[2, 3], ambikit.sh_rotation_matrix(rotations[2, 3], 2), atol=1e-14)
    scipys = Rotation.from_matrix(rotations[0])
    assert_allclose(ambikit.sh_rotation_matrix(scipys, 2), matrices[0], atol=1e-14)


# --- look_at ------------------------------------------------------------------------------------


@given(st.floats(-7, 7), st.floats(-np.pi / 2, np.pi / 2))
def test_look_at_brings_the_direction_to_the_front(azimuth, elevation):
    turn = ambikit.look_at(azimuth, elevation)
    assert_allclose(turn.apply(naive.direction(azimuth, elevation)), [1, 0, 0], atol=1e-14)
    # the horizon stays level: what is left of the direction is left of the front
    level = [-np.sin(azimuth), np.cos(azimuth), 0]
    assert_allclose(turn.apply(level), [0, 1, 0], atol=1e-14)


def test_look_at_many():
    turn = ambikit.look_at([0, 90, 45], [0, 30, -10], degrees=True)
    assert len(turn) == 3
    front = turn.apply(ambikit.angles_to_vector([0, 90, 45], [0, 30, -10], degrees=True))
    assert_allclose(front, [[1, 0, 0]] * 3, atol=1e-14)


# --- fixed rotation of signals ------------------------------------------------------------------


@given(a=angles, b=angles, order=st.integers(0, 3), seed=seeds)
def test_rotations_compose(a, b, order, seed):
    x = noise((order + 1) ** 2, 5, seed=seed)
    twice = ambikit.rotate(ambikit.rotate(x, *a), *b)
    once = ambikit.rotate(x, rotation=ambikit.rotation_matrix(*b) @ ambikit.rotation_matrix(*a))
    assert_allclose(twice, once, atol=1e-12)


@given(turn=angles, azimuth=st.floats(-4, 4), elevation=st.floats(-1.5, 1.5))
def test_turning_the_wave_is_turning_its_source(turn, azimuth, elevation):
    signal = noise(4)
    turned = ambikit.rotate(ambikit.encode(signal, azimuth, elevation, order=3), *turn)
    source = naive.rotation_matrix(*turn) @ naive.direction(azimuth, elevation)
    expected = naive.harmonics(source, 3)[:, None] * signal
    assert_allclose(turned, expected, atol=1e-12)


@given(turn=angles, order=st.integers(1, 4), seed=seeds)
def test_energy_of_each_degree_is_kept(turn, order, seed):
    x = noise((order + 1) ** 2, 6, seed=seed)
    turned = ambikit.rotate(x, *turn)
    for n in range(order + 1):
        block = slice(n * n, (n + 1) ** 2)
        assert_allclose((turned[block] ** 2).sum(0), (x[block] ** 2).sum(0), rtol=1e-10)
    assert_array_equal(turned[0], x[0])


@given(turn=angles, seed=seeds)
def test_inverse_undoes(turn, seed):
    x = noise(9, 5, seed=seed)
    assert_allclose(ambikit.rotate(ambikit.rotate(x, *turn), *turn, inverse=True), x, atol=1e-12)


def test_first_order_definition():
    x = noise(4, 20)
    expected = naive.rotate_foa(x, [naive.rotation_matrix(0.4, -0.3, 2.0)] * 20)
    assert_allclose(ambikit.rotate(x, 0.4, -0.3, 2.0), expected, atol=1e-14)


def test_longer_than_a_tile():
    x = noise(4, 40_001)
    turned = ambikit.rotate(x, 0.4, -0.3, 2.0)
    matrix = ambikit.sh_rotation_matrix(ambikit.rotation_matrix(0.4, -0.3, 2.0))
    assert_allclose(turned, matrix @ x, atol=1e-13)


moves = pytest.mark.parametrize("yaw", [0.7, [0.7, -2.0, 1.0]], ids=["fixed", "moving"])


@moves
def test_in_place(path, yaw):
    for order in (1, 2):
        x = noise(3, (order + 1) ** 2, 50)
        expected = ambikit.rotate(x, yaw, 0.2, 0.1)
        assert ambikit.rotate(x, yaw, 0.2, 0.1, out=x) is x
        assert_allclose(x, expected, atol=1e-14)


@moves
def test_out_may_be_a_view(path, yaw):
    x = noise(4, 30)
    expected = ambikit.rotate(x, yaw)
    wide = np.zeros((8, 60))
    for out in (wide[:4, :30], wide[::2, ::2], wide[3::-1, 30:]):
        assert ambikit.rotate(x, yaw, out=out) is out
        assert_allclose(out, expected, atol=1e-14)


@moves
def test_batch_is_a_loop(path, yaw):
    x = noise(2, 3, 4, 25).astype(np.float32)
    turned = ambikit.rotate(x, yaw, 0.3)
    assert turned.dtype == np.float32
    for b in np.ndindex(2, 3):
        assert_allclose(turned[b], ambikit.rotate(x[b], yaw, 0.3), atol=1e-6)


@moves
def test_strided_input_is_read_right_and_left_alone(path, yaw):
    x = noise(30, 8)
    kept = x.copy()
    view = x[:, ::2].T
    assert_allclose(
        ambikit.rotate(view, yaw), ambikit.rotate(np.ascontiguousarray(view), yaw), atol=1e-14
    )
    assert_array_equal(x, kept)


@moves
def test_single_precision_is_enough(path, yaw):
    x = noise(16, 200).astype(np.float32)
    turned = ambikit.rotate(x, yaw, 0.2, 0.1)
    assert turned.dtype == np.float32
    assert_allclose(turned, ambikit.rotate(x.astype(float), yaw, 0.2, 0.1), atol=5e-6)


@moves
def test_nan_stays_in_its_sample(path, yaw):
    x = noise(4, 30)
    clean = ambikit.rotate(x, yaw)
    x[2, 11] = np.nan
    turned = ambikit.rotate(x, yaw)
    rest = np.arange(30) != 11
    assert_allclose(turned[:, rest], clean[:, rest], atol=1e-14)
    assert np.isnan(turned[2, 11])


@moves
def test_no_samples(path, yaw):
    assert ambikit.rotate(np.zeros((2, 4, 0)), yaw).shape == (2, 4, 0)


# --- rotation along time ------------------------------------------------------------------------


@given(
    keys=st.lists(angles, min_size=2, max_size=5),
    order=st.integers(0, 3),
    samples=st.integers(2, 50),
    seed=seeds,
)
def test_moving_rotation_is_slerp(path, keys, order, samples, seed):
    x = noise((order + 1) ** 2, samples, seed=seed)
    place = np.linspace(0, samples - 1, len(keys))
    turns = Slerp(place, Rotation.from_euler("ZYX", keys))(np.arange(samples))
    matrices = ambikit.sh_rotation_matrix(turns, order)
    expected = np.einsum("tij,jt->it", matrices, x)
    got = ambikit.rotate(x, *np.transpose(keys))
    assert_allclose(got, expected, atol=1e-4 * np.linalg.norm(x, axis=0).max())


def test_moving_rotation_hits_its_keys(path):
    x = noise(9, 41)
    yaw, pitch, roll = noise(3, 5, seed=1)
    turned = ambikit.rotate(x, yaw, pitch, roll)
    for key in range(5):
        fixed = ambikit.rotate(x, yaw[key], pitch[key], roll[key])
        assert_allclose(turned[:, 10 * key], fixed[:, 10 * key], atol=1e-12)


def test_first_order_motion_by_loop(path):
    """One axis needs no slerp: yaw runs linearly with time."""
    x = noise(4, 50)
    expected = naive.rotate_foa(x, [naive.rotation_matrix(a, 0, 0) for a in np.linspace(-1, 2, 50)])
    assert_allclose(ambikit.rotate(x, [-1.0, 0.5, 2.0]), expected, atol=2e-4)


def test_across_the_back_is_the_short_way(path):
    x = np.tile(wave(0), 21)
    turned = ambikit.rotate(x, [170, -170], degrees=True)
    assert turned[3].max() < -0.98


def test_speed_is_constant(path):
    """180° in one interval, where interpolated matrices would shrink to nothing half-way."""
    x = np.tile(wave(0), 181)
    turned = ambikit.rotate(x, [0, 179.9], degrees=True)
    assert_allclose(np.hypot(turned[1], turned[3]), 1, atol=1e-4)
    assert_allclose(np.diff(np.arctan2(turned[1], turned[3])), np.deg2rad(179.9) / 180, atol=1e-4)


def test_moving_rotation_does_not_click(path):
    samples = 4800
    x = np.ones((4, 1)) * np.ones(samples)
    turned = ambikit.rotate(x, np.linspace(0, 2 * np.pi, 9))
    speed = 2 * np.pi / (samples - 1)
    steps = np.hypot(*np.diff(turned[[1, 3]]))
    assert_allclose(steps, np.sqrt(2) * speed, rtol=0.02)


def test_times(path):
    """Keys at samples 10 and 20: held before and after, and half-way at 15."""
    x = np.tile(wave(0), 31)
    turned = ambikit.rotate(x, [0, 90], degrees=True, times=[10, 20])
    assert_allclose(turned[:, :11], np.tile(wave(0), 11), atol=1e-14)
    assert_allclose(turned[:, 15:16], wave(45), atol=1e-4)
    assert_allclose(turned[:, 20:], np.tile(wave(90), 11), atol=1e-14)


def test_times_beyond_the_sound(path):
    x = noise(4, 11)
    whole = ambikit.rotate(np.concatenate([noise(4, 5), x, noise(4, 5)], axis=1), [0.0, 2.0])
    part = ambikit.rotate(x, [0.0, 2.0], times=[-5, 15])
    assert_allclose(part, whole[:, 5:16], atol=1e-4)


def test_even_times_are_the_default(path):
    x = noise(4, 30)
    keys = [0.0, 1.0, -1.0]
    times = np.linspace(0, 29, 3)
    assert_allclose(ambikit.rotate(x, keys, times=times), ambikit.rotate(x, keys), atol=1e-14)


def test_a_far_key_costs_nothing(path):
    """A key an age away must not be refined over all the time in between."""
    x = np.tile(wave(0), 10)
    turned = ambikit.rotate(x, [0, 90], degrees=True, times=[0, 1e15])
    assert_allclose(turned, x, atol=1e-12)


def test_keys_as_rotations_or_matrices(path):
    x = noise(4, 30)
    keys = noise(4, 3)
    turned = ambikit.rotate(x, *keys.T)
    rotation = Rotation.from_euler("ZYX", keys)
    assert_allclose(ambikit.rotate(x, rotation=rotation), turned, atol=1e-12)
    assert_allclose(ambikit.rotate(x, rotation=rotation.as_matrix()), turned, atol=1e-12)
    undone = ambikit.rotate(turned, rotation=rotation, inverse=True)
    assert_allclose(undone, x, atol=3e-4)


def test_one_key_is_a_fixed_rotation():
    x = noise(4, 10)
    assert_allclose(ambikit.rotate(x, [0.3]), ambikit.rotate(x, 0.3), atol=1e-14)
    one = Rotation.from_euler("ZYX", [[0.3, 0, 0]])
    assert_allclose(ambikit.rotate(x, rotation=one), ambikit.rotate(x, 0.3), atol=1e-14)


@given(seed=seeds)
def test_more_keys_than_samples(path, seed):
    yaw = np.random.default_rng(seed).uniform(-3, 3, size=9)
    x = noise(4, 3)
    expected = np.stack([ambikit.rotate(x, yaw[4 * t])[:, t] for t in range(3)], axis=1)
    assert_allclose(ambikit.rotate(x, yaw), expected, atol=1e-12)


def test_both_paths_agree_beyond_the_threshold():
    x = noise(4, 30_000)
    keys = noise(3, 50, seed=3)
    whole = ambikit.rotate(x, *keys)  # compiled
    times = np.linspace(0, 29_999, 50)
    part = ambikit.rotate(x[:, 10_000:11_000], *keys, times=times - 10_000)  # numpy
    assert_allclose(part, whole[:, 10_000:11_000], atol=3e-4)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"yaw": np.inf}, "yaw holds NaN or infinity"),
        ({"yaw": [0.0, 1.0], "pitch": [0.0, 1.0, 2.0]}, r"yaw \(2,\), pitch \(3,\)"),
        ({"yaw": np.zeros((2, 2))}, "sh_rotation_matrix"),
        ({"yaw": []}, "rotations must be one"),
        ({"yaw": 0.1, "rotation": np.eye(3)}, "either yaw, pitch and roll or rotation"),
        ({"rotation": np.eye(4)}, r"\(\.\.\., 3, 3\).*got shape \(4, 4\)"),
        ({"rotation": 2 * np.eye(3)}, "not orthonormal"),
        ({"rotation": np.full((3, 3), np.nan)}, "not orthonormal"),
        ({"rotation": np.diag([1.0, -1.0, 1.0])}, "reflection"),
        ({"times": [0, 1]}, "times needs keys"),
        ({"yaw": [0.0, 1.0], "times": [0, 1, 2]}, r"shape \(2,\), got shape \(3,\)"),
        ({"yaw": [0.0, 1.0], "times": [5, 5]}, "strictly rising"),
        ({"yaw": [0.0, 1.0], "times": [0, np.nan]}, "finite"),
        ({"out": np.empty((4, 6))}, r"out must be a float64 array of shape \(4, 7\)"),
        ({"out": np.empty((4, 7), np.float32)}, "got float32"),
        ({"out": [0.0]}, "got list"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ambikit.InputError, match=message):
        ambikit.rotate(noise(4, 7), **arguments)


def test_bad_angles_are_named():
    with pytest.raises(TypeError, match="yaw must be numbers, got 'left'"):
        ambikit.rotate(noise(4, 7), "left")
    with pytest.raises(TypeError, match="rotation must be real"):
        ambikit.sh_rotation_matrix(np.eye(3) * 1j)
