"""Views of the sphere and merging, with a detector that makes no mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import ambikit
from ambikit_learn.detection.merging import merge
from ambikit_learn.detection.modes import MODES, Mode, detect_on_sphere, second_look
from ambikit_learn.detection.views import Perspective, Rectangles, Tile
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import angular_distance, pixel_to_direction


def scene(objects, rows=320):
    """Frame of coloured boxes: azimuth, elevation, width, height, and a hue number."""
    columns = 2 * rows
    azimuth, elevation = pixel_to_direction(
        (np.arange(columns) + 0.5) / columns, (np.arange(rows)[:, None] + 0.5) / rows
    )
    vectors = ambikit.angles_to_vector(azimuth, elevation)
    frame = np.full((rows, columns, 3), 30, np.uint8)
    for a, e, width, height, hue in objects:
        turn = ambikit.look_at(a, e, degrees=True)
        local = turn.apply(vectors.reshape(-1, 3)).reshape(vectors.shape)
        longitude, latitude = ambikit.vector_to_angles(local, degrees=True)
        inside = (np.abs(longitude) < width / 2) & (np.abs(latitude) < height / 2)
        frame[inside] = 0
        frame[inside, hue] = 255
    return frame


def find_colours(pictures):
    """Each patch of one colour, with the score 0.9."""
    found = []
    for picture in pictures:
        corners, labels = [], []
        for hue, name in enumerate(("red", "green", "blue")):
            patches, _ = ndimage.label(picture[..., hue] > 140)
            for rows, columns in ndimage.find_objects(patches):
                if rows.stop - rows.start > 5 and columns.stop - columns.start > 5:
                    corners.append([columns.start, rows.start, columns.stop, rows.stop])
                    labels.append(name)
        height, width, _ = picture.shape
        fractions = np.array(corners, float).reshape(-1, 4) / [width, height, width, height]
        found.append(Rectangles(fractions, np.full(len(labels), 0.9), tuple(labels)))
    return found


OBJECTS = [
    (0, 0, 30, 40, 0),
    (175, -10, 40, 30, 1),  # over the seam
    (90, 30, 20, 50, 2),  # at the edge of two tiles
    (-60, -20, 60, 20, 1),
    (-130, 45, 25, 25, 0),
    (40, -60, 30, 25, 2),
]


def matched(boxes, objects):
    """Error of direction and of extent of each object's only box, in degrees."""
    assert len(boxes) == len(objects)
    errors = []
    for azimuth, elevation, width, height, hue in objects:
        distance = angular_distance(
            boxes.azimuth, boxes.elevation, azimuth, elevation, degrees=True
        )
        nearest = int(np.argmin(distance))
        assert boxes.label[nearest] == ("red", "green", "blue")[hue]
        sides = abs(boxes.width[nearest] - width), abs(boxes.height[nearest] - height)
        errors.append((distance[nearest], *sides))
    return np.array(errors)


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_every_object_is_found_once(mode):
    [boxes] = detect_on_sphere(scene(OBJECTS)[None], MODES[mode], 320, find_colours)
    errors = matched(boxes, OBJECTS)
    assert errors[:, 0].max() < 2
    # The rectangle around a bent patch is larger than the patch, most so near a pole.
    assert np.median(errors[:, 1:]) < 4
    assert errors[:, 1:].max() < 14


def test_a_tile_gives_true_boxes_on_the_horizon():
    objects = [o for o in OBJECTS if abs(o[1]) <= 10]
    [boxes] = detect_on_sphere(scene(objects)[None], MODES["tiles"], 320, find_colours)
    errors = matched(boxes, objects)
    assert errors[:, 0].max() < 1.0
    assert errors[:, 1:].max() < 3.0


