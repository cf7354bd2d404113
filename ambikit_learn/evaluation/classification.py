"""Classification of recordings by probes on frozen embeddings: rows on the same folds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import ambikit
from ambikit import InputError
from ambikit_learn.evaluation.embeddings import (
    Embedded,
    Embedder,
    Recording,
    Store,
    embed,
    fingerprint,
)
from ambikit_learn.evaluation.intervals import Comparison, Estimate, bootstrap_mean, compare
from ambikit_learn.evaluation.probe import Folds, Predictions, cross_validate
from ambikit_learn.evaluation.results import NO_INTERVAL, Grid, Measure, Row, TaskResults

Kind = Literal["learned", "baseline", "published"]


@dataclass
class Classification:
    """Rows of a task, measured one after another on the same recordings and folds.

    Attributes
    ----------
    classes : tuple of str
        All classes that the data must hold.
    unit : str
        What intervals draw, such as ``"recordings"``.
    cache : Path
        Folder of embeddings, and of predictions from them.
    skip_bad : bool
        Leave out recordings that cannot be read.
    seed : int
        Random seed of probes.
    vote : bool
        Also score the sum over the recordings of each group.
    """

    classes: tuple[str, ...]
    unit: str
    cache: Path
    skip_bad: bool = False
    seed: int = 0
    vote: bool = False
    rows: list[Row] = field(default_factory=list)
    predictions: dict[str, Predictions] = field(default_factory=dict)
    groups: npt.NDArray[np.str_] = field(default_factory=lambda: np.empty(0, str))
    folds: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    skipped: dict[str, None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    waiting: float = 0.0
    begin: float = field(default_factory=time.perf_counter)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Columns of the table."""
        covers = f"bootstrap over {self.unit}, 2,000 draws; not over seeds of training or probe"
        accuracy = Measure("accuracy", covers, chance=1 / len(self.classes))
        vote = Measure("recording vote", covers, chance=1 / len(self.classes))
        return (accuracy, vote) if self.vote else (accuracy,)

    def add(
        self,
        recordings: Sequence[Recording],
        embedder: Embedder,
        probes: Iterable[str] = ("linear",),
        *,
        kind: Kind = "baseline",
        note: str = "",
    ) -> None:
        """Embed recordings, and add a row for each probe.

        Parameters
        ----------
        recordings : sequence of Recording
            The same ones for each row, in the same order, with the fold that tests on them.
        embedder : Embedder
            Its name begins that of the rows.
        probes : iterable of str
            Keys of `PROBES`.
        kind, note
            As in `Row`.

        Raises
        ------
        InputError
            If a class is missing in a fold, or a recording cannot be read.
        """
        found, folds = self._embedded(recordings, embedder)
        for probe in probes:
            told = self._told(
                recordings, embedder, found, folds, partial(cross_validate, probe=probe), probe
            )
            self.add_predictions(f"{embedder.name}, {probe}", told, recordings, kind, note)

    def classify(
        self,
        recordings: Sequence[Recording],
        embedder: Embedder,
        classifier: Callable[..., Predictions],
        name: str,
        *,
        note: str = "",
    ) -> None:
        """Add the row of a baseline that has a classifier of its own, as `cross_validate` is one.

        Parameters
        ----------
        recordings, embedder
            As for `add`.
        classifier : callable
            Function of values, labels, folds and ``seed=`` that returns `Predictions`.
        name, note : str
            As in `Row`.
        """
        found, folds = self._embedded(recordings, embedder)
        told = self._told(recordings, embedder, found, folds, classifier, name)
        self.add_predictions(name, told, recordings, "baseline", note)

    def _embedded(
        self, recordings: Sequence[Recording], embedder: Embedder
    ) -> tuple[Embedded, Folds]:
        """Return embeddings, and folds without what was left out."""
        found = embed(recordings, embedder, cache=self.cache, skip_bad=self.skip_bad)
        self.waiting += found.waiting
        self.skipped |= dict.fromkeys(found.skipped)
        folds = folds_by_number(recordings, found)
        check_folds(recordings, folds, self.classes)
        return found, folds

    def _told(
        self,
        recordings: Sequence[Recording],
        embedder: Embedder,
        found: Embedded,
        folds: Folds,
        classifier: Callable[..., Predictions],
        name: str,
    ) -> Predictions:
        """Return what a classifier says of embeddings, or what the cache knows of that.

        Runs that are compared share the baselines, whose training can take longer than theirs.
        """
        labels = [r.label for r in recordings]
        about = {
            "classifier/1": name,
            "embedder": embedder.fingerprint,
            "recordings": list(zip(found.identities, labels, strict=True)),
            "folds": [[part.tolist() for part in fold] for fold in folds],
            "seed": self.seed,
            "version": ambikit.__version__,
        }
        store, key = Store(self.cache / "predictions"), fingerprint(about)
        known = store.get(key)
        classes, numbers = np.unique(labels, return_inverse=True)
        if known is not None:
            return Predictions(known[:, :-1], tuple(map(str, classes)), numbers, known[:, -1])
        values = [np.empty((0, 0)) if v is None else v for v in found.values]
        told = classifier(values, labels, folds, seed=self.seed)
        share = told.share if len(told.share) else np.full(len(labels), np.nan)
        store.add(key, np.column_stack([told.scores, share]))
        store.save()
        return told

    def add_predictions(
        self,
        name: str,
        told: Predictions,
        recordings: Sequence[Recording],
        kind: Kind = "baseline",
        note: str = "",
    ) -> None:
        """Add a row of what another classifier told of the same recordings."""
        self.groups = np.array([r.group for r in recordings])
        self.folds = np.array([r.fold for r in recordings])
        self.predictions[name] = told
        groups = self.groups[told.tested]
        values = {"accuracy": bootstrap_mean(told.right, groups)}
        if self.vote:
            right = voted(told, self.groups)
            values["recording vote"] = bootstrap_mean(right, np.arange(len(right)))
        self.rows.append(Row(name, values, kind, note))

    def compare(self, first: str, second: str) -> dict[str, Comparison]:
        """Return the paired comparison of two rows, if both were measured."""
        if first == second or not {first, second} <= self.predictions.keys():
            return {}
        a, b = self.predictions[first], self.predictions[second]
        both = a.tested & b.tested
        right, others = ((p.scores[both].argmax(1) == p.labels[both]) * 1.0 for p in (a, b))
        return {f"{first} − {second}: accuracy": compare(right, others, self.groups[both])}

    def results(
        self,
        task: str,
        data: str,
        *,
        pairs: Iterable[tuple[str, str]],
        settings: dict[str, Any],
        learned: bool,
        published: Iterable[Row] = (),
    ) -> TaskResults:
        """Return the results, with comparisons of the pairs of rows that were measured."""
        if not self.rows:
            told = "; ".join(self.missing) or "give a model (--model) or baselines (--baseline)"
            raise InputError(f"there is nothing to measure: {told}")
        compared: dict[str, Comparison] = {}
        for first, second in pairs:
            compared |= self.compare(first, second)
        return TaskResults(
            task=task,
            data=data,
            table=Grid(self.measures, (*self.rows, *published)),
            details=(self._by_class(), *([self._by_fold()] if self.folds.max() > 1 else [])),
            comparisons=compared,
            confusion={name: told.confusion() for name, told in self.predictions.items()},
            classes=tuple(sorted(self.classes)),
            skipped=tuple(self.skipped),
            missing=tuple(self.missing),
            settings=settings,
            seconds=time.perf_counter() - self.begin,
            waiting=self.waiting,
            learned=learned,
        )

    def _by_class(self) -> Grid:
        """Return the share of recordings of each class that were recognised."""
        return self._parts("by class", sorted(self.classes), lambda told: told.names)

    def _by_fold(self) -> Grid:
        """Return the accuracy of each fold."""
        names = [f"fold {n}" for n in np.unique(self.folds[self.folds > 0])]
        each = np.array([f"fold {n}" for n in self.folds])
        return self._parts("by fold", names, lambda told: each[told.tested])

    def _parts(
        self, title: str, parts: Sequence[str], part_of: Callable[[Predictions], npt.NDArray[Any]]
    ) -> Grid:
        """Return the accuracies on parts of the tested recordings, without intervals."""
        rows = []
        for name, told in self.predictions.items():
            owners, right = part_of(told), told.right
            values = {
                part: Estimate(float(right[owners == part].mean()), clips=int(sum(owners == part)))
                for part in parts
                if (owners == part).any()
            }
            rows.append(Row(name, values))
        return Grid(tuple(Measure(part, NO_INTERVAL) for part in parts), tuple(rows), title)


