"""Directions, perspective crops and boxes of equirectangular frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

import ambikit
from ambikit import InputError
from ambikit_learn.sphere.boxes import Boxes, bounding_boxes, overlap
from ambikit_learn.sphere.equirect import (
    angular_distance,
    between,
    direction_to_pixel,
    gnomonic,
    local_axes,
    pixel_to_direction,
)

AZIMUTH = st.floats(-180, 180)
ELEVATION = st.floats(-90, 90)


def gnomonic_by_scipy(frame, azimuth, elevation, width, height, size):
    """The crop by rotation matrices of scipy and its spline interpolation of order 1."""
    centres = 1 - (2 * np.arange(size) + 1) / size
    up, left = np.meshgrid(
        np.tan(np.deg2rad(height / 2)) * centres,
        np.tan(np.deg2rad(width / 2)) * centres,
        indexing="ij",
    )
    turn = Rotation.from_euler("ZY", [azimuth, -elevation], degrees=True)
    rays = turn.apply(np.stack([np.ones_like(up), left, up], -1).reshape(-1, 3))
    rows, columns, _ = frame.shape
    # One column of the other edge on each side stands for the seam.
    padded = np.concatenate([frame[:, -1:], frame, frame[:, :1]], axis=1).astype(float)
    longitude = np.arctan2(rays[:, 1], rays[:, 0])
    latitude = np.arctan2(rays[:, 2], np.hypot(rays[:, 0], rays[:, 1]))
    column = (0.5 - longitude / (2 * np.pi)) * columns - 0.5 + 1
    row = np.clip((0.5 - latitude / np.pi) * rows - 0.5, 0, rows - 1)
    out = [map_coordinates(padded[..., k], [row, column], order=1) for k in range(3)]
    return np.stack(out, -1).reshape(size, size, 3)


def smooth_frame(rows=64, columns=128, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("u", "v", "azimuth", "elevation"),
    [
        (0.5, 0.5, 0, 0),
        (0.25, 0.5, 90, 0),
        (0.75, 0.5, -90, 0),
        (0.0, 0.5, 180, 0),
        (0.5, 0.0, 0, 90),
        (0.5, 0.75, 0, -45),
        (1.25, 0.25, 90, 45),
    ],
)
def test_known_places(u, v, azimuth, elevation):
    assert np.allclose(np.rad2deg(pixel_to_direction(u, v)), [azimuth, elevation])
    back = direction_to_pixel(np.deg2rad(azimuth), np.deg2rad(elevation))
    assert np.allclose(back, [u % 1, v])


@given(AZIMUTH, ELEVATION)
def test_direction_to_pixel_and_back(azimuth, elevation):
    u, v = direction_to_pixel(*np.deg2rad([azimuth, elevation]))
    assert 0 <= u < 1
    assert 0 <= v <= 1
    a, e = pixel_to_direction(u, v)
    assert -np.pi < a <= np.pi
    # Compared as places on the sphere, so that ±180° is one.
    assert np.allclose(
        ambikit.angles_to_vector(a, e),
        ambikit.angles_to_vector(azimuth, elevation, degrees=True),
        atol=1e-12,
    )


@given(AZIMUTH, ELEVATION)
def test_local_axes_are_the_inverse_of_look_at(azimuth, elevation):
    axes = local_axes(*np.deg2rad([azimuth, elevation]))
    assert np.allclose(axes, ambikit.look_at(azimuth, elevation, degrees=True).as_matrix())
    assert np.linalg.det(axes) == pytest.approx(1)


@given(AZIMUTH, ELEVATION, AZIMUTH, ELEVATION)
def test_angular_distance_is_that_of_vectors(a, e, b, f):
    one, two = ambikit.angles_to_vector([a, b], [e, f], degrees=True)
    expected = np.rad2deg(np.arctan2(np.linalg.norm(np.cross(one, two)), one @ two))
    assert angular_distance(a, e, b, f, degrees=True) == pytest.approx(expected, abs=1e-5)


@given(AZIMUTH, ELEVATION, AZIMUTH, ELEVATION, st.floats(-0.5, 1.5))
def test_between_turns_about_the_axis_of_both(a, e, b, f, share):
    one, two = ambikit.angles_to_vector([a, b], [e, f], degrees=True)
    assume(np.linalg.norm(np.cross(one, two)) > 1e-3)
    axis = np.cross(one, two) / np.linalg.norm(np.cross(one, two))
    angle = np.arctan2(np.linalg.norm(np.cross(one, two)), one @ two)
    expected = Rotation.from_rotvec(share * angle * axis).apply(one)
    found = ambikit.angles_to_vector(*between(a, e, b, f, share), degrees=True)
    assert np.allclose(found, expected, atol=1e-9)


def test_between_stays_where_there_is_no_way():
    assert np.allclose(between(-120.0, 40.0, -120.0, 40.0, [0.0, 0.3, 2.0]), [[-120.0], [40.0]])


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("azimuth", "elevation", "width", "height"),
    [
        (0, 0, 90, 90),
        (37, 12, 60, 40),
        (180, 0, 76, 76),  # over the seam
        (-179, -30, 25, 90),
        (10, 90, 90, 90),  # the pole is in the middle
        (-100, -75, 120, 60),
    ],
)
def test_gnomonic_against_scipy(azimuth, elevation, width, height):
    frame = smooth_frame()
    crop = gnomonic(frame, azimuth, elevation, width, height, 18, degrees=True)
    expected = gnomonic_by_scipy(frame, azimuth, elevation, width, height, 18)
    # Weights in steps of 1/2048 and rounding to whole grey levels.
    assert np.abs(crop - expected).max() < 0.9


@pytest.mark.kernel
def test_gnomonic_of_a_frame_that_is_not_two_to_one():
    frame = smooth_frame(90, 160)
    crop = gnomonic(frame, 25, -20, 70, 50, 15, degrees=True)
    assert np.abs(crop - gnomonic_by_scipy(frame, 25, -20, 70, 50, 15)).max() < 0.9


@pytest.mark.kernel
def test_gnomonic_is_not_mirrored():
    frame = np.zeros((60, 120, 3), np.uint8)
    azimuth, elevation = pixel_to_direction(
        (np.arange(120) + 0.5) / 120, (np.arange(60)[:, None] + 0.5) / 60
    )
    frame[..., 0] = np.where(np.broadcast_to(azimuth > 0, (60, 120)), 255, 0)  # red: to the left
    frame[..., 2] = np.where(np.broadcast_to(elevation > 0, (60, 120)), 255, 0)  # blue: above
    crop = gnomonic(frame, 0, 0, 60, 60, 16, degrees=True)
    assert (crop[:, :6, 0] == 255).all()
    assert (crop[:, -6:, 0] == 0).all()
    assert (crop[:6, :, 2] == 255).all()
    assert (crop[-6:, :, 2] == 0).all()


@pytest.mark.kernel
def test_rolling_the_frame_is_turning_the_view():
    frame = smooth_frame(64, 128)
    rolled = np.roll(frame, -16, axis=1)  # 45° to the left: what was in front is at +45°
    seen = gnomonic(rolled, 45 + 170, 20, 70, 70, 24, degrees=True)
    assert np.abs(seen.astype(int) - gnomonic(frame, 170, 20, 70, 70, 24, degrees=True)).max() <= 1


@pytest.mark.kernel
def test_crops_at_the_seam_are_continuous():
    azimuth, elevation = pixel_to_direction(
        (np.arange(360) + 0.5) / 360, (np.arange(180)[:, None] + 0.5) / 180
    )
    # Smooth over the whole sphere, poles and seam included.
    x, y, z = np.moveaxis(ambikit.angles_to_vector(azimuth, elevation), -1, 0)
    frame = np.rint(127.5 + 120 * np.stack([x, y, z], -1)).astype(np.uint8)
    for at in ((180, 0), (0, 88), (50, -90)):
        crop = gnomonic(frame, *at, 60, 60, 40, degrees=True).astype(int)
        assert np.abs(np.diff(crop, axis=0)).max() < 8
        assert np.abs(np.diff(crop, axis=1)).max() < 8


@pytest.mark.kernel
def test_gnomonic_of_batches_is_that_of_each_frame():
    frames = np.stack([smooth_frame(32, 64, seed) for seed in range(6)]).reshape(2, 3, 32, 64, 3)
    crops = gnomonic(frames, 20, 5, 60, 50, 9, degrees=True)
    assert crops.shape == (2, 3, 9, 9, 3)
    each = gnomonic(frames[1, 2], *np.deg2rad([20, 5, 60, 50]), 9)
    assert (crops[1, 2] == each).all()
    strided = gnomonic(frames[:, ::2, :, ::-1], 20, 5, 60, 50, 9, degrees=True)
    assert (strided[1, 1] == gnomonic(frames[1, 2, :, ::-1], 20, 5, 60, 50, 9, degrees=True)).all()


@pytest.mark.kernel
def test_gnomonic_that_turns_from_frame_to_frame():
    frames = np.stack([smooth_frame(32, 64, seed) for seed in range(3)])
    azimuth, elevation = np.array([170.0, 180.0, -170.0]), np.array([0.0, 10.0, 20.0])
    crops = gnomonic(frames, azimuth, elevation, 60, 50, 9, degrees=True)
    for i in range(3):
        alone = gnomonic(frames[i], azimuth[i], elevation[i], 60, 50, 9, degrees=True)
        assert (crops[i] == alone).all()
    level = gnomonic(frames, azimuth, 5.0, 60, 50, 9, degrees=True)
    assert (level[2] == gnomonic(frames[2], -170, 5, 60, 50, 9, degrees=True)).all()
    assert gnomonic(frames[:0], azimuth[:0], 0.0, 60, 50, 9, degrees=True).shape == (0, 9, 9, 3)
    with pytest.raises(InputError, match=r"have shape \(2,\): give one direction, or one for each"):
        gnomonic(frames, azimuth[:2], 0.0, 60, 50, 9, degrees=True)


def test_gnomonic_says_what_is_wrong():
    frame = np.zeros((8, 16, 3), np.uint8)
    with pytest.raises(TypeError, match="uint8"):
        gnomonic(frame.astype(float), 0, 0, 60, 60, 8, degrees=True)
    with pytest.raises(InputError, match=r"\(8, 16\)"):
        gnomonic(frame[..., 0], 0, 0, 60, 60, 8)
    for width in (0, 180, -20):
        with pytest.raises(InputError, match="width must be a field of view"):
            gnomonic(frame, 0, 0, width, 60, 8, degrees=True)
    with pytest.raises(InputError, match="degrees=True"):
        gnomonic(frame, 0, 45, 1, 1, 8)
    with pytest.raises(InputError, match="size"):
        gnomonic(frame, 0, 0, 1, 1, 0)


def test_boxes_take_concatenate_and_records():
    boxes = Boxes([1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [0.1, 0.2, 0.3], ["a", "b", "c"])
    assert boxes.azimuth.dtype == np.float64
    assert boxes.take([2, 0]).label == ("c", "a")
    assert boxes.take(boxes.score > 0.15).azimuth.tolist() == [2, 3]
    assert len(boxes.take([])) == 0
    again = Boxes.concatenate([Boxes.empty(), boxes.take([0]), boxes.take([1, 2])])
    assert (
        again.to_records()
        == boxes.to_records()
        == Boxes.from_records(boxes.to_records()).to_records()
    )
    assert boxes.to_records()[1] == {
        "azimuth": 2, "elevation": 5, "width": 8, "height": 11, "score": 0.2, "label": "b"
    }  # fmt: skip
    with pytest.raises(InputError, match="'label': 2"):
        Boxes([1], [1], [1], [1], [1], ("a", "b"))
    with pytest.raises(InputError, match="'width'"):
        Boxes.from_records([{"azimuth": 1, "elevation": 1}])


def outline(azimuth, elevation, width, height):
    """Border of a box by definition: longitudes and latitudes of a viewer, turned by scipy."""
    edge = np.linspace(-0.5, 0.5, 41)
    side = np.full(41, 0.5)
    longitude = np.concatenate([edge, edge, side, -side]) * width
    latitude = np.concatenate([side, -side, edge, edge]) * height
    turn = Rotation.from_euler("ZY", [azimuth, -elevation], degrees=True)
    return turn.apply(ambikit.angles_to_vector(longitude, latitude, degrees=True))


@given(AZIMUTH, st.floats(-80, 80), st.floats(5, 120), st.floats(5, 100))
def test_bounding_box_of_a_box_is_the_box(azimuth, elevation, width, height):
    # One corner is cut off, so that the mean of the points is not the centre.
    points = np.concatenate([outline(azimuth, elevation, width, height)] * 2)[:220]
    a, e, w, h = bounding_boxes(points[None])
    assert angular_distance(a, e, azimuth, elevation, degrees=True) < 0.05
    assert (w, h) == (pytest.approx(width, abs=0.1), pytest.approx(height, abs=0.1))


def share_by_chance(one, two):
    """Share of the area of box one in box two, from 40 000 random points."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40000, 3))

    def holds(box):
        azimuth, elevation, width, height = box
        turned = Rotation.from_euler("ZY", [azimuth, -elevation], degrees=True).inv().apply(points)
        longitude, latitude = ambikit.vector_to_angles(turned, degrees=True)
        return (np.abs(longitude) <= width / 2) & (np.abs(latitude) <= height / 2)

    first, second = holds(one), holds(two)
    common = (first & second).sum()
    return common / (first | second).sum(), common / first.sum()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((0, 0, 60, 60), (20, 10, 60, 40)),
        ((170, 5, 50, 40), (-170, 0, 60, 80)),
        ((0, 80, 60, 50), (180, 85, 60, 50)),  # both hold the pole, from opposite sides
        ((40, -30, 200, 60), (90, -40, 50, 50)),
        ((0, 0, 40, 40), (90, 0, 40, 40)),
    ],
)
def test_overlap_against_random_points(one, two):
    a, b = (Boxes(*box, 1.0, ("x",)) for box in (one, two))
    union, inside = overlap(a, b)
    expected = share_by_chance(one, two)
    assert union[0, 0] == pytest.approx(expected[0], abs=0.05)
    assert inside[0, 0] == pytest.approx(expected[1], abs=0.06)
    back, _ = overlap(b, a)
    assert back[0, 0] == union[0, 0]
