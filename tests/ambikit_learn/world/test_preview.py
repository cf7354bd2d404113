"""Pictures of a world, and what is drawn on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ambikit
from ambikit_learn.sphere.boxes import Boxes, bounding_boxes
from ambikit_learn.world import preview_world, render_world
from ambikit_learn.world.preview import _unbroken, cut_out, loud_moments, outline

SMALL = {"duration": 1.0, "frame_size": (32, 64), "workers": 0}


def test_previews_show_a_clip_each(tmp_path: Path) -> None:
    render_world(tmp_path, clips=2, seed=1, **SMALL)
    paths = preview_world(tmp_path, clips=2, moments=1)
    assert [p.stem for p in paths] == (tmp_path / "train.txt").read_text().replace(
        "\n", "-0\n"
    ).split()
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    assert pictures[0].shape == (450, 900, 3)
    assert (pictures[0] != pictures[1]).mean() > 0.3
    # Something sounds: its box is drawn in the colour of what sounds.
    blue = (np.abs(pictures[0].astype(int) - [0, 191, 255]).sum(-1) < 12).sum()
    assert blue > 60


@pytest.mark.parametrize("direction", [(0.0, 0.0), (170.0, 30.0), (-60.0, -75.0)])
def test_outline_goes_round_the_box(direction: tuple[float, float]) -> None:
    azimuth, elevation = outline(*direction, 24.0, 16.0)
    rays = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    a, e, width, height = (float(v[0]) for v in bounding_boxes(rays[None]))
    assert (a, e) == pytest.approx(direction, abs=0.1)
    # The corners on the plane lie lower than the middles of the edges: seen widths agree.
    assert width == pytest.approx(24.0, abs=0.1)
    assert height == pytest.approx(16.0, abs=0.1)


def test_moments_are_the_loudest_of_their_parts() -> None:
    sound = np.full(6000, 0.01, np.float32)
    sound[1200:1500] = 0.5
    sound[3300:3500] = 0.1
    sound[2700:2750] = 0.2
    np.testing.assert_allclose(loud_moments(sound, 1000, 2), [1.35, 3.4], atol=0.06)
    assert loud_moments(sound[:200], 1000, 1).shape == (1,)


def test_only_what_is_in_boxes_is_cut_out() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (90, 180, 3), np.uint8)
    there = Boxes([178.0, 40.0], [-10.0, 60.0], [20.0, 30.0], [20.0, 16.0], [1, 1], "ab")
    cut = cut_out(frame, there)
    np.testing.assert_array_equal(cut[..., :3], frame)
    assert set(np.unique(cut[..., 3])) == {0, 255}
    row, column = np.nonzero(cut[..., 3])
    e = np.deg2rad(89 - 2.0 * row)
    a = np.deg2rad(179 - 2.0 * column)
    # The solid angle of a rectangle that is seen w by h from its middle's axis.
    rectangles = [
        4 * np.arcsin(np.sin(np.deg2rad(w / 2)) * np.sin(np.deg2rad(h / 2)))
        for w, h in ((20, 20), (30, 16))
    ]
    assert (np.cos(e) * np.deg2rad(2.0) ** 2).sum() == pytest.approx(sum(rectangles), rel=0.05)
    behind = np.abs(a) > np.pi / 2
    assert {179, 0} <= set(column[behind])
    assert np.rad2deg(e[behind]).mean() == pytest.approx(-10.0, abs=1.0)


def test_lines_are_lifted_at_the_seam() -> None:
    azimuth, elevation = _unbroken([170, 179, -179, -170], [1, 2, 3, 4])
    np.testing.assert_array_equal(azimuth, [170, 179, np.nan, -179, -170])
    np.testing.assert_array_equal(elevation, [1, 2, np.nan, 3, 4])


def test_what_is_no_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the folder of a rendered world"):
        preview_world(tmp_path)
    (tmp_path / "world.json").write_text('{"format": "ambikit-world/1", "seed": 0}')
    with pytest.raises(ambikit.InputError, match="of another version"):
        preview_world(tmp_path)
