"""From sound of any length to one embedding per window and direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ambikit import InputError, checks
from ambikit_learn._typing import Floats, Integers, Sound
from ambikit_learn.inference.windows import pad_mirrored, window_starts
from ambikit_learn.models.alignment import AlignmentModel

Reader = Callable[[int, int], Sound]
"""Function of the first sample and the end of a span that returns sounds (B, 4, samples)."""

BLOCK = 120.0
"""Seconds of sound read at a time."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """The embedding of a sound from each direction.

    Attributes
    ----------
    clip : ndarray of float32, shape (..., *directions, dim)
        The mean over time.
    frames : ndarray of float32, shape (..., *directions, T, dim)
        One vector per window.
    times : ndarray of float64, shape (T,)
        Centres of the windows, in seconds.
    """

    clip: Sound
    frames: Sound
    times: Floats


@dataclass(frozen=True)
class EmbedOptions:
    """Options of `AmbiEncoder.embed`, with times in seconds."""

    azimuth: npt.ArrayLike
    elevation: npt.ArrayLike
    degrees: bool
    window: float
    hop: float | None
    batch_size: int


def embed_sound(
    model: AlignmentModel, read: Reader, length: int, how: EmbedOptions, name: str
) -> Embedding:
    """Embed `length` samples of sounds (B, 4, samples) that are read in blocks."""
    azimuth, elevation = checks.direction(how.azimuth, how.elevation, degrees=how.degrees)
    directions = torch.from_numpy(np.stack([azimuth.ravel(), elevation.ravel()])).float()
    rate = model.front_end.source_rate
    window = round(checks.positive(how.window, "window", "s") * rate)
    hop = window if how.hop is None else checks.positive(how.hop, "hop", "s") * rate
    mel = model.front_end.mel
    shortest = mel.window_length / mel.sample_rate
    for samples, what in ((window, "a window"), (length, name)):
        if samples < shortest * rate:
            raise InputError(
                f"{what} of {samples / rate:.3g} s is too short: the features take "
                f"{shortest:.3g} s at least"
            )
    starts = window_starts(length, window, hop)
    batch = checks.positive_int(how.batch_size, "batch_size")
    block = starts // round(BLOCK * rate)
    parts = []
    for number in np.unique(block):
        some = starts[block == number]
        first, last = int(some[0]), int(some[-1]) + window
        x = pad_mirrored(read(first, min(last, length)), 0, max(0, last - length))
        parts.append(_embed_windows(model, x, some - first, window, directions, batch))
    y = np.concatenate(parts, 1)
    frames = np.moveaxis(y, 1, 2).reshape(len(y), *azimuth.shape, len(starts), y.shape[-1])
    return Embedding(frames.mean(-2), frames, (starts + window / 2) / rate)


def _embed_windows(
    model: AlignmentModel,
    x: Sound,
    starts: Integers,
    window: int,
    directions: torch.Tensor,
    batch: int,
) -> Sound:
    """Return the embeddings (B, T, directions, dim) of windows of sounds (B, 4, samples)."""
    device = model.front_end.mean.device
    azimuth, elevation = directions.to(device)[:, None]
    views = azimuth.shape[1]
    every = torch.from_numpy(x).unfold(-1, window, 1)
    sound, start = np.repeat(np.arange(len(x)), len(starts)), np.tile(starts, len(x))
    together = max(1, batch // views)
    parts = []
    with torch.inference_mode():
        for i in range(0, len(sound), together):
            some = slice(i, i + together)
            windows = every[sound[some], :, start[some]].to(device)
            towards = (angle.expand(len(windows), -1) for angle in (azimuth, elevation))
            features = model.front_end(windows, *towards)
            parts.append(model.net.encode_audio(features).cpu())
    y: Sound = torch.cat(parts).numpy()
    return y.reshape(len(x), len(starts), views, -1)
