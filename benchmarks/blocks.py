"""Blocks of 64 samples through processors, beside a matrix product: python -m benchmarks.blocks.

The table is printed and written into docs/benchmarks.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ambikit import streaming
from benchmarks import report

SAMPLES, CALLS, ROUNDS = 64, 200, 101
RATE = 48_000
MARK = "blocks"


def processors() -> dict[str, tuple[Callable[[], Any], float, float]]:
    """Return a call of each processor for one block, and its goals.

    These are microseconds and multiples of a matrix product, of which one is to be met.
    """
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
        "rotate, at rest": (lambda: rest.process(first, out=rows[4]), 4, 6),
        "rotate, turning with every block": (turn, 10, 12),
        "encode": (lambda: encoder.process(first[0], out=rows[4]), 5, 6),
        "one beam": (lambda: beam.process(first, out=one), 5, 6),
        "diffuseness": (lambda: meter.process(first, out=one), 8, 10),
        "first order to 7.1.4": (lambda: decoder.process(first, out=rows[11]), 5, 6),
        "to two ears, 256 taps": (lambda: ears.process(first, out=rows[2]), 20, 30),
        "order 3 to two ears, 256 taps": (lambda: more.process(third, out=rows[2]), 50, 60),
    }


def measure() -> list[list[str]]:
    """Return a row for each processor: times and ratios, medians and least."""
    block, matrix = np.ones((4, SAMPLES), np.float32), np.ones((4, 4), np.float32)
    out = np.empty_like(block)
    rows = []
    for name, (work, goal, times) in processors().items():
        work()
        taken, ratio = [], []
        for _ in range(ROUNDS):
            product = _microseconds(lambda: np.matmul(matrix, block, out=out))
            taken.append(_microseconds(work))
            ratio.append(taken[-1] / product)
        median, share = float(np.median(taken)), float(np.median(ratio))
        missed = " ✗" if median > goal and share > times else ""
        least = f"{min(taken):.1f}", f"{min(ratio):.1f}"
        goals = f"{goal} µs or {times} products{missed}"
        rows.append([name, f"**{median:.1f}**", least[0], f"**{share:.1f}**", least[1], goals])
    return rows


def main() -> None:
    """Measure, print the table and write it into the page."""
    load = os.getloadavg()[0]
    head = ["block of 64 samples", "µs", "least", "products", "least", "goal"]
    commit, processor = report.commit(), report.processor()
    text = (
        f"\nMeasured at commit {commit}: {processor}, {os.cpu_count()} cores, load {load:.1f} when "
        f"it began. Medians of {ROUNDS} rounds of {CALLS} blocks, and the least; a round of "
        f"`np.matmul(m, block, out=)` goes before each.\n\n" + report.table(head, measure())
    )
    report.write(text, MARK)
    print(text)


def _microseconds(work: Callable[[], Any]) -> float:
    """Return the mean CPU time of one call."""
    start = time.process_time_ns()
    for _ in range(CALLS):
        work()
    return (time.process_time_ns() - start) / 1e3 / CALLS


if __name__ == "__main__":
    main()
