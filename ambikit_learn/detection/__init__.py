"""Finding objects in 360° frames: detectors, views of the sphere, merging on the sphere."""

from __future__ import annotations

from ambikit_learn.detection.boxfile import read_boxes, write_boxes

__all__ = ["read_boxes", "write_boxes"]
