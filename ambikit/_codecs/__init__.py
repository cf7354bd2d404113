"""Sound files, whatever is in their planes: a file for each decoding library, all alike.

``properties(path)`` says what a file holds, ``planes(path, start, stop)`` decodes exactly those
samples as (channels, samples) float32 without mixing or reordering, and ``save`` writes planes.
"""

from __future__ import annotations

from typing import NamedTuple


class Properties(NamedTuple):
    """What a sound file holds, before anything is known about Ambisonics."""

    channels: int
    sample_rate: int
    frames: int
    codec: str
    labels: str
    """The decoder's name of the channel layout, or an empty string."""
    convention: str | None = None
    """The Ambisonic convention that the file itself states, if it does."""
    stated_by: str | None = None
    """What in the file states it."""
    order: tuple[int, ...] | None = None
    """order[k] is the plane that holds component k, where the file says that they are permuted."""
