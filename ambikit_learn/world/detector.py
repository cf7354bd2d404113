"""The detector of the world's objects: a small YOLO, trained on rendered frames.

``python -m ambikit_learn.world.detector`` trains the packaged weights anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ambikit_learn._progress import progress
from ambikit_learn._typing import Frames
from ambikit_learn.detection import Detector, load_detector
from ambikit_learn.detection.metrics import average_precision
from ambikit_learn.detection.views import Rectangles, Tile
from ambikit_learn.detection.yolo_training import Picture, train_yolo
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import direction_to_pixel, local_axes
from ambikit_learn.world.pictures import boxes, boxes_at, render_frames
from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.scene import CLASSES, LABEL_RATE, sample_scene
from ambikit_learn.world.sounds import perform

WEIGHTS = Path(__file__).with_name("detector.pt")
"""Weights of the packaged detector."""
ARCHITECTURE = Path(__file__).with_name("detector.yaml")
SIZE = 256
# The frame sizes that preparation keeps, and twice these.
FRAME_SIZES = ((160, 320), (320, 640))
# More objects than scenes with sound have: each picture then holds more examples.
CROWD = replace(
    PRESETS["standard"],
    objects=(7, 9),
    elevation=45.0,
    spacing=30.0,
    radius=(7.0, 16.0),
    motion=(1.0, 0.0, 0.0),
)
# Sound is computed only for the motion that it drives.
COARSE_RATE = 8000.0
VISIBLE = 0.3


def world_detector() -> Detector:
    """Return the packaged detector.

    Returns
    -------
    Detector
        The same as ``load_detector(f"yolo:{WEIGHTS}?mode=tiles")``: it has seen objects only at
        the scale of a tile, not at that of a second look.
    """
    return load_detector(f"yolo:{WEIGHTS}?mode=tiles")


def labelled_frame(
    preset: Preset, *, seed: int, index: int, split: str, size: tuple[int, int]
) -> tuple[Frames, Boxes]:
    """Render one moment of a scene.

    Parameters
    ----------
    preset : Preset
        Bounds of the difficulty.
    seed, index : int
        World and clip.
    split : {"train", "test"}
        Split whose individuals appear.
    size : (int, int)
        Height and width in pixels.

    Returns
    -------
    frame : (H, W, 3) ndarray of uint8
    boxes : Boxes
        With score 1.
    """
    scene = sample_scene(preset, seed=seed, index=index, split=split, duration=1.0)
    performances = [perform(scene, i, COARSE_RATE) for i in range(len(scene.objects))]
    moment = index % int(LABEL_RATE)
    (frame,) = render_frames(scene, performances, [moment / LABEL_RATE], size)
    return frame, boxes_at(boxes(scene, performances), moment / LABEL_RATE)


def rectangles_on(tile: Tile, there: Boxes) -> Rectangles:
    """Project boxes onto a tile.

    Parameters
    ----------
    tile : Tile
    there : Boxes

    Returns
    -------
    Rectangles
        Rectangles clipped at the tile's edges, except those of which less than 0.3 remains.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    wide, high = (np.tan(np.deg2rad(side) / 2)[:, None] for side in (there.width, there.height))
    plane = [np.ones((len(there), 32)), wide * np.cos(angle), high * np.sin(angle)]
    axes = local_axes(np.deg2rad(there.azimuth), np.deg2rad(there.elevation))
    x, y, z = np.moveaxis(np.stack(plane, axis=-1) @ axes, -1, 0)
    u, down = direction_to_pixel(np.arctan2(y, x), np.arctan2(z, np.hypot(x, y)))
    centre, _ = direction_to_pixel(np.deg2rad(there.azimuth), 0.0)
    middle, _ = direction_to_pixel(np.deg2rad(tile.azimuth), 0.0)
    # Azimuths are unwrapped to the turn that is nearest to the tile.
    away = (centre - middle + 0.5) % 1.0 - 0.5
    u = away[:, None] + (u - centre[:, None] + 0.5) % 1.0 - 0.5
    across = 0.5 + u * 360.0 / tile.width
    corners = np.stack([across.min(1), down.min(1), across.max(1), down.max(1)], axis=1)
    cut = np.clip(corners, 0.0, 1.0)
    left = (cut[:, 2] - cut[:, 0]) / (corners[:, 2] - corners[:, 0])
    kept = np.flatnonzero(left >= VISIBLE)
    return Rectangles(cut[kept], there.score[kept], tuple(there.label[i] for i in kept))


def training_pictures(scenes: int, seed: int) -> Iterator[Picture]:
    """Yield two opposite tiles of each crowded scene, with the rectangles on them."""
    rng = np.random.default_rng(seed)
    for index in range(scenes):
        size = FRAME_SIZES[index % len(FRAME_SIZES)]
        frame, there = labelled_frame(CROWD, seed=seed, index=index, split="train", size=size)
        side = rng.uniform(-180.0, 180.0)
        for tile in (Tile(side), Tile(side + 180.0)):
            yield tile.render(frame[None], SIZE)[0], rectangles_on(tile, there)


def measure(detector: Detector, *, frames: int = 100, seed: int = 1) -> dict[str, float]:
    """Measure a detector on scenes of the standard preset that it has not been trained on.

    Parameters
    ----------
    detector : Detector
    frames : int
        Number of frames, each of another scene.
    seed : int
        Seed of the world; it must differ from that of the training.

    Returns
    -------
    dict of str to float
        Average precision at an overlap of 0.5 on the sphere, by class.
    """
    found, truth = [], []
    for index in range(frames):
        frame, there = labelled_frame(
            PRESETS["standard"], seed=seed, index=index, split="test", size=FRAME_SIZES[0]
        )
        found.extend(detector.detect(frame[None]))
        truth.append(there)
    return average_precision(found, truth)


def train_detector(
    out: Path = WEIGHTS, *, scenes: int = 700, epochs: int = 8, seed: int = 0
) -> None:
    """Train the world's detector, and print its average precision on unseen scenes.

    Parameters
    ----------
    out : Path
        Weights to write, a ``.pt`` file.
    scenes : int
        Number of training scenes, with two pictures each.
    epochs : int
        Passes over them.
    seed : int
        Random seed of scenes and training.
    """
    pictures = progress(training_pictures(scenes, seed), 2 * scenes, "pictures")
    train_yolo(ARCHITECTURE, pictures, CLASSES, out, size=SIZE, epochs=epochs, seed=seed)
    precision = measure(load_detector(f"yolo:{out}?mode=tiles"), seed=seed + 1)
    for label, value in precision.items():
        print(f"{label:<12}{value:.3f}")
    print(f"{'mAP50':<12}{np.mean(list(precision.values())):.3f}")


if __name__ == "__main__":
    from jsonargparse import auto_cli

    auto_cli(train_detector, args=sys.argv[1:])
