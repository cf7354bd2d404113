"""Acoustic scene classification: EigenScape, TAU 2019, and rendered places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ambikit import InputError, checks
from ambikit_learn.data.open import is_rendered
from ambikit_learn.evaluation.classification import Classification
from ambikit_learn.evaluation.dirac import dirac_embedder, mixture_predictions
from ambikit_learn.evaluation.embeddings import (
    Recording,
    file_recording,
    fingerprint,
    read_sound,
)
from ambikit_learn.evaluation.intervals import Estimate
from ambikit_learn.evaluation.probe import PROBES
from ambikit_learn.evaluation.rendered_sounds import scene_recording
from ambikit_learn.evaluation.results import Row, TaskResults
from ambikit_learn.evaluation.scene_cnn import cnn_predictions, logmel_frames
from ambikit_learn.evaluation.sound_embedders import (
    Content,
    logmel_statistics,
    random_embedder,
    run_embedder,
)
from ambikit_learn.evaluation.task import (
    ENCODER,
    RANDOM,
    embeddings_folder,
    has_learned,
    result_path,
)
from ambikit_learn.evaluation.worlds import World
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.sources import LabelledClip, eigenscape, tau2019


@dataclass(frozen=True)
class Material:
    """Recordings of a data set, and what tables say of it.

    `unit` is what intervals draw; with `vote` the recordings of a group are also judged together.
    """

    name: str
    recordings: list[Recording]
    classes: tuple[str, ...]
    unit: str
    two_channels: bool = False
    vote: bool = False
    published: tuple[Row, ...] = ()


BASELINES = ("random", "logmel", "dirac", "dirac_published", "cnn")
Entry = Literal["mid", "stereo", "ears"]
ENTRIES = {
    "mid": "two channels as mid",
    "stereo": "two channels as stereo",
    "ears": "two channels as they are",
}
"""How two channels enter an encoder, with what tables say of it."""
AZIMUTHS: tuple[float, ...] = (0.0, 90.0, 180.0, -90.0)
"""Viewpoints, in degrees, over which an encoder's vectors are averaged."""
WORLD_SECONDS = 4.0
WORLD_SCENES = (720, 480)
"""Rendered scenes for training probes and for testing."""


