"""A procedural 360° audio-visual world: direction, class and sound of every object are known.

`scene` draws a description of a scene from a seed. `sounds`, `acoustics` and `pictures` turn it
into four-channel sound and equirectangular frames. `files` writes clips in the layout of a data
set, `detector` is a YOLO detector of the objects, and `preview` draws frames with boxes and sound.

The names below are imported when they are first used: a description needs no pictures, and a
picture no files.
"""

from __future__ import annotations

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
