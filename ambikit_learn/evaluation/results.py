"""Results of evaluations with their intervals, as tables and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn.evaluation.intervals import Comparison, Estimate


@dataclass(frozen=True)
class Results:
    """Accuracies of one pretext task, each with its interval and with chance.

    `ceiling` holds the accuracy of an oracle, where it is known, and `details` accuracies over
    parts of the spans, for which chance is ½. `learned` is False if the record of the training says
    that the run has learned nothing.
    """

    task: str
    rows: dict[str, Estimate]
    chance: dict[str, float]
    ceiling: dict[str, float]
    details: dict[str, Estimate]
    clips_per_second: float
    learned: bool = True

    def shown(self, estimate: Estimate) -> str:
        """Return how tables show an accuracy: of a run that has not learned it is no result."""
        return str(estimate) if self.learned else f"not learned ({100 * estimate.mean:.1f})"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Results:
        """Return the results that `dataclasses.asdict` made a document of."""
        parts = {
            name: {row: Estimate(**value) for row, value in document[name].items()}
            for name in ("rows", "details")
        }
        return cls(**{**document, **parts})

    def save(self, path: Path) -> None:
        """Write as JSON."""
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")


WIDE = 5
"""A table with more measures than this is shown with a line for each."""
NO_INTERVAL = "none"
"""What `Measure.interval` says of a measure that is shown without one."""


@dataclass(frozen=True)
class Measure:
    """A column of a table.

    Attributes
    ----------
    name : str
        Such as ``"accuracy"``.
    interval : str
        What the interval covers, for example ``"recordings"`` that are drawn, and what it leaves
        out, such as the seed of the training.
    unit : str
        ``"%"`` of a fraction, ``"°"``, or empty.
    higher_is_better : bool
        Whether larger values are better.
    chance : float, optional
        Value without any knowledge.
    """

    name: str
    interval: str
    unit: str = "%"
    higher_is_better: bool = True
    chance: float | None = None


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes
    ----------
    name : str
        What was measured, such as ``"encoder, linear"``.
    values : mapping
        Estimate by the name of its measure; some may be missing.
    kind : str
        ``"learned"``: the model under evaluation; ``"baseline"``: measured beside it; or
        ``"published"``: quoted.
    note : str
        What a reader must know about it.
    """

    name: str
    values: Mapping[str, Estimate]
    kind: Literal["learned", "baseline", "published"] = "learned"
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of estimates: a title, its measures, and its rows in the order in which to show them.

    Not all tables have a title.
    """

    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]
    title: str = ""


@dataclass(frozen=True)
class TaskResults:
    """What an evaluation on a downstream task measured.

    Attributes
    ----------
    task, data : str
        Name of the task, and of the data.
    table : Grid
        The result.
    details : tuple of Grid
        Tables by class or by condition.
    comparisons : mapping
        Paired comparisons by a text such as ``"encoder − random weights, linear: accuracy"``.
    confusion : mapping
        Confusion matrix of a row, by its name: counts, true classes down, in the order of
        `classes`.
    classes : tuple of str
        Names of the classes.
    skipped : tuple of str
        Material that was left out with ``skip_bad``, each with the reason.
    missing : tuple of str
        Rows that could not be measured, each with the reason.
    settings : mapping
        All that the figures depend on.
    seconds, waiting : float
        Duration of the evaluation, and how much of it passed waiting for recordings to be read.
    learned : bool
        False if the record of the training says that the run has learned nothing.
    path : Path, optional
        JSON file that holds it.
    """

    task: str
    data: str
    table: Grid
    details: tuple[Grid, ...] = ()
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    confusion: Mapping[str, list[list[int]]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    waiting: float = 0.0
    learned: bool = True
    path: Path | None = None

    def row(self, name: str) -> Row:
        """Return the row of that name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for row in self.table.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def save(self, path: Path) -> TaskResults:
        """Write as JSON, and return the results with that path. NaN is written as null."""
        values = asdict(self)
        values["path"] = None
        with atomic_write(path) as temporary:
            text = json.dumps(_without_nan(values), indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        return TaskResults(**{**vars(self), "path": path})

    @classmethod
    def load(cls, path: Path) -> TaskResults:
        """Read results that were written by `save`.

        Raises
        ------
        InputError
            If the file is damaged.
        FileNotFoundError
            If it does not exist.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["table"] = _grid(values["table"])
            values["details"] = tuple(map(_grid, values["details"]))
            values["comparisons"] = {
                name: Comparison(**{**c, "difference": _estimate(c["difference"])})
                for name, c in values["comparisons"].items()
            }
            for name in ("classes", "skipped", "missing"):
                values[name] = tuple(values[name])
            return cls(**values | {"path": path})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}): evaluate again") from error

    def markdown(self) -> str:
        """Return the tables in Markdown, with what their intervals cover."""
        parts = [f"### {self.task}: {self.data}"]
        if not self.learned:
            parts.append("The training of this run ended where it began: it has not learned.")
        for grid in (self.table, *self.details):
            lines = [*_texts(grid)]
            lines.insert(1, ["---"] * len(lines[0]))
            if grid.title:
                parts.append(f"**{grid.title}**")
            parts += ["\n".join(f"| {' | '.join(line)} |" for line in lines), *_legend(grid)]
        return "\n\n".join([*parts, *self.remarks()]) + "\n"

    def remarks(self) -> list[str]:
        """Return comparisons, what was skipped and what is missing, a sentence each."""
        said = [
            f"{name}: {_signed(c.difference, self._unit(name))}; better on {c.wins}, worse on "
            f"{c.losses}, sign test p = {c.p:.2g}"
            for name, c in self.comparisons.items()
        ]
        said += [f"not measured: {reason}" for reason in self.missing]
        if self.skipped:
            said.append(f"{len(self.skipped)} left out: {'; '.join(self.skipped)}")
        return said

    def _unit(self, comparison: str) -> str:
        """Return the unit of a comparison, whose text ends in the name of its measure."""
        units = {m.name: m.unit for g in (self.table, *self.details) for m in g.measures}
        return units.get(comparison.rpartition(": ")[2], "%")


def results_table(results: Iterable[Results]) -> Table:
    """Return a table of accuracies with their intervals, chance, and the speed."""
    table = Table(
        "task", "measure", "accuracy, % [95% interval]", "chance", "ceiling", "clips", "clips/s"
    )
    for result in results:
        for name, estimate in (result.rows | result.details).items():
            table.add_row(
                result.task.upper(),
                name,
                result.shown(estimate),
                f"{100 * result.chance.get(name, 0.5):.0f}",
                f"{100 * result.ceiling[name]:.1f}" if name in result.ceiling else "",
                str(estimate.clips),
                f"{result.clips_per_second:.0f}",
            )
        table.add_section()
    return table


def print_results(results: Iterable[Results]) -> None:
    """Print the table of results."""
    Console().print(results_table(results))


def print_task(results: TaskResults) -> None:
    """Print the tables of a downstream task, and what its intervals cover."""
    console = Console()
    for grid in (results.table, *results.details):
        head, *rows = _texts(grid)
        table = Table(*head, title=grid.title or f"{results.task}: {results.data}")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for line in _legend(grid):
            console.print(line, highlight=False)
    for line in results.remarks():
        console.print(line, highlight=False)
    if not results.learned:
        console.print("The training of this run ended where it began: it has not learned.")


def _texts(grid: Grid) -> list[list[str]]:
    """Return the cells of a table, its head first."""
    heads = [f"{m.name}, {m.unit}" if m.unit else m.name for m in grid.measures]
    if len(heads) > WIDE:
        lines = [["", *(row.name for row in grid.rows)]]
        for head, m in zip(heads, grid.measures, strict=True):
            cells = [r.values[m.name].text(m.unit) if m.name in r.values else "" for r in grid.rows]
            lines.append([head, *cells])
        return lines
    notes = any(row.note for row in grid.rows)
    lines = [["", *heads, "n", *(["note"] if notes else [])]]
    for row in grid.rows:
        cells = [
            row.values[m.name].text(m.unit) if m.name in row.values else "" for m in grid.measures
        ]
        count = max((e.clips for e in row.values.values()), default=0)
        name = f"{row.name} (published)" if row.kind == "published" else row.name
        lines.append([name, *cells, str(count or ""), *([row.note] if notes else [])])
    return lines


def _legend(grid: Grid) -> list[str]:
    """Return what the intervals of a table cover, and the values at chance."""
    covered: dict[str, list[str]] = {}
    for measure in grid.measures:
        covered.setdefault(measure.interval, []).append(measure.name)
    lines = [
        f"[95% interval] of {', '.join(names)}: {what}."
        for what, names in covered.items()
        if what != NO_INTERVAL
    ]
    chances = [
        f"{m.name} {Estimate(m.chance).text(m.unit)}" for m in grid.measures if m.chance is not None
    ]
    return lines + ([f"At chance: {', '.join(chances)}."] if chances else [])


def _signed(estimate: Estimate, unit: str) -> str:
    """Return a difference with its sign."""
    text = estimate.text(unit)
    return text if text.startswith("-") else f"+{text}"


def _without_nan(value: Any) -> Any:
    """Return a document for JSON, which has no NaN."""
    if isinstance(value, Mapping):
        return {str(key): _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _estimate(values: Mapping[str, Any]) -> Estimate:
    """Return an estimate of a document."""
    known: dict[str, Any] = {
        name: float("nan") if value is None else value for name, value in values.items()
    }
    return Estimate(**known)


def _grid(values: Mapping[str, Any]) -> Grid:
    """Return a table of a document."""
    rows = [
        Row(**{**row, "values": {name: _estimate(e) for name, e in row["values"].items()}})
        for row in values["rows"]
    ]
    return Grid(tuple(Measure(**m) for m in values["measures"]), tuple(rows), values["title"])