@pytest.mark.parametrize("columns", [80, -200, 317])
def test_turning_the_frame_turns_the_boxes(columns):
    frame = scene(OBJECTS)
    turned = [(a - columns * 360 / 640, *rest) for a, *rest in OBJECTS]
    [boxes] = detect_on_sphere(
        np.roll(frame, columns, axis=1)[None], MODES["fast"], 320, find_colours
    )
    errors = matched(boxes, turned)
    assert errors[:, 0].max() < 2


def test_the_plain_frame_cuts_at_the_seam_and_others_do_not():
    frame = scene([(180, 0, 40, 30, 0)])[None]
    [plain] = detect_on_sphere(frame, MODES["frame"], 320, find_colours)
    assert len(plain) == 2
    for mode in ("wrapped", "fast"):
        [whole] = detect_on_sphere(frame, MODES[mode], 320, find_colours)
        assert len(whole) == 1
        assert whole.width[0] == pytest.approx(40, abs=3)
        assert angular_distance(whole.azimuth, whole.elevation, 180, 0, degrees=True)[0] < 1


def test_frames_of_a_batch_do_not_mix():
    frames = np.stack([scene([]), scene([(0, 0, 30, 30, 0)]), scene([(90, 0, 30, 30, 1)])])
    found = detect_on_sphere(frames, MODES["fast"], 320, find_colours)
    assert [boxes.label for boxes in found] == [(), ("red",), ("green",)]


def test_frames_need_not_be_two_to_one():
    tall = np.repeat(scene([(175, -10, 40, 30, 1)]), 2, axis=0)[None]
    [boxes] = detect_on_sphere(tall, MODES["full"], 320, find_colours)
    assert matched(boxes, [(175, -10, 40, 30, 1)]).max() < 4


def test_weak_finds_are_dropped_by_view_and_cut():
    def find(score):
        def detect(pictures):
            return [r._replace(score=np.full(len(r.label), score)) for r in find_colours(pictures)]

        return detect

    whole = scene([(45, 0, 30, 30, 0)])[None]
    wide = scene([(0, 0, 250, 40, 0)])[None]  # cut in every tile
    counts = {
        score: [
            len(detect_on_sphere(frame, MODES["tiles"], 320, find(score))[0])
            for frame in (whole, wide)
        ]
        for score in (0.2, 0.3, 0.6)
    }
    assert counts[0.2] == [0, 0]
    assert counts[0.3] == [1, 0]
    assert counts[0.6][0] == 1
    assert counts[0.6][1] >= 1


def rows_of(boxes):
    """Azimuth, elevation, width and height of boxes."""
    return np.stack([boxes.azimuth, boxes.elevation, boxes.width, boxes.height], axis=1)


@pytest.mark.parametrize("elevation", [0, -60, 75, 88])
def test_a_second_look_gives_direction_and_extent(elevation):
    """A guess that is off by some degrees and much too large: its second look repairs both."""
    truth = (175, elevation, 24, 30)
    guess = Boxes([180], [elevation - 2], [34], [36], [0.5], ["?"])
    [boxes] = second_look(scene([(*truth, 1)], 640)[None], [guess], 320, find_colours, least=0.3)
    assert boxes.label == ("green",)
    assert boxes.score.tolist() == [0.9]
    assert angular_distance(*rows_of(boxes)[0, :2], *truth[:2], degrees=True) < 0.7
    assert rows_of(boxes)[0, 2:] == pytest.approx(truth[2:], abs=3)


def test_a_second_look_confirms_or_drops():
    frame = scene([(0, 0, 30, 30, 0)])[None]
    guesses = Boxes(
        [0, 90, 20, 45],
        [0, 0, 0, 70],
        [30, 30, 9, 30],
        [30, 30, 9, 30],
        [0.2, 0.9, 0.3, 0.9],
        "abcd",
    )
    # What has less than 0.4 in common is another object.
    [sure] = second_look(frame, [guesses], 320, find_colours, least=0.35)
    assert sure.label == ("red",)
    [none] = second_look(frame, [guesses], 320, find_colours, least=0.95)
    assert len(none) == 0


