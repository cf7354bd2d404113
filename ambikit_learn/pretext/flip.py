"""Left-right order: whether left and right of the sound are swapped."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ambikit_learn._typing import Covariance
from ambikit_learn.networks.blocks import at_least_float32
from ambikit_learn.pretext.contrast import HEAD_DIM
from ambikit_learn.pretext.interface import PretextTask


class FlipLogits(NamedTuple):
    """Log-odds (B, K, K) that left and right of sound j of a clip are not swapped at crop i."""

    logits: Tensor

    def similarity(self) -> Tensor:
        """Return the log-odds."""
        return self.logits


class FlipHeads(nn.Module):
    """Left-right order: a classifier of pairs of crop and sound, with one hidden layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # A linear layer over a concatenated pair is a sum of one layer per modality
        self.vision = nn.Linear(dim, HEAD_DIM)
        self.sound = nn.Linear(dim, HEAD_DIM, bias=False)
        self.decide = nn.Linear(HEAD_DIM, 1)

    def forward(self, vision: Tensor, sound: Tensor) -> FlipLogits:
        """Return the log-odds of all pairs of a clip from encodings (B, K, dim)."""
        pairs = self.vision(vision)[:, :, None] + self.sound(sound)[:, None]
        return FlipLogits(self.decide(functional.relu(pairs)).squeeze(-1))


def flip(order: FlipLogits, flipped: Tensor) -> Tensor:
    """Return the loss of left-right order: whether left and right of a clip's sound are swapped.

    Parameters
    ----------
    order : FlipLogits
        Output of the heads for N clips with K viewpoints.
    flipped : Tensor, shape (N,), bool
        Whether the sound field was mirrored (Y to −Y) before it was rotated to the crops.

    Returns
    -------
    Tensor, scalar
        Binary cross-entropy with one decision per viewpoint; log 2 at chance.

    References
    ----------
    .. [1] K. Yang, B. Russell, J. Salamon, "Telling Left From Right: Learning Spatial
           Correspondence of Sight and Sound", CVPR 2020.

    Examples
    --------
    >>> import torch
    >>> order = FlipLogits(torch.full((1, 4, 4), 9.0))  # certain that nothing was swapped
    >>> round(flip(order, torch.tensor([False])).item(), 4)
    0.0001
    """
    logits = at_least_float32(order.logits.diagonal(dim1=1, dim2=2))
    right = (~flipped)[:, None].expand_as(logits).to(logits)
    return functional.binary_cross_entropy_with_logits(logits, right)


def swap_left_right(
    sound: Tensor | Covariance, rng: np.random.Generator
) -> tuple[Tensor | Covariance, bool]:
    """Swap left and right of a sound field with probability ½; return it, and whether it was.

    Parameters
    ----------
    sound : Tensor, shape (4, n), or Covariance
        AmbiX sound, or the covariance of its channels.
    rng : numpy.random.Generator
        Random generator.
    """
    swapped = bool(rng.random() < 0.5)
    return (mirror_sound(sound) if swapped else sound), swapped


def mirror_sound(sound: Tensor | Covariance) -> Tensor | Covariance:
    """Return a sound field with left and right swapped.

    Parameters
    ----------
    sound : Tensor, shape (4, n), or Covariance
        AmbiX sound, or the covariance of its channels.

    Examples
    --------
    >>> import torch
    >>> mirror_sound(torch.ones(4, 1))[:, 0].tolist()  # W, Y, Z, X
    [1.0, -1.0, 1.0, 1.0]
    """
    sign = torch.tensor([1.0, -1.0, 1.0, 1.0])
    if isinstance(sound, Covariance):
        first, second = torch.triu_indices(4, 4)
        return Covariance(sound.values * (sign[first] * sign[second])[:, None, None])
    return sound * sign[:, None]


def order(output: FlipLogits, labels: Tensor) -> tuple[str, Tensor]:
    """Return how often a viewpoint decides rightly whether the sound was swapped: ``order``."""
    right = output.logits.diagonal(dim1=1, dim2=2) > 0
    return "order", (right != labels[:, None]).float().mean()


TASK = PretextTask(
    description="telling whether left and right of the sound were exchanged",
    heads=lambda dim, hidden, dropout: FlipHeads(dim),
    loss=lambda output, labels, settings: flip(output, labels),
    score=order,
    chance=lambda settings, clips, views: math.log(2),
    change=swap_left_right,
)
