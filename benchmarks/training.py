"""Measure training: python -m benchmarks.training --data SHARDS [--steps N] [settings of fit].

``fit`` trains with its settings on data from disk; then the same step is repeated on a batch that
stays on the device, and again as a plain loop: single precision, nothing compiled, no fused
optimiser. On a GPU, with the published networks::

    python -m benchmarks.training --data SHARDS --steps 100 --config paper/avsa_foa_iv
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from ambikit_learn._sound import Covariance

from ambikit_learn.data.items import Item
from ambikit_learn.training.module import AlignmentModule
from benchmarks.report import table

WARM_UP = 5
GOALS = {"same step, data on the device": 0.8, "plain loop, float32": 3.0}
"""Goals on a GPU: clips per second of `fit`, relative to each of these."""


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=50)
    arguments, settings = parser.parse_known_args()
    if arguments.steps < WARM_UP:
        parser.error(f"--steps {arguments.steps}: at least {WARM_UP} are needed")
    settings = settings or ["--config", "avsa_foa_iv"]
    with tempfile.TemporaryDirectory() as folder:
        speed, summary = fitted(arguments.data, Path(folder), arguments.steps, settings)
        config = yaml.safe_load((Path(folder) / "config.yaml").read_text())
    print(f"fit: {summary}; load {os.getloadavg()[0]:.1f}\n", flush=True)
    rows = [["fit", f"{speed:.0f}", "1", ""]]
    for (name, goal), found in zip(GOALS.items(), loops(config, arguments.steps), strict=True):
        rows.append([name, f"{found:.0f}", f"{speed / found:.2f}", f"{goal:g}"])
    print(table(["", "clips/s", "fit is times as fast", "goal on a GPU"], rows))


def fitted(data: str, run: Path, steps: int, settings: list[str]) -> tuple[float, str]:
    """Train in a separate process; return the steady clips per second, and the summary."""
    program = "import sys; from ambikit_learn.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "fit", *settings]
    command += [f"--data={data}", f"--out={run}", "--data.validation_clips=0"]
    command += [f"--trainer.max_steps={steps + 2 * WARM_UP}"]
    command += [f"--trainer.log_every_n_steps={WARM_UP}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    lines = (run / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("speed/clips_per_second")
    # The first intervals start workers and compile
    speeds = [float(line.split(",")[column]) for line in lines[3:]]
    return len(speeds) / sum(1.0 / s for s in speeds), done.stdout.splitlines()[-1]


def loops(config: dict[str, Any], steps: int) -> tuple[float, float]:
    """Return clips per second of the same step, and of a plain one, on data in memory."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() - config["data"]["workers"]))
    settings = config["model"]
    half = str(config["trainer"].get("precision", "")).startswith("bf16")
    autocast = torch.autocast(device.type, torch.bfloat16) if half else nullcontext()
    plain = {**settings, "compile": False}
    return (
        speed(settings, config["data"], steps, device, autocast, fused=True),
        speed(plain, config["data"], steps, device, nullcontext(), fused=False),
    )


def speed(
    settings: dict[str, Any],
    data: dict[str, Any],
    steps: int,
    device: torch.device,
    precision: Any,
    *,
    fused: bool,
) -> float:
    """Return the clips per second of a loop over one batch."""
    module = AlignmentModule(**{**settings, "initialise_from": None}).to(device)
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[module.optimizer]
    optimizer = kind(module.parameters(), lr=1e-4, fused=fused)
    batch = resident(module, data, device)

    def step() -> None:
        with precision:
            loss = module.task.loss(module(batch), batch.label, module.comparison)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    return len(batch.video) * steps / seconds(step, steps, device)


def resident(module: AlignmentModule, data: dict[str, Any], device: torch.device) -> Item:
    """Return a batch of noise on the device, in the shapes of the loaders."""
    clips, views, size = data["batch_size"], data["views"], data["size"]
    mel = module.model.front_end.mel
    samples = round(data["span"] * module.model.front_end.source_rate)
    sound: torch.Tensor | Covariance = torch.rand((clips, 4, samples), device=device)
    if module.covariance_settings is not None:
        shape = (clips, 10, samples // mel.hop, mel.n_mels)
        sound = Covariance(torch.rand(shape, device=device))
    frames = (clips, views, data["frames"], size, size, 3)
    angles = torch.rand((4, clips, views), device=device)
    return Item(
        torch.randint(0, 256, frames, dtype=torch.uint8, device=device),
        sound,
        *angles,
        on_object=angles[0] > 2.0,
        key="",
        clip=np.int64(0),
        start=np.float64(0.0),
        label=torch.zeros(clips, dtype=torch.bool, device=device),
    )


def seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Return the duration of a number of steps, after some to warm up."""
    for _ in range(WARM_UP):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
