"""YOLO on the sphere with the package ultralytics (AGPL-3.0), which only this file imports."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from ambikit import InputError, checks
from ambikit_learn._files import fingerprint
from ambikit_learn._typing import Frames
from ambikit_learn.detection.modes import MODES, detect_on_sphere
from ambikit_learn.detection.views import Rectangles
from ambikit_learn.sphere.boxes import Boxes

BATCH = 8
"""Pictures that go through the network at a time: views of one frame, or of several."""
_TASKS = ("detect", "segment", "pose")
"""Tasks of ultralytics whose results have upright boxes."""


class YOLO:
    """Detector of objects in 360° frames by a YOLO detector of flat pictures.

    Parameters
    ----------
    weights : path
        A ``.pt`` file, or a model exported to another format (for OpenVINO, a folder). A ``.pt``
        file is a pickle, which can run code: use one only if you trust where it is from.
    mode : {"fast", "full", "tiles", "wrapped", "frame"}
        Where to look (`ambikit_learn.detection.modes.MODES`). ``"fast"``: four tiles of the frame
        and two views of the poles, and a second look at what may be an object there: about 10
        passes through the network for a frame of three objects, at most 22. Of objects within 8° of
        a pole it misses two in ten. ``"full"``: fourteen
        perspective views beside these, and a second look: about 24 passes, at most 36.
        ``"tiles"``: the tiles alone, for models that know objects only at the scale of a panorama.
        ``"wrapped"``, ``"frame"``: one pass, in which small objects and those near a pole are
        missed.
    labels : iterable of str, optional
        Keep only these classes of the model; or, of a model with an open vocabulary (YOLO-World,
        YOLOE), look for these.

    Raises
    ------
    FileNotFoundError
        The weights do not exist.
    InputError
        The mode is unknown; on first use: the weights cannot be loaded, the model has a fixed input
        that is not square, or it lacks a label.

    Notes
    -----
    The weights are loaded on first use, so that the object can be sent to another process. Nothing
    is fetched from the network. Views have the input size of the model: that of an exported model
    is fixed, and ultralytics would silently scale pictures of any other size to it.
    """

    def __init__(
        self, weights: str | Path, *, mode: str = "fast", labels: Iterable[str] | None = None
    ) -> None:
        self.weights = Path(weights)
        if not self.weights.exists():
            raise FileNotFoundError(
                f"{weights}: no such YOLO weights: give the path of a .pt file or of an exported "
                "model (none are downloaded)"
            )
        self.mode = checks.choice(mode, tuple(MODES), "mode")
        self.labels = None if labels is None else tuple(labels)

    @property
    def name(self) -> str:
        """Weights and settings, for the record of a clip."""
        chosen = "" if self.labels is None else f"&labels={','.join(self.labels)}"
        return f"yolo:{self.weights.name}?mode={self.mode}{chosen}"

    @property
    def fingerprint(self) -> str:
        """Hash of the weights: the same path may hold others later."""
        return fingerprint(self.weights)

    def detect(self, frames: Frames) -> list[Boxes]:
        """Detect objects.

        Parameters
        ----------
        frames : (B, H, W, 3) uint8 array
            Equirectangular RGB frames.

        Returns
        -------
        list of B Boxes
            Objects of each frame, in the order of falling score.
        """
        model = self._model
        return detect_on_sphere(checks.frames(frames), MODES[self.mode], model.size, model)

    @cached_property
    def _model(self) -> _Model:
        return _Model(self.weights, self.labels)

    @property
    def pictures(self) -> int:
        """Number of pictures that went through the network so far."""
        return self._model.pictures

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_model"}


class _Model:
    """A loaded model as a `FlatDetector`."""

    def __init__(self, weights: Path, labels: tuple[str, ...] | None) -> None:
        self.pictures = 0
        try:
            self._yolo = _ultralytics().YOLO(weights, task="detect", verbose=False)
            self.size = self._input_size(weights)
        except InputError:
            raise
        except Exception as error:  # ultralytics, torch and each runtime raise different types
            raise InputError(
                f"{weights} cannot be loaded as YOLO weights ({type(error).__name__}: {error}): "
                "give a .pt file or an exported model, and install its runtime"
            ) from error
        names: dict[int, str] = self._yolo.names
        self._classes = None
        if labels is not None:
            unknown = sorted(set(labels) - set(names.values()))
            if unknown and hasattr(self._yolo, "set_classes"):
                self._ask_for(labels, weights)
                names, unknown = self._yolo.names, []
            if unknown:
                known = ", ".join(names.values())
                raise InputError(f"{weights} knows no {', '.join(unknown)}; its labels: {known}")
            self._classes = [number for number, name in names.items() if name in labels]

    def _ask_for(self, labels: tuple[str, ...], weights: Path) -> None:
        """Set the classes of a model that takes any text for their names."""
        try:
            self._yolo.set_classes(list(labels))
        except Exception as error:  # without the network, the text encoder raises what it likes
            raise InputError(
                f"{weights} takes any labels, but their encoder is not installed "
                f"({type(error).__name__}: {error}): call set_classes(labels) and save(path) of "
                "ultralytics where it is, and give that file"
            ) from error

    def _input_size(self, weights: Path) -> int:
        """Size to which the model really scales pictures; known once it has seen one."""
        (result,) = self._yolo.predict(np.zeros((64, 64, 3), np.uint8), verbose=False)
        task = getattr(self._yolo.predictor.model, "task", None) or self._yolo.task
        if task not in _TASKS or result.boxes is None:
            raise InputError(
                f"{weights} is a model for the task {task!r}, which gives no upright boxes: give "
                f"one for {', '.join(_TASKS)}"
            )
        height, width = np.broadcast_to(self._yolo.predictor.imgsz, 2)
        if height != width:
            raise InputError(
                f"{weights}: its input is {width} × {height}, not square: export with imgsz=640"
            )
        return int(width)

    def __call__(self, pictures: Iterable[Frames]) -> list[Rectangles]:
        """Detect objects in flat pictures (H, W, 3), `BATCH` at a time."""
        import cv2  # comes with ultralytics

        least = min(view.confidence for mode in MODES.values() for view in mode.views)
        found: list[Rectangles] = []
        rest = iter(pictures)
        while some := list(islice(rest, BATCH)):
            self.pictures += len(some)
            results = self._yolo.predict(
                [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in some],
                imgsz=self.size,
                conf=least,
                classes=self._classes,
                verbose=False,
            )
            found += map(_rectangles, results)
        return found


def _rectangles(result: Any) -> Rectangles:
    """Return what ultralytics found in a picture."""
    boxes = result.boxes.cpu().numpy()
    return Rectangles(
        boxes.xyxyn.astype(np.float64),
        boxes.conf.astype(np.float64),
        tuple(result.names[int(number)] for number in boxes.cls),
    )


def _ultralytics() -> Any:
    """Import ultralytics without its use of the network, home folder and global settings."""
    os.environ.setdefault("YOLO_OFFLINE", "1")
    os.environ.setdefault("YOLO_AUTOINSTALL", "0")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    if "YOLO_CONFIG_DIR" not in os.environ:
        # A folder per process: several that start together would write the same file.
        settings = tempfile.mkdtemp(prefix="ambikit-ultralytics-")
        atexit.register(shutil.rmtree, settings, ignore_errors=True)
        os.environ["YOLO_CONFIG_DIR"] = settings
    # OpenVINO reports its import to Google Analytics, unless this module is absent.
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))
    # Before ultralytics, which sets OMP_NUM_THREADS=1: torch reads it on import.
    import torch  # noqa: F401

    threads_given = "OMP_NUM_THREADS" in os.environ
    with np.printoptions():  # ultralytics changes them
        checks.package("ultralytics", "YOLO needs")
        import ultralytics
    if not threads_given:
        os.environ.pop("OMP_NUM_THREADS", None)
    return ultralytics
