"""The work on a piece: training in stages, the test, controls, downstream tasks.

What is done lies in the folder of the piece, so that it resumes where it was interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ambikit_learn._files import atomic_write
from ambikit_learn.evaluation import evaluate_task
from ambikit_learn.models.outcome import Outcome
from ambikit_learn.models.run import Record, RunFolder
from ambikit_learn.reproduce.machine import machine, software
from ambikit_learn.reproduce.measurement import evaluate_run, examine_run
from ambikit_learn.reproduce.pieces import FORMAT, Piece, Plan
from ambikit_learn.training.command import fit


@dataclass
class Work:
    """Work on a piece.

    Parameters
    ----------
    piece : Piece
        The piece.
    plan : Plan
        Common settings.
    claim : callable
        Name of a folder of a stage -> context in which this process alone trains it.
    spent : callable
        The same name -> seconds for which it was claimed, by calls that were interrupted as well.
    tasks : mapping
        Name of a downstream task -> its data.
    """

    piece: Piece
    plan: Plan
    claim: Callable[[str], AbstractContextManager[Any]]
    spent: Callable[[str], float]
    tasks: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What was done so far."""
        begun = {"format": FORMAT, "variant": self.piece.variant, "seed": self.piece.seed}
        return begun | {"stages": {}} | self.piece.read()

    def do(self) -> None:
        """Train what is not trained, and evaluate it."""
        self.record.pop("failed", None)
        if not self.piece.evaluated:
            self.record.update(software=software(), machine=machine(), plan=asdict(self.plan))
            for number in range(len(self.piece.kind.stages)):
                self._train(number)
        if not self.piece.evaluated:
            self._test()
        if not self.piece.controls.is_file():
            examine_run(self.piece, self.plan)
        for task, data in self.tasks.items():
            if not self.piece.task(task).is_file():
                evaluate_task(
                    task, data=data, model=self.piece.model, embeddings=self.piece.embeddings
                )

    def fail(self, reason: str) -> None:
        """Record why the piece could not be done."""
        self.record["failed"] = reason
        self.save()

    def save(self) -> None:
        """Write the record."""
        with atomic_write(self.piece.record) as path:
            path.write_text(json.dumps(self.record, indent=2) + "\n", encoding="utf-8")

    def _test(self) -> None:
        """Evaluate, and record accuracies and decisions."""
        started = time.monotonic()
        results, right = evaluate_run(self.piece.model, self.plan)
        with atomic_write(self.piece.decisions) as path:
            np.savez_compressed(path, **right)  # type: ignore[arg-type]
        self.record["results"] = {
            split: {task: asdict(result) for task, result in found.items()}
            for split, found in results.items()
        }
        self.record["evaluation_seconds"] = round(time.monotonic() - started, 1)
        self.save()

    def _train(self, number: int) -> None:
        """Train a stage, unless that is done."""
        folder, objective = self.piece.stage(number), self.piece.kind.stages[number]
        name = f"{folder.parent.name}-{folder.name}"
        with self.claim(name):
            if not RunFolder(folder).weights.is_file() or not RunFolder(folder).config.is_file():
                fit(*self._configuration(number), settings=self._settings(number))
        stage = self.record["stages"].setdefault(objective, {})
        if folder.parent == self.piece.folder:
            stage["seconds"] = round(self.spent(name), 1)
        outcome = Outcome.read(folder)
        stage.update(
            folder=folder.relative_to(self.piece.runs).as_posix(),
            steps=Record.read(folder).settings["trainer"]["max_steps"],
            outcome=outcome and asdict(outcome),
        )
        self.save()

    def _configuration(self, number: int) -> tuple[str, str, Path]:
        """Return configuration, data and folder of a stage."""
        size = "" if self.plan.recipe == "tiny" else f"{self.plan.recipe}/"
        name = f"{size}{self._recipe_of(number)}_{self.piece.kind.config}"
        return name, self.plan.data, self.piece.stage(number)

    def _recipe_of(self, number: int) -> str:
        """Return the task whose configuration a stage has."""
        return "avc" if self.piece.kind.stages[number] == "avc" else "avsa"

    def _settings(self, number: int) -> dict[str, Any]:
        """Return the settings of a stage in which it differs from its configuration."""
        kind = self.piece.kind
        settings: dict[str, Any] = {
            **self.plan.settings,
            **kind.settings,
            "seed_everything": self.piece.seed,
            "model.objective": kind.stages[number],
        }
        if self.plan.steps:
            steps = self.plan.steps[0 if self._recipe_of(number) == "avc" else 1]
            settings["trainer.max_steps"] = min(
                steps, kind.settings.get("trainer.max_steps", steps)
            )
        if number:
            settings["model.initialise_from"] = self.piece.stage(number - 1)
        return settings
