"""`ambikit-learn reproduce`: all variants and seeds, by any number of processes and machines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml
from rich.console import Console

from ambikit import InputError, checks
from ambikit_learn._files import check_writable, quick_fingerprint, writing_to
from ambikit_learn.data.open import data_contents, is_rendered, is_world
from ambikit_learn.data.shards import usable_clips
from ambikit_learn.evaluation import DOWNSTREAM
from ambikit_learn.evaluation.worlds import World
from ambikit_learn.reproduce.claims import Claims
from ambikit_learn.reproduce.paper import chosen_variants
from ambikit_learn.reproduce.pieces import Piece, Plan
from ambikit_learn.reproduce.report import write_report
from ambikit_learn.reproduce.work import Work

POLL = 15.0
"""Seconds between two looks at what other processes work on."""
PLAN, RUNS, CLAIMS = "plan.json", "runs", "claims"


def reproduce(
    out: str | Path,
    *,
    data: str | Path = "world:standard",
    test_data: str | Path | None = None,
    preset: Literal["tiny", "paper"] = "tiny",
    seeds: int = 3,
    variants: Sequence[str] = (),
    validation_seed: int = 7,
    test_seed: int = 21,
    steps: tuple[int, int] | None = None,
    clips: int | None = None,
    settings: Path | None = None,
    tasks: Sequence[str] = (),
    report: bool = False,
) -> Path:
    """Train and evaluate the paper's variants and controls, and write a report of all.

    The same command resumes what was interrupted. Started several times, also on several machines
    that see the folder, it shares the work.

    Parameters
    ----------
    out : path
        Folder for the runs and the report.
    data : path or str
        Data to train on: ``"world:PRESET"``, a folder of cached scenes, or a prepared folder.
    test_data : path or str, optional
        Data to train heads, validate and test on; by default `data`.
    preset : {"tiny", "paper"}
        Size of networks, and schedule.
    seeds : int
        Number of training seeds, from 0 on.
    variants : sequence of str
        Variants to compare; by default the six of the paper and the controls.
    validation_seed : int
        Seed of validation scenes and of heads. Recipes are chosen by validation.
    test_seed : int
        Seed of test scenes, each of which a run meets once.
    steps : (avc, others), optional
        Steps of AVC and of what follows it, in place of those of the configurations.
    clips : int, optional
        Largest number of clips of each split to evaluate on.
    settings : path, optional
        YAML file with settings of fit that apply to all trainings.
    tasks : sequence of str
        Downstream tasks and their data, such as ``sounds=ESC-10``: the tasks of ``evaluate``, on
        which each run is evaluated with the defaults of that command.
    report : bool
        Write the report of what is there, and train nothing.

    Returns
    -------
    Path
        The report in Markdown; the same in HTML lies beside it.

    Raises
    ------
    InputError
        If an argument is wrong, the folder holds a comparison with other settings or on data that
        have changed since, or runs have failed.
    OSError
        If data are missing or the folder cannot be written to.
    """
    folder = Path(out)
    if report:
        Plan.load(folder / PLAN)
        return write_report(folder, RUNS, PLAN)
    checks.positive_int(seeds, "seeds")
    names = chosen_variants(variants)
    downstream = _tasks(tasks)
    plan = Plan(
        str(data),
        str(data if test_data is None else test_data),
        checks.choice(preset, ("tiny", "paper"), "preset"),
        checks.nonnegative_int(validation_seed, "validation_seed"),
        checks.nonnegative_int(test_seed, "test_seed"),
        None if steps is None else (_steps(steps[0]), _steps(steps[1])),
        None if clips is None else checks.positive_int(clips, "clips"),
        {} if settings is None else _settings(settings),
    )
    _check_data(plan, downstream)
    plan = replace(plan, contents=_contents(plan, downstream))
    check_writable(folder, "give another folder")
    with writing_to(folder):
        plan.save(folder / PLAN)
        # All variants of a seed first: their comparison is there early
        pieces = [Piece(folder / RUNS, name, seed) for seed in range(seeds) for name in names]
        failed = _work(pieces, plan, folder, downstream)
        written = write_report(folder, RUNS, PLAN)
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise InputError(
            f"{len(failed)} of {len(pieces)} runs failed, which the same command tries again "
            f"({reasons})"
        )
    return written


def _work(
    pieces: Sequence[Piece], plan: Plan, folder: Path, tasks: Mapping[str, str]
) -> dict[str, str]:
    """Do all pieces that nobody else does; return those that failed, with the reasons."""
    claims = Claims(folder / CLAIMS)
    failed: dict[str, str] = {}
    left = list(pieces)
    while left := [piece for piece in left if piece.name not in failed and not piece.done(tasks)]:
        took = False
        for piece in left:
            with claims.claim(piece.name) as mine:
                if not mine or piece.done(tasks):
                    continue
                took = True
                done = sum(other.done(tasks) for other in pieces)
                _say(f"{piece.name} ({done} of {len(pieces)} runs done)")
                work = Work(piece, plan, partial(_waiting, claims), claims.seconds, tasks)
                try:
                    work.do()
                except (InputError, OSError) as error:
                    failed[piece.name] = " ".join(str(error).split())
                    work.fail(failed[piece.name])
                    _say(f"{piece.name} failed: {failed[piece.name]}")
            write_report(folder, RUNS, PLAN, pictures=False)
        if not took:
            time.sleep(POLL)
    return failed


@contextmanager
def _waiting(claims: Claims, piece: str) -> Iterator[None]:
    """Hold a claim, as soon as no other process does."""
    while True:
        with claims.claim(piece) as mine:
            if mine:
                yield
                return
        time.sleep(POLL)


def _steps(value: int) -> int:
    return checks.positive_int(value, "steps")


def _tasks(words: Sequence[str]) -> dict[str, str]:
    """Return the data of downstream tasks, given as NAME=DATA."""
    found = {}
    for word in words:
        name, equals, data = word.partition("=")
        if not equals or not data:
            raise InputError(f"tasks are given as NAME=DATA, such as sounds=ESC-10, not {word!r}")
        found[checks.choice(name, tuple(DOWNSTREAM), "task")] = data
    return found


def _check_data(plan: Plan, tasks: Mapping[str, str]) -> None:
    """Refuse data that an evaluation would refuse after hours of training.

    Raises
    ------
    InputError
        A world or a split is missing, or a split that is evaluated has a single clip.
    FileNotFoundError
        A folder is missing or not prepared.
    """
    for data, splits in ((plan.data, ("train",)), (plan.test_data, ("train", "test"))):
        if is_rendered(data):
            World.of(data, 0)
            continue
        for split in splits:
            clips = usable_clips(Path(data), split, 0.0)
            if data == plan.test_data and len(clips) < 2:
                raise InputError(
                    f"{data} has one clip in the split {split!r}: wrong pairs take the sound of "
                    "another one, so that two are needed at least"
                )
    for task, data in tasks.items():
        if is_rendered(data):
            World.of(data, 0)
        elif not Path(data).is_dir():
            raise FileNotFoundError(f"{data}: no such folder: give the data of the task {task!r}")


def _contents(plan: Plan, tasks: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes of all data that are not rendered while they are used."""
    trained = ("train", "validation")
    found = {
        "data": data_contents(plan.data, trained),
        "test_data": data_contents(plan.test_data, (*trained, "test")),
    }
    hashes = {name: content[1] for name, content in found.items() if content is not None}
    for task, data in tasks.items():
        if not is_world(data):
            # Machines that share the work may each have a copy
            hashes[f"the data of {task}"] = quick_fingerprint(data, timed=False)
    return hashes


def _settings(path: Path) -> dict[str, Any]:
    """Return the settings of a YAML file by their dotted names."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file: give a YAML file of settings of fit")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, Mapping):
        raise InputError(f"{path} must hold settings of fit: model, data, trainer")
    found: dict[str, Any] = {}
    for part, values in document.items():
        grouped = isinstance(values, Mapping)
        found |= {f"{part}.{k}": v for k, v in values.items()} if grouped else {str(part): values}
    return found


def _say(text: str) -> None:
    Console().print(text, highlight=False)
