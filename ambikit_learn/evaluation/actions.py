"""Action recognition, frozen and fine-tuned: UCF101, HMDB51 and rendered objects."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ambikit import InputError, checks
from ambikit_learn._typing import Floats32, Frames, Indices
from ambikit_learn.data.open import is_rendered
from ambikit_learn.evaluation.action_clips import ClipShape
from ambikit_learn.evaluation.action_videos import Videos, on_disk, rendered
from ambikit_learn.evaluation.classification import Kind, check_folds
from ambikit_learn.evaluation.embeddings import (
    Embedder,
    Recording,
    Store,
    embed,
    fingerprint,
)
from ambikit_learn.evaluation.finetune import (
    SCHEDULES,
    ActionNet,
    Schedule,
    TorchvisionR2Plus1D,
    fine_tune,
    probabilities,
    targets_of,
)
from ambikit_learn.evaluation.intervals import Comparison, bootstrap_mean, compare
from ambikit_learn.evaluation.probe import PROBES, Predictions, cross_validate
from ambikit_learn.evaluation.results import Grid, Measure, Row, TaskResults
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

PAPER = ClipShape(frames=8, rate=16.0, size=112)
TRAIN_CLIPS = 5
"""Clips of a video that probes are trained on."""
WORLD_SCENES = (900, 600)
"""Rendered objects for training and for testing."""


@dataclass(frozen=True)
class VideoEncoder:
    """A network from uint8 clips (N, T, S, S, 3) to `dim` values, and the clips that it takes."""

    name: str
    net: nn.Module
    dim: int
    shape: ClipShape
    kind: Kind = "baseline"

    @property
    def fingerprint(self) -> str:
        """Hash of weights and settings."""
        about = {"embedder": "video/1", "shape": asdict(self.shape)}
        return fingerprint(about, self.net.state_dict())

    def embedder(self) -> Embedder:
        """Return the function from clips to vectors, (clips, dim)."""
        net = self.net.eval()

        def apply(clips: Frames) -> Floats32:
            with torch.inference_mode():
                parts = [net(p).float() for p in torch.split(torch.from_numpy(clips.copy()), 16)]
            out: Floats32 = torch.cat(parts).numpy()
            return out

        return Embedder(self.name, self.fingerprint, apply)


@dataclass
class _Table:
    """Rows that are measured one after another."""

    videos: Videos
    rows: list[Row] = field(default_factory=list)
    parts: list[Row] = field(default_factory=list)
    decisions: dict[str, tuple[npt.NDArray[np.bool_], npt.NDArray[np.str_]]] = field(
        default_factory=dict
    )
    told: dict[str, list[Predictions]] = field(default_factory=dict)

    def add(
        self, name: str, kind: Kind, told: Sequence[Predictions], numbers: Sequence[int]
    ) -> None:
        """Add the row of one set of predictions for each split."""
        groups = [self.videos.groups[p.tested] for p in told]
        right, shares = [p.right for p in told], [p.share[p.tested] for p in told]
        values = {
            "clip": bootstrap_mean(np.concatenate(shares), np.concatenate(groups)),
            "video": bootstrap_mean(np.concatenate(right), np.concatenate(groups)),
        }
        self.rows.append(Row(name, values, kind))
        each = {
            f"split {n}": bootstrap_mean(r, g)
            for n, r, g in zip(numbers, right, groups, strict=True)
        }
        self.parts.append(Row(name, each, kind))
        self.decisions[name] = np.concatenate(right), np.concatenate(groups)
        self.told[name] = list(told)

    def compared(self) -> dict[str, Comparison]:
        """Compare each learned row with the baseline that was measured in the same way."""
        found = {}
        for row in self.rows:
            other = RANDOM + row.name.removeprefix(ENCODER)
            if row.kind == "learned" and other in self.decisions:
                (right, groups), (others, _) = self.decisions[row.name], self.decisions[other]
                found[f"{row.name} − {other}: video"] = compare(right, others, groups)
        return found


def evaluate_actions(
    data: str | Path,
    model: str | Path | None = None,
    *,
    baseline: Sequence[Literal["random"]] | None = None,
    torchvision: Path | None = None,
    probes: Sequence[Literal["linear", "mlp", "knn", "svm"]] = ("linear", "svm"),
    finetune: bool = False,
    schedule: Literal["ucf101", "hmdb51", "supplement", "tiny"] | None = None,
    splits: Sequence[int] = (1, 2, 3),
    clips: int = 25,
    scenes: tuple[int, int] = WORLD_SCENES,
    out: str | Path | None = None,
    embeddings: str | Path | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> TaskResults:
    """Recognise actions (UCF101, HMDB51, world:PRESET) by a frozen or fine-tuned video encoder.

    Parameters
    ----------
    data : path
        Folder of UCF101 or of HMDB51, or ``"world:PRESET"``: crops at objects, of which both the
        class and whether it acts are to be told. Of a folder of cached scenes, preset and seed are
        rendered.
    model : path, optional
        Run folder of `fit`, or name of a model on the Hugging Face hub.
    baseline : sequence of {"random"}, optional
        Rows beside the model: "random" are the same networks without training, and fine-tuned from
        nothing. By default it is measured.
    torchvision : path, optional
        Also measure r2plus1d_18 of torchvision with the weights of this file.
    probes : sequence of {"linear", "mlp", "knn", "svm"}
        Classifiers on frozen embeddings.
    finetune : bool
        Also train all weights on each split.
    schedule : {"ucf101", "hmdb51", "supplement", "tiny"}, optional
        How to fine-tune; by default as the paper does with this data set, or "tiny" for a network
        of the preset tiny or a world.
    splits : sequence of int
        Published divisions to measure.
    clips : int
        Evenly spaced clips of a video, over which its scores are averaged.
    scenes : (train, test)
        Number of rendered objects of a world.
    out : path, optional
        Folder for results; by default that of the model.
    embeddings : path, optional
        Folder of embeddings, which evaluations of several runs may share; by default beside the
        results.
    skip_bad : bool
        Leave out videos that cannot be read, and count them, instead of stopping.
    seed : int
        Random seed of random weights, of probes, of fine-tuning and of rendered scenes.

    Returns
    -------
    TaskResults
        Also written to ``out/evaluation/actions.json``.

    Raises
    ------
    InputError
        If a class or split is missing, a video is unreadable, or there is nothing to measure.
    FileNotFoundError
        If the data or the run do not exist.
    """
    begin = time.perf_counter()
    for probe in probes:
        checks.choice(probe, tuple(PROBES), "probe")
    if schedule is not None:
        checks.choice(schedule, tuple(SCHEDULES), "schedule")
    checks.positive_int(clips, "clips")
    wanted = [
        checks.choice(b, ("random",), "baseline")
        for b in (["random"] if baseline is None else baseline)
    ]
    encoders = _encoders(model, torchvision, "random" in wanted, seed)
    if is_rendered(data):
        videos = rendered(World.of(data, seed), scenes, seed)
    else:
        videos = on_disk(data, splits)
    numbers = list(splits) if len(videos.splits) > 1 else [1]
    path = result_path("actions", model, out)
    cache, table = embeddings_folder(path, embeddings), _Table(videos)
    labels = [str(label) for label in videos.labels]
    skipped: dict[str, None] = {}
    waiting = 0.0
    chosen = schedule or _usual(videos, encoders)
    for encoder in encoders:
        recordings = videos.recordings(encoder.shape, clips)
        found = embed(recordings, encoder.embedder(), cache=cache, skip_bad=skip_bad)
        waiting += found.waiting
        skipped |= dict.fromkeys(found.skipped)
        there = np.array([value is not None for value in found.values])
        divisions = [(a[there[a]], b[there[b]]) for a, b in videos.splits]
        check_folds(recordings, divisions, sorted(set(labels)))
        values = [np.empty((0, 0)) if v is None else v for v in found.values]
        for probe in probes:
            told = [
                cross_validate(
                    values, list(videos.labels), [one], probe, most=TRAIN_CLIPS, seed=seed
                )
                for one in divisions
            ]
            table.add(f"{encoder.name}, frozen, {probe}", encoder.kind, told, numbers)
        if finetune:
            told = [
                _fine_tuned(encoder, videos, one, SCHEDULES[chosen], recordings, cache, seed)
                for one in divisions
            ]
            table.add(f"{encoder.name}, fine-tuned", encoder.kind, told, numbers)
    covers = f"bootstrap over {videos.unit}, 2,000 draws; not over seeds of training or probe"
    chance = 1 / len(set(labels))
    measures = tuple(Measure(name, covers, chance=chance) for name in ("clip", "video"))
    by_split = tuple(Measure(f"split {n}", covers, chance=chance) for n in numbers)
    return TaskResults(
        task="actions",
        data=videos.name,
        table=Grid(measures, (*table.rows, *videos.published)),
        details=(Grid(by_split, tuple(table.parts), "video accuracy by split"),)
        if len(numbers) > 1
        else (),
        comparisons=table.compared(),
        confusion={
            name: np.sum([p.confusion() for p in told], 0).tolist()
            for name, told in table.told.items()
        },
        classes=tuple(sorted(set(labels))),
        skipped=tuple(skipped),
        settings={
            "probes": list(probes),
            "splits": numbers,
            "clips": clips,
            "seed": seed,
            **({"schedule": chosen, **asdict(SCHEDULES[chosen])} if finetune else {}),
        },
        seconds=time.perf_counter() - begin,
        waiting=waiting,
        learned=has_learned(model),
    ).save(path)


def _encoders(
    model: str | Path | None, torchvision: Path | None, random: bool, seed: int
) -> list[VideoEncoder]:
    """Return the encoders to measure."""
    found = []
    if model is not None:
        encoder = AmbiEncoder.from_pretrained(str(model))
        shape = _shape_of(encoder)
        found.append(VideoEncoder(ENCODER, encoder.model.net.video, encoder.dim, shape, "learned"))
        if random:
            net = untrained(encoder, seed).model.net.video
            found.append(VideoEncoder(RANDOM, net, encoder.dim, shape))
    if torchvision is not None:
        found.append(VideoEncoder("torchvision", TorchvisionR2Plus1D(torchvision), 512, PAPER))
    if not found:
        raise InputError("there is nothing to measure: give a model (--model) or --torchvision")
    return found


def _shape_of(encoder: AmbiEncoder) -> ClipShape:
    """Return the clips that an encoder was trained on."""
    frames = int(encoder.model.net.settings["frames"])
    if encoder.model.net.settings["preset"] == "paper":
        return ClipShape(frames, PAPER.rate, PAPER.size)
    size = encoder.record.settings.get("data", {}).get("size", 48)
    # Frames of the small networks lie inside of the span, at even distances
    return ClipShape(frames, (frames + 1) / encoder.window, int(size))


def _usual(videos: Videos, encoders: Sequence[VideoEncoder]) -> str:
    """Return the name of the schedule that the paper has for a data set."""
    small = any(encoder.shape.size < PAPER.size for encoder in encoders)
    return "tiny" if small or videos.name not in SCHEDULES else videos.name


def _fine_tuned(
    encoder: VideoEncoder,
    videos: Videos,
    division: tuple[Indices, Indices],
    schedule: Schedule,
    recordings: Sequence[Recording],
    cache: Path,
    seed: int,
) -> Predictions:
    """Train all weights on a split and apply them to its test videos, or take what is known."""
    train, test = division
    classes = sorted(set(map(str, videos.labels)))
    used = [recordings[i].identity() for i in (*train, *test)]
    about = {"finetune/1": encoder.fingerprint, **asdict(schedule), "seed": seed, "videos": used}
    store, name = Store(cache / "finetuned"), fingerprint(about)
    scores = np.full((len(videos.labels), len(classes)), np.nan)
    share = np.full(len(videos.labels), np.nan)
    targets = targets_of([str(label) for label in videos.labels], classes)
    known = store.get(name)
    if known is None:
        torch.manual_seed(seed)
        net = ActionNet(copy.deepcopy(encoder.net), encoder.dim, len(classes), schedule.dropout)
        net.to("cuda" if torch.cuda.is_available() else "cpu")
        state = cache / "finetuned" / f"{name}.ckpt"
        fine_tune(
            net, train, targets[train], videos.draw(encoder.shape), schedule, state=state, seed=seed
        )
        rows = []
        for i in test:
            found = probabilities(net, recordings[i].read())
            mean = np.log(np.exp(found).mean(0))
            rows.append(np.append(mean, (found.argmax(1) == targets[i]).mean()))
        known = np.stack(rows)
        store.add(name, known)
        store.save()
        state.unlink(missing_ok=True)
    scores[test], share[test] = known[:, :-1], known[:, -1]
    return Predictions(scores, tuple(classes), targets, share)
