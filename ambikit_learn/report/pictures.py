"""Pictures of every stage of a run."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

import ambikit
import ambikit.plot
from ambikit_learn._files import atomic_write
from ambikit_learn.evaluation.results import Results, TaskResults
from ambikit_learn.models.run import RunFolder
from ambikit_learn.sphere.boxes import Boxes

SHARPNESS = 4
"""Power of the beam's output that the heat map shows: a first-order beam is broad."""


def scene_picture(
    path: Path, frame: np.ndarray[Any, Any], sound: np.ndarray[Any, Any], boxes: Boxes
) -> None:
    """Draw a frame with its boxes, and over it where the sound comes from.

    Parameters
    ----------
    path : Path
        PNG to write.
    frame : ndarray, shape (H, W, 3)
        Equirectangular, uint8.
    sound : ndarray, shape (4, n)
        AmbiX of the same moment.
    boxes : Boxes
        Of the same moment.
    """
    with figure_file(path, (11, 6)) as figure:
        axes = figure.subplots()
        azimuth, elevation = ambikit.plot.equirectangular_grid(90, 180)
        power = ambikit.power_map(sound, azimuth, elevation)
        ambikit.plot.heat_map(
            (power / power.max()) ** SHARPNESS,
            frame=frame,
            ax=axes,
            label="acoustic power, sharpened",
        )
        for i, label in enumerate(boxes.label):
            _draw_box(axes, boxes, i, label)
        axes.set_title("frame, detected objects and acoustic power")


