"""AVC-Bin and AVSA-Bin: a small head on frozen embeddings tells right pairs from wrong ones.

AVC asks whether sound and picture come from one clip, AVSA whether the sound was turned away from
the picture. Head and protocol are those of Morgado et al. (NeurIPS 2020); accuracies come with
intervals over clips. On rendered scenes they stand beside a ceiling, what an oracle could tell, and
apart for what crops show.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from ambikit import InputError, checks
from ambikit_learn._files import check_writable
from ambikit_learn._memory import kept_memory
from ambikit_learn._threads import cores, leave_cores
from ambikit_learn._typing import Booleans, Floats, Indices
from ambikit_learn.data.cached import CachedDataset
from ambikit_learn.data.open import is_rendered, open_items
from ambikit_learn.data.rendered import WorldDataset
from ambikit_learn.evaluation.ceiling import (
    SHOWN,
    Contents,
    ceiling,
    contradicted,
    most_shown,
)
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.probe import train_head
from ambikit_learn.evaluation.results import Results
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.models.outcome import Outcome
from ambikit_learn.models.run import Record, RunFolder, load_run
from ambikit_learn.training.batches import ignore_signals

Task = Literal["avc", "avsa"]
VIEWS = 4
"""Random crops of a span, whatever the training took: the paper's multi-crop accuracy."""
WORLD_CLIPS = {"train": 4000, "validation": 500, "test": 2000}
"""Scenes of a world, which has no end: with half as many, a head falls short by a point."""
ALIGNED = "aligned above turned"
YAWS = (0, 20, 45, 90, 135, 180)
"""Bounds, in degrees, of the turns for which alignment is scored apart."""


@dataclass(frozen=True)
class Embeddings:
    """Frozen encodings of spans, (spans, views, width), and how well crops and sounds agree.

    Attributes
    ----------
    video, audio, turned : Tensor, shape (spans, views, width)
        Of the crops, of the sound aligned with them, and of the same sound yawed by a random angle
        before it is aligned.
    translated : Tensor, shape (spans, views, width), or None
        What the picture's translator says the sound should be; None without translators.
    agreement, agreement_turned : Tensor, shape (spans, views, views)
        Similarity of crop i and sound j, without a trained head.
    clip : Tensor, shape (spans,)
        The clip of each span.
    yaw : Tensor, shape (spans,)
        The angle that sound was turned by, in radians.
    views : Tensor, shape (spans, views, 4)
        Azimuth, elevation, width and height of the crops, in radians.
    """

    video: Tensor
    audio: Tensor
    turned: Tensor
    translated: Tensor | None
    agreement: Tensor
    agreement_turned: Tensor
    clip: Tensor
    yaw: Tensor
    views: Tensor


@dataclass(frozen=True)
class Scores:
    """Accuracies by name, with those of chance and of an oracle; for parts of the spans as well.

    Attributes
    ----------
    rows : dict
        Accuracies over all spans.
    chance : dict
        Accuracy at chance for each row.
    ceiling : dict
        Accuracy of an oracle, for those rows and details for which it is known.
    details : dict
        Accuracies over part of the spans, for each of which chance gives ½.
    right : dict
        For each row the share of right decisions in every span, shape (spans,), for paired
        comparisons with another model on the same spans.
    """

    rows: dict[str, Estimate]
    chance: dict[str, float]
    ceiling: dict[str, float]
    details: dict[str, Estimate]
    right: dict[str, Floats]

    def results(self, task: str, clips_per_second: float, *, learned: bool = True) -> Results:
        """Return them as the results of a task."""
        parts = self.rows, self.chance, self.ceiling, self.details
        return Results(task, *parts, clips_per_second, learned)


