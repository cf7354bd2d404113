"""From a scene to equirectangular frames, and to the boxes of what is in them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

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
    from ambikit_learn._kernels.world_objects import paint_objects

    t = np.asarray(times, dtype=np.float64)
    room = render_room(scene, size, fine=fine)
    things = scene.objects
    kinds = np.array([CLASSES.index(thing.instance.label) for thing in things])
    styles = np.array([_style(thing.instance) for thing in things])
    azimuth, elevation, radius, active, turn = _motion(scene, performances, t)
    for i, now in enumerate(t):
        frame = room.copy()
        paint_objects(
            frame,
            kinds,
            azimuth[i],
            elevation[i],
            radius[i],
            styles,
            active[i],
            turn[i],
            now,
        )
        yield (frame * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


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


def render_room(scene: Scene, size: tuple[int, int], *, fine: int = 2) -> npt.NDArray[np.float32]:
    """Return the scene without its objects: (H, W, 3) float32 in 0 to 1."""
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
    frame = np.empty((*size, 3), np.float32)
    paint_room(
        frame,
        scene.heading,
        walls,
        room.kind.open_sky,
        np.array([TEXTURES.index(surface.material) for surface in surfaces]),
        colours,
        np.array(lamp, dtype=np.float64),
        windows,
        int(rng.integers(1000)),
        fine,
    )
    return frame


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
