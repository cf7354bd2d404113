"""Projections are recognised by their looks, or refused: FFmpeg's filter makes them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ambikit_learn.sphere.equirect import gnomonic
from ambikit_learn.sphere.projection import (
    FrameLayout,
)
from ambikit_learn.sphere.recognition import NotASphereError, recognise
from ambikit_learn.video.files import read_frames, resize
from tests.ambikit_learn.sphere.panoramas import EAC, directions, lavfi, scene, v360


class TestRecognise:
    """Pictures of spheres, and what FFmpeg makes of them, at the size of prepared frames."""

    SIZE = (160, 320)

    @pytest.fixture(scope="class", params=["yt360", "sphere360", "room", "painted"])
    @staticmethod
    def sphere(request, test_data):
        if request.param == "painted":
            return scene(directions(480, 960))[None]
        if request.param == "room":
            picture = Image.open(test_data / "frames/living-room.jpg").convert("RGB")
            return resize(np.asarray(picture)[None], (480, 960))
        name = {
            "yt360": "yt360/video/kqAZkf5Odyw-80.mp4",
            "sphere360": "sphere360/media/V_To4k9AJXc_20.mkv",
        }[request.param]
        return read_frames(test_data / name, duration=3.0, rate=1.0, size=(480, 960))

    def seen(self, frames):
        return recognise(resize(frames, self.SIZE), frames.shape[1:3])

    @pytest.mark.parametrize(
        ("options", "layout"),
        [
            ("e:e:w=960:h=480", FrameLayout()),
            ("e:eac:w=960:h=540", EAC),
            ("e:c3x2:w=960:h=640", FrameLayout("c3x2")),
            ("e:c3x2:w=960:h=640:out_frot=002200", FrameLayout("cubemap")),
            ("e:c6x1:w=1920:h=320", FrameLayout("c6x1")),
            ("e:c1x6:w=320:h=1920", FrameLayout("c1x6")),
        ],
    )
    def test_layouts_of_ffmpeg(self, sphere, options, layout):
        found = self.seen(np.stack([v360(frame, options) for frame in sphere]))
        assert found == layout
        if layout != FrameLayout():
            assert not found.assumed

    def test_two_eyes(self, sphere):
        other = np.roll(sphere, 7, axis=2)
        top = self.seen(np.concatenate([sphere, other], axis=1))
        assert (top.projection, top.stereo) == ("equirectangular", "top-bottom")
        left = self.seen(np.concatenate([sphere, other], axis=2))
        assert (left.projection, left.stereo) == ("equirectangular", "left-right")

    def test_half_of_a_sphere_for_each_eye_is_refused(self, sphere):
        half = np.concatenate([sphere[:, :, 240:720], np.roll(sphere, 9, 2)[:, :, 240:720]], axis=2)
        with pytest.raises(NotASphereError, match="do not meet, as in VR180"):
            self.seen(half)

    def test_dual_fisheye_is_refused(self, sphere):
        frames = np.stack([v360(frame, "e:dfisheye:w=960:h=480") for frame in sphere])
        down, across = np.mgrid[0:480, 0:960]
        outside = np.hypot(down - 239.5, across % 480 - 239.5) > 240
        frames[:, outside] = 6
        with pytest.raises(NotASphereError, match="dual fisheye"):
            self.seen(frames)

    @pytest.mark.parametrize(
        ("height", "width"), [(480, 480), (480, 200), (320, 976), (100, 700), (700, 100)]
    )
    def test_the_shape_alone_contradicts(self, sphere, height, width):
        with pytest.raises(NotASphereError, match=f"frames of {width} × {height} are neither"):
            self.seen(resize(sphere, (height, width)))

    def test_flat_pictures_are_refused_or_noted(self, sphere):
        said = []
        for azimuth in range(0, 360, 30):
            view = resize(gnomonic(sphere, azimuth, 0, 90, 58, 320, degrees=True), (270, 480))
            try:
                said.append(self.seen(view).projection)
            except NotASphereError as error:
                said.append(str(error).partition(":")[0])
        refusal = "the left and right side of its picture do not meet, as in a flat picture"
        assert set(said) == {"equirectangular", refusal}
        assert said.count(refusal) >= 7

    def test_a_sphere_is_one_wherever_it_is_cut(self, sphere):
        """At an edge of something, such as a window, the sides differ without a contradiction."""
        frames = resize(sphere, self.SIZE)
        for turn in range(0, 320, 5):
            found = recognise(np.roll(frames, turn, axis=2), self.SIZE)
            assert (found.projection, found.stereo) == ("equirectangular", "mono")

    def test_an_edge_where_the_sphere_is_cut(self):
        """A lamp, a dark window and little else, as in a plain room: one side of it is the cut."""
        frames = scene(directions(160, 320))[None] // 12 + 100
        frames[:, 40:60, -20:] = 250
        assert recognise(frames, self.SIZE).projection == "equirectangular"

    def test_what_is_known_of_the_eyes_is_kept(self, sphere):
        found = recognise(resize(sphere, self.SIZE), (960, 960), "top-bottom")
        assert found == FrameLayout(stereo="top-bottom")

    def test_without_contrast_it_is_assumed(self):
        noise = np.random.default_rng(0).integers(0, 256, (4, 80, 160, 3), dtype=np.uint8)
        framed = noise.copy()
        framed[:, :, :10] = framed[:, :, -10:] = 0
        for frames in (np.zeros_like(noise), np.full_like(noise, 90), framed):
            found = recognise(frames, (80, 160))
            assert found == FrameLayout()
            assert found.assumed

    def test_plain_sides_of_two_colours_do_not_meet(self):
        """Also where nothing varies along them, as in a ramp."""
        ramp = np.linspace(0, 255, 320).astype(np.uint8)
        for across in (ramp, ramp[::-1], ramp // 16 * 16, ramp // 8 + 100):
            noise = np.random.default_rng(0).normal(0.0, 4.0, (2, 160, 320, 3))
            frames = np.clip(across[:, None] + noise, 0, 255).astype(np.uint8)
            with pytest.raises(NotASphereError, match="do not meet, as in a flat picture"):
                recognise(frames, self.SIZE)
        for across in (np.sin(ramp / 128 * np.pi) * 100 + 128, np.abs(ramp - 128.0)):
            frames = np.tile(across[:, None], (2, 160, 1, 3)).astype(np.uint8)
            assert recognise(frames, self.SIZE) == FrameLayout()

    def test_stripes_and_boxes_are_no_cubemap(self):
        """Little on plain ground fits any cut; each of these was taken for a cubemap."""
        for column in range(8, 304, 8):  # at a side it is refused
            frames = np.zeros((4, 160, 320, 3), np.uint8)
            frames[:, :, column : column + 16] = 255
            assert recognise(frames, (160, 320)).projection == "equirectangular"
        rng = np.random.default_rng(7)
        for number in range(300):
            frames = np.full((1, 160, 320, 3), rng.integers(256), np.uint8)
            for _ in range(rng.integers(1, 9)):
                y, x = rng.integers(0, 150), rng.integers(0, 310)
                height, width = rng.integers(5, 160), rng.integers(5, 200)
                if number % 3 == 1:
                    y, height = 0, 160
                frames[:, y : y + height, x : x + width] = rng.integers(0, 256, 3)
            try:
                assert recognise(frames, (160, 320)).projection == "equirectangular"
            except NotASphereError:
                continue

    @pytest.mark.parametrize("size", [(320, 640), (360, 640), (480, 640), (480, 720)])
    def test_test_patterns_are_no_cubemap(self, size):
        """FFmpeg's sources of test pictures."""
        for name in ("testsrc", "testsrc2", "smptebars", "smptehdbars", "pal75bars", "rgbtestsrc"):
            frames = resize(lavfi(name, *size), self.SIZE)
            try:
                found = recognise(frames, size)
            except NotASphereError:
                continue
            assert (found.projection, found.stereo) == ("equirectangular", "mono")
            assert found.assumed, name
