"""Sound events and their directions from frozen maps of an encoder: STARSS23, or rendered scenes.

The same head is trained on the maps of the model, on those of the same networks without training,
and on the features alone. Predictions are kept as files of DCASE, which resume the evaluation and
which other programs can score.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import ambikit
from ambikit import InputError, checks
from ambikit_learn import _files
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats
from ambikit_learn.data.open import is_rendered
from ambikit_learn.data.rendered import SAMPLE_RATE
from ambikit_learn.evaluation.embeddings import Embedder, Recording, embed, fingerprint
from ambikit_learn.evaluation.intervals import Comparison, Estimate, compare
from ambikit_learn.evaluation.rendered_sounds import Content, scene_recording
from ambikit_learn.evaluation.results import NO_INTERVAL, Grid, Measure, Row, TaskResults
from ambikit_learn.evaluation.seld import SeldScores, seld_scores
from ambikit_learn.evaluation.seld_head import (
    detect_events,
    encoder_maps,
    feature_maps,
    train_seld_head,
)
from ambikit_learn.evaluation.sound_embedders import untrained
from ambikit_learn.evaluation.task import (
    ENCODER,
    RANDOM,
    embeddings_folder,
    has_learned,
    result_path,
)
from ambikit_learn.evaluation.worlds import World
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.sources.events import read_event_rows, write_event_rows
from ambikit_learn.sources.starss23 import CLASSES as STARSS23_CLASSES
from ambikit_learn.sources.starss23 import STARSS23, LabelledRecording
from ambikit_learn.world.layouts import scene_events
from ambikit_learn.world.scene import CLASSES as WORLD_CLASSES
from ambikit_learn.world.scene import Scene
from ambikit_learn.world.sounds import perform

BASELINES = ("random", "features")
SECONDS = 10.0
"""Length of a rendered scene."""
EPOCHS, WORLD_EPOCHS = 100, 30
"""Epochs of the head on STARSS23, as published, and on a world."""
COVERS = "jackknife over recordings; not over seeds of training or head"
MEASURES = (
    Measure("ER", COVERS, "", higher_is_better=False),
    Measure("F", COVERS),
    Measure("LE", COVERS, "°", higher_is_better=False),
    Measure("LR", COVERS),
    Measure("SELD", COVERS, "", higher_is_better=False),
)
PUBLISHED = (
    ("DCASE 2023 baseline", (0.57, 0.299, 21.6, 0.477), "trained on 1,200 synthetic files too"),
    ("Sony, 2023", (0.97, 0.148, 55.9, 0.351), "trained on STARSS23 alone, mean of five runs"),
)
"""Figures of the development set of STARSS23 by the rules of DCASE 2023: error rate, F,
localisation error and recall."""


@dataclass(frozen=True)
class _Labelled:
    """A recording with its events, and the split that it belongs to."""

    recording: Recording
    events: Callable[[], Floats]
    split: str


@dataclass
class _Bench:
    """Recordings that could be read, and what was measured on them."""

    classes: tuple[str, ...]
    every: list[_Labelled]
    folder: Path
    embeddings: Path
    skip_bad: bool
    settings: dict[str, Any]
    events: list[Floats | None] = field(default_factory=list)
    predictions: dict[str, list[Floats]] = field(default_factory=dict)
    skipped: dict[str, None] = field(default_factory=dict)
    waiting: float = 0.0


def evaluate_seld(
    data: str | Path,
    model: str | Path | None = None,
    *,
    baseline: Sequence[Literal["random", "features"]] | None = None,
    epochs: int | None = None,
    scenes: int = 60,
    train_scenes: int = 240,
    out: str | Path | None = None,
    embeddings: str | Path | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> TaskResults:
    """Detect sound events with their directions by a head on frozen maps of an encoder.

    Parameters
    ----------
    data : str
        Folder of STARSS23 (foa_dev and metadata_dev), a world such as world:standard, or a folder
        of cached scenes, whose preset and seed are rendered.
    model : path
        Run folder of `fit`, or name of a model on the Hugging Face hub.
    baseline : sequence of {"random", "features"}, optional
        Rows beside the model: the same networks without training, and the features that they take.
        By default both.
    epochs : int
        Epochs of the head, by default 100 as published, and 30 on a world.
    scenes, train_scenes : int
        Scenes of a world, of 10 s each, to test on and to train on.
    out : path, optional
        Folder for results and predictions; by default that of the model.
    embeddings : path, optional
        Folder of maps, which evaluations of several runs may share; by default beside the results.
    skip_bad : bool
        Leave out recordings that cannot be read, and count them, instead of stopping.
    seed : int
        Random seed of the scenes of a world, of random weights and of the head.

    Returns
    -------
    TaskResults
        Also written to ``out/evaluation/seld.json``; the predictions of each row lie in
        ``out/evaluation/seld``.

    Raises
    ------
    InputError
        If a recording or its labels are unreadable, there is none to train or test on, or no model
        is given.
    FileNotFoundError
        If the data or the run do not exist.

    Notes
    -----
    The head is that of published evaluations of frozen encoders: layer normalisation, attention
    pooling over frequency, two bidirectional GRU layers, two layers of self-attention, and a vector
    of activity and direction for each class (single ACCDOA), trained by MSE with Adam at 1e-3 on
    windows of 2 s in batches of 128.
    """
    begin = time.perf_counter()
    wanted = [checks.choice(b, BASELINES, "baseline") for b in (baseline or BASELINES)]
    if model is None:
        raise InputError("give a model (--model): baselines are its networks and its features")
    encoder = AmbiEncoder.from_pretrained(str(model))
    path = result_path("seld", model, out)
    classes: tuple[str, ...]
    if in_world := is_rendered(data):
        world = World.of(data, seed)
        name, classes, every = world.name, WORLD_CLASSES, _of_world(world, scenes, train_scenes)
    else:
        name, classes, every = str(data), STARSS23_CLASSES, _of_starss23(Path(data))
    usual = WORLD_EPOCHS if in_world else EPOCHS
    chosen = usual if epochs is None else checks.positive_int(epochs, "epochs")
    settings = {"epochs": chosen, "seed": seed}
    bench = _Bench(
        classes, every, path.parent, embeddings_folder(path, embeddings), skip_bad, settings
    )
    _read_labels(bench)
    _add(bench, encoder_maps(encoder, ENCODER))
    if "random" in wanted:
        _add(bench, encoder_maps(untrained(encoder, seed), RANDOM))
    if "features" in wanted:
        _add(bench, feature_maps(encoder))
    results = _results(bench, name, published=not in_world)
    return replace(
        results,
        settings=settings | ({"scenes": scenes, "train_scenes": train_scenes} if in_world else {}),
        seconds=time.perf_counter() - begin,
        learned=has_learned(model),
    ).save(path)


def _of_world(world: World, scenes: int, train_scenes: int) -> list[_Labelled]:
    """Return scenes of a world as recordings."""
    return [
        _Labelled(scene_recording(scene), _events_of(scene), split)
        for split, count in (("train", train_scenes), ("test", scenes))
        for scene in world.scenes(split, checks.positive_int(count, "scenes"), SECONDS)
    ]


def _events_of(scene: Scene) -> Callable[[], Floats]:
    def events() -> Floats:
        played = [perform(scene, i, SAMPLE_RATE) for i in range(len(scene.objects))]
        rows = scene_events(scene, played).astype(np.float64)
        rows[:, 5] /= 100.0
        return rows

    return events


def _of_starss23(root: Path) -> list[_Labelled]:
    """Return the recordings of STARSS23."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder: give the folder of STARSS23")
    return [_labelled(one) for one in STARSS23(root).recordings()]


