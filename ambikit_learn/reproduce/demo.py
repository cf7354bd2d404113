"""The whole method in minutes: world, prepare, AVC, AVSA, evaluation, pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch.utils.data import default_collate

from ambikit import InputError
from ambikit_learn.data.dataset import SpanDataset
from ambikit_learn.data.format import read_manifest
from ambikit_learn.evaluation.pretext import evaluate
from ambikit_learn.evaluation.results import Results, print_results
from ambikit_learn.models.run import load_run
from ambikit_learn.preparation.command import prepare
from ambikit_learn.report import pictures
from ambikit_learn.report.page import write_page
from ambikit_learn.training.command import fit_main
from ambikit_learn.world import render_world

CLIP_SECONDS = 2.0
DETECTION_RATE = 1.0
"""Detections per second; each takes about 40 ms of a core."""


@dataclass(frozen=True)
class Budget:
    """Amounts of scenes and training that fit into a number of minutes on two cores."""

    clips: int
    avc_steps: int
    avsa_steps: int

    @classmethod
    def of(cls, minutes: float) -> Budget:
        """Divide the minutes: a third for the world, half for training, the rest for evaluation."""
        if not minutes > 0:
            raise InputError(f"minutes must be positive, got {minutes!r}")
        return cls(
            clips=max(round(400 * minutes), 10),
            avc_steps=max(round(20 * minutes), 5),
            avsa_steps=max(round(110 * minutes), 5),
        )


def run_demo(
    out: Path = Path("demo-out"),
    *,
    data: Path | None = None,
    source: str = "folder",
    detector: str = "none",
    projection: str = "auto",
    stereo: str = "auto",
    convention: str | None = None,
    track: int | None = None,
    minutes: float = 6.0,
    seed: int = 0,
) -> list[Results]:
    """Run every stage of the method; write its output, a picture of it, and a page of all.

    Parameters
    ----------
    out : Path
        Output folder. Finished stages of an interrupted demo are kept.
    data : Path, optional
        A folder of 360° clips instead of the procedural world.
    source, detector : str
        Layout of `data` and detector of its objects, as for `prepare`. The world has the layout of
        YT-360, and its objects are detected by the packaged YOLO.
    projection, stereo : str
        How frames of `data` show the sphere, as for `prepare`.
    convention : str, optional
        What the channels of `data` are, as for `prepare`.
    track : int, optional
        Which track of sound of `data`, counted from 0; by default the first that is Ambisonic.
    minutes : float
        Approximate duration on two cores.
    seed : int
        Random seed of the world, the training and the evaluation.

    Returns
    -------
    list of Results
        Results of AVC and AVSA, on held-out clips if there are any.
    """
    begin = time.perf_counter()
    budget = Budget.of(minutes)
    if data is None:
        _say("1/5 world", f"{budget.clips} scenes of {CLIP_SECONDS:g} s")
        data, source, detector = out / "world", "yt360", "world"
        render_world(data, clips=budget.clips, seed=seed, duration=CLIP_SECONDS)
        how: dict[str, Any] = {}
    else:
        _say("1/5 your clips", str(data))
        how = {"projection": projection, "stereo": stereo}
        how |= {"convention": convention, "track": track}
    shards = out / "shards"
    _say("2/5 prepare", "check, find objects, write shards")
    how |= {"source": source, "detector": detector, "detection_rate": DETECTION_RATE}
    print(prepare(data, shards, **how))
    split = _held_out(shards)
    strategy = "random" if detector == "none" else "mixed"
    common = [f"--seed_everything={seed}", "--data", str(shards), "--data.strategy", strategy]
    steps = {"avc": budget.avc_steps, "avsa": budget.avsa_steps}
    runs = {task: out / task for task in steps}
    for number, (task, count) in enumerate(steps.items(), 3):
        _say(f"{number}/5 {task.upper()}", f"{count} steps")
        options = ["--config", f"{task}_foa_iv", *common, "--out", str(runs[task])]
        start = ["--model.initialise_from", str(runs["avc"])] if task == "avsa" else []
        fit_main([*options, *start, "--trainer.max_steps", str(count)])
    _say("5/5 evaluate", f"on the {split} split")
    results = evaluate(("avc", "avsa"), runs["avsa"], shards, split=split, spans=2, seed=seed)
    _pictures(out, shards, split, runs, results)
    print_results(results)
    _say("done", f"{(time.perf_counter() - begin) / 60:.1f} minutes; see {out / 'index.html'}")
    return results


def _held_out(shards: Path) -> str:
    """Return the split to measure on: the test split, or else training, which is reported."""
    rows = read_manifest(shards).to_pylist()
    if any(row["split"] == "test" and row["status"] == "ok" for row in rows):
        return "test"
    print("no clip is held out for testing: the figures below are of the training clips")
    return "train"


def _pictures(
    out: Path, shards: Path, split: str, runs: dict[str, Path], results: list[Results]
) -> None:
    """Draw every stage of the first held-out clip and write the page."""
    spans = SpanDataset(shards, split, spans=1, strategy="mixed")
    item, scene = spans[0], spans.scene(0)
    pictures.scene_picture(out / "scene.png", scene.frame, scene.sound, scene.boxes)
    model = load_run(runs["avsa"])
    with torch.inference_mode():
        batch = default_collate([item])
        features = model.front_end(batch.sound, batch.azimuth, batch.elevation)[0]
    angles = item.azimuth, item.elevation
    names = model.front_end.channel_names
    pictures.crops_picture(out / "crops.png", item.video, features, *angles, names)
    pictures.curves_picture(out / "training.png", {k.upper(): run for k, run in runs.items()})
    pictures.results_picture(out / "results.png", results)
    captions = {
        "scene.png": "A frame with its objects, over the power of first-order beams",
        "crops.png": "Four crops, and the sound rotated to each: log-mel of W, intensity x y z",
        "training.png": "Training loss, and how often a crop retrieves its own sound among four",
        "results.png": f"Accuracy on the {split} split with 95% intervals",
    }
    write_page(out / "index.html", "ambikit demo", results, captions)


def _say(stage: str, what: str) -> None:
    Console().print(f"[bold]{stage}[/bold]: {what}", highlight=False)
