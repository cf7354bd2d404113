"""The registry of pretext tasks: one file each, and one line each here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ambikit_learn.pretext import avc, avsa, both, flip
from ambikit_learn.pretext.interface import PretextTask

TASKS: dict[str, PretextTask] = {
    "avc": avc.TASK,
    "avsa": avsa.TASK,
    "both": both.TASK,
    "flip": flip.TASK,
}

if TYPE_CHECKING:
    Objective = str
else:
    Objective = Literal[tuple(TASKS)]
    """Name of a task."""
