"""What is seen in the world lies where its labels say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

import ambikit
from ambikit_learn.sphere.crops import Crops
from ambikit_learn.sphere.equirect import local_axes
from ambikit_learn.world import CLASSES
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.pictures import boxes, render_crops, render_frames, render_room
from ambikit_learn.world.places import TEXTURES
from ambikit_learn.world.sounds import Performance
from ambikit_learn.world.views import sphere, sphere_windows
from tests.ambikit_learn.world.worlds import (
    RATE,
    degrees_between,
    drawn,
    one_object,
    played,
    vector,
)

Pictures = npt.NDArray[np.int_]
SILENT = Performance(np.zeros(RATE, np.float32), np.zeros(100, np.float32))


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize(
    ("azimuth", "elevation"), [(40.0, 12.0), (179.6, -25.0), (-70.0, 84.0), (130.0, -85.0)]
)
def test_box_lies_where_the_pixels_are(label: str, azimuth: float, elevation: float) -> None:
    scene = one_object(label, azimuth, elevation)
    performances = played(scene)
    times = [0.0, 0.3, 0.7]
    room = render_room(scene, (360, 720)).astype(int)
    truth = boxes(scene, performances)[0]
    for t, frame in zip(times, render_frames(scene, performances, times, (360, 720)), strict=True):
        row, column = np.nonzero(np.abs(frame - room).sum(-1) > 12)
        e = 90.0 - (row + 0.5) / 2
        seen = vector(180.0 - (column + 0.5) / 2, e)
        centre = (seen * np.cos(np.deg2rad(e))[:, None]).sum(0)
        assert degrees_between(centre, vector(azimuth, elevation)) < 1.5
        k = round(10 * t)
        facing = vector(truth["azimuth"][k], truth["elevation"][k])
        assert degrees_between(facing, vector(azimuth, elevation)) < 0.01
        # The box holds the pixels, and is filled by them, along both of its edges.
        a = np.deg2rad(azimuth)
        left = np.array([-np.sin(a), np.cos(a), 0.0])
        for axis, edge in ((left, "width"), (np.cross(facing, left), "height")):
            angle = np.rad2deg(np.arctan((seen @ axis) / (seen @ facing)))
            assert np.ptp(angle) == pytest.approx(truth[edge][k], rel=0.2)


def test_rolling_the_picture_and_turning_the_sound_commute() -> None:
    for index in (0, 3):
        scene = drawn(index, seconds=1.0)
        columns = 37
        yaw = 2 * np.pi * columns / 128
        turned = scene.turned(yaw)
        performances = played(scene)
        for before, after in zip(
            render_frames(scene, performances, [0.2, 0.8], (64, 128)),
            render_frames(turned, performances, [0.2, 0.8], (64, 128)),
            strict=True,
        ):
            # Rounding moves a few rays across the edges of tiles.
            off = np.abs(np.roll(before, -columns, axis=1).astype(int) - after)
            assert (off > 2).mean() < 2e-3
            assert (np.abs(before.astype(int) - after) > 2).mean() > 0.2
        field = render_sound(scene, performances, RATE)
        np.testing.assert_allclose(
            ambikit.rotate(field, yaw=yaw), render_sound(turned, performances, RATE), atol=2e-5
        )


def test_picture_moves_with_the_sound() -> None:
    scene = one_object("speech", 0.0, 0.0)
    quiet = np.zeros(100, np.float32)
    beats = quiet.copy()
    beats[50:60] = 1.0
    sound = np.zeros(RATE, np.float32)
    still, loud = render_frames(scene, [Performance(sound, beats)], [0.2, 0.55], (90, 180))
    (calm,) = render_frames(scene, [Performance(sound, quiet)], [0.55], (90, 180))
    np.testing.assert_array_equal(still, calm)
    assert (loud != calm).any(-1).sum() > 100
    asleep = replace(scene, objects=(replace(scene.objects[0], pulsing=False),))
    (frame,) = render_frames(asleep, [Performance(sound, beats)], [0.55], (90, 180))
    np.testing.assert_array_equal(frame, calm)


def figure_at(azimuth: float, elevation: float, label: str, size: int) -> Pictures:
    """What a viewer who faces a still object sees, by the definition of azimuth and elevation."""
    scene = one_object(label, azimuth, elevation)
    (frame,) = render_frames(scene, [SILENT], [0.0], (720, 1440))
    side = np.tan(np.deg2rad(14.0)) * np.linspace(-1.0, 1.0, size)
    right, up = np.meshgrid(side, side[::-1])
    a, e = np.deg2rad([azimuth, elevation])
    eastward = np.array([np.sin(a), -np.cos(a), 0.0])
    upward = np.array([-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)])
    rays = vector(azimuth, elevation) + right[..., None] * eastward + up[..., None] * upward
    x, y, z = np.moveaxis(rays, -1, 0)
    row = 720 * (0.5 - np.arctan2(z, np.hypot(x, y)) / np.pi)
    column = 1440 * (0.5 - np.arctan2(y, x) / (2 * np.pi))
    cut: Pictures = frame[row.astype(int), column.astype(int) % 1440]
    return cut


@pytest.mark.parametrize(
    ("azimuth", "elevation"), [(0.0, 0.0), (180.0, 20.0), (-179.0, -40.0), (60.0, 80.0)]
)
def test_figures_are_neither_mirrored_nor_upside_down(azimuth: float, elevation: float) -> None:
    """Keys are on the right of an accordion, and the lamp of a siren above its dark base."""
    cut = figure_at(azimuth, elevation, "accordion", 56).astype(int)
    white = cut.min(-1)[18:38] > 140
    assert white[:, 41:46].mean() > white[:, 10:15].mean() + 0.2
    cut = figure_at(azimuth, elevation, "siren", 56).astype(int)
    red = (cut[..., 0] - cut[..., 1])[:, 20:36].mean(1)
    assert red[16:36].mean() > 100
    assert red[40:44].mean() < 50


def test_crops_are_not_mirrored() -> None:
    """A crop that looks past an object to the left shows it on its right, and so on."""
    scene = one_object("siren", 170.0, 40.0)
    room = replace(scene, objects=(replace(scene.objects[0], size=1e-3),))
    aside = np.array([178.0, 162.0, 170.0, 170.0]), np.array([40.0, 40.0, 48.0, 32.0])
    sides = np.full((2, 4), 50.0)
    crops = Crops(*aside, *sides, ("",) * 4, np.full(4, -1))
    views, empty = (
        render_crops(one, [SILENT], [0.0], crops, 48)[:, 0].astype(int) for one in (scene, room)
    )
    for seen, away in zip(np.abs(views - empty).sum(-1) > 30, ("x", "-x", "y", "-y"), strict=True):
        row, column = (index.mean() - 23.5 for index in np.nonzero(seen))
        x, y = {"x": (1, 0), "-x": (-1, 0), "y": (0, 1), "-y": (0, -1)}[away]
        assert x * column + y * row > 4
        assert abs(y * column) + abs(x * row) < 3


@pytest.mark.kernel
def test_figures_cover_the_sphere_without_a_seam() -> None:
    from ambikit_learn.world._kernels.objects import paint_objects

    def painted(azimuth: float, elevation: float) -> Pictures:
        frames = np.full((1, 24, 48, 3), 128, np.uint8)
        a, e, radius = (np.array([[angle]]) for angle in (azimuth, elevation, 0.24))
        poses = local_axes(a, e)
        poses[..., 1:, :] /= np.tan([-0.24, 0.24])[:, None]
        gestures = np.array([[[0.5, 0.0, 1.0, 0.0, 0.1, 0.3]]])
        styles = np.array([[0.9, 0.8, 0.1, 0.5, 0.2, 0.2, 0.0, 10.0, 0.3, 8.0]])
        windows = sphere_windows(a, e, np.arctan(1.56 * np.tan(radius)), 24, 48)
        paint_objects(frames, *sphere(0.0, 24, 48), windows, poses, gestures, np.array([3]), styles)
        return frames[0].astype(int)

    ahead = painted(0.0, 0.2)
    assert (ahead != 128).any(-1).sum() > 8
    for turn in (24, -7, 20):
        there = painted(2 * np.pi * turn / 48, 0.2)
        np.testing.assert_allclose(there, np.roll(ahead, -turn, axis=1), atol=1)
    for pole in (1, -1):
        rows = painted(1.0, pole * np.pi / 2)[::pole]
        assert (rows[0] != 128).any(-1).all()
        np.testing.assert_array_equal(rows[12:], 128)


@pytest.mark.kernel
def test_room_shows_its_walls_at_their_place() -> None:
    from ambikit_learn.world._kernels.room import Decor, paint_room

    # No two walls are equally far, so that a mirrored room would be another.
    walls = (2.0, 3.0, 1.4, 2.5, 1.0, 1.2)
    colours = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    decor = Decor(walls, False, (2, 2, 2), colours, (0.0, 0.0, 0.4), ((0.0, 0.0),) * 4, 1)
    frame = np.empty((24, 48, 3), np.uint8)
    paint_room(frame, *sphere(0.3, 24, 48), decor)
    surface = frame.argmax(-1)
    e = np.deg2rad(90 - (np.arange(24) + 0.5) * 7.5)[:, None]
    a = np.deg2rad(180 - (np.arange(48) + 0.5) * 7.5) + 0.3
    ahead = np.where(np.cos(a) > 0, 2.0, 3.0) / np.abs(np.cos(a))
    aside = np.where(np.sin(a) > 0, 1.4, 2.5) / np.abs(np.sin(a))
    # A wall meets the ceiling, 1 m up, where the slope to it is 1 / distance; the last 12 cm above
    # the floor are a grey board.
    slope = np.tan(e) * np.minimum(ahead, aside)
    expected = np.where(slope > 1.0, 1, np.where(slope < -1.2, 2, 0))
    clear = (np.abs(slope - 1.0) > 0.02) & ((slope < -1.22) | (slope > -1.06)) & (slope < 5)
    np.testing.assert_array_equal(surface[clear], expected[clear])


@pytest.mark.kernel
@pytest.mark.parametrize("kind", range(len(TEXTURES)))
def test_one_wide_ray_shows_what_many_narrow_ones_do(kind: int) -> None:
    from ambikit_learn.world._kernels.room import _material

    rng = np.random.default_rng(kind)
    error, contrast = [], []
    for u, v in rng.uniform(-3.0, 3.0, (12, 2)):
        offsets = 0.15 * (np.indices((8, 8)).reshape(2, -1).T + 0.5 - 4.0) / 8
        near = [_material(kind, u + a, v + b, 0.019, 0.019, 3) for a, b in offsets]
        error.append(_material(kind, u, v, 0.15, 0.15, 3) - np.mean(near))
        contrast.append(np.std(near))
    assert np.sqrt(np.mean(np.square(error))) < 0.6 * np.mean(contrast) + 0.01
