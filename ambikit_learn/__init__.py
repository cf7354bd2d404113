"""Self-supervised audio-visual learning from 360° video with Ambisonics.

`prepare` turns clips into shards and `render_world` makes clips; `open_items` and the data sets
read them; `fit` trains and `evaluate` measures; `AmbiEncoder` uses what was trained. The public
names are listed once, in ``__init__.pyi``, and are imported when first used: ``import
ambikit_learn`` costs next to nothing.
"""

from __future__ import annotations

from typing import Any

import lazy_loader as _lazy

_load, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except (ImportError, OSError) as error:
        from ambikit import checks

        known = checks.missing_package(error, f"ambikit_learn.{name} needs")
        if known is None:
            raise
        raise known from error
