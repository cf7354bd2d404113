"""Directions and diffuseness of room responses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError

RATE = 48_000


def shoebox():
    """Return the direct sound and the six first reflections of a room: ways and gains."""
    room, source, listener = np.array([7.1, 5.3, 3.2]), np.array([5.2, 3.9, 1.4]), [2.3, 2.1, 1.7]
    images, gains = [source], [1.0]
    for axis in range(3):
        for wall in (0.0, room[axis]):
            image = source.copy()
            image[axis] = 2 * wall - image[axis]
            images.append(image)
            gains.append(0.8)
    return np.array(images), np.array(gains), np.array(listener)


def test_first_reflections_of_a_shoebox():
    """Each is where the mirror puts it, at its distance; two of them overlap a little."""
    images, gains, listener = shoebox()
    response = ambikit.image_source_response(images, gains, listener, RATE)
    found = ambikit.reflections(response, RATE)
    ways = images - listener
    distance = np.linalg.norm(ways, axis=1)
    order = np.argsort(distance)
    assert_allclose(found.sample, distance[order] / 343 * RATE, atol=1)
    units = ambikit.angles_to_vector(found.azimuth, found.elevation)
    cosine = (units * (ways / distance[:, None])[order]).sum(axis=1)
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 0.4
    assert found.diffuseness.max() < 1e-3
    level = 20 * np.log10((gains / distance)[order])
    assert_allclose(found.level, level - level.max(), atol=0.7)
    few = ambikit.reflections(response, RATE, n_reflections=2)
    assert few.sample.tolist() == found.sample[np.sort(np.argsort(-level)[:2])].tolist()
    assert len(ambikit.reflections(response, RATE, threshold=-1)) == 1


def test_diffuseness_of_one_wave_of_two_and_of_many():
    rng = np.random.default_rng(0)
    s = rng.normal(size=(2, 4800))
    one = ambikit.encode(s[0], 0.3, 0.4)
    opposite = ambikit.encode(s[0], 0.0) + ambikit.encode(s[1], np.pi)
    many = ambikit.encode_diffuse(s[0], length=512)
    seen = [ambikit.response_directions(x, RATE, window=0.01) for x in (one, opposite, many)]
    means = [one.diffuseness[500:-500].mean() for one in seen]
    assert means[0] < 1e-9
    assert min(means[1:]) > 0.8
    assert_allclose(seen[0].azimuth[100:-100], 0.3, atol=1e-9)


def test_silence_and_scale():
    response = ambikit.image_source_response([[1.0, 2, 0]], [1.0], [0, 0, 0], RATE)
    seen = ambikit.response_directions(response, RATE)
    quiet = ambikit.response_directions(1e-200 * response, RATE)
    assert_allclose(quiet.azimuth, seen.azimuth, atol=1e-6)
    assert_allclose(quiet.level, seen.level, atol=1e-6)
    silent = ambikit.response_directions(np.zeros((4, 100)), RATE)
    assert (silent.diffuseness == 1).all()
    assert (silent.level == -np.inf).all()
    assert len(ambikit.reflections(np.zeros((4, 100)), RATE)) == 0
    assert len(ambikit.reflections(np.zeros((4, 0)), RATE)) == 0


def test_a_measured_room(test_data):
    """Its direct sound comes first, is the strongest, and is one wave; the tail is diffuse."""
    x, rate = ambikit.read(test_data / "foa" / "room_1_bf.wav", convention="fuma")
    found = ambikit.reflections(x, rate, threshold=-20, window=0.001)
    assert found.level[0] == 0
    assert found.diffuseness[0] < 0.1
    assert len(found) > 3
    seen = ambikit.response_directions(x, rate, window=0.005)
    tail = slice(found.sample[0] + rate // 10, found.sample[0] + rate // 5)
    assert seen.diffuseness[tail].mean() > 0.5


def test_what_is_refused():
    with pytest.raises(InputError, match="threshold must lie between"):
        ambikit.reflections(np.zeros((4, 10)), RATE, threshold=3)
    with pytest.raises(InputError, match="window must be positive"):
        ambikit.response_directions(np.zeros((4, 10)), RATE, window=0)
    with pytest.raises(InputError, match="NaN"):
        ambikit.response_directions(np.full((4, 10), np.inf), RATE)
