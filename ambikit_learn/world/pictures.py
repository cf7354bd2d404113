"""From a scene to equirectangular frames and crops, and to the boxes of its objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ambikit_learn._typing import Floats, Frames, Integers
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import Crops
from ambikit_learn.sphere.equirect import local_axes
from ambikit_learn.world.looks import KINDS, aspect_and_style, decor
from ambikit_learn.world.scene import CLASSES, LABEL_RATE, Scene
from ambikit_learn.world.sounds import ACTIVITY_RATE, Performance
from ambikit_learn.world.views import perspectives, sphere, sphere_windows, view_axes, view_windows

SWELL = (0.94, 0.16)
"""Relative size of a quiet object, and its increase at full activity."""
REACH = 1.56
"""Distance of the corners of the square of half side 1.1 in which figures lie."""
RATES = ("beat", "spin")


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
        One per object, from `sounds.perform`; they move the objects.
    times : (T,) array_like
        Seconds from the start of the clip.
    size : (int, int)
        Height and width in pixels.
    fine : int
        Rays per pixel along each axis, for the room.

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
    from ambikit_learn.world._kernels.objects import paint_objects

    room, rays = render_room(scene, size, fine=fine), sphere(scene.heading, *size)
    motion = _motion(scene, performances, times)
    poses, gestures, kinds, styles = _cast(scene, motion)
    windows = sphere_windows(motion.azimuth, motion.elevation, _reach(motion), *size)
    for i in range(len(motion.times)):
        frame, now = room.copy(), slice(i, i + 1)
        paint_objects(frame[None], *rays, windows[now], poses[now], gestures[now], kinds, styles)
        yield frame


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
        One per object, from `sounds.perform`.
    times : (T,) array_like
        Seconds from the start of the clip.
    crops : Crops
        K directions and fields of view.
    size : int
        Rows and columns of a crop.
    fine : int
        Rays per pixel along each axis, for the room.

    Returns
    -------
    (K, T, size, size, 3) ndarray of uint8
        RGB; like crops of `render_frames` by `ambikit_learn.sphere.equirect.gnomonic`, but sharper.

    Examples
    --------
    >>> from ambikit_learn.sphere.crops import random_crops
    >>> from ambikit_learn.world import PRESETS, sample_scene
    >>> from ambikit_learn.world.sounds import perform
    >>> scene = sample_scene(PRESETS["easy"], seed=0, index=0, split="train", duration=1.0)
    >>> played = [perform(scene, i, 24000) for i in range(len(scene.objects))]
    >>> crops = random_crops(np.random.default_rng(0), 4)
    >>> render_crops(scene, played, [0.3, 0.6], crops, 48).shape
    (4, 2, 48, 48, 3)
    """
    from ambikit_learn.world._kernels.objects import paint_objects
    from ambikit_learn.world._kernels.room import paint_room

    room, motion = decor(scene), _motion(scene, performances, times)
    poses, gestures, kinds, styles = _cast(scene, motion)
    azimuth, elevation, width, height = np.deg2rad(
        [crops.azimuth, crops.elevation, crops.width, crops.height]
    )
    axes = view_axes(azimuth + scene.heading, elevation, width, height)
    windows = view_windows(axes, poses[..., 0, :], _reach(motion), size)
    out = np.empty((len(crops), len(motion.times), size, size, 3), np.uint8)
    views = perspectives(axes, fine * size), perspectives(axes, size)
    for narrow, rays, window, pictures in zip(*views, windows, out, strict=True):
        paint_room(pictures[0], *narrow, room)
        pictures[1:] = pictures[0]
        paint_objects(pictures, *rays, window, poses, gestures, kinds, styles)
    return out


