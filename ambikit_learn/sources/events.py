"""Rows of sound events with directions, as DCASE's files hold them: checks, reading and writing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats

COLUMNS = ("frame", "class", "track", "azimuth", "elevation", "distance")
Unit = Literal["cm", "m"]
_PER_METRE = {"cm": 100.0, "m": 1.0}
_WHOLE = 3
"""The first columns hold whole numbers."""
_LARGEST = 2.0**40
"""Of whole numbers: far beyond any recording, and products of two still fit 64 bits."""


def event_rows(rows: npt.ArrayLike, where: str, *, classes: int | None = None) -> Floats:
    """Check the events of a recording.

    Parameters
    ----------
    rows : array_like, shape (n, 5) or (n, 6)
        Frame, class, track, azimuth, elevation in degrees, and distance in metres. No events may
        have any shape.
    where : str
        What the rows are, for messages.
    classes : int, optional
        Number of classes.

    Returns
    -------
    ndarray of float64, shape (n, 5) or (n, 6)

    Raises
    ------
    InputError
        If the shape is another; or, with the row, counted from 1, if a frame or class is no whole
        number, a frame is negative or before that of the previous row, a class is unknown, an angle
        is out of range, a distance is negative, or a number is NaN or infinite.

    Examples
    --------
    >>> event_rows([[0, 1, 0, -90, 10]], "prediction").shape
    (1, 5)
    >>> event_rows([[3, 1, 0, 0, 0], [2, 1, 0, 0, 0]], "prediction")
    Traceback (most recent call last):
    ambikit...InputError: prediction, row 2: frame 2 comes after frame 3: sort the rows by frame
    """
    try:
        table = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{where} is no table of numbers: give rows of {_listed(5)}, or of {_listed(6)}"
        ) from None
    if not table.size:
        return np.empty((0, table.shape[1] if table.shape[1:] in ((5,), (6,)) else 5))
    if table.ndim != 2 or table.shape[1] not in (5, 6):
        raise InputError(
            f"{where} has the shape {table.shape}: give rows of {_listed(5)}, or of {_listed(6)}"
        )
    for column, name in enumerate(COLUMNS[: table.shape[1]]):
        _refuse(~np.isfinite(table[:, column]), table, where, f"{name} {{{name}}} is no number")
    for column, name in enumerate(COLUMNS[:_WHOLE]):
        values = table[:, column]
        bad = (values != np.floor(values)) | (np.abs(values) > _LARGEST)
        _refuse(bad, table, where, f"{name} {{{name}}} is no whole number")
    frame, kind, _, azimuth, elevation = table.T[:5]
    _refuse(frame < 0, table, where, "frame {frame} is negative: frames count from 0")
    earlier = np.concatenate(([False], np.diff(frame) < 0))
    if earlier.any():
        before = frame[int(earlier.argmax()) - 1]
        text = f"frame {{frame}} comes after frame {before:g}: sort the rows by frame"
        _refuse(earlier, table, where, text)
    if classes is not None:
        text = f"class {{class}} is unknown: there are {classes} classes, counted from 0"
        _refuse((kind < 0) | (kind >= classes), table, where, text)
    text = "azimuth {azimuth} is out of range: give degrees from -180 to 180"
    _refuse(np.abs(azimuth) > 180.0, table, where, text)
    text = "elevation {elevation} is out of range: give degrees from -90 to 90"
    _refuse(np.abs(elevation) > 90.0, table, where, text)
    if table.shape[1] > 5:
        text = "distance {distance} is negative: give metres, or leave the column out"
        _refuse(table[:, 5] < 0.0, table, where, text)
    return table


def read_event_rows(
    path: str | Path, *, classes: int | None = None, distance: Unit = "cm"
) -> Floats:
    """Read the events of a recording from a file in the format of DCASE.

    Parameters
    ----------
    path : path
        CSV file of ``frame,class,track,azimuth,elevation[,distance]`` without a header. An empty
        file is a recording without events.
    classes : int, optional
        Number of classes; by default any class is taken.
    distance : {"cm", "m"}
        Unit of the distances: labels are in centimetres.

    Returns
    -------
    ndarray of float64, shape (n, 5) or (n, 6)
        Rows as `ambikit_learn.evaluation.seld.seld_scores` takes them, with metres.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    InputError
        If a row cannot be used, with its number, counted from 1; see `event_rows`.

    See Also
    --------
    write_event_rows : The inverse.
    """
    scale = _PER_METRE[checks.choice(distance, tuple(_PER_METRE), "distance")]
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{path}: no such file: give a CSV file of events")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except ValueError:
        raise InputError(f"{path} is no text: give a CSV file of events") from None
    filled = enumerate((line for line in lines if line.strip()), 1)
    rows = [_numbers(line, f"{path}, row {number}") for number, line in filled]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"{path}, row {number}: {len(row)} columns after rows of {len(rows[0])}: give all "
                "rows the same columns"
            )
    table = event_rows(rows, str(path), classes=classes)
    if table.shape[1] > 5:
        table[:, 5] /= scale
    return table


def write_event_rows(path: str | Path, rows: npt.ArrayLike, *, distance: Unit = "cm") -> None:
    """Write the events of a recording in the format of DCASE.

    Parameters
    ----------
    path : path
        CSV file to write; its folder is created if missing.
    rows : array_like, shape (n, 5) or (n, 6)
        Frame, class, track, azimuth, elevation in degrees, and distance in metres.
    distance : {"cm", "m"}
        Unit of the distances in the file.

    Raises
    ------
    InputError
        If a row cannot be used; see `event_rows`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_event_rows(f"{folder}/a.csv", [[0, 8, 0, -90.5, 10, 2.5]])
    ...     print(Path(folder, "a.csv").read_text(), end="")
    ...     read_event_rows(f"{folder}/a.csv").tolist()
    0,8,0,-90.5,10,250
    [[0.0, 8.0, 0.0, -90.5, 10.0, 2.5]]
    """
    scale = _PER_METRE[checks.choice(distance, tuple(_PER_METRE), "distance")]
    table = event_rows(rows, f"events for {path}").copy()
    if table.shape[1] > 5:
        table[:, 5] = (table[:, 5] * scale).round(9)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        out.writelines(",".join(map(_shortest, row)) + "\n" for row in table.tolist())


def _numbers(line: str, where: str) -> list[float]:
    """Return the numbers of a line."""
    cells = line.split(",")
    if len(cells) not in (5, 6):
        raise InputError(f"{where}: {len(cells)} columns: give {_listed(5)}, or {_listed(6)}")
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        raise InputError(
            f"{where}: {line.strip()[:60]!r} are no numbers: give {_listed(6)}"
        ) from None


def _shortest(value: float) -> str:
    """Return the shortest text of a number that reads back as it."""
    return str(int(value)) if math.floor(value) == value else repr(value)


def _refuse(bad: npt.NDArray[Any], table: Floats, where: str, text: str) -> None:
    """Refuse the first bad row; the text may name its values by their columns."""
    if bad.any():
        row = int(bad.argmax())
        values: Sequence[float] = table[row].tolist()
        named = {name: f"{value:g}" for name, value in zip(COLUMNS, values, strict=False)}
        raise InputError(f"{where}, row {row + 1}: {text.format(**named)}")


def _listed(columns: int) -> str:
    return ",".join(COLUMNS[:columns])
