"""Measure what crops show: ``python -m benchmarks.crops --data FOLDER``.

In six real clips of Sphere360 it is obvious what sounds, and its place was measured in the picture
by eye. The table gives, for each strategy, in how many of the items at least one of four crops
shows that place, and how many of the crops do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

import ambikit
from ambikit_learn import SpanDataset, prepare
from ambikit_learn.data.items import Item
from ambikit_learn.sphere.crops import STRATEGIES
from benchmarks.detection import YOLO

PLACES = {
    "0FB9jMXMP8A_19": ("guitar", -9.0, -22.0),
    "TKPZf_P5_18_30": ("guitar", 4.0, -11.0),
    "pC2WmY6bkB4_251": ("tabla", 0.0, -15.0),
    "gyFx147_35Q_52": ("saxophone", -25.0, -27.0),
    "KVvDejzzQjM_6": ("piano", -4.0, -35.0),
    "NdE7uYVaynQl_0": ("hang", 4.0, -31.0),
}
"""What sounds, and its azimuth and elevation in degrees."""
VIEWS, SPANS = 4, 8


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crops", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TEST_DATA"))
    parser.add_argument("--detector", help="default: YOLO11n of the test data")
    parser.add_argument("--seeds", type=int, default=10, help="draws of each span")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data is needed")
    data = Path(options.data)
    detector = options.detector or f"yolo:{data / YOLO}"
    with tempfile.TemporaryDirectory() as folder:
        clips, shards = Path(folder, "clips"), Path(folder, "shards")
        clips.mkdir()
        for key in PLACES:
            shutil.copy(data / f"sphere360/media/{key}.mkv", clips)
        prepare(clips, shards, source="folder", detector=detector, workers=0, frame_size=(240, 480))
        rows = {name: [] for name in PLACES}
        for strategy in STRATEGIES:
            for key, shown in measured(shards, strategy, options.seeds).items():
                rows[key].append(shown)
    print(f"| clip | {' | '.join(STRATEGIES)} |\n|{' --- |' * (1 + len(STRATEGIES))}")
    for key, cells in rows.items():
        parts = [f"{100 * some:.0f} ({100 * each:.0f})" for some, each in cells]
        print(f"| {PLACES[key][0]} `{key}` | {' | '.join(parts)} |")
    medians = np.median([[some for some, _ in cells] for cells in rows.values()], axis=0)
    print(f"| median | {' | '.join(f'{100 * value:.0f}' for value in medians)} |")


def measured(shards: Path, strategy: str, seeds: int) -> dict[str, tuple[float, float]]:
    """Return by clip the shares of items and of crops that show what sounds."""
    shown: dict[str, list[np.ndarray]] = {key: [] for key in PLACES}
    for seed in range(seeds):
        items = SpanDataset(
            shards,
            "train",
            spans=SPANS,
            strategy=strategy,
            views=VIEWS,
            frames=1,
            size=4,
            seed=seed,
        )
        for index in range(len(items)):
            item = items[index]
            shown[item.key].append(shows(item, *PLACES[item.key][1:]))
    return {
        key: (float(np.mean([s.any() for s in all_])), float(np.mean(all_)))
        for key, all_ in shown.items()
    }


def shows(item: Item, azimuth: float, elevation: float) -> np.ndarray:
    """Return which of the crops of an item show a direction."""
    place = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    found = []
    for a, e, w, h in zip(item.azimuth, item.elevation, item.width, item.height, strict=True):
        ahead, left, up = ambikit.look_at(float(a), float(e)).apply(place)
        inside = abs(left) < ahead * np.tan(float(w) / 2) and abs(up) < ahead * np.tan(float(h) / 2)
        found.append(bool(ahead > 0 and inside))
    return np.array(found)


if __name__ == "__main__":
    main()
