"""What a pretext task consists of; `ambikit_learn.pretext.tasks` lists those there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from ambikit_learn._sound import Covariance
from ambikit_learn.pretext.contrast import ContrastiveSettings


class Output(Protocol):
    """What the heads of a task make of a batch: a named tuple of tensors."""

    def similarity(self) -> Tensor:
        """Return how well crop i fits sound j of its clip, (B, K, K)."""


Change = Callable[[Tensor | Covariance, np.random.Generator], tuple[Tensor | Covariance, bool]]
"""Sound of an item, or its covariance, and a generator -> the sound to show, and its label."""


@dataclass(frozen=True)
class PretextTask:
    """A pretext task, all of it.

    Attributes
    ----------
    description : str
        What the networks are trained by, to complete "trained together by ...".
    heads : callable
        Width of encodings, feed-forward width and dropout of translators -> module from encodings
        of vision and sound (B, K, dim) to an `Output`. Heads with translators give the one of the
        evaluation as ``vision_to_sound``.
    loss : callable
        (output, labels, settings) -> scalar, for the whole batch of all ranks; labels (B,) are
        those of `change`.
    score : callable
        (output, labels) -> name and mean of what validation counts as right.
    change : callable, optional
        What is done to the sound of an item before it is shown, and the label that this gives.
    """

    description: str
    heads: Callable[[int, int, float], nn.Module]
    loss: Callable[[Any, Tensor, ContrastiveSettings], Tensor]
    score: Callable[[Any, Tensor], tuple[str, Tensor]]
    change: Change | None = None
