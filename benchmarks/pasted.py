"""Photographed objects pasted at known directions into photographs of surroundings.

The objects are all that could be labelled by eye, whether or not a detector recognises them, in the
photographs of ultralytics, matplotlib and (if installed) scikit-image, and, if there is a folder of
test data, in its 360° pictures: people cut by the picture's edge, in black and white, or 30 pixels
high are among them. The surroundings are 360° pictures: sharp where they hold nothing that has a
name in COCO, otherwise blurred until nothing can be recognised. Without test data they are rendered
rooms, blurred.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from ambikit_learn.detection.views import Perspective, Rectangles, boxes_of
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import (
    angular_distance,
    direction_to_pixel,
    gnomonic,
    local_axes,
    pixel_to_direction,
)
from ambikit_learn.video.files import read_frames
from ambikit_learn.world import PRESETS, sample_scene
from ambikit_learn.world.pictures import render_room

Frames = npt.NDArray[np.uint8]
Corners = tuple[float, float, float, float]

MARGIN = 1.15
"""Size of cut-outs relative to their objects."""
SIZES, CLEAR_SIZES = (5.0, 60.0), (10.0, 50.0)
"""Longer sides of pasted objects, in degrees: of all, and of clear ones."""
CROWD, CROWD_SIZES = 12, (5.0, 14.0)
"""Number and longer sides of the objects of a crowd."""
POLE = 82.0
"""Elevation from which an object is near a pole."""
BLUR = 0.05
"""Blur of surroundings relative to their height."""
SOFT = 0.06
"""Fraction of a cut-out that fades into its surroundings at its edges."""

PACKAGED: dict[str, list[tuple[str, Corners]]] = {
    "ultralytics/assets/bus.jpg": [
        ("person", (48, 397, 242, 904)),
        ("person", (221, 405, 346, 860)),
        ("person", (669, 392, 809, 878)),
    ],
    "ultralytics/assets/zidane.jpg": [
        ("person", (749, 42, 1150, 710)),
        ("person", (131, 203, 640, 718)),
    ],
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg": [("person", (8, 23, 505, 600))],
    "skimage/data/astronaut.png": [("person", (13, 22, 364, 512))],
    "skimage/data/camera.png": [("person", (0, 63, 335, 512))],
    "skimage/data/motorcycle_left.png": [("motorcycle", (109, 20, 688, 455))],
    "skimage/data/motorcycle_right.png": [("motorcycle", (45, 72, 625, 452))],
    "skimage/data/chelsea.png": [("cat", (0, 1, 405, 296))],
    "skimage/data/coffee.png": [("cup", (172, 15, 428, 315))],
}
"""Label, and left, top, right and bottom in pixels."""
ROOM, BAND, CLIPS = (
    "frames/living-room.jpg",
    "yt360/video/kqAZkf5Odyw-80.mp4",
    "sphere360/media/{}.mkv",
)
SURROUND: dict[str, list[tuple[str, Corners]]] = {
    ROOM: [
        ("person", (14.5, -14, 18, 52)),
        ("tv", (61.8, -20.4, 32, 22.5)),
        ("couch", (-84, -34, 66, 38)),
        ("couch", (-150, -47, 38, 46)),
    ],
    BAND: [
        ("person", (-47.5, -16, 18, 45)),
        ("person", (13.1, -11, 18, 46)),
        ("person", (71, -13, 19.5, 41)),
    ],
    CLIPS.format("0FB9jMXMP8A_19"): [("person", (-12, -23, 75, 90))],
    CLIPS.format("TKPZf_P5_18_30"): [("person", (-3, -12, 48, 98))],
    CLIPS.format("gyFx147_35Q_52"): [("person", (-9.6, -8.8, 53, 85))],
    CLIPS.format("KVvDejzzQjM_6"): [("person", (-17, -24.5, 39, 76))],
    CLIPS.format("V_To4k9AJXc_20"): [("person", (-8.4, 6.8, 31, 54))],
    CLIPS.format("NdE7uYVaynQl_0"): [("person", (-6.4, -24.5, 44, 83))],
    CLIPS.format("pC2WmY6bkB4_251"): [("person", (-2.4, -8.8, 24, 32))],
}
"""Label, and azimuth, elevation, width and height in degrees, in the first second."""
CLEAR: list[Corners] = [
    *((48, 397, 242, 904), (221, 405, 346, 860), (749, 42, 1150, 710), (13, 22, 364, 512)),
    *((109, 20, 688, 455), (0, 1, 405, 296), (14.5, -14, 18, 52), (61.8, -20.4, 32, 22.5)),
    *((-47.5, -16, 18, 45), (13.1, -11, 18, 46), (71, -13, 19.5, 41)),
]
"""Those that YOLO11n names in a direct view from a size of 20° on."""
WINDOW = ((13.1, -11, 18, 46), (0.27, 0.0, 0.95, 0.36))
"""An object of the band, and the bright window behind it, which is taken for a screen."""
SHARP = ("tAiVUt5vE34l_10", "pC2WmY6bkB4_251", "eqn9IX4aKmc_250")
"""Clips of open country; what they hold near the horizon in front is hidden by a blur."""


class Cutout(NamedTuple):
    """A photographed object: its label, a picture of it in the middle, and whether it is clear.

    `beside` holds left, top, right and bottom of another thing that the picture shows, as fractions
    of its sides.
    """

    label: str
    picture: Frames
    clear: bool
    beside: Corners | None = None


class Scene(NamedTuple):
    """A frame, its objects, other things in the cut-outs, and the surroundings alone, if known."""

    frame: Frames
    objects: Boxes
    beside: Boxes = Boxes.empty()
    alone: Frames | None = None


def cutouts(data: Path | None) -> list[Cutout]:
    """Cut objects out of the available photographs."""
    found = []
    for name, objects in PACKAGED.items():
        package, _, rest = name.partition("/")
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        picture = np.asarray(Image.open(Path(spec.origin).parent / rest).convert("RGB"))
        found += [Cutout(o[0], _cut(picture, o[1]), o[1] in CLEAR) for o in objects]
    if data is not None:
        for name, objects in SURROUND.items():
            frame = photograph(data / name)
            found += [
                Cutout(
                    *(o[0], _seen(frame, o[1]), o[1] in CLEAR),
                    WINDOW[1] if o[1] == WINDOW[0] else None,
                )
                for o in objects
            ]
    return found


def photograph(path: Path) -> Frames:
    """Return a picture, or the frame of a video a second after its beginning."""
    if path.suffix == ".jpg":
        return np.asarray(Image.open(path).convert("RGB"))
    (frame,) = read_frames(path, start=1.0, rate=1.0, duration=1.0)
    return frame


@cache
def surroundings(data: Path | None, size: tuple[int, int]) -> list[Frames]:
    """Return 360° pictures without anything to detect."""
    if data is None:
        preset = PRESETS["standard"]
        places = [
            sample_scene(preset, seed=5, index=i, split="test", duration=1.0) for i in range(8)
        ]
        return [_blurred(render_room(place, size)) for place in places]
    rows, columns = size
    pictures = []
    for path in [data / ROOM, data / BAND, *sorted((data / CLIPS).parent.iterdir())]:
        image = Image.fromarray(photograph(path)).resize((columns, rows), Image.Resampling.LANCZOS)
        sharp = np.asarray(image)
        blurred = _blurred(sharp)
        if path.stem in SHARP:
            longitude = np.abs(np.linspace(-180, 180, columns))
            latitude = np.abs(np.linspace(90, -90, rows)[:, None])
            shown = np.minimum(np.maximum(longitude / 60, latitude / 25), 1 + (75 - latitude) / 40)
            weight = np.clip((shown - 1) * 4, 0, 1)[..., None]
            blurred = np.rint(weight * sharp + (1 - weight) * blurred).astype(np.uint8)
        pictures.append(blurred)
    return pictures


def scene(
    objects: list[Cutout],
    places: list[Frames],
    rng: np.random.Generator,
    *,
    kind: str = "all",
) -> Scene:
    """Return surroundings with objects.

    ``"all"``: four objects at all elevations, ``"clear"``: three clear ones, ``"crowd"``: a crowd.
    """
    alone = places[rng.integers(len(places))]
    frame = alone.astype(np.float32)
    boxes, beside = [], [Boxes.empty()]
    if kind == "clear":
        objects = [one for one in objects if one.clear]
    drawn = _crowd(rng) if kind == "crowd" else _spread(rng, clear=kind == "clear")
    for azimuth, elevation, longer in drawn:
        one = objects[rng.integers(len(objects))]
        mirrored = rng.random() < 0.5
        picture = one.picture[:, ::-1] if mirrored else one.picture
        half = np.tan(np.deg2rad(longer) / 2)
        high, wide = half * np.array(picture.shape[:2]) / max(picture.shape[:2])
        _paste(frame, picture, azimuth, elevation, MARGIN * wide, MARGIN * high)
        sides = np.rad2deg(2 * np.arctan([wide, high]))
        boxes.append(Boxes(azimuth, elevation, *sides, 1.0, (one.label,)))
        if one.beside is not None:
            corners = np.array(one.beside)
            if mirrored:
                corners[[0, 2]] = 1.0 - corners[[2, 0]]
            # Positions in the cut-out are positions in a square view with the same centre.
            shares = np.tile(MARGIN * np.array([wide, high]) / half, 2)
            shown = Rectangles((0.5 + (corners - 0.5) * shares / 2.0)[None], np.ones(1), ("",))
            field = 2.0 * np.rad2deg(np.arctan(2.0 * half))
            beside += [boxes_of(Perspective(azimuth, elevation, field), [shown])[0][0]]
    frame = np.rint(frame).astype(np.uint8)
    return Scene(frame, Boxes.concatenate(boxes), Boxes.concatenate(beside), alone)


def _spread(rng: np.random.Generator, *, clear: bool) -> list[tuple[float, float, float]]:
    """Draw directions and sizes: on the seam, high or low, level, and near a pole.

    Of clear objects there are three, the second anywhere above 45° or below −45°.
    """
    while True:
        longer = np.exp(rng.uniform(*np.log(CLEAR_SIZES if clear else SIZES), 4))
        side = rng.choice([-1, 1], 2)
        azimuth = [180.0, *rng.uniform(-180, 180, 3)]
        elevation = [
            rng.uniform(-45, 45),
            side[0] * rng.uniform(45, 90 if clear else POLE),
            rng.uniform(-45, 45),
            side[1] * rng.uniform(POLE, 90),
        ]
        drawn = list(zip(azimuth, elevation, longer, strict=True))[: 3 if clear else 4]
        if _apart(*np.transpose(drawn), 0.75):
            return drawn


def _crowd(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Draw directions and sizes of a crowd in one quarter of the horizon, which may touch."""
    while True:
        longer = np.exp(rng.uniform(*np.log(CROWD_SIZES), CROWD))
        azimuth = rng.uniform(-180, 180) + rng.uniform(-45, 45, CROWD)
        elevation = rng.uniform(-20, 20, CROWD)
        if _apart(azimuth, elevation, longer, 0.35):
            return list(zip((azimuth + 180) % 360 - 180, elevation, longer, strict=True))


