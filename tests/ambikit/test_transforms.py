"""Mirror, directional gain, zoom and warp."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests import naive

azimuths = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)
orders = st.integers(0, 3)
amounts = st.floats(-0.9, 0.9)
seeds = st.integers(0, 2**32 - 1)


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def matrix_of(transform, order):
    """The matrix of a linear transform of signals."""
    return transform(np.eye((order + 1) ** 2))


def degree_sizes(order):
    """2n + 1 for each channel: the squared ratio of N3D to SN3D."""
    sizes = 2.0 * np.arange(order + 1) + 1.0
    return np.repeat(sizes, sizes.astype(int))


def warped(direction, towards, amount):
    """Where a direction comes to: turned in the plane of both, so that tan(t / 2) is scaled."""
    angle = math.atan2(np.linalg.norm(np.cross(towards, direction)), towards @ direction)
    half = math.sqrt((1 - amount) / (1 + amount)) * math.tan(angle / 2)
    across = direction - (direction @ towards) * towards
    if np.linalg.norm(across) < 1e-12:
        return direction
    across /= np.linalg.norm(across)
    return math.cos(2 * math.atan(half)) * towards + math.sin(2 * math.atan(half)) * across


def gain_of(direction, towards, amount):
    """Doppler factor of a plane wave under a boost."""
    return (1 + amount * (direction @ towards)) / math.sqrt(1 - amount**2)


# mirror

IMAGES = {
    "left_right": lambda az, el: (-az, el),
    "front_back": lambda az, el: (np.pi - az, el),
    "up_down": lambda az, el: (az, -el),
}


@given(azimuth=azimuths, elevation=elevations, order=orders, axis=st.sampled_from(list(IMAGES)))
def test_mirror_moves_a_source_to_its_image(azimuth, elevation, order, axis):
    x = ambikit.encode([1.0, -2.0], azimuth, elevation, order=order)
    image = naive.encode([1.0, -2.0], *IMAGES[axis](azimuth, elevation), order=order)
    assert_allclose(ambikit.mirror(x, axis), image, atol=1e-12)


def test_three_mirrors_are_the_parity_of_each_degree():
    x = noise(0, 25, 3)
    for axis in IMAGES:
        x = ambikit.mirror(x, axis)
    degree = np.repeat(np.arange(5), [1, 3, 5, 7, 9])
    assert_array_equal(x, (-1.0) ** degree[:, None] * noise(0, 25, 3))


@given(seed=seeds, yaw=azimuths, pitch=azimuths, roll=azimuths)
def test_mirror_turns_rotation_round(seed, yaw, pitch, roll):
    x = noise(seed, 16, 2)
    expected = ambikit.mirror(ambikit.rotate(x, yaw, pitch, roll), "left_right")
    got = ambikit.rotate(ambikit.mirror(x, "left_right"), -yaw, pitch, -roll)
    assert_allclose(got, expected, atol=1e-12)


# zoom


def test_zoom_is_the_lorentz_transformation():
    beta = 0.6
    gamma = 1.25
    expected = [  # W, Y, Z, X
        [gamma, 0, 0, gamma * beta],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [gamma * beta, 0, 0, gamma],
    ]
    assert_allclose(matrix_of(lambda x: ambikit.zoom(x, 0, 0, beta), 1), expected, atol=1e-14)


def test_zoom_is_dominance():
    """Gerzon and Barton's matrix on FuMa W, X, Y, Z, with a dominance of 6 dB to the front."""
    gain = 2.0
    sum_, difference = (gain + 1 / gain) / 2, (gain - 1 / gain) / 2
    dominance = np.eye(4)
    dominance[:2, :2] = [[sum_, difference / np.sqrt(2)], [difference * np.sqrt(2), sum_]]
    b_format = noise(1, 4, 5)
    amount = (gain**2 - 1) / (gain**2 + 1)
    zoomed = ambikit.zoom(ambikit.convert(b_format, "fuma", "ambix"), 0, 0, amount)
    expected = dominance @ b_format
    assert_allclose(ambikit.convert(zoomed, "ambix", "fuma"), expected, atol=1e-12)


