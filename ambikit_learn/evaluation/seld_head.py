"""A head that finds sound events and their directions in the frozen maps of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import ambikit
from ambikit_learn._progress import progress
from ambikit_learn._typing import Floats, Floats32
from ambikit_learn.evaluation.embeddings import Embedder, fingerprint
from ambikit_learn.evaluation.rendered_sounds import Content
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.inference.windows import pad_mirrored, resampled, sound_field
from ambikit_learn.networks.audio import MAP_STRIDE

Maps = Callable[[Tensor], Tensor]
"""Function of features (N, channels, frames, bands) that returns maps (N, width, steps, bands)."""
Halves = npt.NDArray[np.float16]
FRAME = 0.1
"""Seconds of a frame of labels."""
WINDOW = 20
"""Frames that the head sees at a time, 2 s."""
PATCHES = 4
"""Frequency patches at most: neighbouring bands are averaged."""
ACTIVE = 0.5
"""Length of a vector from which an event counts as active."""
_BLOCK, _CONTEXT = 200, 10
"""Frames of sound of which maps are computed at a time, and frames around them that they see."""


def encoder_maps(encoder: AmbiEncoder, name: str) -> Embedder:
    """Return the maps of an encoder of sound, (frames, patches, width) of float16, every 0.1 s.

    The maps before the pooling over time and frequency, at the front viewpoint, interpolated to the
    middles of the label frames.

    Parameters
    ----------
    encoder : AmbiEncoder
        Trained or not.
    name : str
        Name of its row.
    """
    model = encoder.model
    maps: Maps = model.net.audio.maps  # type: ignore[assignment]
    settings = {"embedder": "maps/1", "net": model.net.settings}
    return _mapped(encoder, name, maps, MAP_STRIDE, settings, model.state_dict())


def feature_maps(encoder: AmbiEncoder, name: str = "features") -> Embedder:
    """Return the features that the encoder takes as such maps, to compare it with none at all."""
    bands = encoder.model.front_end.mel.n_mels

    def maps(features: Tensor) -> Tensor:
        # All bands of a patch become channels of it
        patches = max(p for p in range(1, PATCHES + 1) if bands % p == 0)
        parts = features.reshape(*features.shape[:-1], patches, bands // patches)
        return parts.movedim(-1, 2).flatten(1, 2)

    state = encoder.model.front_end.state_dict()
    return _mapped(encoder, name, maps, 1, {"embedder": "features/1"}, state)


def _mapped(
    encoder: AmbiEncoder,
    name: str,
    maps: Maps,
    stride: int,
    settings: dict[str, Any],
    weights: dict[str, Tensor],
) -> Embedder:
    """Return the embedder of maps (N, C, steps, bands) of features."""
    front_end = encoder.model.front_end
    rate = encoder.sample_rate
    step = stride * front_end.mel.hop / front_end.mel.sample_rate

    def embed(content: Content) -> Halves:
        x, own = content
        sound = resampled(sound_field(x), own, rate)
        count = max(1, round(sound.shape[-1] / (FRAME * rate)))
        size = round(FRAME * rate)
        padded = pad_mirrored(
            sound, _CONTEXT * size, max(0, (count + _CONTEXT) * size - sound.shape[-1])
        )
        parts = []
        with torch.inference_mode():
            for first in range(0, count, _BLOCK):
                frames = min(_BLOCK, count - first)
                part = padded[:, first * size : (first + frames + 2 * _CONTEXT) * size]
                front = torch.zeros(1, 1, device=encoder.device)
                here = torch.from_numpy(part[None].copy()).to(encoder.device)
                found = maps(front_end(here, front, front)[:, 0])[0].cpu()
                times = FRAME * (_CONTEXT + 0.5 + np.arange(frames)) / step
                parts.append(_at(_patched(found), times))
        return np.concatenate(parts).astype(np.float16)

    about = settings | {"front_end": front_end.settings, "patches": PATCHES, "block": _BLOCK}
    return Embedder(name, fingerprint(about, weights), embed)


def _patched(maps: Tensor) -> Tensor:
    """Average bands of maps (C, steps, bands) to patches, (steps, patches, C)."""
    patches = min(PATCHES, maps.shape[-1])
    pooled = nn.functional.adaptive_avg_pool2d(maps, (maps.shape[1], patches))
    return pooled.permute(1, 2, 0)


def _at(maps: Tensor, places: Floats) -> Floats32:
    """Interpolate maps (steps, ...) linearly at places in steps."""
    values: Floats32 = maps.numpy()
    places = np.clip(places, 0, len(values) - 1)
    low = np.minimum(places.astype(int), max(0, len(values) - 2))
    high = np.minimum(low + 1, len(values) - 1)
    share = (places - low).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    out: Floats32 = (1 - share) * values[low] + share * values[high]
    return out


class SeldHead(nn.Module):
    """Vectors of activity and direction (single ACCDOA) of each class and frame from frozen maps.

    Layer normalisation, attention pooling over patches, two bidirectional GRU layers of 128 whose
    directions are multiplied, two layers of self-attention with 8 heads, one dense layer of 128.

    Parameters
    ----------
    width : int
        Width of the maps.
    classes : int
        Number of classes.

    References
    ----------
    .. [1] K. Shimada et al., "ACCDOA: Activity-coupled Cartesian direction of arrival
           representation for sound event localization and detection", ICASSP 2021.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.Linear(width, 1)
        self.recurrent = nn.GRU(width, 128, 2, batch_first=True, bidirectional=True)
        self.attend = nn.ModuleList(
            nn.MultiheadAttention(128, 8, batch_first=True) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(128) for _ in range(2))
        self.out = nn.Sequential(nn.Linear(128, 128), nn.Linear(128, 3 * classes), nn.Tanh())

    def forward(self, maps: Tensor) -> Tensor:
        """Return vectors (B, T, classes, 3) of maps (B, T, patches, width)."""
        x = self.norm(maps)
        x = (self.attention(x).softmax(2) * x).sum(2)
        forward, backward = self.recurrent(x)[0].tanh().chunk(2, -1)
        x = forward * backward
        for attend, norm in zip(self.attend, self.norms, strict=True):
            x = norm(x + attend(x, x, x, need_weights=False)[0])
        y: Tensor = self.out(x)
        return y.reshape(*y.shape[:-1], -1, 3)


