"""Measure detection on the sphere: ``python -m benchmarks.detection [--data FOLDER]``.

Each mode (`ambikit_learn.detection.views.MODES`) is measured on frames in which the directions of
the objects are known. A detection is right within 8° of an object without another detection.

- rendered, decoded: clips of the procedural world's preset ``standard``, read from their files;
- rendered, to 80° high: frames of the same preset with objects anywhere; both with the packaged
  detector;
- photographs pasted into blurred rooms (`benchmarks.pasted`), with YOLO11n;
- band: the people in ten frames of a real clip, and living room: four objects of a real photograph,
  labelled by eye, with YOLO11n. The room holds other objects, so precision is not measured.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ambikit_learn.detection import load_detector, read_boxes
from ambikit_learn.detection.metrics import Matches, match_detections
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.video.files import read_frames
from ambikit_learn.world import PRESETS, render_world
from ambikit_learn.world.detector import WEIGHTS, labelled_frame
from benchmarks import pasted

Frames = npt.NDArray[np.uint8]
Scenes = list[tuple[Frames, Boxes]]

WAYS = ("frame", "wrapped", "fast", "full")
YOLO = "yolo11n_int8_openvino_model"
COLUMNS = (
    *("frames", "objects", "way", "recall %", "and named %", "precision %", "median error °"),
    *("90% error °", "recall at the seam %", "recall above 45° %", "ms a frame"),
)
BAND = [("person", 13, -10), ("person", 72, -13), ("person", -47, -16), ("person", 175, -11)]
ROOM = [("person", 15.5, -14), ("tv", 62, -21), ("couch", -84, -34), ("couch", -150, -48)]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of test data; else $TEST_DATA, if set")
    parser.add_argument("--detector", help="another YOLO of COCO's classes for photographs")
    parser.add_argument("--frames", type=int, default=60, help="of each kind that is made")
    options = parser.parse_args()
    data = options.data or (Path(os.environ["TEST_DATA"]) if "TEST_DATA" in os.environ else None)
    weights = options.detector or (data and data / YOLO)
    print(_row(COLUMNS), _row(["---"] * len(COLUMNS)), sep="\n")
    measure("rendered, decoded", decoded(options.frames), f"yolo:{WEIGHTS}?")
    measure("rendered, to 80° high", high(options.frames), f"yolo:{WEIGHTS}?")
    if weights:
        scenes = photographs(options.frames, data)
        measure("photographs pasted", scenes, f"yolo:{weights}?")
    if weights and data:
        measure("band", band(data), f"yolo:{weights}?labels=person&")
        measure("living room", living_room(data), f"yolo:{weights}?", everything=False)


def measure(name: str, scenes: Scenes, detector: str, *, everything: bool = True) -> None:
    """Print a row for each mode; `everything`: all objects of the scenes are known."""
    for way in WAYS:
        yolo = load_detector(f"{detector}mode={way}")
        yolo.detect(scenes[0][0][None])
        begin = time.perf_counter()
        found = [yolo.detect(frame[None])[0] for frame, _ in scenes]
        seconds = time.perf_counter() - begin
        result = match_detections(found, [truth for _, truth in scenes])
        figures = summary(result)
        if not everything:
            figures[2] = "–"
        cells = [name, str(len(result.objects)), way, *figures]
        print(_row([*cells, f"{1000 * seconds / len(scenes):.0f}"]), flush=True)


def summary(result: Matches) -> list[str]:
    """Return the cells of recall, precision and errors."""
    objects, error = result.objects, result.error[result.hit]
    seam = np.abs(objects.azimuth) + objects.width / 2 > 180
    parts = [result.hit, result.named, result.hit[seam], result.hit[np.abs(objects.elevation) > 45]]
    recall, named, at_seam, above = (f"{100 * p.mean():.0f}" if len(p) else "–" for p in parts)
    median, most = (f"{np.percentile(error, q):.2f}" if len(error) else "–" for q in (50, 90))
    return [recall, named, f"{100 * result.precision:.0f}", median, most, at_seam, above]


def decoded(count: int) -> Scenes:
    """Return one frame of each rendered clip, as read from its file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        render_world(root, clips=count, seed=1, duration=0.5, frame_size=(320, 640), workers=0)
        scenes = []
        for video in sorted((root / "video").iterdir()):
            (frame,) = read_frames(video, start=0.25, rate=8.0, duration=0.125)
            (boxes,) = read_boxes(root / "boxes" / f"{video.stem}.json", [0.25])
            scenes.append((frame, boxes))
    return scenes


def high(count: int) -> Scenes:
    """Return rendered frames with objects at any height."""
    preset = replace(PRESETS["standard"], elevation=80.0)
    return [
        labelled_frame(preset, seed=1, index=i, split="test", size=(320, 640)) for i in range(count)
    ]


def photographs(count: int, data: Path | None) -> Scenes:
    """Return rooms with photographs in them."""
    objects, rng = pasted.cutouts(data), np.random.default_rng(0)
    return [pasted.scene(objects, rng, (640, 1280)) for _ in range(count)]


def band(data: Path) -> Scenes:
    """Return one frame per second of the band, and the directions of its people."""
    frames = read_frames(data / "yt360/video/kqAZkf5Odyw-80.mp4", rate=1.0, duration=10.0)
    return [(frame, _known(BAND)) for frame in frames]


def living_room(data: Path) -> Scenes:
    """Return the living room."""
    picture = Image.open(data / "frames/living-room.jpg").convert("RGB")
    return [(np.asarray(picture), _known(ROOM))]


def _known(things: Sequence[tuple[str, float, float]]) -> Boxes:
    """Return boxes at known directions; their size is not used."""
    label, azimuth, elevation = zip(*things, strict=True)
    ones = np.ones(len(things))
    return Boxes(np.array(azimuth), np.array(elevation), 20 * ones, 20 * ones, ones, label)


def _row(cells: Sequence[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