@given(
    azimuth=azimuths,
    elevation=elevations,
    towards_azimuth=azimuths,
    towards_elevation=elevations,
    order=orders,
    amount=amounts,
)
def test_zoomed_plane_wave_is_a_plane_wave(
    azimuth, elevation, towards_azimuth, towards_elevation, order, amount
):
    direction = naive.direction(azimuth, elevation)
    towards = naive.direction(towards_azimuth, towards_elevation)
    x = ambikit.encode([1.0], azimuth, elevation, order=order)
    got = ambikit.zoom(x, towards_azimuth, towards_elevation, amount).ravel()
    gain = gain_of(direction, towards, amount) ** order
    expected = gain * naive.harmonics(warped(direction, towards, amount), order)
    assert_allclose(got, expected, atol=1e-10 * max(1, gain))


@given(seed=seeds, a=st.floats(-0.7, 0.7), b=st.floats(-0.7, 0.7), azimuth=azimuths)
def test_zooms_add_like_velocities(seed, a, b, azimuth):
    x = noise(seed, 16, 3)
    twice = ambikit.zoom(ambikit.zoom(x, azimuth, 0.4, a), azimuth, 0.4, b)
    once = ambikit.zoom(x, azimuth, 0.4, (a + b) / (1 + a * b))
    assert_allclose(twice, once, atol=1e-9 * np.abs(once).max())


@pytest.mark.parametrize("order", [0, 1, 4, 7])
def test_zoom_undone(order):
    x = noise(2, (order + 1) ** 2, 3)
    back = ambikit.zoom(ambikit.zoom(x, 1.0, 0.5, 0.6), 1.0, 0.5, -0.6)
    assert_allclose(back, x, atol=1e-8)


def test_zoom_keeps_the_interval():
    """W² - X² - Y² - Z², the square of a Lorentz vector."""
    x = noise(3, 4, 50)
    metric = np.array([1.0, -1.0, -1.0, -1.0])
    zoomed = ambikit.zoom(x, 2.0, -0.7, 0.8)
    assert_allclose(metric @ zoomed**2, metric @ x**2, atol=1e-10)


# warp


@pytest.mark.parametrize("preserve", ["amplitude", "energy"])
@pytest.mark.parametrize("amount", [-0.5, 0.3, 0.8])
def test_warp_is_the_integral_over_the_sphere(preserve, amount):
    """Against a plain sum over many points, about the zenith, in elevations as the paper has it."""
    points = ambikit.fibonacci_sphere(40000)
    azimuth, elevation = np.arctan2(points[:, 1], points[:, 0]), np.arcsin(points[:, 2])
    mu = np.sin(elevation)
    moved = np.arcsin((mu + amount) / (1 + amount * mu))
    gain = np.ones_like(mu)
    if preserve == "energy":
        gain = (1 - amount * np.sin(moved)) / np.sqrt(
            1 - amount**2
        )  # de-emphasis, eq. of the paper
    decode = ambikit.spherical_harmonics(points, 2) * degree_sizes(2)
    encode = ambikit.steering_vector(azimuth, moved, order=3)
    expected = encode.T @ (gain[:, None] * decode) / len(points)
    got = matrix_of(
        lambda x: ambikit.warp(x, 0, 90, amount, preserve=preserve, order=3, degrees=True), 2
    )
    assert_allclose(got, expected, atol=2e-4)


@given(
    azimuth=azimuths,
    elevation=elevations,
    amount=st.floats(-0.5, 0.5),
    preserve=st.sampled_from(["amplitude", "energy"]),
)
def test_warp_moves_what_is_there_to_where_it_belongs(azimuth, elevation, amount, preserve):
    """At an order that holds it all, the image at the new place is that at the old one.

    It is stronger by the area it lost, and weighted.
    """
    x = noise(11, 16)
    old = naive.direction(azimuth, elevation)
    towards = naive.direction(0.4, -0.3)
    new = warped(old, towards, amount)
    got = ambikit.warp(x[:, None], 0.4, -0.3, amount, preserve=preserve, order=25).ravel()
    before = ambikit.spherical_harmonics(old, 3) * degree_sizes(3) @ x
    after = ambikit.spherical_harmonics(new, 25) * degree_sizes(25) @ got
    power = 2 if preserve == "amplitude" else 1
    assert_allclose(after, before * gain_of(old, towards, amount) ** power, atol=1e-6)