def _labelled(one: LabelledRecording) -> _Labelled:
    """Return a recording of STARSS23."""

    def identity() -> str:
        if not one.sound.is_file():
            raise FileNotFoundError(f"{one.sound}: no such file, but there are labels of it")
        return _files.quick_fingerprint(one.sound)

    def read() -> Content:
        x, rate = ambikit.read(one.sound)
        if not np.isfinite(x).all():
            raise InputError(f"{one.sound} holds NaN or infinity: fetch it again")
        return x, rate

    def events() -> Floats:
        return read_event_rows(one.events, classes=len(STARSS23_CLASSES))

    return _Labelled(Recording(one.key, "", one.key, identity, read), events, one.split)


def _read_labels(bench: _Bench) -> None:
    """Read the events of all recordings."""
    for one in bench.every:
        try:
            bench.events.append(one.events())
        except (InputError, OSError) as error:
            if not bench.skip_bad:
                raise
            bench.skipped[str(error)] = None
            bench.events.append(None)


def _add(bench: _Bench, embedder: Embedder) -> None:
    """Embed the recordings, train the head, and keep its predictions of the test recordings."""
    some = [i for i, rows in enumerate(bench.events) if rows is not None]
    recordings = [bench.every[i].recording for i in some]
    found = embed(recordings, embedder, cache=bench.embeddings, skip_bad=bench.skip_bad)
    bench.waiting += found.waiting
    bench.skipped |= dict.fromkeys(found.skipped)
    maps = dict(zip(some, found.values, strict=True))
    for i, value in maps.items():
        if value is None:
            bench.events[i] = None
    there = {
        split: [i for i in some if maps[i] is not None and bench.every[i].split == split]
        for split in ("train", "test")
    }
    for split, members in there.items():
        if not members:
            raise InputError(f"there are no recordings of the split {split!r}: complete the data")
    labels = [bench.events[i] for i in there["train"]]
    about = fingerprint(
        {
            "head": "seld/1",
            "maps": embedder.fingerprint,
            "recordings": {
                s: [bench.every[i].recording.identity() for i in m] for s, m in there.items()
            },
            "labels": [None if rows is None else rows.tolist() for rows in labels],
            **bench.settings,
        }
    )
    folder = bench.folder / "seld" / f"{embedder.name.replace(' ', '-')}-{about}"
    names = [bench.every[i].recording.key.replace(" ", "-") for i in there["test"]]
    files = [folder / f"{name}.csv" for name in names]
    finished = folder / "finished.json"
    if not finished.is_file():
        head = train_seld_head(
            [_known(maps[i]) for i in there["train"]],
            [_known(rows) for rows in labels],
            len(bench.classes),
            epochs=bench.settings["epochs"],
            seed=bench.settings["seed"],
        )
        for i, file in zip(there["test"], files, strict=True):
            write_event_rows(file, detect_events(head, _known(maps[i])))
        with atomic_write(finished) as temporary:
            temporary.write_text(json.dumps({"classes": bench.classes}) + "\n", encoding="utf-8")
    bench.predictions[embedder.name] = [read_event_rows(file) for file in files]


