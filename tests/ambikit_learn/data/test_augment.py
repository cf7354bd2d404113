"""Changes of colour, against torchvision's and against what hue means."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from ambikit_learn.data.augment import LUMA, jitter_colours, recolour

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(70, 170, (2, 3, 6, 7, 3)).astype(np.uint8)  # room for every change


def by_torchvision(adjust, pictures, factor):
    """One of its functions on all pictures side by side, so that they have one mean."""
    side_by_side = torch.from_numpy(pictures.reshape(1, -1, 3)).movedim(-1, -3)
    changed = getattr(functional, f"adjust_{adjust}")(side_by_side, factor)
    return changed.movedim(-3, -1).numpy().reshape(pictures.shape)


@pytest.mark.kernel
@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
@pytest.mark.parametrize("change", ["brightness", "contrast", "saturation"])
def test_changes_are_those_of_torchvision(change, factor):
    found = recolour(PICTURES, **{change: factor})
    expected = by_torchvision(change, PICTURES, factor)
    # It cuts decimals off, and takes its grey to whole levels.
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert found.shape == PICTURES.shape


@pytest.mark.kernel
@pytest.mark.parametrize("turn", [0.1, -0.15, 0.2])
def test_hue_goes_on_and_grey_stays(turn):
    found = recolour(PICTURES, hue=turn)
    assert np.abs(found @ LUMA - PICTURES @ LUMA).max() < 1.0
    before, after = (
        np.array([colorsys.rgb_to_hsv(*c)[0] for c in p.reshape(-1, 3) / 255.0])
        for p in (PICTURES, found)
    )
    gone = (after - before - turn + 0.5) % 1.0 - 0.5
    assert abs(np.median(gone)) < 0.03
    assert np.abs(gone).max() < 0.15
    grey = np.full((5, 3), 120, np.uint8)
    assert np.abs(recolour(grey, hue=turn).astype(int) - 120).max() <= 1


@pytest.mark.kernel
def test_values_end_at_black_and_white():
    ends = np.array([[0, 128, 255]], np.uint8)
    assert recolour(ends, brightness=3.0).tolist() == [[0, 255, 255]]
    assert recolour(ends, contrast=5.0)[0, [0, 2]].tolist() == [0, 255]
    assert (recolour(PICTURES) == PICTURES).all()
    assert recolour(PICTURES[:0]).shape == (0, 3, 6, 7, 3)


def test_strength_scales_the_draws():
    plain = jitter_colours(PICTURES, 0.4, [0, 0, 0, 0])
    assert (plain == PICTURES).all()
    found = jitter_colours(PICTURES, 0.4, [-1, 0.5, 1, -0.5])
    expected = recolour(PICTURES, brightness=0.6, contrast=1.2, saturation=1.4, hue=-0.1)
    assert (found == expected).all()