def evaluate(
    tasks: Task | Sequence[Task],
    model: str | Path,
    data: str | Path,
    *,
    split: str = "test",
    spans: int = 4,
    clips: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
) -> list[Results]:
    """Train binary heads on embeddings of the training split and test them on another.

    Parameters
    ----------
    tasks : {"avc", "avsa"} or sequence of them
        Wrong pairs: another clip's sound (avc), or this clip's, rotated about the vertical (avsa).
    model : path
        Run folder of `fit`.
    data : path or str
        Prepared folder, or ``"world:PRESET"``.
    split : str
        Split to test on.
    spans : int
        Number of evenly spaced spans of each clip; a scene of a world has one.
    clips : int, optional
        Largest number of clips of each split: by default all, or `WORLD_CLIPS` scenes of a world.
    seed : int
        Seed of crops, wrong pairs and the head.
    out : path, optional
        Folder for the results, by default that of the model.

    Returns
    -------
    list of Results
        One for each task, also written to ``out/evaluation/{task}.json``.

    Raises
    ------
    InputError
        If a task or split is unknown or empty, a split has one clip only and a task needs another
        clip's sound, or the run cannot be read.
    FileNotFoundError
        If the folder of the run or of the data is missing or not finished.

    Examples
    --------
    >>> import tempfile
    >>> from ambikit_learn import evaluate, fit
    >>> few = {"data.batch_size": 4, "data.workers": 0, "data.validation_clips": 0}
    >>> few |= {"trainer.max_steps": 1, "trainer.enable_progress_bar": False}
    >>> run = tempfile.mkdtemp()
    >>> _ = fit("avsa_foa_iv", "world:easy", run, settings=few)  # doctest: +ELLIPSIS
    4 clips in ...
    >>> (results,) = evaluate("avsa", run, "world:easy", clips=8)
    >>> results.task, results.chance["1 crop"], results.rows["1 crop"].clips
    ('avsa', 0.5, 8)
    """
    run = Path(model)
    wanted = [tasks] if isinstance(tasks, str) else list(tasks)
    for task in wanted:
        checks.choice(task, get_args(Task), "task")
    if clips is not None:
        checks.positive_int(clips, "clips")
    checks.positive_int(spans, "spans")
    net = load_run(run)
    results_in = RunFolder(run if out is None else Path(out))
    check_writable(results_in.result(wanted[0]).parent, "give another folder as out (--out)")
    options = Record.read(run).reading | {
        "views": VIEWS,
        "seed": seed,
        "covariance": net.front_end.covariance_settings,
    }
    train, test = (open_spans(data, name, spans, clips, options) for name in ("train", split))
    known = embed(net, train, seed)
    started = time.perf_counter()
    unseen = embed(net, test, seed + 1)
    rate = len(unseen.clip) / (time.perf_counter() - started)
    contents = contents_of(test)
    outcome = Outcome.read(model)
    learned = outcome is None or outcome.failure is None
    results = []
    for task in wanted:
        found = score(task, train_heads(task, known, seed), unseen, seed, contents)
        results.append(found.results(task, rate, learned=learned))
    for result in results:
        result.save(results_in.result(result.task))
    return results


def train_heads(task: Task, known: Embeddings, seed: int) -> dict[str, nn.Module]:
    """Train a head on pairs of known spans: from pictures, and from what translators make of them.

    Returns
    -------
    dict
        Name of the embedding of the picture, ``"video"`` or ``"translated"`` -> its head.
    """
    return {
        picture: train_head(*_pairs(task, known, picture, seed), seed=seed)
        for picture in ("video", "translated")
        if getattr(known, picture) is not None
    }


