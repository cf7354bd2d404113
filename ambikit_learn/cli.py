"""`ambikit-learn world | prepare | fit | evaluate | demo`.

Each command is one function below: its signature is its options, its docstring its help.
Heavy imports happen inside, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal


def world(
    out: Path,
    clips: int = 100,
    seed: int = 0,
    duration: float = 6.0,
    preset: str = "standard",
    frame_rate: float = 8.0,
    frame_size: tuple[int, int] = (160, 320),
    workers: int | None = None,
) -> None:
    """Render a procedural 360° data set with known directions.

    Args:
        out: folder to write, in the layout of YT-360 with boxes beside it
        clips: number of clips, a fifth of them for testing
        seed: the same seed gives the same scenes
        duration: seconds a clip
        preset: how hard the scenes are: easy, standard or hard
        frame_rate: frames a second
        frame_size: height and width of the frames
        workers: processes; by default one a core
    """
    from ambikit_learn.world import render_world

    render_world(
        out,
        clips=clips,
        seed=seed,
        duration=duration,
        preset=preset,
        frame_rate=frame_rate,
        frame_size=frame_size,
        workers=workers,
    )


def prepare(
    source_folder: Path,
    out: Path,
    source: str = "yt360",
    detector: str = "none",
    frame_rate: float = 8.0,
    frame_size: tuple[int, int] = (160, 320),
    sample_rate: int = 24000,
    check: bool = False,
    workers: int | None = None,
) -> None:
    """Check clips, detect objects and write training shards with a manifest.

    Args:
        source_folder: the data set's folder
        out: folder for shards and manifest; an interrupted run goes on where it was
        source: the data set's layout: yt360 or folder
        detector: none, file (boxes beside the clips), yolo:WEIGHTS, or package.module:factory
        frame_rate: frames a second kept for training
        frame_size: height and width of the equirectangular frames kept
        sample_rate: of the sound kept, in Hz
        check: only say which clips can be used, and write nothing
        workers: processes; by default one a core
    """
    from ambikit_learn.prepare import prepare as run

    summary = run(
        source_folder,
        out,
        adapter=source,
        detector=detector,
        frame_rate=frame_rate,
        frame_size=frame_size,
        sample_rate=sample_rate,
        check=check,
        workers=workers,
    )
    print(summary)


def evaluate(
    task: Literal["avc", "avsa"],
    model: Path,
    data: Path,
    split: str = "test",
    spans: int = 4,
    seed: int = 0,
) -> None:
    """Measure on held-out clips what a trained model tells apart; prints a table, writes JSON.

    Args:
        task: avc (does this sound belong to this picture?) or avsa (is it turned the right way?)
        model: the run folder that `fit` wrote
        data: the prepared folder
        split: which clips to measure on
        spans: spans taken from each clip
        seed: of the spans, the crops and the wrong pairs
    """
    from ambikit_learn.evaluation.alignment import evaluate as run
    from ambikit_learn.report import print_results

    results = run(task, model, data, split=split, spans=spans, seed=seed)
    print_results([results])


def demo(
    out: Path = Path("demo-out"),
    data: Path | None = None,
    source: str = "folder",
    detector: str = "none",
    minutes: float = 6.0,
    seed: int = 0,
) -> None:
    """Run the whole method: world, prepare, AVC, AVSA, evaluation, pictures.

    Args:
        out: output folder; an interrupted demo goes on where it was
        data: a folder of 360° clips of your own instead of the procedural world
        source: layout of that folder, as for prepare
        detector: how objects are found in it, as for prepare
        minutes: about how long it may take on two cores
        seed: of everything
    """
    from ambikit_learn.demo import run_demo

    run_demo(out, data=data, source=source, detector=detector, minutes=minutes, seed=seed)


def _run(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["fit"]:  # Lightning's own parser: YAML, dotted overrides, --print_config
        from ambikit_learn.training import fit_main

        fit_main(list(arguments[1:]))
        return
    from jsonargparse import auto_cli

    def fit() -> None:
        """Train a variant: fit --config NAME --data DIR [dotted overrides]; see fit --help."""

    auto_cli(
        {f.__name__: f for f in (world, prepare, fit, evaluate, demo)},
        args=list(arguments),
        prog="ambikit-learn",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what the user can mend is one line on stderr and status 2."""
    from ambikit.cli import run_cli

    return run_cli("ambikit-learn", _run, sys.argv[1:] if arguments is None else arguments)