def evaluate_scenes(
    data: str | Path,
    model: str | Path | None = None,
    *,
    baseline: Sequence[Literal["random", "logmel", "dirac", "dirac_published", "cnn"]]
    | None = None,
    probes: Sequence[Literal["linear", "mlp", "knn", "svm"]] = ("linear", "mlp", "knn"),
    folds: int = 4,
    channels: Literal["stereo", "mid"] = "mid",
    scenes: tuple[int, int] = WORLD_SCENES,
    out: str | Path | None = None,
    embeddings: str | Path | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> TaskResults:
    """Classify acoustic scenes (EigenScape, TAU 2019, world:scenes) by frozen embeddings.

    Parameters
    ----------
    data : path
        Folder of EigenScape or of TAU Urban Acoustic Scenes 2019, or ``"world:PRESET"``, whose
        scenes have the ambience of one of twelve places, or a folder of cached scenes, whose preset
        and seed are rendered.
    model : path, optional
        Run folder of `fit`, or name of a model on the Hugging Face hub. Without one only baselines
        are measured.
    baseline : sequence of {"random", "logmel", "dirac", "dirac_published", "cnn"}, optional
        Rows beside the model: the same networks without training, statistics of log-mel bands,
        Gaussian mixtures of DirAC features (correct, and with the fault of the published code), and
        a small network that is trained on the same folds. By default all.
    probes : sequence of {"linear", "mlp", "knn", "svm"}
        Classifiers on the embeddings.
    folds : int
        Of EigenScape: 4 folds test on 2 recordings of each class, 8 on 1.
    channels : {"stereo", "mid"}
        How two channels enter an encoder of Ambisonic sound. "mid": their mean is W. "stereo": they
        are taken as cardioids to the left and to the right, so that their difference is Y. An
        encoder that was trained on two channels takes them as they are.
    scenes : (train, test)
        Number of rendered scenes of a world.
    out : path, optional
        Folder for results; by default that of the model.
    embeddings : path, optional
        Folder of embeddings, which evaluations of several runs may share; by default beside the
        results.
    skip_bad : bool
        Leave out recordings that cannot be read, and count them, instead of stopping.
    seed : int
        Random seed of folds, of rendered scenes, of random weights and of classifiers.

    Returns
    -------
    TaskResults
        Also written to ``out/evaluation/scenes.json``.

    Raises
    ------
    InputError
        If a class is missing in a fold, a recording is unreadable or has too few channels, or there
        is nothing to measure.
    FileNotFoundError
        If the data or the run do not exist.
    """
    names = BASELINES if baseline is None else baseline
    wanted = [checks.choice(name, BASELINES, "baseline") for name in names]
    for probe in probes:
        checks.choice(probe, tuple(PROBES), "probe")
    checks.choice(channels, ("stereo", "mid"), "channels")
    if is_rendered(data):
        material = _world(World.of(data, seed), scenes)
    elif not Path(data).is_dir():
        raise FileNotFoundError(f"{data}: no such folder: give the folder of the data set")
    elif (Path(data) / "evaluation_setup").is_dir():
        material = _tau(Path(data))
    else:
        material = _eigenscape(Path(data), folds, seed)
    path = result_path("scenes", model, out)
    cache = embeddings_folder(path, embeddings)
    bench = Classification(material.classes, material.unit, cache, skip_bad, seed, material.vote)
    recordings = material.recordings
    if model is not None:
        encoder = AmbiEncoder.from_pretrained(str(model))
        heard, azimuth, note = recordings, AZIMUTHS, ""
        if material.two_channels:
            how: Entry = channels
            if encoder.model.front_end.alignment == "stereo":
                how, azimuth = "ears", AZIMUTHS[:1]
            note = ENTRIES[how]
            heard = [_as_field(recording, how) for recording in recordings]
        bench.add(heard, run_embedder(encoder, azimuth), probes, kind="learned", note=note)
        if "random" in wanted:
            bench.add(heard, random_embedder(encoder, seed, azimuth=azimuth), probes, note=note)
    elif "random" in wanted:
        bench.missing.append("random weights need a model, whose networks they are (--model)")
    if "logmel" in wanted:
        bench.add(recordings, logmel_statistics(), probes)
    for name in ("dirac", "dirac_published"):
        if name in wanted and material.two_channels:
            bench.missing.append(f"{name} takes Ambisonic sound, and {material.name} has two ears")
        elif name in wanted:
            embedder = dirac_embedder(name == "dirac_published")
            bench.classify(recordings, embedder, mixture_predictions, f"{embedder.name}, GMM")
    if "cnn" in wanted:
        bench.classify(recordings, logmel_frames(), cnn_predictions, "small CNN, from nothing")
    results = bench.results(
        "scenes",
        material.name,
        pairs=[
            (f"{ENCODER}, {probe}", f"{other}, {probe}")
            for probe in probes
            for other in (RANDOM, "log-mel statistics")
        ],
        settings={
            "probes": list(probes),
            "seed": seed,
            **({"folds": folds} if material.vote else {}),
            **({"channels": channels} if material.two_channels else {}),
        },
        learned=has_learned(model),
        published=material.published,
    )
    return results.save(path)


def _eigenscape(root: Path, folds: int, seed: int) -> Material:
    """Return EigenScape in folds of whole recordings."""
    source = eigenscape.EigenScape(root, folds, seed)
    tested = [
        file_recording(clip, _first_order, fold)
        for fold in range(1, folds + 1)
        for clip in source.clips(fold)
        if clip.split == "test"
    ]
    others = "other, unpublished folds; no interval"
    quoted = {"DirAC of EigenScape, GMM": 0.69, "AVC, log-mel": 0.825, "AVSA, log-mel": 0.894}
    return Material(
        name=f"EigenScape, {folds} folds",
        recordings=sorted(tested, key=lambda recording: recording.key),
        classes=eigenscape.CLASSES,
        unit="recordings",
        vote=True,
        published=tuple(
            Row(name, {"accuracy": Estimate(value)}, "published", others)
            for name, value in quoted.items()
        ),
    )


def _tau(root: Path) -> Material:
    """Return TAU Urban Acoustic Scenes 2019 in its published division."""
    clips = tau2019.TAU2019(root).clips()
    baseline = Row(
        "baseline of DCASE 2019",
        {"accuracy": Estimate(0.625)},
        "published",
        "± 0.6 over seeds of training",
    )
    return Material(
        name="TAU 2019",
        recordings=[file_recording(clip, _two_ears, int(clip.split == "test")) for clip in clips],
        classes=tau2019.CLASSES,
        unit="locations",
        two_channels=True,
        published=(baseline,),
    )


def _world(world: World, scenes: tuple[int, int]) -> Material:
    """Return rendered scenes, whose class is the place of their ambience."""
    from ambikit_learn.world.places import PLACES

    recordings = [
        replace(scene_recording(scene), label=scene.ambience, fold=fold)
        for fold, (split, count) in enumerate(zip(("train", "test"), scenes, strict=True))
        for scene in world.scenes(split, count, WORLD_SECONDS)
    ]
    return Material(world.name, recordings, tuple(PLACES), "scenes")


def _first_order(clip: LabelledClip) -> Content:
    """Return the first four channels of a clip."""
    x, rate = read_sound(clip)
    if len(x) < 4:
        raise InputError(
            f"{clip.path} has {len(x)} channels: an encoder of Ambisonic sound takes W, Y, Z, X"
        )
    return x[:4], rate


def _two_ears(clip: LabelledClip) -> Content:
    """Return the two channels of a clip."""
    x, rate = read_sound(clip)
    if len(x) != 2:
        raise InputError(f"{clip.path} has {len(x)} channels: TAU 2019 has two, left and right")
    return x, rate


def _as_field(recording: Recording, how: Entry) -> Recording:
    """Return a recording of two channels as AmbiX, see `evaluate_scenes`.

    As "ears", its cardioids to the left and to the right are the two channels.
    """

    def read() -> Content:
        (left, right), rate = recording.read()
        scale = 1.0 if how == "ears" else 0.5
        silent = np.zeros_like(left)
        side = silent if how == "mid" else scale * (left - right)
        return np.stack([scale * (left + right), side, silent, silent]), rate

    def identity() -> str:
        return fingerprint({"two channels": recording.identity(), "as": how})

    return replace(recording, read=read, identity=identity)
