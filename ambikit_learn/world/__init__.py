"""A procedural 360° audio-visual world: direction, class and sound of every object are known.

`scene` draws a description of a scene from a seed. `sounds`, `acoustics` and `pictures` turn it
into four-channel sound and equirectangular frames. `files` writes clips in the layout of a data
set, `detector` is a YOLO detector of the objects, and `preview` draws frames with boxes and sound.
"""

from __future__ import annotations

from ambikit_learn.world.files import render_world
from ambikit_learn.world.places import PLACES
from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.preview import preview_world
from ambikit_learn.world.scene import CLASSES, Scene, sample_scene

__all__ = [
    "CLASSES",
    "PLACES",
    "PRESETS",
    "Preset",
    "Scene",
    "preview_world",
    "render_world",
    "sample_scene",
]
