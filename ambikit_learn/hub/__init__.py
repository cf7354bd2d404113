"""Trained encoders as a library: load, embed, publish and export them."""

from __future__ import annotations

from ambikit_learn.hub.encoder import AmbiEncoder
from ambikit_learn.hub.sound import Embedding

__all__ = ["AmbiEncoder", "Embedding"]
