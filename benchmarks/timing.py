"""Tasks, and their timing: relative to a copy of the same array, in the same process.

This module needs only numpy, of any version, so that peers can be timed where ambikit does not run.
"""

from __future__ import annotations

import gc
import math
import mmap
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

SAMPLES, RATE, KEYS = 2_880_000, 48000, 6001
LEAST, MOST, SECONDS = 5, 41, 2.5
"""Limits of the number of repeats of a task, which otherwise fill the given seconds."""


@dataclass(frozen=True)
class Task:
    """One implementation of one task.

    `prepare` returns a function to time and the array whose copy is the unit. Of slow tasks only a
    fraction, `share`, is done, and the time of the whole is extrapolated.
    """

    name: str
    contender: str
    prepare: Callable[[], tuple[Callable[[], Any], Any]]
    share: float = 1.0


@dataclass(frozen=True)
class Result:
    """Medians and quartiles of CPU time, and of its ratio to that of the copies around it."""

    name: str
    contender: str
    ms: list[float]
    copies: list[float]
    copy_ms: float
    repeats: int
    share: float
    extra_mb: float


class Registry(list[Task]):
    """The tasks of one module, in order."""

    def task(self, name: str, contender: str, share: float = 1.0) -> Callable[..., Any]:
        """Register a function that prepares a task."""

        def register(prepare: Callable[[], tuple[Callable[[], Any], Any]]) -> Any:
            self.append(Task(name, contender, prepare, share))
            return prepare

        return register


def sound(channels: int = 4, samples: int = SAMPLES) -> Any:
    """Return a plane wave in noise: the same numbers for every contender."""
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(samples).astype(np.float32)
    x = 0.1 * rng.standard_normal((channels, samples)).astype(np.float32)
    for channel, gain in enumerate((1.0, 0.433, 0.5, 0.75)):
        x[channel] += np.float32(gain) * wave
    out = memory(x.shape)
    np.multiply(x, np.float32(0.1), out=out)
    return out


def memory(shape: tuple[int, ...]) -> Any:
    """Return ones in a separate mapping of memory, in large pages where the system has them.

    numpy's own allocations are sometimes in large pages and sometimes not, and then half as fast.
    """
    block = mmap.mmap(-1, 4 * math.prod(shape))
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    array = np.frombuffer(block, np.float32).reshape(shape)
    array.fill(1.0)
    return array


def motion() -> tuple[Any, Any]:
    """Return keys of a motion every 480 samples: azimuth (or yaw) and elevation (or pitch)."""
    yaw = np.linspace(0.0, 60.0, KEYS)
    return yaw, 0.5 * np.sin(yaw)


def measure(task: Task) -> dict[str, Any]:
    """Time a task, alternating with copies."""
    work, array = task.prepare()
    target = memory(array.shape)

    def copy() -> None:
        np.copyto(target, array)

    copy()
    work()
    once = max(_milliseconds(work), 1e-3)
    repeats = int(np.clip(1e3 * SECONDS / once, LEAST, MOST))
    times, ratios, copies = [], [], []
    for _ in range(repeats):
        before = _milliseconds(copy)
        times.append(_milliseconds(work) / task.share)
        after = _milliseconds(copy)
        copies.append((before + after) / 2)
        ratios.append(times[-1] / copies[-1])
    return asdict(
        Result(
            task.name,
            task.contender,
            _quartiles(times),
            _quartiles(ratios),
            float(np.median(copies)),
            repeats,
            task.share,
            _extra_megabytes(work),
        )
    )


def _milliseconds(work: Callable[[], Any]) -> float:
    """Return the CPU time of one call."""
    start = time.process_time_ns()
    work()
    return (time.process_time_ns() - start) / 1e6


def _quartiles(values: list[float]) -> list[float]:
    """Return the lower quartile, the median and the upper quartile."""
    return [float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def _extra_megabytes(work: Callable[[], Any]) -> float:
    """Return the peak allocation of a call beyond its result."""
    gc.collect()
    tracemalloc.start()
    result = work()
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return (peak - left) / 1e6
