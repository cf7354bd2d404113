"""What is seen in the world lies where its labels say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

import ambikit
from ambikit_learn.world import CLASSES
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.pictures import boxes, render_frames, render_room
from ambikit_learn.world.sounds import Performance
from tests.ambikit_learn.worlds import RATE, degrees_between, drawn, one_object, played, vector


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize(("azimuth", "elevation"), [(40.0, 12.0), (179.6, -25.0), (-70.0, 84.0)])
def test_box_lies_where_the_pixels_are(label: str, azimuth: float, elevation: float) -> None:
    scene = one_object(label, azimuth, elevation)
    performances = played(scene)
    times = [0.0, 0.3, 0.7]
    room = 255 * render_room(scene, (360, 720))
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


@pytest.mark.kernel
def test_figures_cover_the_sphere_without_a_seam() -> None:
    from ambikit_learn._kernels.world_objects import paint_objects

    def painted(azimuth: float, elevation: float) -> npt.NDArray[np.float32]:
        frame = np.full((24, 48, 3), 0.5, np.float32)
        style = np.array([[0.9, 0.8, 0.1, 0.5, 0.2, 0.2, 0.0, 10.0, 0.3, 1.0, 8.0]])
        paint_objects(
            frame,
            np.empty((0, 3)),
            np.array([3]),
            np.array([azimuth]),
            np.array([elevation]),
            np.array([0.24]),
            style,
            np.array([0.5]),
            np.array([0.1]),
            0.3,
        )
        return frame

    ahead = painted(0.0, 0.2)
    assert (ahead != 0.5).any(-1).sum() > 8
    np.testing.assert_allclose(painted(np.pi, 0.2), np.roll(ahead, 24, axis=1), atol=1e-5)
    top = painted(1.0, np.pi / 2)
    assert (top[0] != 0.5).any(-1).all()
    np.testing.assert_array_equal(top[12:], 0.5)


@pytest.mark.kernel
def test_room_shows_its_walls_at_their_place() -> None:
    from ambikit_learn._kernels.world_room import paint_room

    walls = np.array([2.0, 2.0, 2.0, 2.0, 1.0, 1.0])
    colours = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    frame = np.empty((24, 48, 3), np.float32)
    arguments = (walls, False, np.array([2, 2, 2]), colours, np.array([0.0, 0.0, 0.9]))
    paint_room(frame, np.empty((0, 3)), 0.3, *arguments, np.zeros((4, 2)), 1, 1)
    surface = frame.argmax(-1)
    e = np.deg2rad(90 - (np.arange(24) + 0.5) * 7.5)[:, None]
    a = np.deg2rad(180 - (np.arange(48) + 0.5) * 7.5) + 0.3
    # A wall at 2 m meets the ceiling, 1 m up, where the slope to it is 1 / distance.
    distance = 2.0 / np.maximum(np.abs(np.cos(a)), np.abs(np.sin(a)))
    slope = np.tan(e) * distance
    expected = np.where(slope > 1.0, 1, np.where(slope < -0.88, 2, 0))
    clear = (np.abs(slope - 1.0) > 0.02) & ((slope < -1.02) | (slope > -0.86)) & (slope < 5)
    np.testing.assert_array_equal(surface[clear], expected[clear])
