"""Measure detection on the sphere: ``python -m benchmarks.detection [--data FOLDER]``.

Each mode (`ambikit_learn.detection.modes.MODES`) is measured on frames in which the directions of
the objects are known. A detection is right within 8° of an object without another detection (4° in
crowds). In photographs, detections that match no object do not count (their number is given in
brackets) where the detector finds the same in the surroundings alone, which ``empty`` measures, or
where the cut-out of an object is known to show another thing.

- clear: objects of 10° to 50° that YOLO11n names in a direct view, a third of them on the seam and
  a third above 45° or below −45°, in photographed surroundings (`benchmarks.pasted`), with YOLO11n;
- all: objects of 5° to 60°, whether it knows them or not, a quarter of them on the seam, a quarter
  above 45° or below −45°, and a quarter above 82° or below −82°;
- crowd: twelve objects of 5° to 14° in a quarter of the horizon;
- empty: the surroundings alone, in which every detection is wrong;
- band: the people in ten frames of a real clip, and living room: four objects of a real photograph,
  labelled by eye. The room holds other objects, so precision is not measured;
- rendered, decoded: clips of the procedural world's preset ``standard``, read from their files, and
  rendered, to 80° high: frames of the same preset with objects anywhere; both with the packaged
  detector.
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

from ambikit_learn.detection import load_detector, read_boxes
from ambikit_learn.detection.metrics import Matches, match_detections
from ambikit_learn.detection.modes import MODES
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.video.files import read_frames
from ambikit_learn.world import PRESETS, render_world
from ambikit_learn.world.detector import WEIGHTS, labelled_frame
from benchmarks import pasted
from benchmarks.pasted import Scene

Frames = npt.NDArray[np.uint8]
Scenes = list[Scene]

YOLO = "yolo11n_int8_openvino_model"
SIZE = (960, 1920)
"""Frames of photographs."""
LARGEST = (10.0, 15.0, 30.0, np.inf)
"""Bounds of the longer side, by which recall is given."""
HIGHEST = (45.0, pasted.POLE, np.inf)
"""Bounds of the elevation, by which recall is given."""
COLUMNS = (
    *(
        "frames",
        "objects",
        "mode",
        "ms",
        "calls",
        "recall %",
        "and named %",
        "precision % (besides)",
    ),
    *("error ° (median, 90%)", "extents within 25%: all, above 45°"),
    *("recall at 5-10-15-30-60°", "at elevations of 0-45-82-90°", "at the seam"),
)
BAND = [("person", 13, -10), ("person", 72, -13), ("person", -47, -16), ("person", 175, -11)]
ROOM = [("person", 15.5, -14), ("tv", 62, -21), ("couch", -84, -34), ("couch", -150, -48)]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of test data; else $TEST_DATA, if set")
    parser.add_argument("--detector", help="another YOLO of COCO's classes for photographs")
    parser.add_argument("--frames", type=int, default=60, help="of each kind that is made")
    parser.add_argument("--seed", type=int, default=0, help="of the placements")
    parser.add_argument("--modes", default=",".join(MODES), help="modes to measure")
    parser.add_argument("--only", help="one kind of frames, such as crowd")
    options = parser.parse_args()
    data = options.data or (Path(os.environ["TEST_DATA"]) if "TEST_DATA" in os.environ else None)
    weights = options.detector or (data and data / YOLO)
    count, seed, modes = options.frames, options.seed, options.modes.split(",")
    real, world = f"yolo:{weights}?", f"yolo:{WEIGHTS}?"
    print(_row(COLUMNS), _row(["---"] * len(COLUMNS)), sep="\n")
    kinds = {
        "clear": (lambda: photographs(count, data, seed, "clear"), real, {}),
        "all": (lambda: photographs(count, data, seed, "all"), real, {}),
        "crowd": (lambda: photographs(count // 3, data, seed, "crowd"), real, {"within": 4.0}),
        "empty": (lambda: empty(data), real, {}),
        "band": (lambda: band(data), f"{real}labels=person&", {}),
        "living room": (lambda: living_room(data), real, {"everything": False}),
        "rendered, decoded": (lambda: decoded(count), world, {}),
        "rendered, to 80° high": (lambda: high(count), world, {}),
    }
    for name, (scenes, detector, how) in kinds.items():
        possible = detector == world or (weights and (data or name in ("clear", "all", "crowd")))
        if possible and options.only in (None, name):
            measure(name, scenes(), detector, modes, **how)


def measure(
    name: str,
    scenes: Scenes,
    detector: str,
    modes: Sequence[str],
    *,
    everything: bool = True,
    within: float = 8.0,
) -> None:
    """Print a row for each mode; `everything`: all objects of the scenes are known."""
    for mode in modes:
        yolo = load_detector(f"{detector}mode={mode}")
        alone = {id(scene.alone): scene.alone for scene in scenes if scene.alone is not None}
        there = {key: yolo.detect(frame[None])[0] for key, frame in alone.items()}
        yolo.detect(scenes[0].frame[None])
        before, seconds, found = yolo.detector.pictures, [], []
        for scene in scenes:
            begin = time.perf_counter()
            found += yolo.detect(scene.frame[None])
            seconds.append(time.perf_counter() - begin)
        calls = (yolo.detector.pictures - before) / len(scenes)
        result = match_detections(
            found,
            [scene.objects for scene in scenes],
            beside=[
                Boxes.concatenate([scene.beside, there.get(id(scene.alone), Boxes.empty())])
                for scene in scenes
            ],
            within=within,
        )
        cost = [f"{1000 * np.median(seconds):.0f}", f"{calls:.1f}"]
        cells = [name, str(len(result.objects)), mode, *cost]
        print(_row([*cells, *summary(result, everything=everything)]), flush=True)


def summary(result: Matches, *, everything: bool = True) -> list[str]:
    """Return the cells of recall, precision, errors and extents."""
    objects, error = result.objects, result.error[result.hit]
    if not len(objects):
        return [f"{result.detections} detections", *["–"] * 7]
    above, longer = np.abs(objects.elevation), np.maximum(objects.width, objects.height)
    seam = np.abs(objects.azimuth) + objects.width / 2 > 180
    fits = (np.abs(result.extent - 1) <= 0.25).all(axis=1)
    size = [_percent(result.hit[part]) for part in _bands(longer, LARGEST)]
    height = [_percent(result.hit[part]) for part in _bands(above, HIGHEST)]
    return [
        _percent(result.hit, 1),
        _percent(result.named, 1),
        f"{100 * result.precision:.1f} ({result.neutral})" if everything else "–",
        f"{np.median(error):.2f}, {np.percentile(error, 90):.2f}" if len(error) else "–",
        f"{_percent(fits[result.hit])}, {_percent(fits[result.hit & (above > 45)])}",
        " ".join(size),
        " ".join(height),
        _percent(result.hit[seam]),
    ]


def photographs(
    count: int, data: Path | None, seed: int, kind: str, *, size: tuple[int, int] = SIZE
) -> Scenes:
    """Return photographs of surroundings with photographs of objects in them."""
    objects, places = pasted.cutouts(data), pasted.surroundings(data, size)
    rng = np.random.default_rng(seed)
    return [pasted.scene(objects, places, rng, kind=kind) for _ in range(count)]


def empty(data: Path | None) -> Scenes:
    """Return the surroundings alone."""
    return [Scene(place, Boxes.empty()) for place in pasted.surroundings(data, SIZE)]


def decoded(count: int) -> Scenes:
    """Return one frame of each rendered clip, as read from its file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        render_world(root, clips=count, seed=1, duration=0.5, frame_size=(320, 640), workers=0)
        scenes = []
        for video in sorted((root / "video").iterdir()):
            (frame,) = read_frames(video, start=0.25, rate=8.0, duration=0.125)
            (boxes,) = read_boxes(root / "boxes" / f"{video.stem}.json", [0.25])
            scenes.append(Scene(frame, boxes))
    return scenes


