"""Blocks of 64 samples through processors, beside a matrix product: python -m benchmarks.blocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ambikit import streaming

SAMPLES, REPEATS, ROUNDS = 64, 2000, 5
RATE = 48_000


def processors() -> dict[str, tuple[Callable[[], Any], float]]:
    """Return a call of each processor for one block, and the goal for it in microseconds."""
    rng = np.random.default_rng(0)
    first, third = (rng.normal(size=(c, SAMPLES)).astype(np.float32) for c in (4, 16))
    rows = {n: np.empty((n, SAMPLES), np.float32) for n in (2, 4, 11)}
    one = np.empty(SAMPLES, np.float32)
    rest, turning = streaming.Rotator(0.1, 0.2, 0.3), streaming.Rotator()
    encoder, beam = streaming.Encoder(0.3, 0.2), streaming.Beamformer(0.3, 0.2)
    meter, decoder = streaming.Diffuseness(RATE), streaming.Decoder("7.1.4")
    ears, more = (streaming.Binauralizer(RATE, taps=256) for _ in range(2))
    yaw = 0.0

    def turn() -> None:
        nonlocal yaw
        yaw += 0.01
        turning.turn_to(yaw)
        turning.process(first, out=rows[4])

    return {
        "rotate, at rest": (lambda: rest.process(first, out=rows[4]), 4),
        "rotate, turning with every block": (turn, 10),
        "encode": (lambda: encoder.process(first[0], out=rows[4]), 5),
        "one beam": (lambda: beam.process(first, out=one), 5),
        "diffuseness": (lambda: meter.process(first, out=one), 8),
        "to 7.1.4": (lambda: decoder.process(first, out=rows[11]), 5),
        "to two ears, 256 taps": (lambda: ears.process(first, out=rows[2]), 20),
        "third order to two ears, 256 taps": (lambda: more.process(third, out=rows[2]), 50),
    }


def microseconds(work: Callable[[], Any]) -> float:
    """Return the CPU time of one call, the least of some rounds."""
    best = np.inf
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(REPEATS):
            work()
        best = min(best, (time.process_time_ns() - start) / 1e3 / REPEATS)
    return float(best)


def main() -> None:
    """Print a table."""
    block, matrix = np.ones((4, SAMPLES), np.float32), np.ones((4, 4), np.float32)
    out = np.empty_like(block)
    print("| block of 64 samples | µs | goal | over np.matmul |\n|---|---|---|---|")
    for name, (work, goal) in processors().items():
        work()
        product = microseconds(lambda: np.matmul(matrix, block, out=out))
        taken = microseconds(work)
        print(f"| {name} | {taken:.1f} | {goal} | {taken / product:.1f} |")


if __name__ == "__main__":
    main()
