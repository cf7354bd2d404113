"""What is heard in the world comes from where its labels say, in rooms as asked."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import signal as dsp

import ambikit
from ambikit_learn.world import CLASSES
from ambikit_learn.world.acoustics import (
    convolve,
    diffuse_noise,
    diffuse_tail,
    images,
    mixtures,
    render_sound,
)
from ambikit_learn.world.pictures import boxes
from ambikit_learn.world.places import PLACES
from ambikit_learn.world.scene import Room
from ambikit_learn.world.sounds import Performance, activity
from tests.ambikit_learn.world.worlds import (
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


@pytest.mark.parametrize("t60", [0.2, 0.6])
def test_tail_is_diffuse_and_decays_as_asked(t60: float) -> None:
    impulse = np.zeros(round((t60 + 0.2) * RATE), np.float32)
    impulse[0] = 1.0
    tails = [diffuse_tail(impulse, t60, RATE, np.random.default_rng(i)) for i in range(40)]
    energy = np.mean([np.square(tail).sum(-1) for tail in tails], axis=0)
    assert energy[0] == pytest.approx(1.0, abs=0.02)
    assert energy[1:].sum() / energy[0] == pytest.approx(1.0, abs=0.03)
    np.testing.assert_allclose(energy[1:] * 3, 1.0, atol=0.06)
    correlation = np.mean([tail @ tail.T for tail in tails], axis=0)
    assert np.abs(correlation - np.diag(np.diag(correlation))).max() < 0.01
    np.testing.assert_allclose(decay_times(tails), t60, rtol=0.05)
    # In thirds of octaves each is as diffuse as one of four independent noises.
    t = np.arange(len(impulse)) / RATE
    fall = 10 ** (-3 * t / t60) / np.sqrt([[1.0], [3.0], [3.0], [3.0]])
    ideal = [np.random.default_rng(i).normal(size=(4, len(t))) * fall for i in range(40)]
    for low in (250.0, 1000.0, 4000.0):
        assert diffuseness_of(tails, low) > diffuseness_of(ideal, low) - 0.08


def test_a_tail_may_be_longer_than_the_stored_noise() -> None:
    impulse = np.zeros(8 * RATE, np.float32)
    impulse[0] = 1.0
    tails = [diffuse_tail(impulse, 7.0, RATE, np.random.default_rng(i)) for i in range(4)]
    np.testing.assert_allclose(decay_times(tails), 7.0, rtol=0.05)


def diffuseness_of(tails: list[Floats], low: float) -> float:
    """Mean over tails of the diffuseness of all that is in a third of an octave."""
    band = dsp.butter(3, [low, low * 2 ** (1 / 3)], "bandpass", fs=RATE, output="sos")
    psi = []
    for tail in tails:
        w, y, z, x = dsp.sosfilt(band, tail)
        flow = np.linalg.norm([w @ x, w @ y, w @ z])
        psi.append(1 - flow / (0.5 * (w @ w + x @ x + y @ y + z @ z)))
    return float(np.mean(psi))


def decay_times(tails: list[Floats]) -> list[float]:
    """Reverberation times in the octaves of 250 Hz to 4 kHz, from Schroeder's integral."""
    seconds = []
    for middle in 250.0 * 2 ** np.arange(5):
        edges = [middle / 2**0.5, middle * 2**0.5]
        band = dsp.butter(4, edges, "bandpass", fs=RATE, output="sos")
        power = np.mean([np.square(dsp.sosfilt(band, tail)).sum(0) for tail in tails], axis=0)
        left = 10 * np.log10(np.cumsum(power[::-1])[::-1] + 1e-30)
        t = np.arange(len(left)) / RATE
        fit = (left < left[0] - 5) & (left > left[0] - 35)
        seconds.append(-60 / np.polyfit(t[fit], left[fit], 1)[0])
    return seconds