def _apart(
    azimuth: npt.ArrayLike,
    elevation: npt.ArrayLike,
    longer: npt.NDArray[np.float64],
    share: float,
) -> bool:
    """Tell whether all objects are farther apart than a share of the sum of their sizes."""
    a, e = np.asarray(azimuth), np.asarray(elevation)
    angle = angular_distance(a[:, None], e[:, None], a, e, degrees=True)
    least = share * (longer[:, None] + longer)
    return bool((angle > least)[np.triu_indices(len(a), 1)].all())


def _blurred(picture: Frames) -> Frames:
    """Blur a picture beyond recognition."""
    sigma = BLUR * picture.shape[0]
    smooth = gaussian_filter(picture.astype(np.float32), (sigma, sigma, 0), mode="wrap")
    return np.rint(smooth).astype(np.uint8)


def _cut(picture: Frames, corners: Corners) -> Frames:
    """Cut an object out of a flat picture, with a margin."""
    left, top, right, bottom = corners
    wide, high = (MARGIN - 1) / 2 * np.array([right - left, bottom - top])
    rows = np.arange(round(top - high), round(bottom + high)).clip(0, picture.shape[0] - 1)
    columns = np.arange(round(left - wide), round(right + wide)).clip(0, picture.shape[1] - 1)
    return picture[rows[:, None], columns]


