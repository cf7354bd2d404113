"""A procedural 360° audio-visual world in which every object's direction, class and sound is known.

`scene` draws a pure description from a seed; `sounds`, `acoustics` and `pictures` turn it into
four-channel sound and equirectangular frames; `render` writes clips in the layout of a data set.
"""

from __future__ import annotations

from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.render import render_world
from ambikit_learn.world.scene import CLASSES, Scene, sample_scene

__all__ = ["CLASSES", "PRESETS", "Preset", "Scene", "render_world", "sample_scene"]
