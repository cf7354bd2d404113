"""Pictures of several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps

from ambikit_learn._typing import Floats
from ambikit_learn.evaluation.intervals import Estimate
from ambikit_learn.report.pictures import figure_file

COLUMNS = 4


def yaw_picture(
    path: Path, curves: Mapping[str, Mapping[str, Sequence[tuple[float, Estimate]]]]
) -> None:
    """Draw accuracies by the angle that the sound of the wrong pair was turned by.

    Parameters
    ----------
    path : Path
        PNG to write.
    curves : mapping
        Name of an accuracy -> name of a model -> angles in degrees, with the accuracy there.
    """
    with figure_file(path, (5.5 * len(curves), 4.2)) as figure:
        for axes, (row, models) in zip(
            figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
        ):
            for number, (model, points) in enumerate(models.items()):
                if not points:
                    continue
                angles = [angle for angle, _ in points]
                estimates = [estimate for _, estimate in points]
                colour = _colour(number)
                axes.plot(angles, [e.mean for e in estimates], label=model, color=colour)
                bounds = [e.low for e in estimates], [e.high for e in estimates]
                axes.fill_between(angles, *bounds, color=colour, alpha=0.12, linewidth=0)
            axes.axhline(0.5, color="black", linestyle=":")
            axes.set_xlim(0, 180)
            axes.set_xticks(range(0, 181, 30))
            axes.set_xlabel("yaw of the wrong pair, degrees")
            axes.set_ylabel(f"AVSA, {row}")
            axes.legend(fontsize=7)


def _colour(number: int) -> tuple[float, ...]:
    """Return one of twenty colours: ten of their own first, then their lighter twins."""
    colour: tuple[float, ...] = colormaps["tab20"](2 * (number % 10) + number // 10 % 2)
    return colour


def map_picture(
    path: Path, models: Mapping[str, tuple[Floats, Floats]], classes: Sequence[str]
) -> None:
    """Draw maps of encodings, coloured by class.

    Parameters
    ----------
    path : Path
        PNG to write.
    models : mapping
        Name of a model -> places in the plane (N, 2), and numbers of classes (N,).
    classes : sequence of str
        Names of the classes.
    """
    rows = -(-len(models) // COLUMNS)
    columns = min(len(models), COLUMNS)
    with figure_file(path, (3.2 * columns + 1.6, 3.2 * rows)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        handles = {}
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (model, (places, label)) in zip(grid.flat, models.items(), strict=False):
            axes.set_title(model, fontsize=9)
            for number in np.unique(label).astype(int):
                at = places[label == number].T
                colour = _colour(number)
                handles[classes[number]] = axes.scatter(*at, s=6, color=[colour])
        names = sorted(handles)
        if names:
            figure.legend(
                [handles[name] for name in names], names, loc="outside right upper", fontsize=8
            )
