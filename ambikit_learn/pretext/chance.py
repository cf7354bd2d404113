"""The loss of networks that know nothing, for losses of pairs."""

from __future__ import annotations

import math

from ambikit_learn.pretext.contrast import ContrastiveSettings, LearnedSigmoid, candidate_mask


def chance_of_pairs(settings: ContrastiveSettings, clips: int, views: int) -> float:
    """Return the least loss of pairs for a model that gives all pairs the same similarity.

    Parameters
    ----------
    settings : ContrastiveSettings
        Loss of pairs, and negatives.
    clips, views : int
        Clips of the batch of all ranks, and viewpoints of each.

    Returns
    -------
    float
        In nats. With n candidates for a query: log n for a choice among them, and
        ``log n + (n - 1) log(n / (n - 1))`` for n decisions about single pairs, each with the odds
        of 1 to n − 1.

    Examples
    --------
    >>> round(chance_of_pairs(ContrastiveSettings(), 32, 4), 3)  # log 128
    4.852
    """
    # Each query has as many candidates as any other
    n = int(candidate_mask(clips, views, settings.negatives)[0].sum())
    choice = math.log(n)
    if isinstance(settings.contrast, LearnedSigmoid) and n > 1:
        return choice + (n - 1) * math.log(n / (n - 1))
    return choice
