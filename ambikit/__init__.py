"""Ambisonics signal processing: encode, rotate, listen to, measure and read sound fields.

Signals are arrays of shape (..., channels, samples) in AmbiX form: ACN channel order (W, Y, Z, X
at order 1) and SN3D normalisation. Space is right-handed with x front, y left and z up; azimuth
runs counter-clockwise from the front, elevation upwards from the horizon, both in radians unless a
call is given ``degrees=True``.

The public names are listed once, in ``__init__.pyi``, and are imported when first used.
"""

from __future__ import annotations

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
