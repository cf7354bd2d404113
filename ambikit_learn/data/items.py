"""What a data set gives: an item of named fields, and changes of it that a task asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import ambikit
from ambikit_learn._typing import Covariance, Floats, Frames, Sound
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import ORIGINS, Crops


class Item(NamedTuple):
    """Crops of a clip with the sound that belongs to them.

    `torch.utils.data.DataLoader` batches it field by field: a batch is an `Item` too, whose tensors
    have a first dimension more, B; `key` is then a tuple, and `clip` and `start` are tensors (B,).

    Attributes
    ----------
    video : Tensor, shape (K, T, size, size, 3), uint8
        RGB crops.
    sound : Tensor, shape (4, n), or Covariance
        AmbiX sound, float32, not turned; or its covariance, where the data set was asked for it.
    azimuth, elevation : Tensor, shape (K,)
        Centres of the crops in the middle of the span, float32, radians.
    width, height : Tensor, shape (K,)
        Their fields of view, float32, radians.
    on_object : Tensor, shape (K,), bool
        Whether a crop looks at an object.
    key : str
        The clip's.
    clip : int64
        Number of the clip in its split.
    start : float64
        Second of the clip at which the span begins.
    label : Tensor, bool
        What a pretext task did to the sound, if it does anything to it.
    origin : Tensor, shape (K,), int8
        Why each crop looks there: an index of `ambikit_learn.sphere.crops.ORIGINS`.
    path : Tensor, shape (K, P, 2)
        Azimuth and elevation of the crops at P times, evenly spaced from the begin of the span to
        its end, float32, radians, where crops follow their objects; else empty.
    """

    video: Tensor
    sound: Tensor | Covariance
    azimuth: Tensor
    elevation: Tensor
    width: Tensor
    height: Tensor
    on_object: Tensor
    key: str
    clip: np.int64
    start: np.float64
    label: Tensor = torch.tensor(False)
    origin: Tensor = torch.tensor(0, dtype=torch.int8)
    path: Tensor = torch.empty(0)

    @property
    def listening(self) -> tuple[Tensor, Tensor]:
        """Azimuth and elevation from which sound is heard, (K,), or (K, P) along paths."""
        if self.path.numel():
            return self.path[..., 0], self.path[..., 1]
        return self.azimuth, self.elevation


class Snapshot(NamedTuple):
    """A clip at one time: equirectangular frame (H, W, 3), AmbiX sound (4, n), boxes."""

    frame: Frames
    sound: Sound
    boxes: Boxes


Change = Callable[[Item, np.random.Generator], Item]


def make_item(
    video: Frames,
    sound: Sound,
    crops: Crops,
    *,
    key: str,
    clip: int,
    start: float,
    sample_rate: int,
    covariance: Mapping[str, Any] | None = None,
    mirrored: bool = False,
    path: Floats | None = None,
) -> Item:
    """Return the item of what was read or rendered.

    Parameters
    ----------
    video : (K, T, size, size, 3) uint8 array
    sound : (4, n) float32 array
    crops : Crops
        Where the K crops look.
    key, clip, start
        As in `Item`.
    sample_rate : int
        Of the sound, in Hz.
    covariance : mapping, optional
        Settings of `ambikit.mel_covariance`, whose result then stands for the sound.
    mirrored : bool
        Picture and sound are mirrored, so that the crops look to the other side.
    path : (K, P, 2) array, optional
        Azimuth and elevation of the crops along the span, in degrees.

    Returns
    -------
    Item
    """
    heard: Tensor | Covariance = torch.from_numpy(sound)
    if covariance is not None:
        values = ambikit.mel_covariance(sound, sample_rate, **covariance)
        heard = Covariance(torch.from_numpy(values))
    return Item(
        video=torch.from_numpy(video),
        sound=heard,
        azimuth=_radians(-crops.azimuth if mirrored else crops.azimuth),
        elevation=_radians(crops.elevation),
        width=_radians(crops.width),
        height=_radians(crops.height),
        on_object=torch.tensor([origin == "object" for origin in crops.origin]),
        key=key,
        clip=np.int64(clip),
        start=np.float64(start),
        path=torch.empty(0) if path is None else _radians(path * [-1.0 if mirrored else 1.0, 1.0]),
        origin=torch.tensor([ORIGINS.index(origin) for origin in crops.origin], dtype=torch.int8),
    )


def direction_blind(item: Item, rng: np.random.Generator) -> Item:
    """Turn the sound somewhere else than to the crops: it keeps what sounds, not where.

    Each viewpoint's sound is looked at from a random azimuth, level with the horizon.
    """
    azimuth = rng.uniform(-np.pi, np.pi, item.azimuth.shape)
    return item._replace(
        azimuth=torch.from_numpy(azimuth).to(item.azimuth),
        elevation=torch.zeros_like(item.elevation),
        path=torch.empty_like(item.path[..., :0, :]) if item.path.numel() else item.path,
    )


def _radians(degrees: Floats) -> Tensor:
    """Return angles as a tensor in single precision."""
    return torch.from_numpy(np.deg2rad(degrees, dtype=np.float32))
