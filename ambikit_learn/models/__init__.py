"""Encoders of vision and sound, their heads, and runs on disk."""

from __future__ import annotations

from ambikit_learn.models.alignment import PRESETS, AlignmentNet, Objective, build_model
from ambikit_learn.models.blocks import at_least_float32
from ambikit_learn.models.heads import HEADS, Agreement, Agreements, Order, Output
from ambikit_learn.models.run import AlignmentModel, load_run, save_run

__all__ = [
    "HEADS",
    "PRESETS",
    "Agreement",
    "Agreements",
    "AlignmentModel",
    "AlignmentNet",
    "Objective",
    "Order",
    "Output",
    "at_least_float32",
    "build_model",
    "load_run",
    "save_run",
]
