"""Contrastive objectives over the viewpoints of all ranks."""

from __future__ import annotations

from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather  # the one that carries gradients
from torch.nn import functional

from ambikit import InputError
from ambikit_learn.models import Agreement

TEMPERATURE = 0.07
Candidates = Literal["all", "legacy"]


def info_nce(
    queries: Tensor,
    keys: Tensor,
    *,
    temperature: float = TEMPERATURE,
    candidates: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of finding each query's key by cosine similarity.

    Parameters
    ----------
    queries, keys : Tensor, shape (N, dim)
        Key i belongs to query i.
    temperature : float
        Divides the cosines.
    candidates : Tensor, shape (N, N), bool, optional
        Which keys compete for which query; all by default.

    Returns
    -------
    Tensor, scalar
        Mean over the queries, in nats: log N by chance.

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
    # bfloat16 would round cosines divided by the temperature to steps of 0.06
    with torch.autocast(queries.device.type, enabled=False):
        q = functional.normalize(queries.float(), dim=-1)
        k = functional.normalize(keys.float(), dim=-1)
        logits = q @ k.mT / temperature
    if candidates is not None:
        logits = logits.masked_fill(~candidates, -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(q), device=q.device))


def avc(agreement: Agreement, *, temperature: float = TEMPERATURE) -> Tensor:
    """Audio-visual correspondence: the mean of vision-to-sound and sound-to-vision InfoNCE.

    Every viewpoint of every clip on every rank competes.
    """
    vision, sound = gather(agreement.vision).flatten(0, 1), gather(agreement.sound).flatten(0, 1)
    return 0.5 * (
        info_nce(vision, sound, temperature=temperature)
        + info_nce(sound, vision, temperature=temperature)
    )


def avsa(
    agreement: Agreement, *, candidates: Candidates = "all", temperature: float = TEMPERATURE
) -> Tensor:
    """Audio-visual spatial alignment: each prediction must find its target at its viewpoint.

    Parameters
    ----------
    agreement : Agreement
        Of clips with K viewpoints.
    candidates : "all" or "legacy"
        ``"all"``: the targets of all N clips and K viewpoints, as in the paper. ``"legacy"``: the K
        of the same clip and the same viewpoint of the N - 1 others, as in the released code (31
        for N = 28, K = 4).
    temperature : float
        Divides the cosines.

    References
    ----------
    .. [1] P. Morgado, Y. Li, N. Vasconcelos, "Learning Representations from Audio-Visual Spatial
           Alignment", NeurIPS 2020.
    """
    gathered = Agreement(*(gather(x) for x in agreement))
    clips, views = gathered.vision.shape[:2]
    allowed = candidate_mask(clips, views, candidates).to(gathered.vision.device)
    vision, vision_from_sound, sound, sound_from_vision = (x.flatten(0, 1) for x in gathered)
    return 0.5 * (
        info_nce(vision_from_sound, vision, temperature=temperature, candidates=allowed)
        + info_nce(sound_from_vision, sound, temperature=temperature, candidates=allowed)
    )


def candidate_mask(clips: int, views: int, candidates: Candidates) -> Tensor:
    """Return which of the ``clips * views`` targets compete for each query, (N K, N K) bool.

    Examples
    --------
    >>> candidate_mask(28, 4, "legacy").sum(1).unique().tolist()
    [31]
    """
    clip = torch.arange(clips).repeat_interleave(views)
    view = torch.arange(views).repeat(clips)
    if candidates == "all":
        return torch.ones(len(clip), len(clip), dtype=torch.bool)
    if candidates == "legacy":
        return (clip[:, None] == clip) | (view[:, None] == view)
    raise InputError(f"unknown candidates {candidates!r}: choose one of all, legacy")


def gather(x: Tensor) -> Tensor:
    """Return `x` of all ranks, one after the other along the first dimension, with gradients.

    Each rank then takes the loss of the whole batch. The gradients that the gather sums over the
    ranks are divided again by the mean that DistributedDataParallel takes: the step is that of one
    process with the whole batch.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return x
    return torch.cat(all_gather(x))  # type: ignore[no-untyped-call]
