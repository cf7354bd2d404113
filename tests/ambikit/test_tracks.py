"""Tracks of directions over time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import Directions, InputError


def at(*azimuth, elevation=0.0):
    return Directions(
        np.array(azimuth, float), np.full(len(azimuth), elevation), np.ones(len(azimuth))
    )


def test_crossing_sources_keep_their_tracks():
    """Without prediction, the nearest directions would be swapped where they meet."""
    found = [at(-44 + 8 * t, 44 - 8 * t) for t in range(12)]
    first, second = ambikit.track_directions(found, degrees=True)
    assert_allclose(first.azimuth, -44 + 8.0 * np.arange(12), atol=1e-9)
    assert_allclose(second.azimuth, 44 - 8.0 * np.arange(12), atol=1e-9)


@pytest.mark.parametrize("start", [170, -175])
def test_the_seam_is_no_border(start):
    found = [at((start + 5 * t + 180) % 360 - 180) for t in range(10)]
    (track,) = ambikit.track_directions(found, degrees=True)
    assert_allclose(np.rad2deg(np.unwrap(np.deg2rad(track.azimuth))), start + 5 * np.arange(10))


def test_gaps_are_bridged_as_long_as_patience_lasts():
    found = [at(10), at(10), at(10), at(), at(), at(10), at(10), at(10)]
    (track,) = ambikit.track_directions(found, patience=2, degrees=True)
    assert track.weight.tolist() == [1, 1, 1, 0, 0, 1, 1, 1]
    early, late = ambikit.track_directions(found, patience=1, degrees=True)
    assert (early.moments, late.moments) == (range(3), range(5, 8))


def test_short_tracks_are_left_out_and_reach_parts_them():
    found = [at(0, 100), at(0), at(0), at(30), at(30)]
    (track,) = ambikit.track_directions(found, degrees=True)
    assert track.moments == range(3)
    tracks = ambikit.track_directions(found, shortest=1, degrees=True)
    assert [t.first for t in tracks] == [0, 0, 3]
    (joined,) = ambikit.track_directions(found[1:], reach=40, degrees=True)
    assert len(joined) == 4


def test_smoothing_keeps_lines_and_averages_noise():
    """A line is a line up to its ends; the noise of 2° falls as the weights' sum of squares."""
    rng = np.random.default_rng(0)
    clean = 0.5 * np.arange(200)
    noisy = [at(a + n) for a, n in zip(clean, rng.normal(0, 2, 200), strict=True)]
    (still,) = ambikit.track_directions([at(a) for a in clean[:40]], smoothing=4, degrees=True)
    assert_allclose(still.azimuth, clean[:40], atol=0.05)
    (track,) = ambikit.track_directions(noisy, smoothing=4, degrees=True)
    expected = 2 / np.sqrt(2 * np.sqrt(np.pi) * 4)
    assert abs((track.azimuth - clean)[10:-10].std() / expected - 1) < 0.35
    assert np.abs((track.azimuth - clean)[[0, -1]]).max() < 4


def test_assignment_is_the_best_of_all_and_not_greedy():
    """Both tracks could take the first direction: together the other pairing is nearer."""
    found = [at(0, 15), at(0, 15), at(0, 15), at(8, -6)]
    first, second = ambikit.track_directions(found, degrees=True)
    assert (first.azimuth[-1].round(6), second.azimuth[-1].round(6)) == (-6, 8)


def test_a_source_that_circles():
    """From sound to a track: a circle in four seconds, in a diffuse field 10 dB below."""
    rate, seconds = 8_000, 4
    rng = np.random.default_rng(0)
    azimuth = np.linspace(0, 360, 200)
    x = ambikit.encode(rng.normal(size=rate * seconds), azimuth, 10, degrees=True)
    x = x + 0.3 * ambikit.encode_diffuse(rng.normal(size=rate * seconds))
    hop = rate // 5
    found = [
        ambikit.localize(x[:, begin : begin + hop], rate, n_sources=1, degrees=True)
        for begin in range(0, x.shape[1], hop)
    ]
    (track,) = ambikit.track_directions(found, smoothing=1, degrees=True)
    middle = (np.arange(20) + 0.5) * 360 / 20
    error = (track.azimuth - middle + 180) % 360 - 180
    assert np.abs(error).max() < 4


def test_what_is_refused():
    assert ambikit.track_directions([]) == []
    with pytest.raises(TypeError, match="number 1 is of type tuple"):
        ambikit.track_directions([at(0), (0, 0)])
    with pytest.raises(TypeError, match=r"list of Directions.*got Directions"):
        ambikit.track_directions(at(0))
    with pytest.raises(InputError, match="reach must be an angle"):
        ambikit.track_directions([at(0)], reach=0)
    with pytest.raises(InputError, match="patience"):
        ambikit.track_directions([at(0)], patience=-1)
