"""What is measured of a trained run: accuracies and decisions, controls, encodings."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ambikit import InputError
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats
from ambikit_learn.evaluation.ceiling import label_shown
from ambikit_learn.evaluation.controls import control_scores
from ambikit_learn.evaluation.pretext import (
    VIEWS,
    Scores,
    Task,
    contents_of,
    embed,
    open_spans,
    score,
    train_heads,
)
from ambikit_learn.evaluation.results import Results
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.models.outcome import Outcome
from ambikit_learn.models.run import Record, load_run
from ambikit_learn.reproduce.pieces import Piece, Plan

SPANS = 4
"""Evenly spaced spans of each prepared clip that are evaluated; a scene has one."""
CONTROL_CLIPS = 1000
"""Test clips for controls and maps."""


def evaluate_run(run: Path, plan: Plan) -> tuple[dict[str, dict[str, Results]], dict[str, Floats]]:
    """Evaluate a run on the validation and the test split, with heads trained once.

    Returns
    -------
    results : dict
        Split -> task -> results. Data with fewer than two validation clips have no such split.
    right : dict
        Of the test split: the ``clip`` and the ``yaw`` of every span, and for ``task/row`` its
        share of right decisions.
    """
    net = load_run(run)
    opened = partial(_open, run, net, plan)
    seeds = {"validation": plan.validation_seed, "test": plan.test_seed}
    known = embed(net, opened("train", plan.validation_seed), plan.validation_seed)
    heads = {task: train_heads(task, known, plan.validation_seed) for task in get_args(Task)}
    outcome = Outcome.read(run)
    results: dict[str, dict[str, Results]] = {}
    right: dict[str, Floats] = {}
    for split, seed in seeds.items():
        try:
            spans = opened(split, seed)
        except InputError:
            if split == "test":
                raise
            continue
        started = time.monotonic()
        unseen = embed(net, spans, seed + 1)
        if split == "validation" and len(set(unseen.clip.tolist())) < 2:
            continue  # wrong pairs take the sound of another clip, which few data do not have
        rate = len(spans) / (time.monotonic() - started)
        contents = contents_of(spans)
        found: dict[str, Scores] = {
            task: score(task, heads[task], unseen, seed, contents) for task in get_args(Task)
        }
        results[split] = {
            task: scores.results(
                task,
                rate,
                learned=outcome is None or outcome.learned(directions=task == "avsa"),
            )
            for task, scores in found.items()
        }
        right = {"clip": unseen.clip.numpy(), "yaw": unseen.yaw.numpy()} | {
            f"{task}/{row}": value
            for task, scores in found.items()
            for row, value in scores.right.items()
        }
    return results, right


def examine_run(piece: Piece, plan: Plan) -> None:
    """Score controls on test spans, and keep encodings of sounds for a map of them."""
    net = load_run(piece.model)
    clips = CONTROL_CLIPS if plan.clips is None else min(plan.clips, CONTROL_CLIPS)
    spans = _open(piece.model, net, plan, "test", plan.test_seed, clips=clips)
    scores = control_scores(net, spans, plan.test_seed + 1)
    if (contents := contents_of(spans)) is not None:
        found = embed(net, spans, plan.test_seed + 1)
        label = label_shown(contents, found.views.double().numpy())
        encoding = found.audio.numpy()[label >= 0].astype(np.float16)
        with atomic_write(piece.map) as path:
            np.savez_compressed(path, encoding=encoding, label=label[label >= 0])
    with atomic_write(piece.controls) as path:
        rows = {
            name: {row: asdict(estimate) for row, estimate in estimates.items()}
            for name, estimates in scores.items()
        }
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _open(
    run: Path, net: AlignmentModel, plan: Plan, split: str, seed: int, *, clips: int | None = None
) -> Any:
    """Open a split as a run reads its data."""
    record = Record.read(run)
    data = record.settings["data"]
    options = record.reading | {
        "views": VIEWS,
        "covariance": net.front_end.covariance_settings,
        # What was held out for validation is no material for heads
        "validation_share": data["validation_share"] if data["validation_clips"] else 0.0,
        "seed": seed,
    }
    return open_spans(plan.test_data, split, SPANS, clips or plan.clips, options)