@given(seed=seeds, amount=st.floats(-0.95, 0.95), azimuth=azimuths, elevation=elevations)
def test_warp_by_amplitude_keeps_w(seed, amount, azimuth, elevation):
    x = noise(seed, 9, 4)
    assert_allclose(ambikit.warp(x, azimuth, elevation, amount)[0], x[0], atol=1e-9)


@pytest.mark.parametrize("preserve", ["amplitude", "energy"])
def test_warp_undone(preserve):
    """At a high order between, nothing is lost."""
    x = noise(4, 16, 3)
    there = ambikit.warp(x, 0.3, 0.2, 0.5, order=25, preserve=preserve)
    back = ambikit.warp(there, 0.3, 0.2, -0.5, order=3, preserve=preserve)
    assert_allclose(back, x, atol=1e-6)


def test_warp_by_energy_keeps_energy():
    x = noise(5, 16, 3)
    energy = degree_sizes(3) @ x**2
    there = ambikit.warp(x, 0.3, 0.2, 0.5, order=25, preserve="energy")
    assert_allclose(degree_sizes(25) @ there**2, energy, rtol=1e-9)


@given(amount=st.floats(-0.95, 0.95), order_in=orders, order_out=orders)
def test_warp_by_energy_is_unitary_and_so_inverse_is_transpose(amount, order_in, order_out):
    def matrix(amount, order_in, order_out):
        plain = matrix_of(
            lambda x: ambikit.warp(x, 1.0, 0.5, amount, preserve="energy", order=order_out),
            order_in,
        )
        return np.sqrt(degree_sizes(order_out))[:, None] * plain / np.sqrt(degree_sizes(order_in))

    there, back = matrix(amount, order_in, order_out), matrix(-amount, order_out, order_in)
    assert_allclose(back, there.T, atol=1e-10)


# directional gain


@given(
    order=orders,
    azimuth=azimuths,
    elevation=elevations,
    gain_db=st.floats(-40, 20),
    width=st.floats(5, 360),
)
def test_gain_at_the_centre(order, azimuth, elevation, gain_db, width):
    x = ambikit.encode([1.0], azimuth, elevation, order=order)
    got = ambikit.directional_gain(x, azimuth, elevation, gain_db, np.radians(width))
    heard = ambikit.beamform(got, azimuth, elevation, pattern="max_di")
    assert_allclose(heard, 10 ** (gain_db / 20), rtol=1e-9)


@pytest.mark.parametrize("width", [60, 120])
def test_gain_is_the_bump_over_the_sphere(width):
    """At an order that resolves it: half the change at half the width, none behind."""
    order = 15
    cosine = np.cos(np.radians([0, width / 4, width / 2, 90, 180]))
    kappa = np.log(2) / (1 - cosine[2])
    expected = 1 + (2 - 1) * np.exp(kappa * (cosine - 1))
    for angle, gain in zip([0, width / 4, width / 2, 90, 180], expected, strict=True):
        x = ambikit.encode([1.0], 20 + angle, order=order, degrees=True)
        got = ambikit.directional_gain(x, 20, 0, 20 * np.log10(2), width, degrees=True)
        heard = ambikit.beamform(got, 20 + angle, pattern="max_di", degrees=True)
        assert_allclose(heard, gain, atol=0.06)


def test_gain_of_a_narrow_region_is_the_beam_put_back():
    """Far below what the order resolves: what the hypercardioid hears is added at the centre."""
    x = noise(6, 9, 5)
    got = ambikit.directional_gain(x, 40, 10, 6, 1, degrees=True)
    heard = ambikit.beamform(x, 40, 10, pattern="max_di", degrees=True)
    added = (10 ** (6 / 20) - 1) * ambikit.encode(heard, 40, 10, order=2, degrees=True)
    assert_allclose(got, x + added, atol=1e-3)


def test_gain_is_the_integral_over_the_sphere():
    points = ambikit.fibonacci_sphere(40000)
    kappa = np.log(2) / (1 - np.cos(np.radians(40)))
    bump = np.exp(kappa * (points @ naive.direction(0.5, 0.2) - 1))
    harmonics = ambikit.spherical_harmonics(points, 2)
    decode = harmonics * degree_sizes(2)
    expected = harmonics.T @ (bump[:, None] * decode) / len(points)
    change = matrix_of(lambda x: ambikit.directional_gain(x, 0.5, 0.2, 6, np.radians(80)), 2)
    change -= np.eye(9)
    assert_allclose(change / change[0, 0], expected / expected[0, 0], atol=1e-4)


