"""Whether a frozen encoder knows where sounds come from: regression of their direction.

On rendered scenes a linear map or a small network learns the direction of the loudest object from
the embedding of the sound. On real clips whose sounding object has a known place, crops are swept
around the picture, and the one that agrees best with its sound is compared to that place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ambikit import InputError, angles_to_vector, checks
from ambikit_learn._typing import Floats
from ambikit_learn.data.open import is_rendered
from ambikit_learn.evaluation.embeddings import Embedder, embed
from ambikit_learn.evaluation.intervals import RESAMPLES, Comparison, Estimate, compare
from ambikit_learn.evaluation.probe import fit_probe
from ambikit_learn.evaluation.rendered_sounds import (
    encoder_vector,
    intensity_peak,
    intensity_vector,
    scene_recording,
    together,
)
from ambikit_learn.evaluation.results import Grid, Measure, Row, TaskResults
from ambikit_learn.evaluation.sound_embedders import untrained
from ambikit_learn.evaluation.swept_crops import evaluate_swept_crops
from ambikit_learn.evaluation.task import (
    ENCODER,
    RANDOM,
    embeddings_folder,
    has_learned,
    result_path,
)
from ambikit_learn.evaluation.worlds import World
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.models.run import WINDOW
from ambikit_learn.world.scene import Scene

BASELINES = ("random", "intensity")
PENALTIES = tuple(10.0**k for k in range(6))
"""Penalties of the linear regression, from which the training scenes choose."""
BEYOND = 20.0
"""Degrees beyond which a direction counts as wrong."""
COVERS = "bootstrap over scenes, 2,000 draws; not over seeds of training or probe"
MEASURES = (
    Measure("median angle", COVERS, "°", higher_is_better=False, chance=90.0),
    Measure("mean angle", COVERS, "°", higher_is_better=False, chance=90.0),
    Measure("beyond 20°", COVERS, higher_is_better=False, chance=(1 + np.cos(np.pi / 9)) / 2),
)


@dataclass(frozen=True)
class Condition:
    """What scenes differ in: values below the first bound, between bounds, and from the last on.

    `bins` has the names of these parts, one more than there are bounds.
    """

    name: str
    of: Callable[[Scene], float]
    bounds: tuple[float, ...]
    bins: tuple[str, ...]

    def parts(self, scenes: Sequence[Scene]) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which scenes are in each bin that is not empty."""
        place = np.digitize([self.of(scene) for scene in scenes], self.bounds)
        return {name: place == number for number, name in enumerate(self.bins) if number in place}


CONDITIONS = (
    Condition(
        "T60",
        lambda scene: scene.room.t60,
        (0.3, 0.45),
        ("below 0.3 s", "0.3 to 0.45 s", "above 0.45 s"),
    ),
    Condition(
        "SNR",
        lambda scene: scene.ambience_snr,
        (10.0, 20.0),
        ("below 10 dB", "10 to 20 dB", "above 20 dB"),
    ),
    Condition(
        "sources", lambda s: sum(o.sounding for o in s.objects), (2, 3), ("1", "2", "3 or more")
    ),
)
"""Conditions for which directions are scored apart: reverberation time, level above the ambience,
and number of sounding objects."""


