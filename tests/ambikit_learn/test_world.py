from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal as dsp

import ambikit
from ambikit_learn.detection.boxfile import read_boxes
from ambikit_learn.sources import open_source
from ambikit_learn.world import CLASSES, PRESETS, Scene, render_world, sample_scene
from ambikit_learn.world.acoustics import diffuse_noise, diffuse_tail, images, render_sound
from ambikit_learn.world.pictures import boxes, render_frames, render_room
from ambikit_learn.world.places import PLACES
from ambikit_learn.world.presets import Preset
from ambikit_learn.world.scene import Instance, Object, Room
from ambikit_learn.world.scene import Path as Way
from ambikit_learn.world.sounds import Performance, activity, perform

RATE = 24000
Floats = npt.NDArray[np.float64]


def drawn(
    index: int, preset: str = "standard", split: str = "train", seconds: float = 2.0
) -> Scene:
    return sample_scene(PRESETS[preset], seed=5, index=index, split=split, duration=seconds)


def played(scene: Scene) -> list[Performance]:
    return [perform(scene, i, RATE) for i in range(len(scene.objects))]


def vector(azimuth: npt.ArrayLike, elevation: npt.ArrayLike) -> Floats:
    """Unit vectors of degrees, written out apart from the package."""
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    return np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=-1)


def degrees_between(p: Floats, q: Floats) -> Floats:
    cosine = (p * q).sum(-1) / np.linalg.norm(p, axis=-1) / np.linalg.norm(q, axis=-1)
    angle: Floats = np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angle


def one_object(label: str, azimuth: float, elevation: float, **changes: object) -> Scene:
    """An object at a direction in an ordinary room, seen by a camera that looks elsewhere."""
    heading = 0.7
    place = 2.0 * vector(azimuth + np.rad2deg(heading), elevation)
    thing = Object(Instance(0, label, 0), Way(tuple(place)), 0.42, True, True, 0.0)
    room = Room((4.0, 5.0, 3.5, 4.5, 2.6, 2.4), 0.4, 6.0, "hall")
    scene = Scene(0, 0, 1.0, heading, room, (thing,), "office", 10.0)
    return replace(scene, **changes)  # type: ignore[arg-type]


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


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize(("azimuth", "elevation"), [(40.0, 12.0), (179.6, -25.0), (-70.0, 84.0)])
def test_box_lies_where_the_pixels_are(label: str, azimuth: float, elevation: float) -> None:
    scene = one_object(label, azimuth, elevation)
    performances = played(scene)
    times = [0.0, 0.3, 0.7]
    room = 255 * render_room(scene, (360, 720))
    truth = boxes(scene, performances)[0]
    for t, frame in zip(times, render_frames(scene, performances, times, (360, 720)), strict=True):
        row, column = np.nonzero(np.abs(frame - room).sum(-1) > 12)
        e = 90.0 - (row + 0.5) / 2
        seen = vector(180.0 - (column + 0.5) / 2, e)
        centre = (seen * np.cos(np.deg2rad(e))[:, None]).sum(0)
        assert degrees_between(centre, vector(azimuth, elevation)) < 1.5
        k = round(10 * t)
        facing = vector(truth["azimuth"][k], truth["elevation"][k])
        assert degrees_between(facing, vector(azimuth, elevation)) < 0.01
        # The box holds the pixels, and is filled by them, along both of its edges.
        a = np.deg2rad(azimuth)
        left = np.array([-np.sin(a), np.cos(a), 0.0])
        for axis, edge in ((left, "width"), (np.cross(facing, left), "height")):
            angle = np.rad2deg(np.arctan((seen @ axis) / (seen @ facing)))
            assert np.ptp(angle) == pytest.approx(truth[edge][k], rel=0.2)


