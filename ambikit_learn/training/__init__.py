"""Training: `fit` of a module on prepared data, and the command that does it from a file."""

from __future__ import annotations

from ambikit_learn.models import load_run
from ambikit_learn.training.command import fit, fit_main
from ambikit_learn.training.data import AlignmentData
from ambikit_learn.training.module import AlignmentModule

__all__ = ["AlignmentData", "AlignmentModule", "fit", "fit_main", "load_run"]
