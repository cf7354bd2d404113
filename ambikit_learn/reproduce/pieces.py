"""One run of the comparison: a variant and a seed, trained in stages, then evaluated.

What is done of it lies in its folder, so that it resumes where it was interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats
from ambikit_learn.data.open import is_rendered
from ambikit_learn.evaluation.pretext import (
    VIEWS,
    Scores,
    Task,
    contents_of,
    embed,
    open_spans,
    score,
    train_heads,
)
from ambikit_learn.evaluation.results import Results
from ambikit_learn.models.outcome import Outcome
from ambikit_learn.models.run import Record, RunFolder, load_run
from ambikit_learn.reproduce.machine import machine, software
from ambikit_learn.reproduce.paper import VARIANTS, Variant
from ambikit_learn.training.command import fit

FORMAT = "ambikit-reproduce/1"
SPANS = 4
"""Evenly spaced spans of each prepared clip that are evaluated; a scene has one."""
SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Plan:
    """What all runs of a comparison have in common.

    Attributes
    ----------
    data, test_data : str
        What to train on, and what to evaluate on.
    preset : str
        ``"tiny"`` or ``"paper"``.
    validation_seed, test_seed : int
        Seeds of scenes, crops and wrong pairs of the splits. Heads are trained with the former.
    steps : tuple of int, optional
        Steps of AVC and of what follows, in place of those of the configurations.
    clips : int, optional
        Largest number of clips of each split in evaluation.
    settings : mapping
        Settings of `fit` that apply to all trainings.
    """

    data: str
    test_data: str
    preset: str
    validation_seed: int
    test_seed: int
    steps: tuple[int, int] | None = None
    clips: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """Group of configurations: scenes that are rendered have their own of size tiny."""
        if self.preset == "tiny" and is_rendered(self.data):
            return "world"
        return self.preset

    def save(self, path: Path) -> None:
        """Write the plan; refuse if another one is there.

        Raises
        ------
        InputError
            If the folder holds runs of another plan.
        """
        if path.is_file():
            before = Plan.load(path)
            changed = [
                f.name for f in fields(self) if getattr(self, f.name) != getattr(before, f.name)
            ]
            if changed:
                raise InputError(
                    f"{path.parent} holds a comparison with other settings "
                    f"({', '.join(changed)}): give another folder"
                )
            return
        with atomic_write(path) as temporary:
            text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan.

        Raises
        ------
        FileNotFoundError
            If there is none.
        InputError
            If it cannot be read.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: {path.parent} holds no comparison")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document.pop("format") != FORMAT:
                raise ValueError("another format")
            document["steps"] = document["steps"] and tuple(document["steps"])
            return cls(**document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}): give another folder") from None


@dataclass(frozen=True)
class Piece:
    """A variant and a seed, and the folder in which its runs lie.

    Attributes
    ----------
    runs : Path
        Folder of all pieces.
    variant : str
        A key of `ambikit_learn.reproduce.paper.VARIANTS`.
    seed : int
        Random seed of the training, and of the scenes that are rendered for it.
    """

    runs: Path
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Variant and seed."""
        return f"{self.variant}-{self.seed}"

    @property
    def folder(self) -> Path:
        """Folder of the piece."""
        return self.runs / self.name

    @property
    def kind(self) -> Variant:
        """The variant."""
        return VARIANTS[self.variant]

    @property
    def record(self) -> Path:
        """What was done and found, as JSON."""
        return self.folder / "run.json"

    @property
    def decisions(self) -> Path:
        """Which spans of the test were decided rightly, as NumPy arrays."""
        return self.folder / "test.npz"

    def stage(self, number: int) -> Path:
        """Return the run folder of a stage; the first one may be that of another variant."""
        owner = self.kind.begin if number == 0 and self.kind.begin else self.variant
        return self.runs / f"{owner}-{self.seed}" / self.kind.stages[number]

    @property
    def model(self) -> Path:
        """Run folder of the last stage."""
        return self.stage(len(self.kind.stages) - 1)

    def read(self) -> dict[str, Any]:
        """Return the record, empty if there is none.

        Raises
        ------
        InputError
            If it is damaged.
        """
        if not self.record.is_file():
            return {}
        try:
            document: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{self.record} is damaged ({error}): delete it, and the run is evaluated again"
            ) from None
        return document

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return "test" in self.read().get("results", {}) and self.decisions.is_file()


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
    """

    piece: Piece
    plan: Plan
    claim: Callable[[str], AbstractContextManager[Any]]

    @cached_property
    def record(self) -> dict[str, Any]:
        """What was done so far."""
        begun = {"format": FORMAT, "variant": self.piece.variant, "seed": self.piece.seed}
        return begun | {"stages": {}} | self.piece.read()

    def do(self) -> None:
        """Train what is not trained, and evaluate it."""
        self.record.pop("failed", None)
        self.record.update(software=software(), machine=machine(), plan=asdict(self.plan))
        for number in range(len(self.piece.kind.stages)):
            self._train(number)
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

    def fail(self, reason: str) -> None:
        """Record why the piece could not be done."""
        self.record["failed"] = reason
        self.save()

    def save(self) -> None:
        """Write the record."""
        with atomic_write(self.piece.record) as path:
            path.write_text(json.dumps(self.record, indent=2) + "\n", encoding="utf-8")

    def _train(self, number: int) -> None:
        """Train a stage, unless that is done."""
        folder, objective = self.piece.stage(number), self.piece.kind.stages[number]
        with self.claim(f"{folder.parent.name}-{folder.name}"):
            if not RunFolder(folder).weights.is_file() or not RunFolder(folder).config.is_file():
                started = time.monotonic()
                fit(*self._configuration(number), settings=self._settings(number))
                self.record["stages"].setdefault(objective, {})["seconds"] = round(
                    time.monotonic() - started, 1
                )
        outcome = Outcome.read(folder)
        self.record["stages"].setdefault(objective, {}).update(
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


def evaluate_run(run: Path, plan: Plan) -> tuple[dict[str, dict[str, Results]], dict[str, Floats]]:
    """Evaluate a run on the validation and the test split, with heads trained once.

    Returns
    -------
    results : dict
        Split -> task -> results. Data without validation clips have no such split.
    right : dict
        Of the test split: the ``clip`` and the ``yaw`` of every span, and for ``task/row`` its
        share of right decisions.
    """
    net, record = load_run(run), Record.read(run)
    data = record.settings["data"]
    options = record.reading | {
        "views": VIEWS,
        "covariance": net.front_end.covariance_settings,
        "validation_share": data["validation_share"] if data["validation_clips"] else 0.0,
    }
    seeds = dict(zip(SPLITS, (plan.validation_seed, plan.test_seed), strict=True))

    def opened(split: str, seed: int) -> Any:
        return open_spans(plan.test_data, split, SPANS, plan.clips, options | {"seed": seed})

    known = embed(net, opened("train", plan.validation_seed), plan.validation_seed)
    heads = {task: train_heads(task, known, plan.validation_seed) for task in get_args(Task)}
    outcome = Outcome.read(run)
    results: dict[str, dict[str, Results]] = {}
    right: dict[str, Floats] = {}
    for split, seed in seeds.items():
        try:
            spans = opened(split, seed)
        except InputError:
            if split == "test":
                raise
            continue
        started = time.monotonic()
        unseen = embed(net, spans, seed + 1)
        rate = len(spans) / (time.monotonic() - started)
        contents = contents_of(spans)
        found: dict[str, Scores] = {
            task: score(task, heads[task], unseen, seed, contents) for task in get_args(Task)
        }
        results[split] = {
            task: scores.results(
                task,
                rate,
                learned=outcome is None or outcome.learned(directions=task == "avsa"),
            )
            for task, scores in found.items()
        }
        right = {"clip": unseen.clip.numpy(), "yaw": unseen.yaw.numpy()} | {
            f"{task}/{row}": value
            for task, scores in found.items()
            for row, value in scores.right.items()
        }
    return results, right