def test_rolling_the_picture_and_turning_the_sound_commute() -> None:
    for index in (0, 3):
        scene = drawn(index, seconds=1.0)
        columns = 37
        yaw = 2 * np.pi * columns / 128
        turned = scene.turned(yaw)
        performances = played(scene)
        for before, after in zip(
            render_frames(scene, performances, [0.2, 0.8], (64, 128)),
            render_frames(turned, performances, [0.2, 0.8], (64, 128)),
            strict=True,
        ):
            # Rounding moves a few rays across the edges of tiles.
            off = np.abs(np.roll(before, -columns, axis=1).astype(int) - after)
            assert (off > 2).mean() < 2e-3
            assert (np.abs(before.astype(int) - after) > 2).mean() > 0.2
        field = render_sound(scene, performances, RATE)
        np.testing.assert_allclose(
            ambikit.rotate(field, yaw=yaw), render_sound(turned, performances, RATE), atol=2e-5
        )


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


@pytest.mark.kernel
def test_figures_cover_the_sphere_without_a_seam() -> None:
    from ambikit_learn._kernels.world_objects import paint_objects

    def painted(azimuth: float, elevation: float) -> npt.NDArray[np.float32]:
        frame = np.full((24, 48, 3), 0.5, np.float32)
        style = np.array([[0.9, 0.8, 0.1, 0.5, 0.2, 0.2, 0.0, 10.0, 0.3, 1.0, 8.0]])
        paint_objects(
            frame,
            np.empty((0, 3)),
            np.array([3]),
            np.array([azimuth]),
            np.array([elevation]),
            np.array([0.24]),
            style,
            np.array([0.5]),
            np.array([0.1]),
            0.3,
        )
        return frame

    ahead = painted(0.0, 0.2)
    assert (ahead != 0.5).any(-1).sum() > 8
    np.testing.assert_allclose(painted(np.pi, 0.2), np.roll(ahead, 24, axis=1), atol=1e-5)
    top = painted(1.0, np.pi / 2)
    assert (top[0] != 0.5).any(-1).all()
    np.testing.assert_array_equal(top[12:], 0.5)


@pytest.mark.kernel
def test_room_shows_its_walls_at_their_place() -> None:
    from ambikit_learn._kernels.world_room import paint_room

    walls = np.array([2.0, 2.0, 2.0, 2.0, 1.0, 1.0])
    colours = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    frame = np.empty((24, 48, 3), np.float32)
    arguments = (walls, False, np.array([2, 2, 2]), colours, np.array([0.0, 0.0, 0.9]))
    paint_room(frame, np.empty((0, 3)), 0.3, *arguments, np.zeros((4, 2)), 1, 1)
    surface = frame.argmax(-1)
    e = np.deg2rad(90 - (np.arange(24) + 0.5) * 7.5)[:, None]
    a = np.deg2rad(180 - (np.arange(48) + 0.5) * 7.5) + 0.3
    # A wall at 2 m meets the ceiling, 1 m up, where the slope to it is 1 / distance.
    distance = 2.0 / np.maximum(np.abs(np.cos(a)), np.abs(np.sin(a)))
    slope = np.tan(e) * distance
    expected = np.where(slope > 1.0, 1, np.where(slope < -0.88, 2, 0))
    clear = (np.abs(slope - 1.0) > 0.02) & ((slope < -1.02) | (slope > -0.86)) & (slope < 5)
    np.testing.assert_array_equal(surface[clear], expected[clear])


def test_scenes_keep_their_bounds() -> None:
    for name, preset in PRESETS.items():
        counts = []
        for index in range(60):
            scene = drawn(index, name, seconds=6.0)
            times = np.linspace(0, 6, 31)
            tracks = [np.rad2deg(scene.track(i, times)) for i in range(len(scene.objects))]
            seen = [vector(a, e) for a, e, _ in tracks]
            for i, (_, elevation, radius) in enumerate(tracks):
                assert np.abs(elevation).max() <= preset.elevation + 1e-6
                assert preset.radius[0] - 0.02 <= radius.min()
                assert radius.max() <= preset.radius[1] + 0.02
                for other in seen[:i]:
                    assert degrees_between(seen[i], other).min() > preset.spacing - 0.1
                places = scene.objects[i].path.at(times - 3)
                assert (places.max(0) < np.array(scene.room.walls[::2])).all()
                assert (-places.min(0) < np.array(scene.room.walls[1::2])).all()
            loud = sum(thing.sounding for thing in scene.objects)
            assert preset.sounding[0] <= loud <= preset.sounding[1]
            counts.append(len(scene.objects))
        assert (min(counts), max(counts)) == preset.objects


