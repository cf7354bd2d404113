"""The report of a comparison, made at any time of what is there."""

from __future__ import annotations

from pathlib import Path

from ambikit_learn._files import atomic_write
from ambikit_learn.reproduce import tables
from ambikit_learn.reproduce.comparison import Comparison, pieces_in
from ambikit_learn.reproduce.pieces import Plan

NAME = "report.md"


def write_report(folder: Path, runs: str, plan: str) -> Path:
    """Write the report of the runs in a folder.

    Parameters
    ----------
    folder : Path
        Folder of a comparison.
    runs, plan : str
        Names of the folder of runs and of the file of the plan in it.

    Returns
    -------
    Path
        The report in Markdown.
    """
    found = Comparison.read(folder / runs)
    failed = {
        piece.name: piece.read()["failed"]
        for piece in pieces_in(folder / runs)
        if "failed" in piece.read()
    }
    parts = tables.sections(found, Plan.load(folder / plan), failed)
    target = folder / NAME
    with atomic_write(target) as path:
        path.write_text("\n\n".join(["# Comparison of variants", *parts]) + "\n", encoding="utf-8")
    return target
