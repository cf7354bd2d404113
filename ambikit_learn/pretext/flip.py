"""Left-right order: whether left and right of the sound have been swapped."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from ambikit_learn.networks.blocks import at_least_float32
from ambikit_learn.pretext.contrast import HEAD_DIM


class FlipLogits(NamedTuple):
    """How much sound j of a clip sounds right way round at crop i: log-odds (B, K, K)."""

    logits: Tensor

    def similarity(self) -> Tensor:
        """Return the log-odds."""
        return self.logits


class FlipHeads(nn.Module):
    """Left-right order: a classifier of pairs of crop and sound, with one hidden layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # Of a pair side by side a linear layer is the sum of one a modality
        self.vision = nn.Linear(dim, HEAD_DIM)
        self.sound = nn.Linear(dim, HEAD_DIM, bias=False)
        self.decide = nn.Linear(HEAD_DIM, 1)

    def forward(self, vision: Tensor, sound: Tensor) -> FlipLogits:
        """Return the log-odds of all pairs of a clip from encodings (B, K, dim)."""
        pairs = self.vision(vision)[:, :, None] + self.sound(sound)[:, None]
        return FlipLogits(self.decide(functional.relu(pairs)).squeeze(-1))


def flip(order: FlipLogits, flipped: Tensor) -> Tensor:
    """Left-right order: whether the sound of a clip has had its left and right swapped.

    Parameters
    ----------
    order : FlipLogits
        Of N clips with K viewpoints.
    flipped : Tensor, shape (N,), bool
        Whose sound field was mirrored (Y to −Y) before it was turned to the crops.

    Returns
    -------
    Tensor, scalar
        Binary cross-entropy, a decision a viewpoint: log 2 by chance.

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
