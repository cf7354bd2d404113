"""Scenes and angles that the tests of the world share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ambikit_learn.world import PRESETS, Scene, sample_scene
from ambikit_learn.world.scene import Instance, Object, Room, Trajectory
from ambikit_learn.world.sounds import Performance, perform

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
    thing = Object(Instance(0, label, 0), Trajectory(tuple(place)), 0.42, True, True, 0.0)
    room = Room((4.0, 5.0, 3.5, 4.5, 2.6, 2.4), 0.4, 6.0, "hall")
    scene = Scene(0, 0, 1.0, heading, room, (thing,), "office", 10.0)
    return replace(scene, **changes)  # type: ignore[arg-type]
