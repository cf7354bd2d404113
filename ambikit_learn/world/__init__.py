"""A procedural 360° audio-visual world in which every object's direction, class and sound is known.

`scene` draws a pure description from a seed; `sounds`, `acoustics` and `pictures` turn it into
four-channel sound and equirectangular frames; `render` writes clips in the layout of a data set,
`stream` trains on scenes without files, `detector` is a YOLO that knows the objects, and `preview`
draws pictures to look at.
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
