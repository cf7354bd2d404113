"""Common parts of the contrastive tasks: outputs of heads, losses of pairs, and negatives.

The losses are pure functions of the heads' output for a whole batch. Where several ranks train
together, `ambikit_learn._distributed.gathered` collects it first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ambikit import InputError
from ambikit_learn.networks.blocks import at_least_float32

HEAD_DIM = 128


class Agreement(NamedTuple):
    """Targets and predictions at each viewpoint, all (B, K, dim).

    In the space of vision: `vision`, and its prediction from sound. In the space of sound: `sound`,
    and its prediction from vision. For correspondence the two spaces are the same.
    """

    vision: Tensor
    vision_from_sound: Tensor
    sound: Tensor
    sound_from_vision: Tensor

    def similarity(self) -> Tensor:
        """Return the similarity of crop i and sound j of a clip, (B, K, K): mean of two cosines."""
        with torch.autocast(self.vision.device.type, enabled=False):
            unit = Agreement(*(functional.normalize(at_least_float32(x), dim=-1) for x in self))
            seen = unit.vision @ unit.vision_from_sound.mT
            heard = unit.sound_from_vision @ unit.sound.mT
            return 0.5 * (seen + heard)


TEMPERATURE = 0.07
Negatives = Literal["all", "other_clips", "same_clip", "released"]


class PairLoss(Protocol):
    """A loss of pairs: see `info_nce` and `sigmoid`."""

    def __call__(
        self, queries: Tensor, keys: Tensor, *, candidates: Tensor | None = None
    ) -> Tensor:
        """Return the loss of queries and keys (N, dim), which match row by row.

        `candidates` (N, N) marks the keys that compete for each query.
        """


def info_nce(
    queries: Tensor,
    keys: Tensor,
    *,
    candidates: Tensor | None = None,
    temperature: float = TEMPERATURE,
) -> Tensor:
    """Return the cross-entropy of retrieving each query's key by cosine similarity (InfoNCE).

    Parameters
    ----------
    queries, keys : Tensor, shape (N, dim)
        Key i belongs to query i.
    candidates : Tensor, shape (N, N), bool, optional
        Which keys compete for which query; all by default.
    temperature : float
        Divisor of the cosines.

    Returns
    -------
    Tensor, scalar
        Mean over the queries in nats; log N at chance.

    References
    ----------
    .. [1] A. van den Oord, Y. Li, O. Vinyals, "Representation Learning with Contrastive Predictive
           Coding", arXiv 1807.03748 (2018).

    Examples
    --------
    >>> import torch
    >>> round(info_nce(torch.eye(4), torch.eye(4), temperature=1.0).item(), 4)
    0.7437
    """
    logits = _cosines(queries, keys) / temperature
    if candidates is not None:
        logits = logits.masked_fill(~candidates, -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def sigmoid(
    queries: Tensor,
    keys: Tensor,
    *,
    candidates: Tensor | None = None,
    scale: Tensor | float = 1.0 / TEMPERATURE,
    bias: Tensor | float = -10.0,
) -> Tensor:
    """Return the binary cross-entropy of every pair: whether this key belongs to this query.

    Parameters
    ----------
    queries, keys : Tensor, shape (N, dim)
        Key i belongs to query i.
    candidates : Tensor, shape (N, N), bool, optional
        Which pairs count; all by default.
    scale, bias : Tensor, scalar, or float
        The log-odds of a pair are ``scale * cosine + bias``.

    Returns
    -------
    Tensor, scalar
        Sum over the pairs, divided by N.

    References
    ----------
    .. [1] X. Zhai, B. Mustafa, A. Kolesnikov, L. Beyer, "Sigmoid Loss for Language Image
           Pre-Training", ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> round(sigmoid(torch.eye(4), torch.eye(4), scale=20.0).item(), 4)  # certain, and right
    0.0002
    """
    logits = scale * _cosines(queries, keys) + bias
    belongs = torch.eye(len(logits), device=logits.device)
    weight = None if candidates is None else candidates.to(logits)
    return functional.binary_cross_entropy_with_logits(
        logits, belongs, weight, reduction="sum"
    ) / len(logits)


class LearnedSigmoid(nn.Module):
    """`sigmoid` with a learned scale and bias, initialised as by its authors.

    Parameters
    ----------
    temperature : float
        Inverse of the initial scale.
    """

    def __init__(self, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.bias = nn.Parameter(torch.tensor(-10.0))

    def forward(self, queries: Tensor, keys: Tensor, *, candidates: Tensor | None = None) -> Tensor:
        """Return the loss; parameters as for `sigmoid`."""
        scale = self.log_scale.exp()
        return sigmoid(queries, keys, candidates=candidates, scale=scale, bias=self.bias)


CONTRASTS: dict[str, Callable[[float], PairLoss]] = {
    "info_nce": lambda temperature: partial(info_nce, temperature=temperature),
    "sigmoid": LearnedSigmoid,
}
"""Temperature -> loss of pairs, by name."""


def candidate_mask(clips: int, views: int, negatives: Negatives) -> Tensor:
    """Return which of the ``clips * views`` targets compete for each query, (N K, N K) bool.

    Parameters
    ----------
    clips, views : int
        N and K.
    negatives : {"all", "other_clips", "same_clip", "released"}
        ``"all"``: the targets of all clips and viewpoints, as in the paper of Morgado et al.
        ``"other_clips"``: its own and those of other clips, which differ in content.
        ``"same_clip"``: the K of its clip, which differ in direction. ``"released"``: those of its
        clip and those of its viewpoint, as in the released code of the paper.

    Raises
    ------
    InputError
        The negatives are unknown.

    Examples
    --------
    >>> candidate_mask(28, 4, "released").sum(1).unique().tolist()
    [31]
    """
    clip = torch.arange(clips).repeat_interleave(views)
    view = torch.arange(views).repeat(clips)
    same_clip, same_view = clip[:, None] == clip, view[:, None] == view
    masks = {
        "all": torch.ones_like(same_clip),
        "other_clips": ~same_clip | same_view,
        "same_clip": same_clip,
        "released": same_clip | same_view,
    }
    if negatives not in masks:
        raise InputError(f"unknown negatives {negatives!r}: choose one of {', '.join(masks)}")
    return masks[negatives]


@dataclass(frozen=True)
class ContrastiveSettings:
    """Settings of contrastive losses.

    Attributes
    ----------
    contrast : callable
        Loss of pairs: `info_nce`, or another of `CONTRASTS`.
    negatives : str
        Negatives, see `candidate_mask`.
    avc_weight : float
        Weight of the correspondence in `both`, from 0 to 1.
    """

    contrast: PairLoss = info_nce
    negatives: Negatives = "all"
    avc_weight: float = 0.5


CONTRASTIVE = ContrastiveSettings()
"""Settings of the paper."""


def _cosines(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the cosines (N, N) of all pairs, in float32 or better."""
    # bfloat16 would round cosines divided by the temperature to steps of 0.06
    with torch.autocast(queries.device.type, enabled=False):
        q, k = (functional.normalize(at_least_float32(x), dim=-1) for x in (queries, keys))
        return q @ k.mT


def found(queries: Tensor, keys: Tensor, settings: ContrastiveSettings) -> Tensor:
    """Return the loss of retrieving the keys (N, K, dim) of queries (N, K, dim)."""
    mask = None
    if settings.negatives != "all":
        clips, views = queries.shape[:2]
        mask = candidate_mask(clips, views, settings.negatives).to(queries.device)
    return settings.contrast(queries.flatten(0, 1), keys.flatten(0, 1), candidates=mask)


def retrieval(output: Any, labels: Tensor) -> tuple[str, Tensor]:
    """Return how often a crop's own sound is the most similar one of its clip's K: ``retK``."""
    chosen = output.similarity().argmax(-1)
    views = chosen.shape[-1]
    correct = chosen == torch.arange(views, device=chosen.device)
    return f"ret{views}", correct.float().mean()
