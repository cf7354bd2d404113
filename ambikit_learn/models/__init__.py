"""Encoders of vision and sound, their heads, and runs on disk."""

from __future__ import annotations

from ambikit_learn.models.alignment import PRESETS, AlignmentNet, Objective, build_model
from ambikit_learn.models.heads import Agreement, AlignmentHeads, CorrespondenceHeads
from ambikit_learn.models.run import AlignmentModel, load_run, save_run

__all__ = [
    "PRESETS",
    "Agreement",
    "AlignmentHeads",
    "AlignmentModel",
    "AlignmentNet",
    "CorrespondenceHeads",
    "Objective",
    "build_model",
    "load_run",
    "save_run",
]
