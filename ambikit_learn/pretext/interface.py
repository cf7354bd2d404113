"""The parts of a pretext task; `ambikit_learn.pretext.tasks` is the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from ambikit_learn._typing import Covariance
from ambikit_learn.pretext.contrast import ContrastiveSettings


class Output(Protocol):
    """The output of the heads of a task for a batch: a named tuple of tensors."""

    def similarity(self) -> Tensor:
        """Return the similarity of crop i and sound j of a clip, (B, K, K)."""


Change = Callable[[Tensor | Covariance, np.random.Generator], tuple[Tensor | Covariance, bool]]
"""Sound of an item, or its covariance, and a generator -> the changed sound, and its label."""


@dataclass(frozen=True)
class PretextTask:
    """A pretext task.

    Attributes
    ----------
    description : str
        Name of the task, to complete "trained together by ...".
    heads : callable
        Width of encodings, feed-forward width and dropout of translators -> module from encodings
        of vision and sound (B, K, dim) to an `Output`. Heads with translators have that of the
        evaluation as the attribute ``vision_to_sound``.
    loss : callable
        (output, labels, settings) -> scalar, for the whole batch of all ranks; labels (B,) are
        those of `change`.
    score : callable
        (output, labels) -> name and mean of the accuracy in validation.
    chance : callable
        (settings, clips, views) -> loss of networks that know nothing, for the batch of all ranks.
    directional : bool
        Whether the score counts directions: a crop's own sound among those of its clip.
    change : callable, optional
        Change of the sound of an item, which also returns its label.
    """

    description: str
    heads: Callable[[int, int, float], nn.Module]
    loss: Callable[[Any, Tensor, ContrastiveSettings], Tensor]
    score: Callable[[Any, Tensor], tuple[str, Tensor]]
    chance: Callable[[ContrastiveSettings, int, int], float]
    directional: bool = False
    change: Change | None = None