def folds_by_number(recordings: Sequence[Recording], embedded: Embedded) -> Folds:
    """Return a fold for each number of `Recording.fold`, without recordings that were left out.

    Recordings of the fold 0 are never tested on.
    """
    numbers = np.array([r.fold for r in recordings])
    there = np.array([value is not None for value in embedded.values])
    return [
        (np.flatnonzero((numbers != fold) & there), np.flatnonzero((numbers == fold) & there))
        for fold in np.unique(numbers)
        if fold > 0
    ]


def check_folds(recordings: Sequence[Recording], folds: Folds, classes: Sequence[str]) -> None:
    """Refuse recordings of unknown classes, and folds that lack a class.

    Raises
    ------
    InputError
        Names the fold and its missing classes.
    """
    labels = np.array([r.label for r in recordings])
    unknown = sorted({r.label for r in recordings} - set(classes))
    if unknown:
        raise InputError(f"there is no class {unknown[0]!r}: the classes are {', '.join(classes)}")
    for number, fold in enumerate(folds, start=1):
        for use, some in zip(("trains", "tests"), fold, strict=True):
            missing = [name for name in classes if name not in set(labels[some])]
            if missing:
                raise InputError(
                    f"fold {number} {use} on no recording of {', '.join(missing)}: complete the "
                    "data set"
                )


def voted(told: Predictions, groups: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Return whether the summed scores of each group's recordings give its class, (groups,)."""
    some = told.tested
    _, first, owner = np.unique(groups[some], return_index=True, return_inverse=True)
    sums = np.zeros((len(first), len(told.classes)))
    np.add.at(sums, owner, told.scores[some])
    right: npt.NDArray[np.bool_] = sums.argmax(1) == told.labels[some][first]
    return right