def boxes(scene: Scene, performances: Sequence[Performance]) -> list[dict[str, Any]]:
    """Ground truth of every object.

    Parameters
    ----------
    scene : Scene
    performances : sequence of Performance
        One per object, from `sounds.perform`.

    Returns
    -------
    list of dict
        Label, id, instance, whether it sounds, and azimuth, elevation, width, height in degrees at
        10 Hz, as `ambikit_learn.detection.box_file.write_boxes` takes them.
    """
    times = np.arange(max(1, round(scene.duration * LABEL_RATE))) / LABEL_RATE
    motion = _motion(scene, performances, times)
    out = []
    for i, thing in enumerate(scene.objects):
        half_width, half_height = KINDS[thing.instance.label].extent
        aspect, _ = aspect_and_style(thing.instance)
        unit = np.tan(motion.radius[:, i])
        track = {
            "azimuth": motion.azimuth[:, i],
            "elevation": motion.elevation[:, i],
            "width": 2 * np.arctan(aspect * half_width * unit),
            "height": 2 * np.arctan(half_height * unit),
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


def render_room(scene: Scene, size: tuple[int, int], *, fine: int = 2) -> Frames:
    """Return the scene without its objects: (H, W, 3) uint8."""
    from ambikit_learn.world._kernels.room import paint_room

    frame = np.empty((*size, 3), np.uint8)
    paint_room(frame, *sphere(scene.heading, fine * size[0], fine * size[1]), decor(scene))
    return frame


class _Motion(NamedTuple):
    """Directions of objects in radians, their activity, and its running sum: (T, N)."""

    times: Floats
    azimuth: Floats
    elevation: Floats
    radius: Floats
    active: Floats
    turn: Floats


def _motion(scene: Scene, performances: Sequence[Performance], times: npt.ArrayLike) -> _Motion:
    """Return the motion of the objects of a scene at T times."""
    t = np.asarray(times, dtype=np.float64)
    places = [thing.path.at(t - scene.duration / 2) for thing in scene.objects]
    azimuth, elevation, distance = scene.places(np.stack(places, axis=1))
    moving = [float(thing.pulsing) for thing in scene.objects]
    beats = np.stack([played.activity for played in performances], axis=-1) * moving
    # The activity and its sum are interpolated linearly between entries.
    last = len(beats) - 1
    place = np.minimum(t * ACTIVITY_RATE, last)[:, None]
    before = place[:, 0].astype(np.intp)
    after, share = np.minimum(before + 1, last), place - before[:, None]
    total = np.cumsum(beats, axis=0) / ACTIVITY_RATE
    active, turn = ((1 - share) * rows[before] + share * rows[after] for rows in (beats, total))
    swell = SWELL[0] + SWELL[1] * active
    radius = swell * np.arctan([thing.size for thing in scene.objects] / distance)
    return _Motion(t, azimuth, elevation, radius, active, turn)


def _reach(motion: _Motion) -> Floats:
    """Return the angular radius within which an object is visible, in radians."""
    reach: Floats = np.arctan(REACH * np.tan(motion.radius))
    return reach


def _cast(scene: Scene, motion: _Motion) -> tuple[Floats, Floats, Integers, Floats]:
    """Return the arguments of the painting kernel: poses, gestures, kinds and styles."""
    labels = [thing.instance.label for thing in scene.objects]
    aspects, styles = zip(*(aspect_and_style(o.instance) for o in scene.objects), strict=True)
    poses = local_axes(motion.azimuth + scene.heading, motion.elevation)
    unit = np.tan(motion.radius)
    poses[..., 1, :] /= -(unit * aspects)[..., None]
    poses[..., 2, :] /= unit[..., None]
    beat, spin = (np.array([getattr(KINDS[one], name) for one in labels]) for name in RATES)
    time = np.broadcast_to(motion.times[:, None], motion.turn.shape)
    angle = spin * motion.turn
    gestures = np.stack(
        [motion.active, np.sin(beat * time), np.cos(angle), np.sin(angle), motion.turn, time],
        axis=-1,
    )
    return poses, gestures, np.array([CLASSES.index(one) for one in labels]), np.array(styles)
