"""Whether an encoder of sound fields keeps the meaning of sounds: ESC-10, in five folds.

Each recording is encoded as a plane wave, from the front and from a random direction, and always
heard from the front: what the encoder says of a sound should not depend on where it comes from.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

import ambikit
from ambikit import InputError, checks
from ambikit_learn._typing import Floats32
from ambikit_learn.evaluation.classification import Classification
from ambikit_learn.evaluation.embeddings import (
    Embedder,
    Recording,
    file_recording,
    fingerprint,
    read_sound,
)
from ambikit_learn.evaluation.probe import PROBES
from ambikit_learn.evaluation.results import TaskResults
from ambikit_learn.evaluation.sound_embedders import (
    Content,
    logmel_statistics,
    random_embedder,
    run_embedder,
    yamnet,
)
from ambikit_learn.evaluation.task import (
    ENCODER,
    RANDOM,
    embeddings_folder,
    has_learned,
    result_path,
)
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.inference.windows import resampled
from ambikit_learn.sources import open_labelled
from ambikit_learn.sources.esc10 import CLASSES

BASELINES = ("random", "logmel", "yamnet")
ELEVATION = 45.0
"""Largest elevation, in degrees, from which a sound comes."""
WHOLE = 1e9
"""Seconds of a segment: each clip is one."""


def evaluate_sounds(
    data: str | Path,
    model: str | Path | None = None,
    *,
    baseline: Sequence[Literal["random", "logmel", "yamnet"]] | None = None,
    hear: str | None = None,
    yamnet_file: Path | None = None,
    probe: Literal["linear", "mlp", "knn", "svm"] = "linear",
    out: str | Path | None = None,
    embeddings: str | Path | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> TaskResults:
    """Classify environmental sounds (ESC-10, five folds) by frozen embeddings.

    Parameters
    ----------
    data : path
        Folder of ESC-10 or of ESC-50.
    model : path, optional
        Run folder of `fit`, or name of a model on the Hugging Face hub. Without one only baselines
        are measured.
    baseline : sequence of {"random", "logmel", "yamnet"}, optional
        Rows beside the model: the same networks without training, statistics of log-mel bands, and
        a frozen public encoder. By default all.
    hear : str, optional
        Also measure a module with the interface of HEAR 2021, such as ambikit_learn.hear, whose
        load_model takes the model.
    yamnet_file : path, optional
        File yamnet_spectra_in.tflite, for the baseline yamnet.
    probe : {"linear", "mlp", "knn", "svm"}
        Classifier on the embeddings.
    out : path, optional
        Folder for results; by default that of the model.
    embeddings : path, optional
        Folder of embeddings, which evaluations of several runs may share; by default beside the
        results.
    skip_bad : bool
        Leave out recordings that cannot be read, and count them, instead of stopping.
    seed : int
        Random seed of directions, of random weights and of the probe.

    Returns
    -------
    TaskResults
        Also written to ``out/evaluation/sounds.json``.

    Raises
    ------
    InputError
        If a class is missing in a fold, a recording is unreadable, or there is nothing to measure.
    FileNotFoundError
        If the data or the run do not exist.
    """
    names = BASELINES if baseline is None else baseline
    wanted = [checks.choice(name, BASELINES, "baseline") for name in names]
    checks.choice(probe, tuple(PROBES), "probe")
    source = open_labelled("esc10", data)
    mono = [
        file_recording(clip, read_sound, fold)
        for fold in range(1, source.folds + 1)
        for clip in source.clips(fold)
        if clip.split == "test"
    ]
    mono.sort(key=lambda recording: (recording.label, recording.key))
    path = result_path("sounds", model, out)
    cache = embeddings_folder(path, embeddings)
    bench = Classification(CLASSES, "sources", cache, skip_bad, seed)
    if model is not None:
        encoder = AmbiEncoder.from_pretrained(str(model))
        placed = {
            "from the front": _placed(mono, np.zeros(len(mono)), np.zeros(len(mono))),
            "from anywhere": _placed(mono, *_directions(len(mono), seed)),
        }
        own = run_embedder(encoder, segment=WHOLE)
        other = random_embedder(encoder, seed, segment=WHOLE)
        for where, recordings in placed.items():
            named = replace(own, name=f"{ENCODER}, {where}")
            bench.add(recordings, named, [probe], kind="learned")
            if "random" in wanted:
                named = replace(other, name=f"{RANDOM}, {where}")
                bench.add(recordings, named, [probe])
    elif "random" in wanted:
        bench.missing.append("random weights need a model, whose networks they are (--model)")
    if hear is not None:
        bench.add(mono, _hear_embedder(hear, model), [probe], kind="learned")
    if "logmel" in wanted:
        bench.add(mono, logmel_statistics(WHOLE), [probe])
    if "yamnet" in wanted:
        try:
            anchor = yamnet(yamnet_file or Path("yamnet_spectra_in.tflite"), WHOLE)
        except (ImportError, FileNotFoundError) as error:
            bench.missing.append(f"YAMNet: {error}")
        else:
            bench.add(mono, anchor, [probe], note="frozen, int8, trained on AudioSet with labels")
    kept, random = (f"{who}, from anywhere, {probe}" for who in (ENCODER, RANDOM))
    logmel, front = f"log-mel statistics, {probe}", f"{ENCODER}, from the front, {probe}"
    pairs = [
        (front, f"{RANDOM}, from the front, {probe}"),
        (kept, random),
        (kept, front),
        (front, logmel),
        (kept, logmel),
        (f"YAMNet, {probe}", logmel),
    ]
    results = bench.results(
        "sounds",
        "ESC-10",
        pairs=pairs,
        settings={"probe": probe, "seed": seed, "elevation": ELEVATION},
        learned=has_learned(model),
    )
    return results.save(path)


def _directions(count: int, seed: int) -> tuple[Floats32, Floats32]:
    """Draw azimuths and elevations in degrees, uniform on the sphere between the elevations."""
    rng = np.random.default_rng([seed, 0xE5C])
    azimuth = rng.uniform(-180.0, 180.0, count)
    highest = np.sin(np.deg2rad(ELEVATION))
    elevation = np.rad2deg(np.arcsin(rng.uniform(-highest, highest, count)))
    return azimuth.astype(np.float32), elevation.astype(np.float32)


def _placed(recordings: Sequence[Recording], azimuth: Any, elevation: Any) -> list[Recording]:
    """Return mono recordings as plane waves from directions in degrees."""

    def place(recording: Recording, azimuth: float, elevation: float) -> Recording:
        def read() -> Content:
            x, rate = recording.read()
            signal = x.mean(0)
            return ambikit.encode(signal, azimuth, elevation, degrees=True), rate

        def identity() -> str:
            return fingerprint({"mono": recording.identity(), "from": [azimuth, elevation]})

        return replace(recording, read=read, identity=identity)

    towards = zip(recordings, azimuth.tolist(), elevation.tolist(), strict=True)
    return [place(*one) for one in towards]


def _hear_embedder(module: str, model: str | Path | None) -> Embedder:
    """Return the embedder of a module with the interface of HEAR 2021."""
    try:
        api = importlib.import_module(module)
        net = api.load_model("" if model is None else str(model))
    except ModuleNotFoundError as error:
        raise InputError(f"hear: there is no module {module!r} ({error})") from None
    except AttributeError:
        raise InputError(f"hear: {module} has no load_model: it is no module of HEAR") from None

    def embed(content: Content) -> Floats32:
        x, rate = content
        sound = torch.from_numpy(resampled(x.mean(0, keepdims=True), rate, net.sample_rate))
        scene: Floats32 = api.get_scene_embeddings(sound, net).detach().cpu().numpy()
        return scene

    about = {"embedder": "hear/1", "module": module, "model": str(model)}
    return Embedder(f"HEAR: {module}", fingerprint(about, net.state_dict()), embed)