def test_an_object_rolled_by_a_view_of_the_pole_is_the_same():
    """Its second look shows it upright: not as wide as the box around the rolled one."""
    for elevation, found in ((80, ("green",)), (-80, ("green",)), (40, ())):
        frame = scene([(30, elevation, 8, 26, 1)], 640)[None]
        rolled = Boxes([30], [elevation], [24], [24], [0.5], "?")
        [boxes] = second_look(frame, [rolled], 320, find_colours, least=0.3)
        assert boxes.label == found


def test_a_crowd_is_looked_at_in_part():
    """Sixteen second looks in a frame: what is weaker stays if its score suffices."""
    azimuth = np.arange(20) * 18.0 - 180
    score = np.linspace(0.9, 0.33, 20)
    guesses = Boxes(azimuth, np.zeros(20), np.full(20, 9), np.full(20, 9), score, ["?"] * 20)
    frame = scene([(a, 0, 9, 9, 2) for a in azimuth], 640)[None]
    calls = []

    def counted(pictures):
        calls.extend(some := list(pictures))
        return find_colours(some)

    [boxes] = second_look(frame, [guesses], 320, counted, least=0.35)
    assert len(calls) == 16
    assert boxes.label.count("blue") == 16
    assert boxes.label.count("?") == int((score[16:] >= 0.35).sum()) == 3


def test_second_looks_of_a_batch_do_not_mix():
    frames = np.stack([scene([(0, 0, 30, 30, 0)]), scene([]), scene([(90, 0, 30, 30, 1)])])
    guesses = [Boxes([a], [0], [30], [30], [0.5], "?") for a in (0, 45, 90)]
    guesses[1] = Boxes.empty()
    found = second_look(frames, guesses, 320, find_colours, least=0.3)
    assert [boxes.label for boxes in found] == [("red",), (), ("green",)]


def test_weak_finds_of_fast_need_a_second_look():
    """What scores 0.2 in the tiles is an object if a closer view gives it 0.6."""

    def unsure(pictures):
        return [
            r._replace(score=np.where((r.corners[:, 2] - r.corners[:, 0]) > 0.3, 0.6, 0.2))
            for r in find_colours(pictures)
        ]

    frame = scene([(45, 10, 25, 25, 0)])[None]
    [weak] = detect_on_sphere(frame, Mode(MODES["fast"].views), 320, unsure)
    [boxes] = detect_on_sphere(frame, MODES["fast"], 320, unsure)
    assert weak.score.tolist() == [0.2]
    assert boxes.score.tolist() == [0.6]
    assert len(detect_on_sphere(frame, MODES["tiles"], 320, unsure)[0]) == 0


def test_full_sees_the_poles():
    for elevation in (90, -90):
        frame = scene([(0, elevation, 30, 30, 0)], 640)[None]
        [boxes] = detect_on_sphere(frame, MODES["full"], 320, find_colours)
        assert angular_distance(*rows_of(boxes)[0, :2], 0, elevation, degrees=True) < 1
        assert rows_of(boxes)[0, 2:] == pytest.approx([30, 30], abs=5)  # its corners count


def merged(*rows, cut=None):
    """Merge rows of azimuth, elevation, width, height, score and label."""
    *numbers, label = zip(*rows, strict=True)
    edge = np.zeros(len(rows), bool) if cut is None else np.array(cut)
    return merge(Boxes(*map(np.array, numbers), label), edge)


def test_two_names_of_one_thing_are_merged():
    boxes = merged((10, 0, 40, 40, 0.6, "sofa"), (14, 0, 40, 40, 0.3, "chair"))
    assert boxes.label == ("sofa",)
    assert boxes.azimuth[0] == pytest.approx((10 * 0.6 + 14 * 0.3) / 0.9, abs=0.01)
    assert boxes.score[0] == 0.6


