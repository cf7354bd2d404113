"""Self-supervised audio-visual learning from 360° video with Ambisonics.

`AmbiEncoder` is what one needs to use a trained model; it is imported when first used, so that
``import ambikit_learn`` costs next to nothing.
"""

from __future__ import annotations

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
