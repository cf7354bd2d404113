"""Items of a data set, and changes of them that a task asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Item = dict[str, Any]
Change = Callable[[Item, np.random.Generator], Item]


def direction_blind(item: Item, rng: np.random.Generator) -> Item:
    """Turn the sound somewhere else than to the crops: it keeps what sounds, not where.

    Each viewpoint's sound is looked at from a random azimuth, level with the horizon.
    """
    azimuth = rng.uniform(-np.pi, np.pi, item["azimuth"].shape)
    return item | {
        "azimuth": torch.from_numpy(azimuth).to(item["azimuth"]),
        "elevation": torch.zeros_like(item["elevation"]),
    }


def flip_sound(item: Item, rng: np.random.Generator) -> Item:
    """Swap left and right of the sound alone in half of the items, and say so in ``flipped``."""
    flipped = bool(rng.random() < 0.5)
    sound = mirrored(item["sound"]) if flipped else item["sound"]
    return item | {"sound": sound, "flipped": torch.tensor(flipped)}


def mirrored(sound: torch.Tensor) -> torch.Tensor:
    """Return a sound field with left and right swapped.

    Parameters
    ----------
    sound : Tensor, shape (4, n) or (10, frames, mels)
        AmbiX sound, or the covariance of its channels, upper triangle.

    Examples
    --------
    >>> import torch
    >>> mirrored(torch.ones(4, 1))[:, 0].tolist()  # W, Y, Z, X
    [1.0, -1.0, 1.0, 1.0]
    """
    sign = torch.tensor([1.0, -1.0, 1.0, 1.0])
    if sound.ndim == 3:
        first, second = torch.triu_indices(4, 4)
        sign = sign[first] * sign[second]
    return sound * sign.view(-1, *[1] * (sound.ndim - 1))
