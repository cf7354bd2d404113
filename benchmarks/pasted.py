"""Photographed objects pasted at known directions into blurred rooms.

The photographs are those of ultralytics and (if installed) scikit-image, and, if there is a folder
of test data, cut-outs of two real 360° pictures. They are few, and chosen because YOLO11n detects
each of them in a direct view from a size of 20° on. The rooms are rendered, and blurred so that it
detects nothing in them. This measures what the sphere costs, not what a detector has learned.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import angular_distance, gnomonic, local_axes, pixel_to_direction
from ambikit_learn.video.files import read_frames
from ambikit_learn.world import PRESETS, sample_scene
from ambikit_learn.world.pictures import render_room

Frames = npt.NDArray[np.uint8]

MARGIN = 1.15
"""Size of cut-outs relative to their objects."""
SIZES = (20.0, 45.0)
"""Longer sides of pasted objects, in degrees."""
HIGHEST = 70.0
APART = 50.0
BLUR = (15.0, 15.0, 0.0)
"""Blur of the rooms in pixels: vertical, horizontal, and between colours."""
SOFT = 0.06
"""Fraction of a cut-out that fades into the room at its edges."""

PACKAGED = {
    "ultralytics/assets/bus.jpg": [
        ("person", (48, 397, 242, 904)),
        ("person", (221, 405, 346, 860)),
    ],
    "ultralytics/assets/zidane.jpg": [("person", (749, 42, 1150, 710))],
    "skimage/data/astronaut.png": [("person", (13, 22, 364, 512))],
    "skimage/data/motorcycle_left.png": [("motorcycle", (109, 20, 688, 455))],
    "skimage/data/chelsea.png": [("cat", (0, 1, 405, 296))],
}
"""Label, and left, top, right and bottom in pixels."""
ROOM = (("person", (14.5, -14.0, 18.0, 52.0)), ("tv", (61.8, -20.4, 32.0, 22.5)))
BAND = (
    ("person", (-47.5, -16.0, 18.0, 45.0)),
    ("person", (13.1, -11.0, 18.0, 46.0)),
    ("person", (71.0, -13.0, 19.5, 41.0)),
)
"""Label, and azimuth, elevation, width and height in degrees."""


class Cutout(NamedTuple):
    """A photographed object: its label, and a picture of it with the object in the middle."""

    label: str
    picture: Frames


def cutouts(data: Path | None) -> list[Cutout]:
    """Cut objects out of the available photographs."""
    found = []
    for name, objects in PACKAGED.items():
        package, _, rest = name.partition("/")
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        picture = np.asarray(Image.open(Path(spec.origin).parent / rest).convert("RGB"))
        found += [Cutout(label, _cut(picture, corners)) for label, corners in objects]
    if data is not None:
        room = np.asarray(Image.open(data / "frames/living-room.jpg").convert("RGB"))
        (band,) = read_frames(data / "yt360/video/kqAZkf5Odyw-80.mp4", rate=1.0, duration=1.0)
        for picture, objects in ((room, ROOM), (band, BAND)):
            found += [Cutout(label, _seen(picture, box)) for label, box in objects]
    return found


def scene(
    objects: list[Cutout], rng: np.random.Generator, size: tuple[int, int]
) -> tuple[Frames, Boxes]:
    """Return a room with three of the objects, and their boxes."""
    preset = PRESETS["standard"]
    place = sample_scene(preset, seed=5, index=int(rng.integers(1000)), split="test", duration=1.0)
    room = gaussian_filter(render_room(place, size).astype(np.float32), BLUR, mode="wrap")
    boxes = []
    for azimuth, elevation in _directions(rng, 3):
        one = objects[rng.integers(len(objects))]
        picture = one.picture[:, ::-1] if rng.random() < 0.5 else one.picture
        longer = np.tan(np.deg2rad(np.exp(rng.uniform(*np.log(SIZES)))) / 2)
        high, wide = longer * np.array(picture.shape[:2]) / max(picture.shape[:2])
        _paste(room, picture, azimuth, elevation, MARGIN * wide, MARGIN * high)
        sides = np.rad2deg(2 * np.arctan([wide, high]))
        boxes.append(Boxes(azimuth, elevation, *sides, 1.0, (one.label,)))
    return np.rint(room).astype(np.uint8), Boxes.concatenate(boxes)


def _directions(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Draw spaced directions: a third each on the seam, high or low, and anywhere."""
    chosen: list[tuple[float, float]] = []
    while len(chosen) < count:
        azimuth = (180.0, rng.uniform(-180, 180), rng.uniform(-180, 180))[len(chosen) % 3]
        high = rng.choice([-1, 1]) * rng.uniform(45, HIGHEST)
        elevation = (rng.uniform(-30, 30), high, rng.uniform(-45, 45))[len(chosen) % 3]
        if all(angular_distance(azimuth, elevation, *c, degrees=True) > APART for c in chosen):
            chosen.append((float(azimuth), float(elevation)))
    return chosen


def _cut(picture: Frames, corners: tuple[int, int, int, int]) -> Frames:
    """Cut an object out of a flat picture, with a margin."""
    left, top, right, bottom = corners
    wide, high = (MARGIN - 1) / 2 * np.array([right - left, bottom - top])
    rows = np.arange(round(top - high), round(bottom + high)).clip(0, picture.shape[0] - 1)
    columns = np.arange(round(left - wide), round(right + wide)).clip(0, picture.shape[1] - 1)
    return picture[rows[:, None], columns]


def _seen(frame: Frames, box: tuple[float, float, float, float]) -> Frames:
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
    a, e = pixel_to_direction(
        (np.arange(columns) + 0.5) / columns, (np.arange(rows)[:, None] + 0.5) / rows
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
        frame[inside, k] += weight * (colour - frame[inside, k])
