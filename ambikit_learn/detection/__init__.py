"""Detection of objects in 360° frames."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import parse_qs

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn.detection.box_file import read_boxes, write_boxes
from ambikit_learn.detection.checked import CheckedDetector, made_by
from ambikit_learn.sphere.boxes import Boxes

BY_NAME = {"world": "ambikit_learn.world.detector:world_detector"}
"""Short names of factories."""

__all__ = ["Detector", "load_detector", "read_boxes", "write_boxes"]


class Detector(Protocol):
    """A detector of objects in 360° frames.

    It may have a text ``fingerprint`` beside its name, such as a hash of its weights: `prepare`
    then refuses to add clips to a folder that another one was used for.
    """

    @property
    def name(self) -> str:
        """Name and settings, for the record of a clip."""
        ...

    def detect(self, frames: npt.NDArray[np.uint8]) -> list[Boxes]:
        """Return the objects of B equirectangular RGB frames (B, H, W, 3)."""
        ...


def load_detector(spec: str) -> Detector:
    """Create a detector from its specification on a command line.

    Parameters
    ----------
    spec : str
        - ``"none"``: detects nothing;
        - ``"file"``: stands for boxes in files, which `read_boxes` reads; they belong to clips, so
          that this detector takes no frames;
        - ``"yolo:PATH"``, or with settings ``"yolo:PATH?mode=full&labels=person,dog"``, see
          `ambikit_learn.detection.yolo.YOLO`;
        - ``"world"``: the packaged YOLO for the objects of the procedural world;
        - ``"package.module:factory"``: the result of the function ``factory()`` of that module;
          its output is checked in every call.

    Returns
    -------
    Detector

    Raises
    ------
    InputError
        The specification is unknown, a setting is wrong, or the factory returns no detector.
    FileNotFoundError
        The weights do not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from ambikit_learn import load_detector
    >>> [len(boxes) for boxes in load_detector("none").detect(np.zeros((2, 8, 16, 3), np.uint8))]
    [0, 0]
    """
    if spec == "none":
        return _Nothing()
    if spec == "file":
        return _File()
    kind, _, rest = BY_NAME.get(spec, spec).partition(":")
    if kind == "yolo" and rest:
        return CheckedDetector(_yolo(rest), spec)
    if kind and rest:
        return made_by(kind, rest)
    raise InputError(
        f"unknown detector {spec!r}: give none, file, world, yolo:PATH or package.module:factory"
    )


class _Nothing:
    """Detects nothing."""

    name = "none"

    def detect(self, frames: npt.NDArray[np.uint8]) -> list[Boxes]:
        return [Boxes.empty() for _ in frames]


class _File:
    """Stands for the boxes in files beside the clips."""

    name = "file"

    def detect(self, frames: npt.NDArray[np.uint8]) -> list[Boxes]:
        raise InputError("boxes in files belong to clips: read them with read_boxes(path, times)")


def _yolo(rest: str) -> Detector:
    """Create a YOLO detector from ``PATH?mode=...&labels=...``."""
    from ambikit_learn.detection.yolo import YOLO

    path, _, query = rest.partition("?")
    settings = {k: values[-1] for k, values in parse_qs(query, keep_blank_values=True).items()}
    if settings.keys() - {"mode", "labels"} or (query and not settings):
        raise InputError(f"unknown setting in {query!r}: YOLO takes mode=... and labels=...")
    labels = None
    if "labels" in settings:
        labels = [label.strip() for label in settings["labels"].split(",")]
        if not all(labels):
            raise InputError(f"an empty label in {query!r}: give labels=person,dog, or none at all")
    return YOLO(path, mode=settings.get("mode", "fast"), labels=labels)
