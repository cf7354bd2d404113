"""Microphones: A-format and spherical arrays to Ambisonic signals."""

from __future__ import annotations

from ambikit.microphones.arrays import MicrophoneArray, tetrahedron
from ambikit.microphones.encoders import array_filters, to_ambisonics

__all__ = ["MicrophoneArray", "array_filters", "tetrahedron", "to_ambisonics"]