def test_scenes_hold_twins_and_pairs_as_often_as_asked() -> None:
    twins: list[bool] = []
    pairs: list[bool] = []
    moving: list[bool] = []
    for index in range(500):
        things = drawn(index).objects
        loud = [o.instance.label for o in things if o.sounding]
        silent = [o for o in things if not o.sounding]
        if silent:
            twins.append(any(o.instance.label in loud for o in silent))
            moving.extend(o.pulsing for o in silent)
        if len(loud) >= 2:
            pairs.append(len(set(loud)) < len(loud))
        assert len({(o.instance.label, o.instance.index) for o in things}) == len(things)
    assert np.mean(twins) == pytest.approx(0.5, abs=0.07)
    assert np.mean(pairs) == pytest.approx(0.2, abs=0.07)
    assert np.mean(moving) == pytest.approx(0.5, abs=0.07)


def test_splits_share_no_individual() -> None:
    met = {
        split: {
            (o.instance.label, o.instance.index)
            for index in range(150)
            for o in drawn(index, split=split).objects
        }
        for split in ("train", "test")
    }
    assert not met["train"] & met["test"]
    assert {label for label, _ in met["test"]} == set(CLASSES)


def test_a_scene_depends_on_seed_and_index_alone() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7).objects != drawn(8).objects
    one = render_sound(drawn(7), played(drawn(7)), RATE)
    np.testing.assert_array_equal(one, render_sound(drawn(7), played(drawn(7)), RATE))


def test_objects_that_do_not_fit_are_refused() -> None:
    crowd = Preset(objects=(8, 8), spacing=90.0)
    with pytest.raises(ambikit.InputError, match=r"8 objects do not fit 90° apart"):
        sample_scene(crowd, seed=0, index=0, split="train", duration=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objects": (13, 13)}, "there are 12 classes"),
        ({"t60": (0.4, 0.2)}, r"t60 must be \(low, high\)"),
        ({"t60": (0.0, 0.2)}, "t60 must be positive"),
        ({"silent_twin": 1.2}, "silent_twin must lie between 0 and 1"),
        ({"motion": (0.5, 0.5, 0.5)}, "motion must be three odds"),
        ({"radius": (0.0, 10.0)}, "radius"),
    ],
)
def test_impossible_presets_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ambikit.InputError, match=message):
        sample_scene(
            replace(PRESETS["standard"], **change),  # type: ignore[arg-type]
            seed=0,
            index=0,
            split="train",
            duration=1.0,
        )


def test_impossible_rooms_are_refused() -> None:
    for walls, t60 in (((3.0, 2.0, -1.0, 2.0, 1.0, 1.0), 0.4), ((3.0,) * 6, 0.0)):
        with pytest.raises(ambikit.InputError, match="no room has its walls at"):
            Room(walls, t60, 6.0, "office")  # type: ignore[arg-type]


def test_scenes_share_the_place_only_where_they_should() -> None:
    alike = {
        preset: np.mean(
            [s.ambience == s.room.place for s in (drawn(i, preset) for i in range(150))]
        )
        for preset in ("standard", "scenes")
    }
    assert alike["scenes"] == 1.0
    assert alike["standard"] < 0.25
    places = [drawn(i, "scenes").room.place for i in range(300)]
    assert set(places) == set(PLACES)
    assert np.mean([PLACES[p].open_sky for p in places]) == pytest.approx(0.3, abs=0.08)


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


def test_picture_moves_with_the_sound() -> None:
    scene = one_object("speech", 0.0, 0.0)
    quiet = np.zeros(100, np.float32)
    beats = quiet.copy()
    beats[50:60] = 1.0
    sound = np.zeros(RATE, np.float32)
    still, loud = render_frames(scene, [Performance(sound, beats)], [0.2, 0.55], (90, 180))
    (calm,) = render_frames(scene, [Performance(sound, quiet)], [0.55], (90, 180))
    np.testing.assert_array_equal(still, calm)
    assert (loud != calm).any(-1).sum() > 100
    asleep = replace(scene, objects=(replace(scene.objects[0], pulsing=False),))
    (frame,) = render_frames(asleep, [Performance(sound, beats)], [0.55], (90, 180))
    np.testing.assert_array_equal(frame, calm)


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