def test_names_may_overlap_more_than_copies():
    """A rider and a horse share a third; two boxes of one label that do are one object."""
    numbers = [0, 0], [9, -7], [30, 34], [40, 34], [0.8, 0.7]
    assert len(merge(Boxes(*numbers, ("person", "horse")), np.zeros(2, bool))) == 2
    assert len(merge(Boxes(*numbers, ("person", "person")), np.zeros(2, bool))) == 1


def test_a_thing_before_another_stays():
    assert merged((0, 0, 80, 40, 0.9, "sofa"), (10, 0, 20, 30, 0.8, "cat")).label == ("sofa", "cat")


def test_parts_are_taken_in_and_do_not_move_the_whole():
    whole = (0, 0, 80, 40, 0.6, "sofa")
    nested = merged(whole, (20, 0, 20, 20, 0.5, "sofa"))
    fragment = merged(whole, (-20, 0, 30, 40, 0.9, "bed"), cut=[False, True])
    for boxes in (nested, fragment):
        assert boxes.label == ("sofa",)
        assert (boxes.azimuth[0], boxes.width[0]) == pytest.approx((0, 80))


def test_what_a_view_shows_in_part_is_a_piece():
    """A find inside a thing, from a view that shows only a part of that thing."""
    rows = ((0, 0, 80, 40, 0.9, "sofa"), (25, 0, 20, 30, 0.8, "bed"))
    *numbers, label = zip(*rows, strict=True)
    boxes, cut = Boxes(*map(np.array, numbers), label), np.zeros(2, bool)
    everything = np.ones((2, 2), bool)
    assert len(merge(boxes, cut, shown=everything)) == 2
    a_part = np.array([[True, True], [False, True]])
    assert merge(boxes, cut, shown=a_part).label == ("sofa",)
    assert len(merge(boxes, cut, shown=a_part.T)) == 2


def test_the_more_trusted_leads():
    rows = ((0, 0, 40, 40, 0.6, "sofa"), (5, 0, 40, 40, 0.5, "chair"))
    *numbers, label = zip(*rows, strict=True)
    boxes, cut = Boxes(*map(np.array, numbers), label), np.zeros(2, bool)
    assert merge(boxes, cut).label == ("sofa",)
    assert merge(boxes, cut, trust=np.array([0.5, 1.0])).label == ("chair",)


@pytest.mark.parametrize(
    "view", [*MODES["full"].views, *MODES["wrapped"].views, Perspective(40, -70, 50)]
)
def test_views_show_what_they_render(view):
    """Each direction that a view says it shows is one of those it draws, and the reverse."""
    step = (np.arange(24) + 0.5) / 24
    across, down = (a.ravel() for a in np.meshgrid(step, step))
    assert view.shows(view.vectors(across, down)).all()
    if isinstance(view, Perspective):
        for beyond in (-0.02, 1.02):
            assert not view.shows(view.vectors(np.full(24, beyond), step)).any()
            assert not view.shows(view.vectors(step, np.full(24, beyond))).any()
        behind = -view.vectors(across, down)
        assert not view.shows(behind).any()
    elif view.width < 360:
        assert not view.shows(view.vectors(np.array([-0.02, 1.02]), np.array([0.5, 0.3]))).any()


def test_trust_is_less_where_a_view_distorts():
    boxes = Boxes([0, 40, 0], [0, 0, 60], [9] * 3, [9] * 3, [1] * 3, "abc")
    assert np.allclose(Perspective(0, 0).trust(boxes), np.cos(np.deg2rad([0, 40, 60])))
    assert np.allclose(Tile(90).trust(boxes), [1, 1, 0.5])


def test_means_across_the_seam():
    boxes = merged((176, 0, 30, 30, 0.5, "drum"), (-178, 0, 30, 30, 0.5, "drum"))
    assert angular_distance(boxes.azimuth, 0, 179, 0, degrees=True)[0] < 0.01


def test_nothing_to_merge():
    assert len(merge(Boxes.empty(), np.zeros(0, bool))) == 0
