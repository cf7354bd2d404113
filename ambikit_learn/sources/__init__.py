"""Data sets on disk: one adapter each, all giving the same clips."""

from __future__ import annotations

from ambikit_learn.sources._clip import Clip, Source

__all__ = ["Clip", "Source"]
