"""Audio-visual correspondence (AVC): whether a sound belongs to a picture."""

from __future__ import annotations

from torch import Tensor, nn

from ambikit_learn.pretext.chance import chance_of_pairs
from ambikit_learn.pretext.contrast import (
    CONTRASTIVE,
    HEAD_DIM,
    Agreement,
    ContrastiveSettings,
    found,
    retrieval,
)
from ambikit_learn.pretext.interface import PretextTask


class CorrespondenceHeads(nn.Module):
    """Heads of audio-visual correspondence: one linear projection per modality into one space."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vision = nn.Linear(dim, HEAD_DIM)
        self.sound = nn.Linear(dim, HEAD_DIM)

    def forward(self, vision: Tensor, sound: Tensor) -> Agreement:
        """Return the projections of encodings (B, K, dim)."""
        v, a = self.vision(vision), self.sound(sound)
        return Agreement(vision=v, vision_from_sound=a, sound=a, sound_from_vision=v)


def avc(agreement: Agreement, settings: ContrastiveSettings = CONTRASTIVE) -> Tensor:
    """Return the loss of audio-visual correspondence: crops retrieve sounds, and sounds crops.

    Parameters
    ----------
    agreement : Agreement
        Output of the heads for N clips with K viewpoints, of which `vision` and `sound` are used.
    settings : ContrastiveSettings
        Loss of pairs, and negatives.

    Returns
    -------
    Tensor, scalar
        Mean of the losses in both directions.
    """
    vision, sound = agreement.vision, agreement.sound
    return 0.5 * (found(vision, sound, settings) + found(sound, vision, settings))


TASK = PretextTask(
    description="audio-visual correspondence (AVC)",
    heads=lambda dim, hidden, dropout: CorrespondenceHeads(dim),
    loss=lambda output, labels, settings: avc(output, settings),
    score=retrieval,
    chance=chance_of_pairs,
)
