"""Pictures of a world, and what is drawn on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ambikit
from ambikit_learn.equirect import bounding_boxes
from ambikit_learn.world import preview_world, render_world
from ambikit_learn.world.preview import _unbroken, outline

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