def _known(value: Any) -> Any:
    """Return a value that is not None."""
    assert value is not None
    return value


def _results(bench: _Bench, data: str, *, published: bool) -> TaskResults:
    """Return the scores of all rows."""
    tests = [i for i, one in enumerate(bench.every) if one.split == "test"]
    truth = [_known(bench.events[i]) for i in tests if bench.events[i] is not None]
    keys = [bench.every[i].recording.key for i in tests if bench.events[i] is not None]
    # The rules of DCASE have no length for a recording without events
    filled = [i for i, rows in enumerate(truth) if len(rows)]
    if not filled:
        raise InputError("no test recording has events: complete the labels")
    tables, classwise = {}, []
    for rules in ("dcase2023", "strict"):
        some = filled if rules == "dcase2023" else range(len(truth))
        rows = []
        for name, told in bench.predictions.items():
            scores = seld_scores(
                [truth[i] for i in some],
                [told[i] for i in some],
                classes=bench.classes,
                rules=rules,
                names=[keys[i] for i in some],
            )
            kind: Literal["learned", "baseline"] = "learned" if name == ENCODER else "baseline"
            rows.append(Row(name, _estimates(scores, len(some)), kind))
            if rules == "strict":
                classwise.append(_by_class(name, scores))
        tables[rules] = rows
    quoted = [_quoted(*one) for one in PUBLISHED] if published else []
    return TaskResults(
        task="seld",
        data=data,
        table=Grid(MEASURES, (*tables["dcase2023"], *quoted), "by the rules of DCASE 2023"),
        details=(
            Grid(MEASURES, tuple(tables["strict"]), "without the corner cases of DCASE (strict)"),
            *classwise,
        ),
        comparisons=_compared(bench, truth),
        classes=bench.classes,
        skipped=tuple(bench.skipped),
        waiting=bench.waiting,
    )


def _estimates(scores: SeldScores, recordings: int) -> dict[str, Estimate]:
    """Return the scores with the intervals of their jackknife, as far as their range goes."""
    highest = {"f": 1.0, "le": 180.0, "lr": 1.0}
    found = {}
    for measure in MEASURES:
        name = measure.name.lower()
        value, limits = scores[name], scores.jackknife.get(name)
        low, high = (np.nan, np.nan) if limits is None else (float(limits.low), float(limits.high))
        low, high = np.clip([low, high], 0.0, highest.get(name, np.inf)).tolist()
        found[measure.name] = Estimate(value, low, high, recordings)
    return found


def _by_class(name: str, scores: SeldScores) -> Grid:
    """Return F, localisation error and recall of each class that occurs."""
    measures = (
        Measure("F", NO_INTERVAL),
        Measure("LE", NO_INTERVAL, "°", higher_is_better=False),
        Measure("LR", NO_INTERVAL),
    )
    columns = {m.name: scores.per_class[m.name.lower()] for m in measures}
    rows = tuple(
        Row(
            f"{label} ({events:g})",
            {m: Estimate(float(values[i])) for m, values in columns.items()},
        )
        for i, (label, events) in enumerate(
            zip(scores.classes, scores.reference_events, strict=True)
        )
        if events
    )
    return Grid(measures, rows, f"{name} by class (events in segments of 1 s), strict")


def _quoted(name: str, figures: tuple[float, ...], note: str) -> Row:
    """Return a published row."""
    er, f, le, lr = figures
    seld = (er + 1 - f + le / 180 + 1 - lr) / 4
    values = dict(zip((m.name for m in MEASURES), (er, f, le, lr, seld), strict=True))
    return Row(name, {m: Estimate(v) for m, v in values.items()}, "published", note)


def _compared(bench: _Bench, truth: Sequence[Floats]) -> dict[str, Comparison]:
    """Compare the encoder with the baselines by the F of each recording, over all classes."""

    def of_each(told: Sequence[Floats]) -> Floats:
        return np.array(
            [
                seld_scores(rows, said, classes=bench.classes, rules="strict", micro=True).f
                for rows, said in zip(truth, told, strict=True)
                if len(rows)
            ]
        )

    own = of_each(bench.predictions[ENCODER])
    return {
        f"{ENCODER} − {name}: F": compare(own, of_each(told), np.arange(len(own)))
        for name, told in bench.predictions.items()
        if name != ENCODER
    }