def score(
    task: Task,
    heads: Mapping[str, nn.Module],
    unseen: Embeddings,
    seed: int,
    contents: Contents | None = None,
) -> Scores:
    """Return accuracies on unseen spans with their intervals, and those of chance.

    Heads are those of `train_heads`. Alignment is also scored without one: how often the nearest
    of a span's sounds is the crop's own, and how often the span agrees more with its sound than
    with the same sound turned; by how far it was turned, too. With the `contents` of unseen
    scenes, accuracies come with their ceiling, and apart for what crops show.
    """
    clips, views = unseen.clip.numpy(), unseen.video.shape[1]
    found = Scores({}, {}, {}, {}, {})
    for picture, head in heads.items():
        decisions = _decisions(task, head, unseen, picture, seed)
        suffix = ", translated" if picture == "translated" else ""
        owners = np.repeat(clips, views).reshape(-1, views), clips
        for name, right, owner in zip(("1 crop", f"{views} crops"), decisions, owners, strict=True):
            found.rows[name + suffix], found.chance[name + suffix] = _estimate(right, owner), 0.5
            found.right[name + suffix] = right.reshape(2, len(clips), -1).mean((0, 2))
        if picture == "video" and contents is not None:
            told = _told_by_oracle(task, unseen, contents, seed)
            shown = most_shown(contents, unseen.views.double().numpy())
            _by_content(found, decisions, owners, told, shown)
    if task == "avsa":
        without = without_head(unseen.agreement, unseen.agreement_turned)
        for name, (right, guess) in without.items():
            found.rows[name], found.chance[name] = bootstrap_mean(right, clips), guess
            found.right[name] = right.astype(float)
        aligned, _ = without[ALIGNED]
        angle = np.rad2deg(unseen.yaw.abs().double().numpy())
        for low, high in itertools.pairwise(YAWS):
            if (among := (angle >= low) & (angle < high)).any():
                row = f"{ALIGNED} by {low}° to {high}°"
                found.details[row] = bootstrap_mean(aligned[among], clips[among])
    return found


