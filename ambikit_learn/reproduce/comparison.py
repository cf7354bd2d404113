"""What runs of a comparison say together: means over seeds, intervals over clips, differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ambikit import InputError
from ambikit_learn._typing import Floats
from ambikit_learn.evaluation import DOWNSTREAM, intervals
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.results import Results, TaskResults
from ambikit_learn.reproduce.paper import VARIANTS
from ambikit_learn.reproduce.pieces import Piece

YAW_STEP = 20
"""Degrees of yaw that are one point of a curve."""


@dataclass(frozen=True)
class Run:
    """A finished run: its record, and its decisions on the test."""

    piece: Piece
    record: Mapping[str, Any]

    def results(self, split: str, task: str) -> Results | None:
        """Return the results of a task on a split, if there are any."""
        found = self.record["results"].get(split, {}).get(task)
        return None if found is None else Results.of(found)

    @cached_property
    def decisions(self) -> dict[str, Floats]:
        """Decisions of `ambikit_learn.reproduce.pieces.evaluate_run` on the test split."""
        with np.load(self.piece.decisions, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    @cached_property
    def controls(self) -> dict[str, dict[str, Estimate]]:
        """Accuracies by control and row, see `ambikit_learn.evaluation.controls`."""
        if not self.piece.controls.is_file():
            return {}
        document = json.loads(self.piece.controls.read_text(encoding="utf-8"))
        return {
            control: {row: Estimate(**value) for row, value in rows.items()}
            for control, rows in document.items()
        }

    @cached_property
    def tasks(self) -> dict[str, TaskResults]:
        """Results of downstream tasks by name."""
        paths = {name: self.piece.task(name) for name in DOWNSTREAM}
        return {name: TaskResults.load(path) for name, path in paths.items() if path.is_file()}


@dataclass(frozen=True)
class Cell:
    """An accuracy of a variant.

    Attributes
    ----------
    accuracy : Estimate
        Mean over seeds and clips, and its interval over clips.
    deviation : float, optional
        Standard deviation over training seeds; None for one seed.
    seeds, learned : int
        Number of seeds, and of those that have learned.
    """

    accuracy: Estimate
    deviation: float | None
    seeds: int
    learned: int

    def __str__(self) -> str:
        mean, interval = str(self.accuracy).split(" ", 1)
        text = mean if self.deviation is None else f"{mean} ± {100 * self.deviation:.1f}"
        if self.learned < self.seeds:
            return f"not learned ({self.seeds - self.learned} of {self.seeds}; {mean})"
        return f"{text} {interval}"


@dataclass(frozen=True)
class Difference:
    """How much better one variant is than another on the same clips.

    Attributes
    ----------
    pair : intervals.Comparison
        Mean over common seeds and clips, with its paired interval over clips, and a sign test.
    deviation : float, optional
        Standard deviation of the difference over training seeds; None for one.
    """

    pair: intervals.Comparison
    deviation: float | None

    @property
    def sign(self) -> int:
        """1 or -1 if the interval excludes 0, otherwise 0."""
        return int(self.pair.difference.low > 0) - int(self.pair.difference.high < 0)


class Comparison:
    """Finished runs by variant.

    Parameters
    ----------
    runs : iterable of Run
        Finished runs.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self.by_variant: dict[str, list[Run]] = {}
        for run in sorted(runs, key=lambda run: run.piece.seed):
            self.by_variant.setdefault(run.piece.variant, []).append(run)

    @classmethod
    def read(cls, folder: Path) -> Comparison:
        """Return the finished runs in a folder of pieces."""
        return cls(
            Run(piece, record)
            for piece in pieces_in(folder)
            if "test" in (record := piece.read()).get("results", {})
        )

    @property
    def variants(self) -> list[str]:
        """Variants with a run, in the order of tables."""
        return [name for name in VARIANTS if name in self.by_variant]

    @property
    def runs(self) -> list[Run]:
        """All runs."""
        return [run for name in self.variants for run in self.by_variant[name]]

    def cell(self, variant: str, split: str, task: str, row: str) -> Cell | None:
        """Return an accuracy of a variant; None if no run has it."""
        found = [run for run in self.by_variant.get(variant, []) if _has(run, split, task, row)]
        if not found:
            return None
        results = [run.results(split, task) for run in found]
        measured = [result for result in results if result is not None]
        means = np.array([result.rows[row].mean for result in measured])
        expected = task == "avsa" and not VARIANTS[variant].tells_directions
        learned = len(found) if expected else sum(result.learned for result in measured)
        if split == "test":
            estimate = _over_clips([run.decisions for run in found], f"{task}/{row}")
        else:
            ends = [(r.rows[row].low, r.rows[row].high) for r in measured]
            low, high = np.mean(ends, 0)
            clips = measured[0].rows[row].clips
            estimate = Estimate(float(means.mean()), float(low), float(high), clips)
        return Cell(estimate, _deviation(means), len(found), learned)

    def difference(self, first: str, second: str, task: str, row: str) -> Difference | None:
        """Return how much better the first variant is than the second on the test.

        None if there is no seed of which both have learned, or their clips differ.
        """
        runs = [
            {run.piece.seed: run for run in self.by_variant.get(name, []) if _learned(run, task)}
            for name in (first, second)
        ]
        seeds = sorted(runs[0].keys() & runs[1].keys())
        name = f"{task}/{row}"
        pairs = [(runs[0][seed].decisions, runs[1][seed].decisions) for seed in seeds]
        if not pairs or any(name not in a or name not in b for a, b in pairs):
            return None
        clip = pairs[0][0]["clip"]
        if any(not np.array_equal(clip, part["clip"]) for pair in pairs for part in pair):
            return None
        first_right, second_right = (
            np.array([pair[side][name] for pair in pairs]) for side in (0, 1)
        )
        return Difference(
            intervals.compare(first_right.mean(0), second_right.mean(0), clip),
            _deviation((first_right - second_right).mean(1)),
        )

    def yaw_curve(self, variant: str, row: str) -> list[tuple[float, Estimate]]:
        """Return the accuracy of AVSA by the angle that the sound of the wrong pair was turned by.

        Parameters
        ----------
        variant, row : str
            A variant, and a row of AVSA.

        Returns
        -------
        list of (float, Estimate)
            Middle of a range of `YAW_STEP` degrees, and the mean over seeds with its interval over
            clips; empty if there are no runs of that row.
        """
        name = f"avsa/{row}"
        runs = [run.decisions for run in self.by_variant.get(variant, []) if _learned(run, "avsa")]
        if not runs or any(name not in run for run in runs):
            return []
        right = np.mean([run[name] for run in runs], 0)
        clip, angle = runs[0]["clip"], np.rad2deg(np.abs(runs[0]["yaw"]))
        curve = []
        for low in range(0, 180, YAW_STEP):
            among = (angle >= low) & (angle < low + YAW_STEP)
            if among.any():
                estimate = bootstrap_mean(right[among], clip[among])
                curve.append((low + YAW_STEP / 2, estimate))
        return curve

    def references(self, split: str, task: str, row: str) -> tuple[float, float | None] | None:
        """Return the accuracy of guessing, and the ceiling if it is known."""
        for run in self.runs:
            result = run.results(split, task)
            if result is not None and row in result.rows:
                return result.chance[row], result.ceiling.get(row)
        return None

    def rows(self, task: str) -> list[str]:
        """Return the rows of a task, those of most runs."""
        found: dict[str, None] = {}
        for run in self.runs:
            result = run.results("test", task)
            found |= dict.fromkeys(result.rows if result else ())
        return list(found)


def pieces_in(folder: Path) -> list[Piece]:
    """Return the pieces that a folder has records of."""
    found = []
    for path in sorted(folder.glob("*/run.json")):
        variant, _, seed = path.parent.name.rpartition("-")
        if variant not in VARIANTS or not seed.isdigit():
            raise InputError(f"{path.parent} is no run of this version: remove it")
        found.append(Piece(folder, variant, int(seed)))
    return found


def _has(run: Run, split: str, task: str, row: str) -> bool:
    result = run.results(split, task)
    return result is not None and row in result.rows


def _learned(run: Run, task: str) -> bool:
    result = run.results("test", task)
    return result is not None and (
        result.learned or (task == "avsa" and not run.piece.kind.tells_directions)
    )


def _over_clips(decisions: Sequence[Mapping[str, Floats]], name: str) -> Estimate:
    """Return the mean over seeds, with the interval over clips."""
    clip = decisions[0]["clip"]
    return bootstrap_mean(np.mean([part[name] for part in decisions], 0), clip)


def _deviation(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