def test_each_octave_of_the_tail_decays_in_its_own_time() -> None:
    asked = np.array([0.5, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2])
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 1.0
    tails = [diffuse_tail(impulse, asked, RATE, np.random.default_rng(i)) for i in range(20)]
    # The slower neighbours are heard at the edges of an octave in the end.
    np.testing.assert_allclose(decay_times(tails), asked[1:6], rtol=0.12)


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
    assert energy[1:].sum() / energy[0] == pytest.approx(1.0, abs=0.05)
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
    signs, middles, bounces = images(room, 2)
    places = signs * source + middles
    found = {tuple(np.round(p, 9)): tuple(b) for p, b in zip(places, bounces, strict=True)}
    assert found == expected
    assert len(places) == len(expected) == 25
    assert tuple(bounces[0]) == (0, 0, 0)
    signs, middles, bounces = images(replace(room, place="street"), 2)
    outdoors = signs * source + middles
    assert (outdoors[:, 2] < 1.2).all()
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
    signs, middles, _ = images(Room(walls, 0.3, 6.0, "office"), 3)
    ours = signs * source + middles
    assert len(ours) == len(theirs)
    order = [np.lexsort(np.round(places, 6).T) for places in (ours, theirs)]
    np.testing.assert_allclose(ours[order[0]], theirs[order[1]], atol=1e-5)


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
    from ambikit_learn.world._kernels.sound import BLOCK, MARGIN, add_paths

    n, first = 1200, 100 + MARGIN
    t, ends = np.arange(n), np.arange(0, n + BLOCK, BLOCK)
    tones = [np.sin(0.7 * t), np.sin(0.3 * t)]
    arriving = np.pad(np.array(tones, np.float32), [(0, 0), (first, MARGIN)])
    scratch = np.empty((4, BLOCK), np.float32)
    still = np.ones(len(ends))

    out = np.zeros((2, n), np.float32)
    weights = np.array([[[0.5, -0.25]]], np.float32) * still.astype(np.float32)[:, None]
    add_paths(arriving, np.array([0]), first, 57.3 * still[None], weights, scratch, out)
    np.testing.assert_allclose(out[0, 80:], 0.5 * np.sin(0.7 * (t - 57.3))[80:], atol=2e-3)
    np.testing.assert_array_equal(out[1], -0.5 * out[0])
    assert np.abs(out[:, :48]).max() == 0.0

    out = np.zeros((2, n), np.float32)
    keys = np.array([80 - 0.00125 * ends, 10 * still])  # 0.43 m/s at 24 kHz
    weights = np.zeros((2, len(ends), 2), np.float32)
    weights[0, :, 0] = ends / 1200
    weights[1, :, 1] = 1.0
    add_paths(arriving, np.array([0, 1]), first, keys, weights, scratch, out)
    expected = t / 1200 * np.sin(0.7 * (t - 80 + 0.00125 * t))
    np.testing.assert_allclose(out[0, 100:], expected[100:], atol=3e-3)
    np.testing.assert_allclose(out[1, 30:], np.sin(0.3 * (t - 10))[30:], atol=2e-3)


@pytest.mark.kernel
def test_images_are_heard_from_where_they_lie() -> None:
    from ambikit_learn.world._kernels.sound import arrive

    rng = np.random.default_rng(0)
    positions, middles = rng.normal(size=(2, 5, 3)), rng.normal(size=(4, 3))
    signs, heading = rng.choice([-1, 1], (4, 3)), 0.8
    distances, weights = np.empty((2, 4, 5)), np.empty((2, 4, 5, 4), np.float32)
    arrive(positions, signs, middles, heading, distances, weights)
    places = signs[:, None] * positions[:, None] + middles[:, None]
    azimuth, elevation = ambikit.vector_to_angles(places)
    steering = ambikit.steering_vector(azimuth - heading, elevation)
    np.testing.assert_allclose(distances, np.linalg.norm(places, axis=-1))
    np.testing.assert_allclose(weights * distances[..., None], steering, atol=1e-6)


