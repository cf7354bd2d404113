"""What downstream tasks share: names of rows, where results lie, and whether a run has learned."""

from __future__ import annotations

from pathlib import Path

from ambikit import InputError
from ambikit_learn._files import check_writable
from ambikit_learn.models.outcome import Outcome
from ambikit_learn.models.run import RunFolder

ENCODER, RANDOM = "encoder", "random weights"
"""Names of the rows of the model under evaluation, and of its networks without training."""


def result_path(task: str, model: str | Path | None, out: str | Path | None) -> Path:
    """Return the JSON file of a task: in `out`, or with the run that is evaluated.

    Raises
    ------
    InputError
        If neither is a folder that can be written to.
    """
    folder = out if out is not None else model
    if folder is None or (out is None and not Path(folder).is_dir()):
        raise InputError("give a folder for the results as out (--out)")
    path = RunFolder(Path(folder)).result(task)
    check_writable(path.parent, "give another folder as out (--out)")
    return path


def embeddings_folder(result: Path, embeddings: str | Path | None) -> Path:
    """Return the folder of embeddings of a task: the given one, or that beside its result."""
    return result.parent / "embeddings" if embeddings is None else Path(embeddings)


def has_learned(model: str | Path | None) -> bool:
    """Return False if the record of a run says that it has not learned."""
    outcome = None if model is None else Outcome.read(model)
    return outcome is None or outcome.failure is None
