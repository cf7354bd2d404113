"""Evaluation of trained models: pretext tasks (`pretext`), and downstream tasks, one a file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ambikit_learn.evaluation.results import TaskResults

PRETEXT = ("avc", "avsa")
"""Tasks of `ambikit_learn.evaluation.pretext`, several of which are evaluated at once."""
DOWNSTREAM = {
    "actions": "ambikit_learn.evaluation.actions:evaluate_actions",
    "direction": "ambikit_learn.evaluation.direction:evaluate_direction",
    "scenes": "ambikit_learn.evaluation.acoustic_scenes:evaluate_scenes",
    "seld": "ambikit_learn.evaluation.seld_task:evaluate_seld",
    "sounds": "ambikit_learn.evaluation.sounds:evaluate_sounds",
}
"""Function of each downstream task: its parameters are the options of the command."""


def evaluate_task(name: str, **options: Any) -> TaskResults:
    """Evaluate on a downstream task.

    Parameters
    ----------
    name : str
        A key of `DOWNSTREAM`.
    **options
        As for the function of the task.

    Returns
    -------
    TaskResults

    Raises
    ------
    InputError
        The task is unknown; or as for its function.
    """
    from ambikit import checks

    place = DOWNSTREAM[checks.choice(name, tuple(DOWNSTREAM), "task")]
    module, _, function = place.partition(":")
    results: TaskResults = getattr(importlib.import_module(module), function)(**options)
    return results