def test_files_are_read_back_and_the_sound_points_to_the_object(tmp_path: Path) -> None:
    settings = {"preset": "easy", "duration": 2.0, "frame_size": (64, 128), "test_fraction": 0.25}
    render_world(tmp_path, clips=8, seed=2, workers=0, **settings)  # type: ignore[arg-type]
    clips = list(open_source("yt360", tmp_path).clips())
    assert sorted(clip.split for clip in clips) == ["test"] * 2 + ["train"] * 6
    checked = 0
    for clip in clips:
        assert clip.boxes is not None
        objects = json.loads(clip.boxes.read_text())["objects"]
        assert len(read_boxes(clip.boxes, [0.0, 1.9])[1]) == len(objects)
        x, rate = ambikit.read(clip.audio)
        assert (rate, x.shape[0]) == (RATE, 4)
        assert abs(x.shape[1] - 2 * RATE) <= 1024
        sounding = [o for o in objects if o["sounding"]]
        if len(sounding) == 1:
            loud = np.argsort(np.square(x[0]))[-RATE // 5 :]
            w, y, z, xx = x[:, loud].astype(float)
            towards = np.array([w @ xx, w @ y, w @ z])
            label = vector(np.mean(sounding[0]["azimuth"]), np.mean(sounding[0]["elevation"]))
            if np.ptp(sounding[0]["azimuth"]) < 5:
                assert degrees_between(towards, label) < 15.0
                checked += 1
    assert checked >= 2


def test_a_world_is_taken_up_and_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    settings = {"duration": 0.5, "frame_size": (32, 64), "seed": 4}
    one, two = tmp_path / "one", tmp_path / "two"
    render_world(one, clips=2, workers=0, **settings)  # type: ignore[arg-type]
    before = {p: p.stat().st_mtime_ns for p in one.rglob("*-0.*")}
    lost = min(p for p in before if p.parent.name == "boxes")
    lost.unlink()
    render_world(one, clips=3, workers=0, **settings)  # type: ignore[arg-type]
    kept = [p for p, time in before.items() if p.stem != lost.stem and p.stat().st_mtime_ns == time]
    assert len(kept) == 3
    assert lost.exists()
    render_world(two, clips=3, workers=2, **settings)  # type: ignore[arg-type]
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert len(files) == 12
    for name in files:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_other_settings_are_refused(tmp_path: Path) -> None:
    small = {"clips": 1, "duration": 0.5, "frame_size": (32, 64), "workers": 0}
    render_world(tmp_path, **small)  # type: ignore[arg-type]
    with pytest.raises(ambikit.InputError, match="holds a world with seed 0, not 1"):
        render_world(tmp_path, **small, seed=1)  # type: ignore[arg-type]
    (tmp_path / "world.json").write_text("{")
    with pytest.raises(ambikit.InputError, match="damaged"):
        render_world(tmp_path, **small)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clips": 0}, "clips must be a positive integer"),
        ({"preset": "cosy"}, "unknown preset 'cosy'"),
        ({"duration": float("nan")}, "duration must be positive"),
        ({"test_fraction": 1.5}, "test_fraction must lie between 0 and 1"),
        ({"seed": -1}, "seed must be a non-negative integer"),
        ({"frame_size": (33, 64)}, "even"),
        ({"workers": -1}, "workers must be a non-negative integer"),
    ],
)
def test_bad_arguments_leave_nothing_behind(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    arguments = {"clips": 1, "duration": 0.5, "frame_size": (32, 64), "workers": 0, **change}
    with pytest.raises(ambikit.InputError, match=message):
        render_world(tmp_path, **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*.mp4"))
    assert not list(tmp_path.rglob("*.json"))
