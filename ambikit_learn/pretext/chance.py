"""What a loss is worth to networks that know nothing."""

from __future__ import annotations

import math
from dataclasses import replace

from ambikit_learn.pretext.contrast import ContrastiveSettings, LearnedSigmoid, candidate_mask


def chance_loss(objective: str, settings: ContrastiveSettings, clips: int, views: int) -> float:
    """Return the least loss of a model that gives all pairs of a batch the same similarity.

    Parameters
    ----------
    objective : "avc", "avsa", "both" or "flip"
        Pretext task.
    settings : ContrastiveSettings
        How its loss compares.
    clips, views : int
        Clips of the batch of all ranks, and viewpoints of each.

    Returns
    -------
    float
        In nats. With n candidates for a query: log n for a choice among them, and
        ``log n + (n - 1) log(n / (n - 1))`` for n decisions about single pairs, each with the odds
        of 1 to n − 1. For "flip" log 2.

    Examples
    --------
    >>> round(chance_loss("avc", ContrastiveSettings(), 32, 4), 3)  # log 128
    4.852
    """
    if objective == "flip":
        return math.log(2)
    if objective == "both":
        apart = _pairs(replace(settings, negatives="other_clips"), clips, views)
        alignment = _pairs(settings, clips, views)
        return settings.avc_weight * apart + (1.0 - settings.avc_weight) * alignment
    return _pairs(settings, clips, views)


def _pairs(settings: ContrastiveSettings, clips: int, views: int) -> float:
    """Return that of a loss of pairs."""
    # Each query has as many candidates as any other
    n = int(candidate_mask(clips, views, settings.negatives)[0].sum())
    choice = math.log(n)
    if isinstance(settings.contrast, LearnedSigmoid) and n > 1:
        return choice + (n - 1) * math.log(n / (n - 1))
    return choice