def evaluate_direction(
    data: str | Path,
    model: str | Path | None = None,
    *,
    baseline: Sequence[Literal["random", "intensity"]] | None = None,
    probe: Sequence[Literal["linear", "mlp"]] = ("linear", "mlp"),
    scenes: int = 1000,
    train_scenes: int = 3000,
    viewpoints: int = 1,
    places: Path | None = None,
    out: str | Path | None = None,
    embeddings: str | Path | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> TaskResults:
    """Find the directions of sounds from frozen embeddings, or by swept crops in real clips.

    Parameters
    ----------
    data : str
        A world such as world:standard, a folder of cached scenes, whose preset and seed are
        rendered, or a folder in the layout of Sphere360 for swept crops.
    model : path, optional
        Run folder of `fit`, or name of a model on the Hugging Face hub. Without one only baselines
        are measured.
    baseline : sequence of {"random", "intensity"}, optional
        Rows beside the model: the same networks without training, and the intensity of the sound
        itself. By default both.
    probe : sequence of {"linear", "mlp"}
        Regressions from an embedding to a direction.
    scenes, train_scenes : int
        Scenes of a world to test on, and to train the regressions on.
    viewpoints : int
        Viewpoints on the horizon whose embeddings are joined, the first one at the front. Networks
        of one channel know no direction from one viewpoint.
    places : path, optional
        Lines of key,azimuth in degrees for clips of the folder; by default those of five published
        clips.
    out : path, optional
        Folder for results; by default that of the model.
    embeddings : path, optional
        Folder of embeddings, which evaluations of several runs may share; by default beside the
        results.
    skip_bad : bool
        Leave out clips of a folder that cannot be read, and count them, instead of stopping.
    seed : int
        Random seed of the scenes of a world, of random weights and of the regressions.

    Returns
    -------
    TaskResults
        Also written to ``out/evaluation/direction.json``.

    Raises
    ------
    InputError
        If a name is unknown, there is nothing to measure, or a clip is unreadable.
    FileNotFoundError
        If the data or the run do not exist.

    Notes
    -----
    In a scene every object stands still, and the target is the direction of the loudest one. The
    regressions are least squares with a penalty (ridge), chosen by leaving out one training scene
    at a time, and a network with one hidden layer of 256, from standardised embeddings to a unit
    vector; of what they return only the direction counts.
    """
    wanted = [checks.choice(b, BASELINES, "baseline") for b in (baseline or BASELINES)]
    probes = [checks.choice(name, tuple(REGRESSIONS), "probe") for name in probe]
    path = result_path("direction", model, out)
    encoder = None if model is None else AmbiEncoder.from_pretrained(str(model))
    learned = has_learned(model)
    if not is_rendered(data):
        found = evaluate_swept_crops(
            Path(data), encoder, wanted, places=places, skip_bad=skip_bad, seed=seed
        )
        return replace(found, learned=learned).save(path)
    begin = time.perf_counter()
    world = World.of(data, seed)
    around = [360.0 * k / viewpoints for k in range(checks.positive_int(viewpoints, "viewpoints"))]
    learners: list[Embedder] = []
    missing: list[str] = []
    if encoder is not None:
        learners.append(encoder_vector(encoder, ENCODER, around))
        if "random" in wanted:
            learners.append(encoder_vector(untrained(encoder, seed), RANDOM, around))
    elif "random" in wanted:
        missing.append("random weights need a model, whose networks they are (--model)")
    direct = [intensity_vector(), intensity_peak()] if "intensity" in wanted else []
    if not learners and not direct:
        raise InputError("there is nothing to measure: give a model (--model) or baselines")
    settings = {
        "scenes": scenes,
        "train_scenes": train_scenes,
        "span": WINDOW if encoder is None else encoder.window,
        "viewpoints": viewpoints,
        "seed": seed,
    }
    tested, angles, waiting = _angles(
        world, learners, direct, probes, settings, embeddings_folder(path, embeddings)
    )
    rows = tuple(_row(name, values, MEASURES) for name, values in angles.items())
    return TaskResults(
        task="direction",
        data=world.name,
        table=Grid(MEASURES, rows),
        details=tuple(by_condition(c, tested, angles) for c in CONDITIONS),
        comparisons=_compared(angles),
        missing=tuple(missing),
        settings=settings,
        seconds=time.perf_counter() - begin,
        waiting=waiting,
        learned=learned,
    ).save(path)


def _angles(
    world: World,
    learners: Sequence[Embedder],
    direct: Sequence[Embedder],
    probes: Sequence[str],
    settings: Mapping[str, Any],
    cache: Path,
) -> tuple[list[Scene], dict[str, Floats], float]:
    """Return the test scenes, the angles of each method, and the seconds spent waiting.

    Vectors of `learners` are embeddings for regressions, those of `direct` are directions.
    """
    counts = {"train": settings["train_scenes"] if learners else 0, "test": settings["scenes"]}
    vectors, truth, waiting = {}, {}, 0.0
    for split, count in counts.items():
        scenes = still_scenes(world, split, count, settings["span"])
        recordings = [scene_recording(scene) for scene in scenes]
        every, part = together(learners)
        found = embed(recordings if learners else [], every, cache=cache)
        waiting += found.waiting
        vectors[split] = list(zip(*(part(v) for v in found.values if v is not None), strict=True))
        truth[split] = loudest(scenes)
    angles: dict[str, Floats] = {}
    for number, learner in enumerate(learners):
        known, unseen = (np.array(vectors[split][number]) for split in ("train", "test"))
        for name in probes:
            told = regress(known, truth["train"], unseen, name, settings["seed"])
            angles[f"{learner.name}, {name}"] = angle_between(told, truth["test"])
    for one in direct:  # apart, since they are the same for all runs, and the histogram takes long
        found = embed(recordings, one, cache=cache)
        waiting += found.waiting
        angles[one.name] = angle_between(np.array(found.values), truth["test"])
    return scenes, angles, waiting


def still_scenes(world: World, split: str, count: int, span: float) -> list[Scene]:
    """Return scenes of a world in which all objects stand still and at least one sounds.

    Parameters
    ----------
    world : World
        Its preset and seed.
    split : {"train", "validation", "test"}
        Scenes of different splits share no individual.
    count : int
        Number of scenes.
    span : float
        Length in seconds.
    """
    least, most = (max(1, number) for number in world.preset.sounding)
    still = replace(world.preset, motion=(1.0, 0.0, 0.0), sounding=(least, most))
    return replace(world, preset=still).scenes(split, count, span)


def loudest(scenes: Sequence[Scene]) -> Floats:
    """Return the direction of the loudest object of each scene as unit vectors (n, 3)."""
    out = np.empty((len(scenes), 3))
    for row, scene in zip(out, scenes, strict=True):
        heard = [i for i, thing in enumerate(scene.objects) if thing.sounding]
        first = max(heard, key=lambda i: scene.objects[i].level)
        azimuth, elevation, _ = scene.track(first, [scene.duration / 2])
        row[:] = angles_to_vector(azimuth[0], elevation[0])
    return out


def angle_between(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return the angles in degrees between vectors (n, 3) of any length; 90° to a zero vector."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    along = (a * b).sum(-1)
    angle: Floats = np.rad2deg(np.arctan2(across, along))
    return np.where((across == 0) & (along == 0), 90.0, angle)


def regress(known: Floats, truth: Floats, unseen: Floats, probe: str, seed: int) -> Floats:
    """Return the vectors (m, 3) that a regression finds for unseen embeddings (m, width).

    Parameters
    ----------
    known, truth : ndarray, shape (n, width) and (n, 3)
        Embeddings, and their unit vectors.
    unseen : ndarray, shape (m, width)
        Embeddings.
    probe : {"linear", "mlp"}
        A key of `REGRESSIONS`.
    seed : int
        Random seed.

    Raises
    ------
    InputError
        If there are too few embeddings to train on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> towards = rng.normal(size=(200, 3))
    >>> towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    >>> mixed = towards @ rng.normal(size=(3, 8))
    >>> found = regress(mixed[:100], towards[:100], mixed[100:], "linear", 0)
    >>> bool(np.median(angle_between(found, towards[100:])) < 1.0)
    True
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    head = make_pipeline(StandardScaler(), REGRESSIONS[probe](seed))
    fit_probe(head, known, truth, probe)
    found: Floats = np.asarray(head.predict(unseen), float)
    return found


def _ridge(seed: int) -> Any:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(PENALTIES)


def _mlp(seed: int) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(
        hidden_layer_sizes=(256,), alpha=1e-3, early_stopping=True, max_iter=100, random_state=seed
    )


REGRESSIONS: dict[str, Callable[[int], Any]] = {"linear": _ridge, "mlp": _mlp}
"""Regressions by name, each a function of a random seed."""


def _row(name: str, angles: Floats, measures: Sequence[Measure]) -> Row:
    """Return the row of a method."""
    kind: Literal["learned", "baseline"] = "learned" if name.startswith(ENCODER) else "baseline"
    median, mean, beyond = (measure.name for measure in measures)
    values = {
        median: estimated(np.median, angles),
        mean: estimated(np.mean, angles),
        beyond: estimated(np.mean, (angles > BEYOND).astype(np.float64)),
    }
    return Row(name, values, kind)


def estimated(statistic: Callable[..., Floats], values: Floats, *, seed: int = 0) -> Estimate:
    """Return a statistic of a value a scene, with a percentile interval over scenes.

    Unlike `ambikit_learn.evaluation.intervals.bootstrap` it takes all draws at once, by the
    argument ``axis`` of the statistic.
    """
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(statistic(values[draws], axis=1), [0.025, 0.975])
    return Estimate(float(statistic(values)), float(low), float(high), len(values))


def by_condition(condition: Condition, scenes: Sequence[Scene], angles: dict[str, Floats]) -> Grid:
    """Return the median angles of each method in the bins of a condition."""
    bins = condition.parts(scenes)
    measures = tuple(
        Measure(f"{name} ({some.sum()})", COVERS, "°", higher_is_better=False, chance=90.0)
        for name, some in bins.items()
    )
    rows = [
        Row(
            name,
            {
                m.name: estimated(np.median, values[some])
                for m, some in zip(measures, bins.values(), strict=True)
            },
            "learned" if name.startswith(ENCODER) else "baseline",
        )
        for name, values in angles.items()
    ]
    return Grid(measures, tuple(rows), f"median angle by {condition.name} (scenes)")


def _compared(angles: dict[str, Floats]) -> dict[str, Comparison]:
    """Return paired comparisons of each row of the encoder with the baselines."""
    found = {}
    for name, values in angles.items():
        if not name.startswith(ENCODER):
            continue
        others = [name.replace(ENCODER, RANDOM), "intensity vector"]
        for other in others:
            if other in angles:
                found[f"{name} − {other}: mean angle"] = compare(
                    values, angles[other], np.arange(len(values)), higher_is_better=False
                )
    return found
