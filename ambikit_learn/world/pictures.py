"""From a scene to equirectangular frames, and to the boxes of what is in them."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit_learn.crops import Crops
from ambikit_learn.equirect import Boxes, local_axes
from ambikit_learn.world.places import TEXTURES
from ambikit_learn.world.scene import CLASSES, LABEL_RATE, SURFACES, Floats, Instance, Scene
from ambikit_learn.world.sounds import ACTIVITY_RATE, Performance

Frames = npt.NDArray[np.uint8]

# Looks of a class: hue and its spread (degrees), saturation, value, hue and saturation of the
# second colour, texture, half width and half height (the unit is the object's radius).
_LOOKS: dict[str, tuple[tuple[float, ...], tuple[float, float], int, tuple[float, float]]] = {
    "accordion": ((350, 10, 0.7, 0.6), (40, 0.35), 0, (0.9, 0.63)),
    "bell": ((46, 7, 0.75, 0.95), (15, 0.7), 0, (0.92, 0.98)),
    "bird": ((150, 22, 0.65, 0.75), (170, 0.5), 2, (1.0, 0.88)),
    "clock": ((178, 14, 0.65, 0.75), (48, 0.6), 0, (0.8, 0.93)),
    "dog": ((28, 8, 0.5, 0.6), (22, 0.55), 4, (0.83, 0.82)),
    "drum": ((318, 16, 0.75, 0.75), (50, 0.4), 0, (0.96, 0.92)),
    "engine": ((225, 14, 0.28, 0.62), (28, 0.8), 0, (0.97, 0.97)),
    "knock": ((26, 7, 0.7, 0.55), (32, 0.15), 1, (0.66, 1.0)),
    "siren": ((0, 7, 0.9, 0.9), (52, 0.9), 0, (0.9, 0.9)),
    "speech": ((26, 6, 0.4, 0.9), (28, 0.7), 4, (0.86, 0.97)),
    "telephone": ((268, 14, 0.5, 0.6), (30, 0.5), 0, (0.94, 0.7)),
    "water": ((204, 10, 0.75, 0.9), (195, 0.2), 1, (0.68, 0.98)),
}
assert tuple(_LOOKS) == CLASSES
SWELL = (0.94, 0.16)
SPHERE = np.empty((0, 3))
"""Axes of a frame that shows all of the sphere."""


def render_frames(
    scene: Scene,
    performances: Sequence[Performance],
    times: npt.ArrayLike,
    size: tuple[int, int],
    *,
    fine: int = 2,
) -> Iterator[Frames]:
    """Equirectangular frames of a scene.

    Parameters
    ----------
    scene : Scene
    performances : sequence of Performance
        One an object, from `sounds.perform`: they move the objects.
    times : (T,) array_like
        Seconds from the start of the clip.
    size : (int, int)
        Height and width in pixels.
    fine : int
        Rays a pixel along each axis, for the room.

    Yields
    ------
    (H, W, 3) ndarray of uint8
        RGB; the middle is the front and the left quarter the left.

    Examples
    --------
    >>> from ambikit_learn.world import PRESETS, sample_scene
    >>> from ambikit_learn.world.sounds import perform
    >>> scene = sample_scene(PRESETS["easy"], seed=0, index=0, split="train", duration=1.0)
    >>> played = [perform(scene, i, 24000) for i in range(len(scene.objects))]
    >>> next(render_frames(scene, played, [0.5], (40, 80))).shape
    (40, 80, 3)
    """
    t = np.asarray(times, dtype=np.float64)
    room = render_room(scene, size, fine=fine)
    paint = _painter(scene, performances, t)
    frame = np.empty_like(room)
    for i in range(len(t)):
        frame[:] = room
        paint(frame, SPHERE, i)
        yield _eight_bits(frame)


def render_crops(
    scene: Scene,
    performances: Sequence[Performance],
    times: npt.ArrayLike,
    crops: Crops,
    size: int,
    *,
    fine: int = 1,
) -> Frames:
    """Perspective views of a scene, without frames of the whole sphere.

    Parameters
    ----------
    scene : Scene
    performances : sequence of Performance
        One an object, from `sounds.perform`.
    times : (T,) array_like
        Seconds from the start of the clip.
    crops : Crops
        K directions and fields of view.
    size : int
        Rows and columns of a crop.
    fine : int
        Rays a pixel along each axis, for the room.

    Returns
    -------
    (K, T, size, size, 3) ndarray of uint8
        RGB; what `ambikit_learn.equirect.gnomonic` cuts out of `render_frames`, but sharper.

    Examples
    --------
    >>> from ambikit_learn.crops import random_crops
    >>> from ambikit_learn.world import PRESETS, sample_scene
    >>> from ambikit_learn.world.sounds import perform
    >>> scene = sample_scene(PRESETS["easy"], seed=0, index=0, split="train", duration=1.0)
    >>> played = [perform(scene, i, 24000) for i in range(len(scene.objects))]
    >>> crops = random_crops(np.random.default_rng(0), 4)
    >>> render_crops(scene, played, [0.3, 0.6], crops, 48).shape
    (4, 2, 48, 48, 3)
    """
    t = np.asarray(times, dtype=np.float64)
    paint_background, paint = _decorator(scene, fine), _painter(scene, performances, t)
    out = np.empty((len(crops), len(t), size, size, 3), np.uint8)
    axes = local_axes(np.deg2rad(crops.azimuth), np.deg2rad(crops.elevation))
    axes[:, 1] *= np.tan(np.deg2rad(crops.width) / 2)[:, None]
    axes[:, 2] *= np.tan(np.deg2rad(crops.height) / 2)[:, None]
    background, frame = np.empty((2, size, size, 3), np.float32)
    for view, pictures in zip(axes, out, strict=True):
        paint_background(background, view)
        for i, picture in enumerate(pictures):
            frame[:] = background
            paint(frame, view, i)
            picture[:] = _eight_bits(frame)
    return out


def boxes(scene: Scene, performances: Sequence[Performance]) -> list[dict[str, Any]]:
    """Ground truth of every object.

    Parameters
    ----------
    scene : Scene
    performances : sequence of Performance
        One an object, from `sounds.perform`.

    Returns
    -------
    list of dict
        Label, id, instance, whether it sounds, and azimuth, elevation, width, height in degrees at
        10 Hz, as `detection.boxfile.write_boxes` takes them.
    """
    times = np.arange(max(1, round(scene.duration * LABEL_RATE))) / LABEL_RATE
    azimuth, elevation, radius, _, _ = _motion(scene, performances, times)
    out = []
    for i, thing in enumerate(scene.objects):
        half_width, half_height = _LOOKS[thing.instance.label][-1]
        half_width *= _style(thing.instance)[9]
        track = {
            "azimuth": azimuth[:, i],
            "elevation": elevation[:, i],
            "width": 2 * np.arctan(half_width * np.tan(radius[:, i])),
            "height": 2 * np.arctan(half_height * np.tan(radius[:, i])),
        }
        out.append(
            {
                "label": thing.instance.label,
                "id": i,
                "instance": thing.instance.index,
                "sounding": thing.sounding,
                **{name: np.rad2deg(values).round(3).tolist() for name, values in track.items()},
            }
        )
    return out


def boxes_at(objects: Sequence[Mapping[str, Any]], time: float) -> Boxes:
    """Ground truth of one moment.

    Parameters
    ----------
    objects : sequence of dict
        From `boxes`.
    time : float
        Seconds from the start of the clip; the nearest label counts.

    Returns
    -------
    Boxes
        With score 1.
    """
    moment = min(round(time * LABEL_RATE), len(objects[0]["azimuth"]) - 1)
    return Boxes.from_records(
        [
            {name: one[name][moment] for name in ("azimuth", "elevation", "width", "height")}
            | {"label": one["label"], "score": 1.0}
            for one in objects
        ]
    )


def render_room(scene: Scene, size: tuple[int, int], *, fine: int = 2) -> npt.NDArray[np.float32]:
    """Return the scene without its objects: (H, W, 3) float32 in 0 to 1."""
    frame = np.empty((*size, 3), np.float32)
    _decorator(scene, fine)(frame, SPHERE)
    return frame


def _decorator(scene: Scene, fine: int) -> Callable[[npt.NDArray[np.float32], Floats], None]:
    """Return what paints the room into a frame (H, W, 3) with given axes."""
    from ambikit_learn._kernels.world_room import paint_room

    rng = scene.generator(SURFACES)
    room = scene.room
    walls = np.array(room.walls)
    if room.kind.open_sky:
        height, side = np.deg2rad(rng.uniform(25, 60)), rng.uniform(-np.pi, np.pi)
        lamp = [np.cos(height) * np.cos(side), np.cos(height) * np.sin(side), np.sin(height)]
    else:
        lamp = [*(rng.uniform(-0.5, 0.5, 2) * [walls[0], walls[2]]), walls[4] - 0.05]
    surfaces = room.kind.surfaces
    shift = rng.uniform([-12, -0.04, -0.06], [12, 0.04, 0.06], (3, 3))
    colours = np.array(
        [
            _rgb(surface.hue + d[0], surface.saturation + d[1], surface.value + d[2])
            for surface, d in zip(surfaces, shift, strict=True)
        ]
    )
    windows = np.stack([rng.uniform(-0.6, 0.6, 4), rng.uniform(0.5, 1.0, 4)], axis=-1)
    windows *= (rng.random(4) < 0.45)[:, None]
    kinds = np.array([TEXTURES.index(surface.material) for surface in surfaces])
    place, seed = np.array(lamp, dtype=np.float64), int(rng.integers(1000))

    def paint(frame: npt.NDArray[np.float32], axes: Floats) -> None:
        sky = room.kind.open_sky
        paint_room(
            frame, axes, scene.heading, walls, sky, kinds, colours, place, windows, seed, fine
        )

    return paint


def _painter(
    scene: Scene, performances: Sequence[Performance], times: Floats
) -> Callable[[npt.NDArray[np.float32], Floats, int], None]:
    """Return what paints the objects over a frame with given axes at the i-th time."""
    from ambikit_learn._kernels.world_objects import paint_objects

    kinds = np.array([CLASSES.index(thing.instance.label) for thing in scene.objects])
    styles = np.array([_style(thing.instance) for thing in scene.objects])
    azimuth, elevation, radius, active, turn = _motion(scene, performances, times)

    def paint(frame: npt.NDArray[np.float32], axes: Floats, i: int) -> None:
        paint_objects(
            frame,
            axes,
            kinds,
            azimuth[i],
            elevation[i],
            radius[i],
            styles,
            active[i],
            turn[i],
            times[i],
        )

    return paint


def _eight_bits(frame: npt.NDArray[np.float32]) -> Frames:
    """Return a picture of 0 to 1 as bytes; the frame itself is spent."""
    frame *= np.float32(255.0)
    frame += np.float32(0.5)
    return frame.astype(np.uint8)


def _motion(scene: Scene, performances: Sequence[Performance], times: Floats) -> list[Floats]:
    """Return azimuth, elevation, radius, activity and its running sum, each (T, objects)."""
    rows = []
    for i, (thing, played) in enumerate(zip(scene.objects, performances, strict=True)):
        azimuth, elevation, radius = scene.track(i, times)
        beat = played.activity * float(thing.pulsing)
        clock = np.arange(len(beat)) / ACTIVITY_RATE
        active = np.interp(times, clock, beat)
        turn = np.interp(times, clock, np.cumsum(beat) / ACTIVITY_RATE)
        rows.append((azimuth, elevation, radius * (SWELL[0] + SWELL[1] * active), active, turn))
    return [np.stack(column, axis=-1) for column in zip(*rows, strict=True)]


def _style(instance: Instance) -> Floats:
    """Draw an individual's looks, in the order that the painting kernel takes."""
    rng = instance.looks()
    (hue, spread, saturation, value), second, texture, _ = _LOOKS[instance.label]
    main = _rgb(
        hue + rng.uniform(-spread, spread),
        saturation + rng.uniform(-0.15, 0.1),
        value + rng.uniform(-0.15, 0.1),
    )
    accent = _rgb(second[0] + rng.uniform(-25, 25), second[1], rng.uniform(0.35, 0.95))
    contrast, aspect = rng.uniform(0.15, 0.45), rng.uniform(0.9, 1.0)
    return np.array(
        [
            *main,
            *accent,
            texture,
            rng.uniform(8.0, 14.0),
            contrast,
            aspect,
            rng.integers(7, 13),
        ]
    )


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Return the colour of a hue in degrees."""
    clip = np.clip([saturation, value], 0.0, 1.0)
    return colorsys.hsv_to_rgb((hue / 360.0) % 1.0, float(clip[0]), float(clip[1]))
