"""Pictures: left is left, and the sky is above."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

import ambikit
from ambikit import InputError

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    """Leave no figure open."""
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_grid_is_that_of_the_picture() -> None:
    azimuth, elevation = ambikit.plot.equirectangular_grid(180, 360)
    assert azimuth.shape == (1, 360)
    assert elevation.shape == (180, 1)
    assert np.rad2deg(azimuth[0, 89:91]).mean() == pytest.approx(90)  # a quarter in: left
    assert np.rad2deg(azimuth[0, 0]) == pytest.approx(179.5)
    assert np.rad2deg(elevation[0, 0]) == pytest.approx(89.5)


def test_map_and_picture_share_their_axes() -> None:
    x = ambikit.encode(np.ones(100), 90, 45, degrees=True)
    values = ambikit.power_map(x, *ambikit.plot.equirectangular_grid(90, 180))
    frame = np.zeros((30, 60, 3), np.uint8)
    found = ambikit.find_peaks(values, *ambikit.plot.equirectangular_grid(90, 180), degrees=False)
    ax = ambikit.plot.heat_map(values, frame=frame, sources=found, label="power")
    picture, drawn = ax.images
    assert picture.get_extent() == drawn.get_extent() == [180, -180, -90, 90]
    row, column = np.unravel_index(drawn.get_array().argmax(), values.shape)
    left, right, bottom, top = drawn.get_extent()
    assert left + (column + 0.5) / 180 * (right - left) == pytest.approx(90, abs=1.1)
    assert top + (row + 0.5) / 90 * (bottom - top) == pytest.approx(45, abs=1.1)
    np.testing.assert_allclose(ax.collections[0].get_offsets()[0], [90, 45], atol=1.1)
    assert drawn.get_alpha().min() == 0  # the picture shows where nothing sounds
    ax.figure.canvas.draw()


def test_beam_section() -> None:
    ax = ambikit.plot.beam_pattern("figure8")
    ambikit.plot.beam_pattern("max_re", order=3, ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata()[[0, 90, 180]], [1, 0, 1], atol=1e-12)
    assert len(ax.lines) == 2
    ax.figure.canvas.draw()


def test_what_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="height, width"):
        ambikit.plot.heat_map(np.ones(5))
    with pytest.raises(TypeError, match="uint8"):
        ambikit.plot.heat_map(np.ones((5, 10)), frame=np.ones((5, 10, 3)))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(InputError, match=r"ambikit\[plot\]"):
        ambikit.plot.heat_map(np.ones((5, 10)))
