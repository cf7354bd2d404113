"""What runs of a comparison say together: means over seeds, intervals over clips, differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ambikit import InputError
from ambikit_learn._typing import Floats
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.results import Results
from ambikit_learn.reproduce.paper import VARIANTS
from ambikit_learn.reproduce.pieces import Piece


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
    estimate : Estimate
        Mean over common seeds and clips, with the paired interval over clips.
    deviation : float, optional
        Standard deviation of the difference over training seeds; None for one.
    wins, losses : int
        Clips on which one is better, and the other.
    p : float
        Of the exact sign test over these clips.
    """

    estimate: Estimate
    deviation: float | None
    wins: int
    losses: int
    p: float

    @property
    def sign(self) -> int:
        """1 or -1 if the interval excludes 0, otherwise 0."""
        return int(self.estimate.low > 0) - int(self.estimate.high < 0)


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
        by_seed = np.array([a[name] - b[name] for a, b in pairs])
        estimate = bootstrap_mean(by_seed.mean(0), clip)
        _, owner = np.unique(clip, return_inverse=True)
        of_clip = np.bincount(owner, by_seed.mean(0))
        # A tie that rounding has broken is still one
        wins, losses = int((of_clip > 1e-9).sum()), int((of_clip < -1e-9).sum())
        return Difference(
            estimate, _deviation(by_seed.mean(1)), wins, losses, sign_test(wins, losses)
        )

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


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p of the exact sign test.

    Examples
    --------
    >>> round(sign_test(8, 2), 3), round(sign_test(10, 2), 3)
    (0.109, 0.039)
    """
    from scipy.stats import binomtest

    if wins + losses == 0:
        return 1.0
    return float(binomtest(wins, wins + losses).pvalue)


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
