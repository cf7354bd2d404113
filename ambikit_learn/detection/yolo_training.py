"""Training of a small YOLO from scratch on given pictures, without the network."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ambikit_learn._files import atomic_write
from ambikit_learn.detection.views import Rectangles
from ambikit_learn.detection.yolo import _ultralytics

Picture = tuple[npt.NDArray[np.uint8], Rectangles]
BATCH = 16
# Classes differ in shape and hue: augmentation shifts and scales, but hardly changes colours.
AUGMENTATION = {
    "mosaic": 0.0,
    "scale": 0.25,
    "translate": 0.1,
    "hsv_h": 0.01,
    "hsv_s": 0.3,
    "hsv_v": 0.3,
    "fliplr": 0.5,
    "erasing": 0.0,
}


def train_yolo(
    architecture: Path,
    pictures: Iterable[Picture],
    labels: Sequence[str],
    out: Path,
    *,
    size: int,
    epochs: int,
    seed: int = 0,
) -> None:
    """Train a YOLO on flat pictures.

    Parameters
    ----------
    architecture : Path
        Model file (YAML) of ultralytics.
    pictures : iterable of ((H, W, 3) uint8 array, Rectangles)
        RGB pictures with their objects.
    labels : sequence of str
        Names of the classes.
    out : Path
        ``.pt`` file to write, in half precision, without optimiser and paths, and with its `size`.
    size : int
        Side of the input pictures in pixels, a multiple of 32.
    epochs : int
        Passes over the pictures.
    seed : int
        Random seed of initial weights, order and augmentation.

    Raises
    ------
    InputError
        ultralytics is not installed.
    """
    ultralytics = _ultralytics()
    import torch

    with tempfile.TemporaryDirectory(prefix="ambikit-yolo-") as folder:
        root = Path(folder)
        count = _write(root, pictures, labels, np.random.default_rng(seed))
        # Ultralytics validates at the end: a part of the training data serves for it.
        settings = {"path": folder, "train": "images", "val": "check.txt"}
        (root / "check.txt").write_text(
            "".join(f"./images/{i:06d}.jpg\n" for i in range(min(count, 64)))
        )
        names = {"names": dict(enumerate(labels))}
        (root / "data.yaml").write_text(json.dumps(settings | names))
        model = ultralytics.YOLO(architecture, task="detect", verbose=False)
        model.train(
            data=str(root / "data.yaml"),
            imgsz=size,
            epochs=epochs,
            batch=BATCH,
            seed=seed,
            optimizer="AdamW",
            lr0=4e-3,
            lrf=0.01,
            cos_lr=True,
            warmup_epochs=1.0,
            workers=0,
            amp=False,
            val=False,
            plots=False,
            project=folder,
            name="run",
            **AUGMENTATION,
        )
        weights = root / "run" / "weights" / "last.pt"
        checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    kept = {"model": checkpoint["model"], "train_args": {"imgsz": size, "task": "detect"}}
    # The model holds the whole configuration of its training, folders included.
    kept["model"].args = {"imgsz": size, "task": "detect"}
    kept["model"].yaml["yaml_file"] = architecture.name
    with atomic_write(out) as temporary:
        torch.save(kept | {"version": checkpoint["version"]}, temporary)


def _write(
    root: Path, pictures: Iterable[Picture], labels: Sequence[str], rng: np.random.Generator
) -> int:
    """Write pictures and their labels as ultralytics reads them; return their number."""
    from PIL import Image

    (root / "images").mkdir()
    (root / "labels").mkdir()
    count = 0
    for count, (picture, found) in enumerate(pictures, 1):
        name = f"{count - 1:06d}"
        # Video coding leaves artefacts, which the training pictures should have too.
        quality = int(rng.integers(30, 95))
        Image.fromarray(picture).save(root / "images" / f"{name}.jpg", quality=quality)
        low, high = found.corners[:, :2], found.corners[:, 2:]
        lines = [
            f"{labels.index(label)} " + " ".join(f"{value:.6f}" for value in row)
            for label, row in zip(
                found.label, np.hstack([(low + high) / 2, high - low]), strict=True
            )
        ]
        (root / "labels" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return count
