"""AVC-Bin and AVSA-Bin: a small head on frozen embeddings tells right pairs from wrong ones.

AVC asks whether sound and picture come from one clip, AVSA whether the sound was turned away from
the picture. Head and protocol are those of Morgado et al. (NeurIPS 2020); accuracies come with
intervals over clips.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import yaml
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from ambikit import InputError
from ambikit_learn._threads import cores, leave_cores
from ambikit_learn.data.dataset import SpanDataset
from ambikit_learn.data.rendered import PREFIX, WorldDataset
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.probe import train_head
from ambikit_learn.evaluation.results import Results
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.models.run import load_run

Task = Literal["avc", "avsa"]
VIEWS = 4
"""Random crops of a span, whatever the training took: the paper's multi-crop accuracy."""
INPUTS = ("video", "sound", "azimuth", "elevation")
WORLD_CLIPS = 2000
"""Scenes of a world, which has no end, to test on."""
WORLD_CLIPS_OF_HEAD = 4000
"""Scenes of a world to train a head on; with half of them it falls short by a point."""


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
    """

    video: Tensor
    audio: Tensor
    turned: Tensor
    translated: Tensor | None
    agreement: Tensor
    agreement_turned: Tensor
    clip: Tensor


def evaluate(
    tasks: Sequence[Task],
    model: Path,
    data: Path | str,
    *,
    split: str = "test",
    spans: int = 4,
    clips: int | None = None,
    seed: int = 0,
) -> list[Results]:
    """Train binary heads on embeddings of the training split and test them on another.

    Parameters
    ----------
    tasks : sequence of {"avc", "avsa"}
        What the wrong pairs are: another clip's sound, or this clip's, turned about the vertical.
    model : Path
        Run folder of `fit`.
    data : Path or str
        Prepared folder, or ``"world:PRESET"``.
    split : str
        Split to test on.
    spans : int
        Spans taken from each clip, evenly spread; a scene of a world has one.
    clips : int, optional
        Clips of each split at most: all, or `WORLD_CLIPS` scenes of a world
        and `WORLD_CLIPS_OF_HEAD` for training the head.
    seed : int
        Seed of crops, wrong pairs and the head.

    Returns
    -------
    list of Results
        One for each task, also written to ``model/evaluation/{task}.json``.

    Raises
    ------
    InputError
        If a split is empty, or has one clip only and a task needs another clip's sound.
    """
    net = load_run(model)
    options = _reading(model) | {
        "views": VIEWS,
        "seed": seed,
        "covariance": net.front_end.covariance_settings,
    }
    train, test = (_spans(str(data), name, spans, clips, options) for name in ("train", split))
    known = embed(net, train, seed)
    started = time.perf_counter()
    unseen = embed(net, test, seed + 1)
    rate = len(unseen.clip) / (time.perf_counter() - started)
    results = [Results(task, *score(task, known, unseen, seed), rate) for task in tasks]
    for result in results:
        result.save(model / "evaluation" / f"{result.task}.json")
    return results


def score(
    task: Task, known: Embeddings, unseen: Embeddings, seed: int
) -> tuple[dict[str, Estimate], dict[str, float]]:
    """Return accuracies on unseen spans with their intervals, and those of chance.

    Heads are trained on known spans. Alignment is also scored without one: how often the nearest
    of a span's sounds is the crop's own, and how often the span agrees more with its sound than
    with the same sound turned.
    """
    rows, chance = _binary(task, known, unseen, seed)
    if task == "avsa":
        for name, (right, guess) in _without_head(unseen).items():
            rows[name], chance[name] = bootstrap_mean(right, unseen.clip.numpy()), guess
    return rows, chance


def embed(
    model: AlignmentModel, dataset: Dataset[Any], seed: int, *, batch_size: int = 32
) -> Embeddings:
    """Encode every span of a data set, with right and with turned sound."""
    generator = torch.Generator().manual_seed(seed)
    net = model.net
    parts: dict[str, list[Tensor]] = {}
    loaders = max(cores() // 2, 1)  # encoding takes longer than reading
    leave_cores(loaders)
    loader = DataLoader(dataset, batch_size=batch_size, num_workers=loaders)
    with torch.inference_mode():
        for batch in loader:
            yaw = (2 * torch.rand(len(batch["clip"]), 1, generator=generator) - 1) * torch.pi
            video, audio = model.encode(*(batch[name] for name in INPUTS))
            # To turn the field by yaw and look at a is to look at a - yaw in the field as it was.
            features = model.front_end(batch["sound"], batch["azimuth"] - yaw, batch["elevation"])
            turned = net.encode_audio(features)
            part = {
                "video": video,
                "audio": audio,
                "turned": turned,
                "agreement": net.heads(video, audio).similarity(),
                "agreement_turned": net.heads(video, turned).similarity(),
                "clip": batch["clip"],
            }
            if translator := getattr(net.heads, "vision_to_sound", None):
                part["translated"] = translator(video)
            for name, value in part.items():
                parts.setdefault(name, []).append(value)
    whole = {name: torch.cat(part) for name, part in parts.items()}
    return Embeddings(translated=whole.pop("translated", None), **whole)


def _spans(
    data: str, split: str, spans: int, clips: int | None, options: dict[str, Any]
) -> Dataset[Any]:
    """Return the spans of a split, each an item."""
    if data.startswith(PREFIX):
        usual = WORLD_CLIPS_OF_HEAD if split == "train" else WORLD_CLIPS
        return WorldDataset(data, split, epoch_length=clips or usual, **options)
    dataset = SpanDataset(data, split, spans=spans, **options)
    if clips is None:
        return dataset
    return Subset(dataset, range(min(clips * spans, len(dataset))))


def _reading(run: Path) -> dict[str, Any]:
    """How a run read its data: length of a span, frames and size of a crop."""
    data = yaml.safe_load((run / "config.yaml").read_text())["data"]
    return {name: data[name] for name in ("span", "frames", "size")}


def _binary(
    task: Task, train: Embeddings, test: Embeddings, seed: int
) -> tuple[dict[str, Estimate], dict[str, float]]:
    """Accuracy of the head on one view and on all, with own and translated picture features."""
    rows = {}
    for name in ("video", "translated"):
        if getattr(test, name) is None:
            continue
        head = train_head(*_pairs(task, train, name, seed), seed=seed)
        features, labels = _pairs(task, test, name, seed + 1)
        with torch.inference_mode():
            logits = head(features)  # (2 * spans, views)
        clips = test.clip.repeat(2).numpy()
        views = logits.shape[1]
        suffix = ", translated" if name == "translated" else ""
        single = (logits > 0) == labels[:, None].bool()
        rows[f"1 crop{suffix}"] = bootstrap_mean(single.flatten().numpy(), np.repeat(clips, views))
        rows[f"{views} crops{suffix}"] = bootstrap_mean(
            ((logits.mean(1) > 0) == labels.bool()).numpy(), clips
        )
    return rows, dict.fromkeys(rows, 0.5)


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


def _without_head(embeddings: Embeddings) -> dict[str, tuple[npt.NDArray[Any], float]]:
    """Score what the embeddings tell by themselves, a value a span, and what chance gives."""
    views = embeddings.video.shape[1]
    own = torch.arange(views)
    found = embeddings.agreement.argmax(-1) == own
    aligned, turned = (
        a.diagonal(dim1=1, dim2=2).mean(-1)
        for a in (embeddings.agreement, embeddings.agreement_turned)
    )
    return {
        f"own sound among {views} views": (found.float().mean(1).numpy(), 1 / views),
        "aligned above turned": ((aligned > turned).float().numpy(), 0.5),
    }
