"""Read, write and describe Ambisonic sound: AmbiX inside, whatever the file holds outside."""

from __future__ import annotations

from ambikit.io.about import AudioInfo as AudioInfo
from ambikit.io.about import info as info
from ambikit.io.atomic import atomic_write as atomic_write
from ambikit.io.atomic import check_target as check_target
from ambikit.io.reading import Sound as Sound
from ambikit.io.reading import read as read
from ambikit.io.writing import write as write

__all__ = ["AudioInfo", "Sound", "atomic_write", "check_target", "info", "read", "write"]
