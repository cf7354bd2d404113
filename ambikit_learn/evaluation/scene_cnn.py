"""A small convolutional network for acoustic scenes, trained from nothing on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ambikit_learn._typing import Indices, Sound
from ambikit_learn.evaluation.embeddings import Embedder, fingerprint
from ambikit_learn.evaluation.probe import Folds, Predictions
from ambikit_learn.evaluation.sound_embedders import yamnet_front_end

POOLED = 8
"""Frames of 10 ms that are averaged: 80 ms remain."""
CROP = 62
"""Frames of an example, 5 s."""
EPOCHS, BATCH = 30, 32


def logmel_frames() -> Embedder:
    """Return the embedder of log-mel frames of every channel, (frames, channels · 64), float16."""

    def embed(content: tuple[Sound, int]) -> npt.NDArray[np.float16]:
        mel = yamnet_front_end(*content)
        channels, frames, bands = mel.shape
        kept = max(frames // POOLED, 1)
        mel = mel[:, : kept * POOLED].reshape(channels, kept, -1, bands).mean(2)
        small: npt.NDArray[np.float16] = mel.swapaxes(0, 1).reshape(kept, -1).astype(np.float16)
        return small

    return Embedder("log-mel frames", fingerprint({"embedder": "frames/1", "pool": POOLED}), embed)


def cnn_predictions(
    values: Sequence[npt.NDArray[Any]],
    labels: Sequence[str],
    folds: Folds,
    *,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> Predictions:
    """Train a network on random spans of 5 s of each fold and apply it to whole recordings.

    Parameters
    ----------
    values : sequence of ndarray, shape (frames, channels * 64)
        From `logmel_frames`.
    labels, folds
        As for `ambikit_learn.evaluation.probe.cross_validate`.
    epochs : int
        Passes over the recordings.
    seed : int
        Random seed of weights, spans and order.

    Returns
    -------
    Predictions
        Scores are mean log-probabilities of consecutive spans.

    Notes
    -----
    Three blocks of 3 × 3 convolution, batch norm, ReLU and 2 × 2 pooling (16, 32, 64 channels), the
    mean over time and frequency, dropout 0.3, one linear layer; Adam at 10⁻³, a cosine to 0.
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    scores = np.full((len(values), len(classes)), np.nan)
    for train, test in folds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = _trained([values[i] for i in train], numbers[train], len(classes), epochs, seed)
        with torch.inference_mode():
            for i in test:
                spans = torch.stack([_span(values[i], start) for start in _starts(len(values[i]))])
                scores[i] = net(spans).log_softmax(1).mean(0).numpy()
    return Predictions(scores, tuple(map(str, classes)), numbers)


def _trained(
    values: Sequence[npt.NDArray[Any]], targets: Indices, classes: int, epochs: int, seed: int
) -> nn.Module:
    """Return a network that was trained on recordings."""
    rng = np.random.default_rng(seed)
    every = np.concatenate([value[::4] for value in values]).astype(np.float32)
    channels = every.shape[1] // 64
    net = _network(channels, classes, every.mean(0), every.std(0) + 1e-3)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    steps = epochs * -(-len(values) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    truth = torch.from_numpy(targets)
    for _ in range(epochs):
        for some in np.array_split(rng.permutation(len(values)), -(-len(values) // BATCH)):
            starts = [int(rng.integers(max(len(values[i]) - CROP, 0) + 1)) for i in some]
            spans = [_span(values[i], start) for i, start in zip(some, starts, strict=True)]
            loss = nn.functional.cross_entropy(net(torch.stack(spans)), truth[some])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return net.eval()


def _span(value: npt.NDArray[Any], start: int) -> Tensor:
    """Return a span (CROP, width) of frames, repeated where they are too few."""
    part = value[start : start + CROP]
    if len(part) < CROP:
        part = np.resize(part, (CROP, part.shape[1]))
    return torch.from_numpy(part.astype(np.float32))


def _starts(frames: int) -> range:
    """Return the first frames of consecutive spans."""
    return range(0, max(frames - CROP, 0) + 1, CROP)


class _Standardise(nn.Module):
    """Standardise (N, frames, channels · 64) and part channels: (N, channels, frames, 64)."""

    def __init__(self, mean: npt.NDArray[Any], std: npt.NDArray[Any]) -> None:
        super().__init__()
        self.mean, self.std = nn.Buffer(torch.tensor(mean)), nn.Buffer(torch.tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        n, frames, width = x.shape
        scaled: Tensor = (x - self.mean) / self.std
        return scaled.reshape(n, frames, width // 64, 64).transpose(1, 2)


def _network(
    channels: int, classes: int, mean: npt.NDArray[Any], std: npt.NDArray[Any]
) -> nn.Module:
    """Return the untrained network."""
    layers: list[nn.Module] = [_Standardise(mean, std)]
    for width in (16, 32, 64):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ]
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, classes)]
    return nn.Sequential(*layers, *head)