@pytest.mark.kernel
def test_stretches_of_a_store_are_mixed_by_their_weights() -> None:
    from ambikit_learn.world._kernels.sound import spread

    rng = np.random.default_rng(0)
    store, begins = rng.normal(size=2000).astype(np.float32), rng.integers(0, 700, (3, 4))
    weights = rng.normal(size=(3, 4, 2)).astype(np.float32)
    out = np.ones((2, 1100), np.float32)
    spread(store, begins, weights, out)
    expected = 1 + sum(
        np.outer(w, store[b : b + 1100])
        for b, w in zip(begins.ravel(), weights.reshape(-1, 2), strict=True)
    )
    np.testing.assert_allclose(out, expected, atol=2e-5)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("signal", "response", "n"),
    [(1, 1, 1), (1024, 1, 1030), (1500, 1100, 2599), (900, 3000, 6000), (5000, 2048, 3000)],
)
def test_a_sound_goes_through_a_response(signal: int, response: int, n: int) -> None:
    """Full, ragged and missing blocks; what is asked for ends before the sound does, or after."""
    rng = np.random.default_rng(0)
    x, h = (rng.normal(size=k).astype(np.float32) for k in (signal, response))
    expected = np.pad(dsp.fftconvolve(x.astype(float), h), (0, n))[:n]
    out = np.full(n, np.nan, np.float32)
    convolve(x, h, out)
    np.testing.assert_allclose(out, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.kernel
def test_the_loudest_is_found_among_pressure_and_velocity() -> None:
    from ambikit_learn.world._kernels.sound import loudest

    x = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    assert loudest(x) == pytest.approx(np.square(x[1:]).sum(0).max())
    x[0, 299] = -5.0
    assert loudest(x) == 25.0


@pytest.mark.kernel
def test_noises_die_away_at_their_own_rates() -> None:
    from ambikit_learn.world._kernels.sound import die_away

    noise = np.random.default_rng(0).normal(size=(3, 400)).astype(np.float32)
    rates, out = np.array([0.001, 0.01, 0.05]), np.empty(333, np.float32)
    die_away(noise, 50, rates, out)
    expected = (noise[:, 50:383] * np.exp(-rates[:, None] * np.arange(333))).sum(0)
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.kernel
def test_colour_mixes_low_passes() -> None:
    from ambikit_learn.world._kernels.sound import POLES, colour

    rng = np.random.default_rng(0)
    signal, poles = rng.normal(size=300).astype(np.float32), np.linspace(0.05, 0.9, POLES)
    weights = rng.normal(size=(2, POLES + 1)).astype(np.float32)
    out = np.full((2, 320), 7.0, np.float32)
    colour(signal, poles.astype(np.float32), weights, 10, out)
    lows = [dsp.lfilter([p], [1, p - 1], signal) for p in poles]
    np.testing.assert_allclose(out[:, 10:310], weights @ np.array([*lows, signal]), atol=1e-4)
    assert (out[:, :10] == 7.0).all()
    assert (out[:, 310:] == 7.0).all()


def test_mixtures_have_the_gains_of_the_octaves() -> None:
    """At the octaves' middles, for the surfaces that scenes have."""
    octaves, off = 125.0 * 2.0 ** np.arange(7), []
    for index in range(60):
        room = drawn(index).room
        gain = np.concatenate([room.reflection(), room.reflection()[:1] ** 2])
        poles, weights = mixtures(np.log(gain), RATE)
        z = np.exp(-2j * np.pi * octaves / RATE)[:, None]
        low = poles / (1 - (1 - poles) * z)
        response = np.abs(weights[:, :-1] @ low.T + weights[:, -1:])
        off.append(20 * np.log10(response / gain)[gain > 0.03])
    assert np.quantile(np.abs(np.concatenate(off)), 0.5) < 0.1
    assert np.quantile(np.abs(np.concatenate(off)), 0.95) < 0.8


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