def crops_picture(
    path: Path,
    video: Tensor,
    features: Tensor,
    azimuth: Tensor,
    elevation: Tensor,
    channels: Sequence[str],
) -> None:
    """Draw the crops of a clip above the sound that is aligned with each.

    Parameters
    ----------
    path : Path
        PNG to write.
    video : Tensor, shape (K, T, S, S, 3)
        Crops, uint8.
    features : Tensor, shape (K, C, frames, mels)
        Standardised features of the aligned sound.
    azimuth, elevation : Tensor, shape (K,)
        Centres of the crops, in radians.
    channels : sequence of str
        Names of the C channels; the first and the last three are drawn.
    """
    shown = sorted({0, *range(max(len(channels) - 3, 0), len(channels))})
    with figure_file(path, (2.6 * len(video), 2.6 + 1.3 * len(shown))) as figure:
        ratios = [2.4] + [1.0] * len(shown)
        grid = figure.subplots(
            1 + len(shown), len(video), squeeze=False, gridspec_kw={"height_ratios": ratios}
        )
        for k, column in enumerate(grid.T):
            column[0].imshow(video[k, video.shape[1] // 2].numpy())
            az, el = np.rad2deg([float(azimuth[k]), float(elevation[k])])
            column[0].set_title(f"azimuth {az:+.0f}°, elevation {el:+.0f}°", fontsize=9)
            for row, channel in zip(column[1:], shown, strict=True):
                image = features[k, channel].T.numpy()
                row.imshow(image, origin="lower", aspect="auto", vmin=-2.5, vmax=2.5)
                row.set_ylabel(channels[channel] if k == 0 else "", fontsize=8)
            for axes in column:
                axes.set_xticks([])
                axes.set_yticks([])


def curves_picture(path: Path, runs: dict[str, Path]) -> None:
    """Draw loss and retrieval over the steps of runs, from their tables of metrics."""
    with figure_file(path, (10, 3.6)) as figure:
        left, right = figure.subplots(1, 2)
        for name, run in runs.items():
            with RunFolder(run).metrics.open(newline="") as file:
                rows = list(csv.DictReader(file))
            for axes, column in ((left, "train/loss"), (right, "val/ret4")):
                points = [(int(r["step"]), float(r[column])) for r in rows if r.get(column)]
                axes.plot(*np.array(points).reshape(-1, 2).T, marker=".", label=name)
        right.axhline(0.25, color="grey", linestyle=":", label="chance")
        left.set_ylabel("training loss, nats")
        right.set_ylabel("own sound among four views")
        for axes in (left, right):
            axes.set_xlabel("step")
            axes.legend()


def results_picture(path: Path, results: Sequence[Results]) -> None:
    """Draw accuracies with their intervals beside chance."""
    bars = [
        (r.task.upper(), name, e, r.chance[name])
        for r in results
        if r.learned
        for name, e in r.rows.items()
    ]
    with figure_file(path, (8, 0.9 + 0.42 * len(bars))) as figure:
        axes = figure.subplots()
        for y, (_, _, estimate, chance) in enumerate(bars):
            error = [[estimate.mean - estimate.low], [estimate.high - estimate.mean]]
            axes.barh(y, estimate.mean, xerr=error, color="tab:blue", capsize=3)
            axes.plot([chance, chance], [y - 0.4, y + 0.4], color="black", linestyle=":")
        axes.set_yticks(range(len(bars)), [f"{task}: {name}" for task, name, *_ in bars])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("accuracy (dotted: chance)")


def task_picture(path: Path, results: TaskResults) -> None:
    """Draw each measure of a downstream task with its intervals, and the first confusion matrix."""
    grid = results.table
    confusion = next(iter(results.confusion.items()), None)
    columns = len(grid.measures) + (confusion is not None)
    size = (2.5 + 4.5 * columns, max(1.4 + 0.4 * len(grid.rows), 5.0 if confusion else 0.0))
    with figure_file(path, size) as figure:
        panels = figure.subplots(1, columns, squeeze=False)[0]
        for axes, measure in zip(panels, grid.measures, strict=False):
            scale = 100.0 if measure.unit == "%" else 1.0
            for y, row in enumerate(grid.rows):
                if (e := row.values.get(measure.name)) is None or np.isnan(e.mean):
                    continue
                bounds = [[e.mean - e.low], [e.high - e.mean]]
                error = None if np.isnan(e.low) else scale * np.maximum(bounds, 0.0)
                colour = {"learned": "tab:blue", "published": "tab:green"}.get(row.kind, "tab:grey")
                axes.barh(y, scale * e.mean, xerr=error, color=colour, capsize=3)
            if measure.chance is not None:
                axes.axvline(scale * measure.chance, color="black", linestyle=":")
            axes.set_yticks(range(len(grid.rows)), [row.name for row in grid.rows], fontsize=8)
            axes.invert_yaxis()
            axes.set_xlabel(f"{measure.name}, {measure.unit}" if measure.unit else measure.name)
        if confusion is not None:
            _draw_confusion(panels[-1], *confusion, results.classes)
        figure.suptitle(f"{results.task}: {results.data}")


@contextmanager
def figure_file(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """Give a figure to draw on, and write it when drawn; no display is needed."""
    figure = Figure(figsize=size, layout="constrained")
    yield figure
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_confusion(axes: Any, name: str, counts: list[list[int]], classes: Sequence[str]) -> None:
    """Draw a confusion matrix as shares of the true classes, which are the rows."""
    matrix = np.array(counts, float)
    axes.imshow(matrix / np.maximum(matrix.sum(1, keepdims=True), 1), vmin=0, vmax=1, cmap="Blues")
    if len(classes) <= 20:
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=7)
        axes.set_yticks(range(len(classes)), classes, fontsize=7)
    axes.set_title(name, fontsize=9)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def _draw_box(axes: Any, boxes: Boxes, i: int, label: str) -> None:
    """Outline a box on axes in degrees; one cut by the seam shows on both sides."""
    # A degree of azimuth is shorter above and below the horizon.
    half = boxes.width[i] / 2 / max(np.cos(np.deg2rad(boxes.elevation[i])), 0.1)
    low, height = boxes.elevation[i] - boxes.height[i] / 2, boxes.height[i]
    for azimuth in boxes.azimuth[i] + np.array([-360.0, 0.0, 360.0]):
        if abs(azimuth) - half < 180:
            corner = (azimuth - half, low)
            outline = Rectangle(corner, 2 * half, height, fill=False, edgecolor="white")
            axes.add_patch(outline)
            axes.text(azimuth, low + height + 1, label, color="white", ha="center", clip_on=True)
