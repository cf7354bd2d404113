"""What is heard in the world comes from where its labels say, in rooms as asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import signal as dsp

import ambikit
from ambikit_learn.world import CLASSES
from ambikit_learn.world.acoustics import diffuse_noise, diffuse_tail, images, render_sound
from ambikit_learn.world.pictures import boxes
from ambikit_learn.world.places import PLACES
from ambikit_learn.world.scene import Room
from ambikit_learn.world.sounds import Performance, activity
from tests.ambikit_learn.worlds import (
    RATE,
    Floats,
    degrees_between,
    drawn,
    one_object,
    played,
    vector,
)


def test_direct_sound_comes_from_the_label() -> None:
    checked = 0
    for index in range(6):
        scene = drawn(index)
        truth = boxes(scene, played(scene))
        for i, thing in enumerate(scene.objects):
            alone = tuple(replace(o, sounding=o is thing) for o in scene.objects)
            solo = replace(scene, objects=alone)
            x = render_sound(solo, played(solo), RATE, order=0, tail=False, ambience=False)
            for k in range(1, 20, 3):
                window = x[:, int((k / 10 - 0.05) * RATE) : int((k / 10 + 0.05) * RATE)].astype(
                    float
                )
                if np.square(window).mean() < 1e-6:
                    continue
                w, y, z, xx = window
                towards = np.array([(w * xx).sum(), (w * y).sum(), (w * z).sum()])
                label = vector(truth[i]["azimuth"][k], truth[i]["elevation"][k])
                assert degrees_between(towards, label) < 1.0
                checked += 1
    assert checked > 100


def test_tail_is_diffuse_and_decays_as_asked() -> None:
    for t60 in (0.2, 0.6):
        tails = [diffuse_tail(t60, RATE, np.random.default_rng(i)) for i in range(40)]
        energy = np.mean([np.square(tail).sum(-1) for tail in tails], axis=0)
        assert energy[0] == pytest.approx(1.0, abs=1e-4)
        assert energy[1:].sum() / energy[0] == pytest.approx(1.0, abs=0.03)
        np.testing.assert_allclose(energy[1:] * 3, 1.0, atol=0.06)
        correlation = np.mean([tail @ tail.T for tail in tails], axis=0)
        assert np.abs(correlation - np.diag(np.diag(correlation))).max() < 0.01
        band = dsp.butter(4, [707, 1414], "bandpass", fs=RATE, output="sos")
        power = np.mean([np.square(dsp.sosfilt(band, tail)).sum(0) for tail in tails], axis=0)
        left = 10 * np.log10(np.cumsum(power[::-1])[::-1])
        t = np.arange(len(left)) / RATE
        fit = (left < left[0] - 5) & (left > left[0] - 35)
        slope = np.polyfit(t[fit], left[fit], 1)[0]
        assert -60 / slope == pytest.approx(t60, rel=0.05)


def test_diffuseness_rises_with_the_reverberation_time() -> None:
    """Knocks leave gaps, which the tail fills the longer it lasts; its energy stays the same."""
    means = []
    for t60 in (0.1, 0.3, 0.9):
        scene = one_object("knock", 40.0, 10.0, duration=3.0)
        scene = replace(scene, room=replace(scene.room, t60=t60))
        x = render_sound(scene, played(scene), RATE, ambience=False)
        means.append(ambikit.diffuseness(x, RATE, time_constant=0.02)[RATE // 2 :].mean())
    assert means[0] + 0.05 < means[1] < means[2] - 0.05


def test_exchanged_sounds_no_longer_move_with_their_objects() -> None:
    """The level towards an object follows its activity, unless others play what it should."""
    right, wrong = [], []
    for index in range(40):
        scene = drawn(index, "easy")
        loud = [i for i, thing in enumerate(scene.objects) if thing.sounding]
        if len(loud) != 2:
            continue
        own = played(scene)
        exchanged = list(own)
        exchanged[loud[0]], exchanged[loud[1]] = own[loud[1]], own[loud[0]]
        for performances, scores in ((own, right), (exchanged, wrong)):
            x = render_sound(scene, performances, RATE)
            azimuth, elevation, _ = zip(*(scene.track(i, [1.0]) for i in loud), strict=True)
            beams = ambikit.beamform(x, np.concatenate(azimuth), np.concatenate(elevation))
            level = np.sqrt(np.square(beams).reshape(2, 200, -1).mean(-1))
            difference = level[0] / level[0].mean() - level[1] / level[1].mean()
            moves = own[loud[0]].activity - own[loud[1]].activity
            scores.append(np.corrcoef(difference, moves)[0, 1])
    assert len(right) >= 8
    assert np.mean(right) > 0.3
    assert np.mean(wrong) < -0.1


def test_levels_of_tail_and_ambience_are_those_of_the_scene() -> None:
    scene = one_object("bell", 30.0, 10.0, duration=4.0, ambience_snr=7.0)
    white = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    steady = [Performance(white, np.ones(400, np.float32))]

    direct = render_sound(scene, steady, RATE, order=0, tail=False, ambience=False)
    with_tail = render_sound(scene, steady, RATE, order=0, ambience=False)
    gain = (direct[0] @ with_tail[0]) / (direct[0] @ direct[0])
    tail = with_tail - gain * direct
    ratio = 10 * np.log10(np.square(gain * direct[0]).sum() / np.square(tail[0]).sum())
    assert ratio == pytest.approx(scene.room.direct_to_tail, abs=0.4)
    assert np.square(tail[1:]).sum() / np.square(tail[0]).sum() == pytest.approx(1.0, abs=0.15)

    noisy = render_sound(scene, steady, RATE, order=0, tail=False)
    gain = (direct[0] @ noisy[0]) / (direct[0] @ direct[0])
    noise = noisy - gain * direct
    ratio = 10 * np.log10(np.square(gain * direct[0]).sum() / np.square(noise[0]).sum())
    assert ratio == pytest.approx(7.0, abs=0.1)


def test_ambience_has_no_direction() -> None:
    x = diffuse_noise(10 * RATE, RATE, np.random.default_rng(3), PLACES["hall"].ambience).astype(
        float
    )
    energy = np.square(x).sum(-1)
    assert energy[1:].sum() / energy[0] == pytest.approx(1.0, abs=0.03)
    covariance = x @ x.T / energy[0]
    assert np.linalg.norm(covariance[0, 1:]) < 0.15
    assert np.diag(covariance)[1:] == pytest.approx([1 / 3] * 3, abs=0.08)


def test_places_are_told_apart_by_their_ambience() -> None:
    """Nearest mean spectrum finds the place; chance is 1 in 12."""

    def spectrum(place: str, seed: int) -> Floats:
        x = diffuse_noise(RATE, RATE, np.random.default_rng(seed), PLACES[place].ambience)
        f, power = dsp.welch(x[0], RATE, nperseg=2048)
        edges = np.searchsorted(f, 50 * 2 ** np.arange(0, 7.5, 0.5))
        level = np.log(np.add.reduceat(power, edges))
        return level - level.mean()

    means = {place: np.mean([spectrum(place, s) for s in range(4)], axis=0) for place in PLACES}
    right = [
        min(means, key=lambda p: float(np.square(means[p] - seen).sum())) == place
        for place in PLACES
        for seen in [spectrum(place, 100 + s) for s in range(3)]
    ]
    assert np.mean(right) > 0.9


def test_images_are_the_source_mirrored_in_the_walls() -> None:
    room = Room((3.0, 2.0, 4.0, 1.5, 1.2, 1.7), 0.3, 6.0, "office")
    source = (1.0, -0.5, 0.3)
    Bounced = dict[tuple[float, ...], tuple[int, ...]]

    def mirrored(known: Bounced) -> Bounced:
        out = {}
        for place, bounces in known.items():
            for side, wall in enumerate(room.walls):
                image, surface = list(place), [0, 0, 0]
                image[side // 2] = 2 * (wall if side % 2 == 0 else -wall) - place[side // 2]
                surface[max(0, side - 3)] = 1
                out[tuple(np.round(image, 9))] = tuple(np.add(bounces, surface))
        return out

    first = mirrored({source: (0, 0, 0)})
    expected = mirrored(first) | first | {source: (0, 0, 0)}
    places, bounces = images(np.array([source]), room, 2)
    found = {
        tuple(np.round(place[0], 9)): tuple(b) for place, b in zip(places, bounces, strict=True)
    }
    assert found == expected
    assert len(places) == len(expected) == 25
    assert tuple(bounces[0]) == (0, 0, 0)
    outdoors, bounces = images(np.array([source]), replace(room, place="street"), 2)
    assert (outdoors[:, 0, 2] < 1.2).all()
    assert len(outdoors) == 1 + 5 + 12
    assert not bounces[:, 1].any()


def test_echoes_arrive_as_in_pyroomacoustics() -> None:
    """Times and places of all images up to the third order, against an independent program."""
    pra = pytest.importorskip("pyroomacoustics")
    walls = (3.0, 2.0, 4.0, 1.5, 1.2, 1.7)
    near, size = np.array(walls[1::2]), np.add(walls[::2], walls[1::2])
    source = np.array([1.0, -0.5, 0.3])
    room = pra.ShoeBox(size, fs=RATE, materials=pra.Material(0.2), max_order=3)
    room.add_source(source + near)
    room.add_microphone(near)
    room.image_source_model()
    theirs = room.sources[0].images.T - near
    ours, _ = images(source[None], Room(walls, 0.3, 6.0, "office"), 3)
    assert len(ours) == len(theirs)
    order = [np.lexsort(np.round(places, 6).T) for places in (ours[:, 0], theirs)]
    np.testing.assert_allclose(ours[order[0], 0], theirs[order[1]], atol=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_materials_give_the_reverberation_time_that_is_asked_for(place: str) -> None:
    room = Room((2.5, 2.5, 2.0, 2.0, 1.5, 1.5), 0.5, 6.0, place)
    absorbed = 1 - room.reflection() ** 2
    assert absorbed.shape == (3, 7)
    assert ((absorbed > 0) & (absorbed < 1)).all()
    volume, areas = 60.0, np.array([54.0, 0.0 if room.kind.open_sky else 20.0, 20.0])
    seconds = 0.161 * volume / -(areas @ np.log(1 - absorbed))
    assert 1 / np.mean(1 / seconds[2:4]) == pytest.approx(0.5)
    np.testing.assert_allclose(room.decay(), np.minimum(seconds, 1.3 * 0.5))


def test_walls_and_air_colour_the_echoes() -> None:
    """A wall of a few metres of air and of carpet keeps the lows that it is said to keep."""
    scene = one_object("bell", 30.0, 0.0)
    impulse = np.zeros(RATE, np.float32)
    impulse[1000] = 1.0
    steady = [Performance(impulse, np.ones(100, np.float32))]
    # The floor is near and all else far, so that its echo stands alone.
    walls = (9.0, 9.0, 9.0, 9.0, 9.0, 1.5)
    for place in ("office", "bathroom"):
        there = replace(scene, room=Room(walls, 0.9, 6.0, place))
        direct, both = (
            render_sound(there, steady, RATE, order=order, tail=False, ambience=False)
            for order in (0, 1)
        )
        length = np.hypot(2.0, 3.0)
        middle = 1000 + round(length / 343 * RATE)
        f = np.fft.rfftfreq(4096, 1 / RATE)
        echo, source = (
            np.abs(np.fft.rfft(x[0, at - 50 : at + 50], 4096))
            for x, at in ((both, middle), (both, 1000 + round(2.0 / 343 * RATE)))
        )
        ratio = np.interp([1000.0, 4000.0], f, echo / source) * length / 2.0
        air = 10 ** (-np.array([0.0047, 0.0297]) * (length - 2.0) / 20)
        np.testing.assert_allclose(ratio, there.room.reflection()[2, [3, 5]] * air, rtol=0.03)
        assert not np.allclose(direct, both)


@pytest.mark.kernel
def test_paths_delay_by_fractions_shift_pitch_and_weigh_channels() -> None:
    from ambikit_learn._kernels.world_sound import MARGIN, add_paths

    n, first = 1200, 100 + MARGIN
    t = np.arange(n)
    tone = np.pad(np.sin(0.7 * t).astype(np.float32), (first, MARGIN))
    out = np.zeros((2, n), np.float32)
    add_paths(tone, first, np.array([[57.3]]), np.array([[[0.5, -0.25]]]), out)
    np.testing.assert_allclose(out[0, 80:], 0.5 * np.sin(0.7 * (t - 57.3))[80:], atol=2e-3)
    np.testing.assert_array_equal(out[1], -0.5 * out[0])
    assert np.abs(out[:, :48]).max() == 0.0

    out = np.zeros((2, n), np.float32)
    keys = np.array([[80.0, 80.0, 78.5], [10.0, 10.0, 10.0]])  # 0.86 m/s at 24 kHz
    weights = np.zeros((2, 3, 2))
    weights[0, :, 0] = [0.0, 1.0, 1.0]
    weights[1, :, 1] = 1.0
    add_paths(tone, first, keys, weights, out)
    late = np.interp(t, [0, 599.5, 1199], [80, 80, 78.5])
    rise = np.interp(t, [0, 599.5, 1199], [0, 1, 1])
    # Where the motion sets in, a block bends what is meant to be a corner.
    smooth = (t > 100) & (np.abs(t - 600) > 64)
    np.testing.assert_allclose(out[0, smooth], (rise * np.sin(0.7 * (t - late)))[smooth], atol=3e-3)
    np.testing.assert_allclose(out[1, 30:], np.sin(0.7 * (t - 10))[30:], atol=2e-3)


def test_activity_is_the_envelope() -> None:
    burst = np.zeros(RATE, np.float32)
    burst[6000:7200] = np.sin(np.arange(1200))
    level = activity(burst, RATE)
    assert level.shape == (100,)
    assert level[:25].max() < 1e-3
    assert level[26:30].min() > 0.95
    assert level[45] / level[30] == pytest.approx(np.exp(-1), abs=0.05)


def test_voices_are_distinct_and_of_unit_power() -> None:
    centroids: dict[str, list[float]] = {label: [] for label in CLASSES}
    for label, index in product(CLASSES, range(4)):
        scene = one_object(label, 0.0, 0.0, duration=3.0, index=index)
        (sound,) = played(scene)
        assert np.isfinite(sound.signal).all()
        assert np.square(sound.signal).mean() == pytest.approx(1.0, rel=1e-3)
        assert sound.activity.max() > 0.9
        f, power = dsp.welch(sound.signal, RATE, nperseg=1024)
        centroids[label].append(float((f * power).sum() / power.sum()))
    means = {label: np.mean(c) for label, c in centroids.items()}
    assert means["drum"] < 500 < means["speech"] < 2000 < min(means["water"], means["bird"])