def accdoa(events: Floats, frames: int, classes: int) -> Floats32:
    """Return the targets of a recording, (frames, classes, 3): unit vectors of active events.

    Of several events of a class in a frame the one with the lowest track counts: a single vector
    cannot hold more.
    """
    target = np.zeros((frames, classes, 3), np.float32)
    inside = events[events[:, 0] < frames]
    order = np.lexsort((-inside[:, 2], inside[:, 0]))  # the lowest track is written last
    frame, kind, _, azimuth, elevation = inside[order, :5].T
    vectors = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    target[frame.astype(int), kind.astype(int)] = vectors
    return target


def train_seld_head(
    maps: Sequence[Halves], events: Sequence[Floats], classes: int, *, epochs: int, seed: int
) -> SeldHead:
    """Train a head on recordings, cut into windows of 2 s: MSE, Adam at 1e-3, batches of 128.

    Parameters
    ----------
    maps : sequence of ndarray, shape (frames, patches, width)
        Of each recording.
    events : sequence of ndarray, shape (n, 5) or more
        Labels of each.
    classes, epochs, seed : int
        Number of classes, of epochs, and random seed.
    """
    x = torch.cat([_windows(torch.from_numpy(part)) for part in maps])
    y = torch.cat(
        [
            _windows(torch.from_numpy(accdoa(rows, len(part), classes)))
            for part, rows in zip(maps, events, strict=True)
        ]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = SeldHead(x.shape[-1], classes)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        for _ in progress(range(epochs), epochs, "head"):
            for some in torch.split(torch.randperm(len(x)), 128):
                loss = nn.functional.mse_loss(head(x[some].float()), y[some])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
    return head.eval()


def detect_events(head: SeldHead, maps: Halves) -> Floats:
    """Return the events (n, 5) that a head finds in the maps of a recording, sorted by frame."""
    frames = len(maps)
    with torch.inference_mode():
        windows = _windows(torch.from_numpy(maps))
        found = torch.cat([head(part.float()) for part in torch.split(windows, 128)])
    vectors = found.flatten(0, 1)[:frames].double().numpy()
    frame, kind = np.nonzero(np.linalg.norm(vectors, axis=-1) > ACTIVE)
    azimuth, elevation = ambikit.vector_to_angles(vectors[frame, kind], degrees=True)
    return np.stack([frame, kind, np.zeros(len(frame)), azimuth, elevation], -1)


def _windows(values: Tensor) -> Tensor:
    """Cut (frames, ...) into windows (N, 20, ...); the last one is completed with zeros."""
    count = -(-len(values) // WINDOW)
    whole = values.new_zeros(count * WINDOW, *values.shape[1:])
    whole[: len(values)] = values
    return whole.reshape(count, WINDOW, *values.shape[1:])
