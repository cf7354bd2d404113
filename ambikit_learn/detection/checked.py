"""Detectors of other packages: loaded by name, with their output checked in every call."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from ambikit import InputError
from ambikit_learn._typing import Frames
from ambikit_learn.sphere.boxes import Boxes, flaw_of


class CheckedDetector:
    """A detector whose output is checked: one `Boxes` per frame, with valid directions.

    Parameters
    ----------
    detector : object
        An object with a text ``name`` and a method ``detect(frames)``.
    spec : str
        Specification that the user gave, for messages.

    Attributes
    ----------
    name : str
        Name and settings.
    fingerprint : str
        What the detector says of the contents of its weights when it is loaded, empty if nothing.

    Raises
    ------
    InputError
        The detector has no name or no method `detect`, or its fingerprint is no text.
    """

    def __init__(self, detector: Any, spec: str) -> None:
        try:
            name = getattr(detector, "name", None)
            found = getattr(detector, "fingerprint", None) or ""
        except Exception as error:  # properties run the code of the detector
            raise InputError(
                f"detector {spec} does not say what it is ({type(error).__name__}: {error}): "
                "repair its 'name' or 'fingerprint'"
            ) from error
        usable = callable(getattr(detector, "detect", None)) and not isinstance(detector, type)
        if not (usable and isinstance(name, str) and name):
            kind = "a class" if isinstance(detector, type) else type(detector).__name__
            raise InputError(
                f"detector {spec}: expected an object with a text 'name' and a method "
                f"detect(frames), got {kind} with the name {name!r}: add them"
            )
        if not isinstance(found, str):
            raise InputError(
                f"detector {spec}: its 'fingerprint' must be a text, such as a hash of its "
                f"weights, not {type(found).__name__}"
            )
        self.name, self.fingerprint = name, found
        self.detector, self.spec = detector, spec

    def detect(self, frames: Frames) -> list[Boxes]:
        """Detect the objects of frames (B, H, W, 3).

        Raises
        ------
        InputError
            The detector returned something else than B valid `Boxes`.
        """
        found = self.detector.detect(frames)
        if not isinstance(found, Sequence) or not all(isinstance(b, Boxes) for b in found):
            kinds = (
                sorted({type(b).__name__ for b in found})
                if isinstance(found, Sequence)
                else type(found).__name__
            )
            raise self._refusal(f"returned {kinds}, not a list of Boxes")
        if len(found) != len(frames):
            raise self._refusal(
                f"returned {len(found)} Boxes for {len(frames)} frames; a frame without objects "
                "has Boxes.empty()"
            )
        for boxes in found:
            if flaw := flaw_of(boxes):
                raise self._refusal(f"returned {flaw}")
        return list(found)

    def _refusal(self, what: str) -> InputError:
        return InputError(f"detector {self.spec} ({self.name}) {what}: repair the detector")


def made_by(module: str, factory: str) -> CheckedDetector:
    """Create a detector by a function of another module.

    Parameters
    ----------
    module, factory : str
        The function ``factory()`` of that module returns the detector.

    Raises
    ------
    InputError
        The function does not exist, raises, or returns no detector.
    """
    spec = f"{module}:{factory}"
    try:
        make: Any = getattr(importlib.import_module(module), factory)
    except (Exception, SystemExit) as error:  # importing runs the code of the module
        raise InputError(
            f"no detector {spec} ({type(error).__name__}: {error}): check its name, and that "
            "python imports it"
        ) from error
    try:
        made = make()
    except (Exception, SystemExit) as error:
        raise InputError(
            f"detector {spec} could not be made ({type(error).__name__}: {error}): repair its "
            "factory, which is called without arguments"
        ) from error
    return CheckedDetector(made, spec)
