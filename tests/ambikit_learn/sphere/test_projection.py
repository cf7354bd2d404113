"""Cubemaps against renderings of a sphere and FFmpeg's own filter."""

from __future__ import annotations

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.sphere.projection import (
    FrameLayout,
    cubemap_to_equirectangular,
    equirectangular_size,
)
from ambikit_learn.video.files import read_frames, resize
from tests.ambikit_learn.sphere.panoramas import EAC, ROWS, coded, directions, face, render, v360


class TestCubemaps:
    @pytest.mark.kernel
    @pytest.mark.parametrize(
        ("layout", "side"),
        [
            (EAC, 64),
            (FrameLayout("eac"), 40),
            (FrameLayout("cubemap"), 64),
            (FrameLayout("cubemap", padding=3), 70),
        ],
        ids=str,
    )
    def test_every_pixel_shows_its_direction(self, layout, side):
        """Within half a pixel, also at the edges of faces and at the poles."""
        frame = render(coded, layout.projection, side, layout.padding)
        found = cubemap_to_equirectangular(frame, layout, (48, 96)) / 127.5 - 1
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
        apart = np.rad2deg(np.arccos(np.clip((found * directions(48, 96)).sum(-1), -1, 1)))
        # A pixel is 3.75° wide at the horizon; the colours tell a direction to about 0.4°.
        assert apart.max() < 0.5 * 360 / 96
        assert apart.mean() < 0.5

    @pytest.mark.kernel
    def test_faces_need_not_be_square(self):
        """YouTube squeezes three by two faces into 16:9."""
        frame = render(coded, "eac", 64, 0)
        squeezed = resize(frame, (108, 192))
        found = cubemap_to_equirectangular(squeezed, FrameLayout("eac"), (48, 96))
        wanted = cubemap_to_equirectangular(frame, FrameLayout("eac"), (48, 96))
        assert np.abs(found.astype(int) - wanted).max() <= 8

    @pytest.mark.kernel
    def test_a_coarse_result_averages(self):
        """Noise of σ = 60 keeps its mean and loses its contrast."""
        noise = np.random.default_rng(0).normal(128, 30, (128, 192, 3)).clip(0, 255)
        found = cubemap_to_equirectangular(noise.astype(np.uint8), FrameLayout("eac"), (16, 32))
        assert found.mean() == pytest.approx(127.5, abs=1)
        assert found.std() < 10

    @pytest.mark.kernel
    def test_white_stays_white_in_every_frame(self):
        frames = np.full((2, 3, 32, 48, 3), 255, np.uint8)
        frames[1] = 0
        found = cubemap_to_equirectangular(frames, FrameLayout("cubemap"), (20, 40))
        assert found.shape == (2, 3, 20, 40, 3)
        assert (found[0] == 255).all()
        assert (found[1] == 0).all()

    def test_the_size_that_keeps_the_detail(self):
        frame = render(coded, "eac", 32, 0)
        assert cubemap_to_equirectangular(frame, FrameLayout("eac")).shape == (64, 128, 3)
        assert equirectangular_size(1920, 3840, FrameLayout(stereo="top-bottom")) == (960, 3840)
        assert equirectangular_size(1080, 3840, FrameLayout("eac", "left-right")) == (1280, 2560)

    @pytest.mark.parametrize(
        ("layout", "there", "back"),
        [
            (EAC, "e:eac:w=960:h=540", "eac:e:w=960:h=480"),
            # FFmpeg's up and down stand as the cameras do: half a turn from the specification.
            (
                FrameLayout("cubemap"),
                "e:c3x2:w=960:h=640:out_frot=002200",
                "c3x2:e:w=960:h=480:in_frot=002200",
            ),
        ],
        ids=["eac", "cubemap"],
    )
    def test_ffmpeg_agrees(self, test_data, layout, there, back):
        """A real frame turned into a cubemap by FFmpeg: both turn it back alike."""
        path = test_data / "yt360/video/kqAZkf5Odyw-80.mp4"
        frame = read_frames(path, duration=0.1, size=(480, 960))[0]
        cubemap = v360(frame, there)
        wanted = v360(cubemap, back).astype(int)
        found = cubemap_to_equirectangular(cubemap, layout, (480, 960))
        assert np.abs(found - wanted).mean() < 0.7
        if layout == EAC:
            unpadded = cubemap_to_equirectangular(cubemap, FrameLayout("eac"), (480, 960))
            assert np.abs(unpadded - wanted).mean() > 2

    def test_unknown_names(self):
        with pytest.raises(InputError, match="unknown projection 'fisheye'"):
            FrameLayout("fisheye")
        with pytest.raises(InputError, match="unknown stereo 'anaglyph'"):
            FrameLayout(stereo="anaglyph")


class TestGoProMax:
    """Two streams, each a row of faces of which the outer ones repeat 64 pixels in their middle."""

    @staticmethod
    def streams(paint, width=4096):
        side, middle, twice = {4096: (1376, 1344, 64), 2272: (768, 736, 32)}[width]
        scale = 4
        rows = []
        for row in ROWS["eac"]:
            faces = []
            for number, (name, turns) in enumerate(row):
                full = face(paint, name, turns, middle // scale, 0, equiangular=True)
                if number != 1:
                    inner = (side - twice) // scale
                    half, more = inner // 2, twice // scale
                    narrow = resize(full, (middle // scale, inner))
                    # Beyond the middle each lens shows a little more, here of another colour
                    extra = np.full((middle // scale, more // 2, 3), 255, np.uint8)
                    full = np.concatenate([narrow[:, :half], extra, extra, narrow[:, half:]], 1)
                faces.append(full)
            rows.append(np.concatenate(faces, axis=1))
        return rows

    @pytest.mark.kernel
    def test_directions(self):
        front, back = self.streams(coded)
        assert front.shape == (336, 1024, 3)
        frame = np.concatenate([front, back])
        found = cubemap_to_equirectangular(frame, FrameLayout("gopro-max"), (48, 96)) / 127.5 - 1
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
        apart = np.rad2deg(np.arccos(np.clip((found * directions(48, 96)).sum(-1), -1, 1)))
        assert np.quantile(apart, 0.98) < 0.5 * 360 / 96
        assert apart.mean() < 0.6
