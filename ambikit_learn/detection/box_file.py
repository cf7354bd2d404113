"""Files of boxes: ground truth of rendered scenes, or the output of any other detector."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write
from ambikit_learn.sphere.boxes import Boxes, flaw_of, is_text

FORMAT = "ambikit-boxes/1"
_TRACKS = ("azimuth", "elevation", "width", "height")


def write_boxes(path: str | Path, rate: float, objects: Sequence[Mapping[str, Any]]) -> None:
    """Write the paths of objects through a clip.

    Parameters
    ----------
    path : path
        JSON file.
    rate : float
        Entries per second; the first is at the beginning of the clip.
    objects : sequence of mappings
        Each with ``label``, the lists ``azimuth``, ``elevation``, ``width`` and ``height`` in
        degrees, all of one length, and anything else that JSON can hold (such as ``id`` and
        ``sounding``).

    Raises
    ------
    InputError
        An object lacks a field, or its lists differ in length.

    Examples
    --------
    >>> import tempfile
    >>> bell = {"label": "bell", "azimuth": [0, 10], "elevation": [5, 5],
    ...         "width": [20, 20], "height": [20, 20]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_boxes(Path(folder, "a.json"), 1.0, [bell])
    ...     [boxes.azimuth.tolist() for boxes in read_boxes(Path(folder, "a.json"), [0.2, 0.9])]
    [[0.0], [10.0]]
    """
    plain = [
        {k: np.asarray(v, float).tolist() if k in _TRACKS else v for k, v in one.items()}
        for one in objects
    ]
    document = {"format": FORMAT, "rate": float(rate), "objects": plain}
    _tracks(document, path)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document), encoding="utf-8")


def read_boxes(path: str | Path, times: npt.ArrayLike) -> list[Boxes]:
    """Read the boxes at some times of a clip.

    Parameters
    ----------
    path : path
        File that `write_boxes` wrote.
    times : (T,) array_like
        Seconds from the beginning of the clip; each takes the nearest entry.

    Returns
    -------
    list of T Boxes
        With score 1.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    InputError
        The file is damaged, or not a file of boxes.
    """
    file = checks.input_file(path)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): write it with write_boxes") from None
    labels, tracks, rate = _tracks(document, path)
    if not labels:
        return [Boxes.empty() for _ in np.atleast_1d(times)]
    last = tracks.shape[2] - 1
    within = np.clip(np.atleast_1d(np.asarray(times, float)), 0.0, last / rate)
    score = np.ones(len(labels))
    azimuth, elevation, width, height = tracks.transpose(1, 2, 0)
    return [
        Boxes(azimuth[i], elevation[i], width[i], height[i], score, labels)
        for i in np.rint(within * rate).astype(int)
    ]


def _label(value: Any) -> str:
    """Return a label, which may be a number of a class."""
    label = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if is_text(label):
        return str(label)
    raise TypeError(f"the label {value!r} is no text")


def _tracks(
    document: Any, path: str | Path
) -> tuple[tuple[str, ...], npt.NDArray[np.float64], float]:
    """Return labels, numbers (objects, 4, entries) and rate of a document, or say what is wrong."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f'{path} is not a file of boxes: it needs "format": "{FORMAT}"')
    try:
        objects, rate = document["objects"], float(document["rate"])
        labels = tuple(_label(one["label"]) for one in objects)
        numbers = np.array([[one[k] for k in _TRACKS] for one in objects], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: each object needs a label and the lists {', '.join(_TRACKS)} of one length "
            f"({type(error).__name__}: {error})"
        ) from None
    if objects and (numbers.ndim != 3 or numbers.shape[2] == 0):
        raise InputError(f"{path}: the lists of an object must hold one number for each entry")
    if not (rate > 0 and np.isfinite(rate)):
        raise InputError(f"{path}: the rate must be positive and finite")
    if objects:
        a, e, w, h = np.moveaxis(numbers, 1, 0).reshape(4, -1)
        if flaw := flaw_of(Boxes(a, e, w, h, np.ones(len(a)), ("",) * len(a))):
            raise InputError(f"{path} holds {flaw}: angles are in degrees")
    return labels, numbers, rate
