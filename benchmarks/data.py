"""Measure preparation and reading of clips: python -m benchmarks.data [--clips N].

Clips are rendered, prepared in several ways and read back, each in a separate process. Preparation
is measured in CPU time. Reading is measured in CPU time without workers, and in elapsed time with
two, which requires an idle machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.report import table

SECONDS, SOURCE_SIZE, SOURCE_RATE = 10.0, (360, 640), 24.0
PAPER = {"frame_size": (224, 448)}
PREPARED: dict[str, dict[str, Any]] = {
    "coded, 160 × 320": {"video_mode": "encode"},
    "coded, 160 × 320, Opus": {"video_mode": "encode", "sound_codec": "opus"},
    "coded, 224 × 448": {"video_mode": "encode", **PAPER},
    "copied": {"video_mode": "copy"},
    "copied, Opus": {"video_mode": "copy", "sound_codec": "opus"},
}
"""Ways to prepare, as options of `prepare`."""
READ = {
    "48 px, 3 frames": {"size": 48, "frames": 3},
    "112 px, 8 frames": {"size": 112, "frames": 8},
}
"""Samples to read, as options of `AlignmentDataset`."""

GOALS = {"coded": 12.0, "copied": 60.0, "48 px, 3 frames": 60.0, "112 px, 8 frames": 20.0}
"""Goals: multiples of real time on one core, and samples per second with two workers."""
MEGABYTES = 1000.0
ITEMS = 80


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--clips", type=int, default=8)
    clips = parser.parse_args().clips
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        alone(render, root / "world", clips)
        print(f"{clips} clips of {SECONDS:g} s, {SOURCE_SIZE[1]} × {SOURCE_SIZE[0]}, ", end="")
        print(f"{SOURCE_RATE:g} frames/s; load {os.getloadavg()[0]:.1f}\n", flush=True)
        rows = []
        for name, options in PREPARED.items():
            found = alone(prepare_all, root / "world", root / name, options)
            speed = clips * SECONDS / found["cpu"]
            rows.append(
                [
                    name,
                    marked(speed, GOALS[name.split(",")[0]]),
                    f"{found['bytes'] / clips / SECONDS / 1e3:.0f}",
                    marked(found["megabytes"], MEGABYTES, most=True),
                ]
            )
        print(table(["prepared", "× real time, one core", "kB/s", "MB a worker"], rows), flush=True)
        rows = []
        for name in PREPARED:
            for kind, options in READ.items():
                none, two = (alone(read, root / name, options, n) for n in (0, 2))
                rows.append(
                    [
                        name,
                        kind,
                        f"{1 / none['each']:.0f}",
                        marked(1 / two["each"], GOALS[kind]),
                        marked(two["megabytes"], MEGABYTES, most=True),
                    ]
                )
        print(table(["read", "", "samples/s, no workers", "two workers", "MB a worker"], rows))


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def render(out: Path, clips: int) -> None:
    """Write the clips."""
    from ambikit_learn.world import render_world

    render_world(
        out,
        clips=clips,
        duration=SECONDS,
        test_fraction=0.0,
        frame_size=SOURCE_SIZE,
        frame_rate=SOURCE_RATE,
        sample_rate=48000,
        workers=0,
    )


def prepare_all(source: Path, out: Path, options: dict[str, Any]) -> dict[str, float]:
    """Prepare the clips in this process; return its CPU time, the bytes written and its memory."""
    from ambikit_learn.preparation.command import prepare

    start = time.process_time()
    prepare(source, out, workers=0, **options)
    spent = time.process_time() - start
    written = sum(path.stat().st_size for path in (out / "shards").iterdir())
    return {"cpu": spent, "bytes": written, "megabytes": peak(resource.RUSAGE_SELF)}


def read(root: Path, options: dict[str, Any], workers: int) -> dict[str, float]:
    """Read samples of four crops; return the seconds of each and the memory of a worker."""
    from torch.utils.data import DataLoader

    from ambikit_learn.data.dataset import AlignmentDataset

    clock = time.perf_counter if workers else time.process_time
    data = AlignmentDataset(root, views=4, mirror=True, epoch_length=ITEMS, **options)
    loader = DataLoader(data, batch_size=4, num_workers=workers, persistent_workers=workers > 0)
    for _ in loader:  # compiles kernels and starts workers
        pass
    times = []
    for _ in range(3):
        start = clock()
        for _ in loader:
            pass
        times.append((clock() - start) / ITEMS)
    del loader
    who = resource.RUSAGE_CHILDREN if workers else resource.RUSAGE_SELF
    return {"each": min(times), "megabytes": peak(who)}


def peak(who: int) -> float:
    """Return the peak memory of this process, or of one of its ended children."""
    return resource.getrusage(who).ru_maxrss / 1e3


def marked(value: float, goal: float, *, most: bool = False) -> str:
    """Return a number, with a mark if it misses its goal."""
    missed = value > goal if most else value < goal
    return f"{value:.0f}" + (f" ✗ ({goal:g})" if missed else "")


if __name__ == "__main__":
    main()