def high(count: int) -> Scenes:
    """Return rendered frames with objects at any height."""
    preset = replace(PRESETS["standard"], elevation=80.0)
    return [
        Scene(*labelled_frame(preset, seed=1, index=i, split="test", size=(320, 640)))
        for i in range(count)
    ]


def band(data: Path) -> Scenes:
    """Return one frame per second of the band, and the directions of its people."""
    frames = read_frames(data / pasted.BAND, rate=1.0, duration=10.0)
    return [Scene(frame, _known(BAND)) for frame in frames]


def living_room(data: Path) -> Scenes:
    """Return the living room."""
    return [Scene(pasted.photograph(data / pasted.ROOM), _known(ROOM))]


def _known(things: Sequence[tuple[str, float, float]]) -> Boxes:
    """Return boxes at known directions; their size is not used."""
    label, azimuth, elevation = zip(*things, strict=True)
    size = np.full(len(things), np.nan)
    return Boxes(np.array(azimuth), np.array(elevation), size, size, np.ones(len(things)), label)


def _bands(values: npt.NDArray[np.float64], bounds: Sequence[float]) -> list[npt.NDArray[np.bool_]]:
    """Return which values lie below each bound, but not below the one before."""
    number = np.digitize(values, bounds)
    return [number == k for k in range(len(bounds))]


def _percent(holds: npt.NDArray[np.bool_], digits: int = 0) -> str:
    """Return the share of true values in per cent."""
    return f"{100 * holds.mean():.{digits}f}" if len(holds) else "–"


def _row(cells: Sequence[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
