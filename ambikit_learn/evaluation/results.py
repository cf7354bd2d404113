"""Results of an evaluation: accuracies with their intervals, as JSON and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ambikit_learn._files import atomic_write
from ambikit_learn.evaluation.intervals import Estimate


@dataclass(frozen=True)
class Results:
    """Accuracies of one task, each with its interval and with chance.

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
