"""Self-supervised audio-visual learning from 360° video with Ambisonics."""

from __future__ import annotations