# all of them

TRANSFORMS = {
    "gain": lambda x, az=0.5, el=0.2: ambikit.directional_gain(x, az, el, -12, 1.0),
    "zoom": lambda x, az=0.5, el=0.2: ambikit.zoom(x, az, el, 0.5),
    "warp": lambda x, az=0.5, el=0.2: ambikit.warp(x, az, el, 0.5),
    "warp by energy": lambda x, az=0.5, el=0.2: ambikit.warp(x, az, el, -0.5, preserve="energy"),
}
each = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=list(TRANSFORMS))
and_mirror = pytest.mark.parametrize(
    "transform", [*TRANSFORMS.values(), lambda x: ambikit.mirror(x, "up_down")]
)


@each
def test_turning_the_field_and_the_direction(transform):
    x = noise(7, 16, 3)
    azimuth, elevation = ambikit.vector_to_angles(
        ambikit.rotation_matrix(1.1, -0.4, 2.0) @ naive.direction(0.5, 0.2)
    )
    turned = ambikit.rotate(transform(x), 1.1, -0.4, 2.0)
    got = transform(ambikit.rotate(x, 1.1, -0.4, 2.0), float(azimuth), float(elevation))
    assert_allclose(got, turned, atol=1e-10)


@each
@pytest.mark.parametrize("elevation", [np.pi / 2, -np.pi / 2])
def test_poles(transform, elevation):
    """At a pole the azimuth does not matter."""
    x = noise(8, 9, 3)
    assert_allclose(transform(x, 0.0, elevation), transform(x, 2.0, elevation), atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_nothing_to_do(order):
    x = noise(9, (order + 1) ** 2, 6)
    assert_allclose(ambikit.directional_gain(x, 1, 1, 0, 1), x, atol=1e-12)
    assert_allclose(ambikit.zoom(x, 1, 1, 0), x, atol=1e-12)
    assert_allclose(ambikit.warp(x, 1, 1, 0), x, atol=1e-12)
    assert_allclose(ambikit.warp(x, 1, 1, 0, preserve="energy"), x, atol=1e-12)


@and_mirror
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_dtype_and_input(transform, dtype):
    x = noise(10, 2, 3, 9, 40000).astype(dtype)[..., ::2]
    x.flags.writeable = False
    before = x.copy()
    got = transform(x)
    assert got.dtype == dtype
    assert got.shape == x.shape
    assert_array_equal(x, before)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    for place in np.ndindex(2, 3):
        assert_allclose(got[place], transform(x[place].astype(float)), atol=tolerance)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ambikit.mirror(x, "left"), ambikit.InputError, "choose one of left_right"),
        (lambda x: ambikit.mirror(x.T, "up_down"), ambikit.InputError, "pass x.T"),
        (lambda x: ambikit.zoom(x, 0, 0, 1.0), ambikit.InputError, "amount must lie between"),
        (lambda x: ambikit.zoom(x, 0, 0, np.nan), ambikit.InputError, "amount must lie between"),
        (lambda x: ambikit.zoom(x, [0, 1], 0, 0.5), ambikit.InputError, "must be one number"),
        (lambda x: ambikit.zoom(x, 0, 100, 0.5), ambikit.InputError, "elevation"),
        (lambda x: ambikit.warp(x, 0, 0, -1.0), ambikit.InputError, "amount must lie between"),
        (lambda x: ambikit.warp(x, 0, 0, 0.5, preserve="level"), ambikit.InputError, "preserve"),
        (lambda x: ambikit.warp(x, 0, 0, 0.5, order=-1), ambikit.InputError, "order"),
        (lambda x: ambikit.directional_gain(x, 0, 0, 6, 0), ambikit.InputError, "1° to 360°"),
        (lambda x: ambikit.directional_gain(x, 0, 0, 6, 60), ambikit.InputError, "1° to 360°"),
        (lambda x: ambikit.directional_gain(x, 0, 0, np.inf, 1), ambikit.InputError, "gain_db"),
        (lambda x: ambikit.directional_gain(x, np.nan, 0, 6, 1), ambikit.InputError, "azimuth"),
        (lambda x: ambikit.zoom(x.astype(int), 0, 0, 0.5), TypeError, "integers"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((4, 10)))