def embed(
    model: AlignmentModel, dataset: Dataset[Any], seed: int, *, batch_size: int = 32
) -> Embeddings:
    """Encode every span of a data set, with right and with turned sound."""
    generator = torch.Generator().manual_seed(seed)
    net = model.net
    parts: dict[str, list[Tensor]] = {}
    loaders = max(cores() // 2, 1)  # encoding takes longer than reading
    leave_cores(loaders)
    loader = DataLoader(
        dataset, batch_size=batch_size, num_workers=loaders, worker_init_fn=ignore_signals
    )
    with kept_memory(), torch.inference_mode():
        for batch in loader:
            yaw = (2 * torch.rand(len(batch.clip), 1, generator=generator) - 1) * torch.pi
            azimuth, elevation = batch.listening
            video, audio = model.encode(batch.video, batch.sound, azimuth, elevation)
            # To turn the field by yaw and look at a is to look at a - yaw in the field as it was.
            turn = yaw if azimuth.ndim == 2 else yaw[..., None]
            features = model.front_end(batch.sound, azimuth - turn, elevation)
            turned = net.encode_audio(features)
            part = {
                "video": video,
                "audio": audio,
                "turned": turned,
                "agreement": net.heads(video, audio).similarity(),
                "agreement_turned": net.heads(video, turned).similarity(),
                "clip": batch.clip,
                "yaw": yaw[:, 0],
                "views": torch.stack(
                    [batch.azimuth, batch.elevation, batch.width, batch.height], -1
                ),
            }
            if translator := getattr(net.heads, "vision_to_sound", None):
                part["translated"] = translator(video)
            for name, value in part.items():
                parts.setdefault(name, []).append(value)
    whole = {name: torch.cat(part) for name, part in parts.items()}
    return Embeddings(translated=whole.pop("translated", None), **whole)


def open_spans(
    data: str | Path, split: str, spans: int, clips: int | None, options: Mapping[str, Any]
) -> Dataset[Any]:
    """Return the spans of a split, each an item.

    Parameters
    ----------
    data, split, spans, clips
        As for `evaluate`.
    options : mapping
        Options of `ambikit_learn.open_items`.
    """
    scenes = clips or WORLD_CLIPS.get(split)
    dataset = open_items(data, split, spans=spans, scenes=scenes, **options)
    if clips is None or is_rendered(data):
        return dataset
    return Subset(dataset, range(min(clips * spans, len(dataset))))


def contents_of(dataset: Dataset[Any]) -> Contents | None:
    """Return what the scenes of a data set hold, if it has scenes."""
    if isinstance(dataset, WorldDataset | CachedDataset):
        return Contents.of_dataset(dataset)
    return None


def _decisions(
    task: Task, head: nn.Module, test: Embeddings, picture: str, seed: int
) -> tuple[Booleans, Booleans]:
    """Whether the head is right, of right pairs and then of wrong ones.

    Returns that by one view, (2, spans, views), and by all views of a span, (2, spans).
    """
    features, labels = _pairs(task, test, picture, seed + 1)
    with torch.inference_mode():
        logits = head(features).reshape(2, len(test.clip), -1)
    right = labels.bool().reshape(2, -1)
    return ((logits > 0) == right[..., None]).numpy(), ((logits.mean(-1) > 0) == right).numpy()


def _estimate(right: Booleans, clips: npt.NDArray[Any]) -> Estimate:
    """Return the mean over right and wrong pairs (2, ...) of clips (...)."""
    return bootstrap_mean(right.ravel(), np.broadcast_to(clips, right.shape).ravel())


def _told_by_oracle(task: Task, test: Embeddings, contents: Contents, seed: int) -> Booleans:
    """Which crops (spans, views) give an oracle the wrong pair away that `_decisions` takes."""
    if task == "avsa":
        sound = contents.turned(test.yaw.double().numpy())
    else:
        sound = contents.take(_others(test.clip, seed + 1).numpy())
    return contradicted(contents, sound, test.views.double().numpy())


def _by_content(
    found: Scores,
    decisions: Sequence[Booleans],
    owners: Sequence[npt.NDArray[Any]],
    told: Booleans,
    shown: Indices,
) -> None:
    """Add the ceiling, and accuracies apart for what crops show.

    `told` and `shown` (spans, views): which crops give a wrong pair away, and what they show.
    """
    views = told.shape[1]
    names = "1 crop", f"{views} crops"
    ceilings = ceiling(told), ceiling(told.max(1))
    contents = shown, shown.max(1)
    for name, right, owner, limit, content in zip(
        names, decisions, owners, ceilings, contents, strict=True
    ):
        found.ceiling[name] = float(limit.mean())
        for number, what in enumerate(SHOWN):
            if (among := content == number).any():
                row = f"{name}, {what}"
                found.details[row] = _estimate(right[:, among], owner[among])
                found.ceiling[row] = float(limit[among].mean())


def _pairs(task: Task, embeddings: Embeddings, picture: str, seed: int) -> tuple[Tensor, Tensor]:
    """Right pairs, then wrong: features (2 * spans, views, 2 * width), labels (2 * spans,)."""
    video = getattr(embeddings, picture)
    wrong = (
        embeddings.turned if task == "avsa" else embeddings.audio[_others(embeddings.clip, seed)]
    )
    right = torch.cat([video, embeddings.audio], -1)
    features = torch.cat([right, torch.cat([video, wrong], -1)])
    labels = torch.cat([torch.ones(len(video)), torch.zeros(len(video))])
    return features, labels


def _others(clip: Tensor, seed: int) -> Tensor:
    """For each span the index of a span of another clip."""
    if (clip == clip[0]).all():
        raise InputError(
            "a wrong pair takes another clip's sound: each split needs two clips at least"
        )
    generator = torch.Generator().manual_seed(seed)
    candidates = torch.rand(len(clip), len(clip), generator=generator)
    candidates[clip[:, None] == clip[None, :]] = -1.0
    return candidates.argmax(1)


def without_head(
    agreement: Tensor, agreement_turned: Tensor
) -> dict[str, tuple[npt.NDArray[Any], float]]:
    """Score what embeddings tell without a head: a value a span, and what chance gives.

    Parameters
    ----------
    agreement, agreement_turned : Tensor, shape (spans, views, views)
        As in `Embeddings`.
    """
    views = agreement.shape[1]
    found = agreement.argmax(-1) == torch.arange(views)
    aligned, turned = (a.diagonal(dim1=1, dim2=2).mean(-1) for a in (agreement, agreement_turned))
    return {
        f"own sound among {views} views": (found.float().mean(1).numpy(), 1 / views),
        # A tie, as between sounds without direction, is half right
        ALIGNED: (0.5 + 0.5 * (aligned - turned).sign().numpy(), 0.5),
    }
