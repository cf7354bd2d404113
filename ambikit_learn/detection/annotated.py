"""Objects of annotated directions, which have no extent: boxes of a nominal size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Floats
from ambikit_learn.detection.tracking import GAP
from ambikit_learn.sources.starss23 import CLASSES, read_events
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.tracks import Track

NOMINAL = 20.0
"""Width and height in degrees of a box for a direction: as far from the true direction as DCASE
counts an estimate as right."""
FRAMES = 10.0
"""Frames of labels per second."""


def annotated_tracks(path: str | Path, times: Floats, rate: float) -> list[Track]:
    """Return the objects of a recording of STARSS23 as boxes of `NOMINAL` size.

    Parameters
    ----------
    path : path
        CSV file of labels, see `ambikit_learn.sources.starss23.read_events`.
    times : (T,) array
        Seconds of the recording, evenly spaced; each takes the nearest frame of labels.
    rate : float
        Times per second.

    Returns
    -------
    list of Track
        One for each object and time that it sounds, with the name of its class and score 1. An
        object that is silent for more than `ambikit_learn.detection.tracking.GAP` s begins a new
        one.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    InputError
        It does not hold labels of STARSS23.
    """
    events = read_events(path)
    if events.kind.size and not 0 <= events.kind.min() <= events.kind.max() < len(CLASSES):
        raise InputError(
            f"{path} has classes {events.kind.min()} to {events.kind.max()}: STARSS23 has 0 to "
            f"{len(CLASSES) - 1}"
        )
    nearest = np.rint(times * FRAMES).astype(np.int64)
    objects = np.stack([events.kind, events.source], axis=1)
    tracks = []
    for one in np.unique(objects, axis=0):
        rows = np.flatnonzero((objects == one).all(axis=1))
        frames, first = np.unique(events.frame[rows], return_index=True)
        steps = np.flatnonzero(np.isin(nearest, frames))
        places = rows[first[np.searchsorted(frames, nearest[steps])]]
        pauses = np.flatnonzero(np.diff(steps) > max(GAP * rate, 1.0)) + 1
        for when, where in zip(np.split(steps, pauses), np.split(places, pauses), strict=True):
            if len(when):
                boxes = _boxes(events.azimuth[where], events.elevation[where], CLASSES[one[0]])
                tracks.append(Track(when, boxes))
    return tracks


def _boxes(
    azimuth: npt.NDArray[np.float64], elevation: npt.NDArray[np.float64], label: str
) -> Boxes:
    size = np.full(len(azimuth), NOMINAL)
    return Boxes(azimuth, elevation, size, size, np.ones(len(azimuth)), (label,) * len(azimuth))