def _seen(frame: Frames, box: Corners) -> Frames:
    """Cut an object out of a 360° frame, with a margin, in its true proportions."""
    azimuth, elevation, *sides = box
    wide, high = MARGIN * np.tan(np.deg2rad(sides) / 2)
    angles = np.rad2deg(2 * np.arctan([wide, high]))
    square = gnomonic(frame, azimuth, elevation, *angles, 400, degrees=True)
    size = (round(400 * min(wide / high, 1)), round(400 * min(high / wide, 1)))
    return np.asarray(Image.fromarray(square).resize(size, Image.Resampling.LANCZOS))


def _paste(
    frame: npt.NDArray[np.float32],
    picture: Frames,
    azimuth: float,
    elevation: float,
    wide: float,
    high: float,
) -> None:
    """Paste a picture into a frame, on the tangent plane at a direction."""
    rows, columns, _ = frame.shape
    reach = np.rad2deg(np.arctan(np.hypot(wide, high)))
    first, last = (
        int(np.clip(direction_to_pixel(0.0, np.deg2rad(e))[1] * rows, 0, rows))
        for e in (elevation + reach, elevation - reach)
    )
    part = frame[first : last + 1]
    a, e = pixel_to_direction(
        (np.arange(columns) + 0.5) / columns,
        (np.arange(first, first + len(part))[:, None] + 0.5) / rows,
    )
    rays = local_axes(a, e)[..., 0, :] @ local_axes(*np.deg2rad([azimuth, elevation])).T
    across, up = (rays[..., 1:] / np.maximum(rays[..., :1], 1e-6) / [wide, high]).transpose(2, 0, 1)
    inside = (rays[..., 0] > 0) & (np.abs(across) < 1) & (np.abs(up) < 1)
    edge = (1 - np.maximum(np.abs(across), np.abs(up))[inside]) / SOFT
    height, width, _ = picture.shape
    # A picture finer than the frame would alias.
    blur = max(round(height / (2 * np.rad2deg(np.arctan(high)) * rows / 180)), 1)
    places = [(1 - up[inside]) / 2 * height - 0.5, (1 - across[inside]) / 2 * width - 0.5]
    for k in range(3):
        smooth = uniform_filter(picture[..., k].astype(np.float32), blur, mode="nearest")
        colour = map_coordinates(smooth, places, order=1, mode="nearest")
        weight = np.clip(edge, 0, 1)
        part[inside, k] += weight * (colour - part[inside, k])
