"""Audio-visual spatial alignment (AVSA): whether sound comes from where a picture looks."""

from __future__ import annotations

from torch import Tensor, nn

from ambikit_learn.networks.translator import Translator
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


class AlignmentHeads(nn.Module):
    """Heads of spatial alignment: translators over viewpoints, and projections on each side."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.sound_to_vision = Translator(dim, hidden, dropout)
        self.vision_to_sound = Translator(dim, hidden, dropout)
        self.vision = nn.Linear(dim, HEAD_DIM)
        self.vision_from_sound = nn.Linear(dim, HEAD_DIM)
        self.sound = nn.Linear(dim, HEAD_DIM)
        self.sound_from_vision = nn.Linear(dim, HEAD_DIM)

    def forward(self, vision: Tensor, sound: Tensor) -> Agreement:
        """Return the projections of encodings (B, K, dim) and of their translations."""
        return Agreement(
            vision=self.vision(vision),
            vision_from_sound=self.vision_from_sound(self.sound_to_vision(sound)),
            sound=self.sound(sound),
            sound_from_vision=self.sound_from_vision(self.vision_to_sound(vision)),
        )


def avsa(agreement: Agreement, settings: ContrastiveSettings = CONTRASTIVE) -> Tensor:
    """Return the loss of spatial alignment: predictions retrieve targets at the same viewpoint.

    Parameters
    ----------
    agreement : Agreement
        Output of the heads for N clips with K viewpoints.
    settings : ContrastiveSettings
        Loss of pairs, and negatives.

    Returns
    -------
    Tensor, scalar
        Mean of the losses of both modalities.

    References
    ----------
    .. [1] P. Morgado, Y. Li, N. Vasconcelos, "Learning Representations from Audio-Visual Spatial
           Alignment", NeurIPS 2020.
    """
    seen = found(agreement.vision_from_sound, agreement.vision, settings)
    heard = found(agreement.sound_from_vision, agreement.sound, settings)
    return 0.5 * (seen + heard)


TASK = PretextTask(
    description="audio-visual spatial alignment (AVSA)",
    heads=AlignmentHeads,
    loss=lambda output, labels, settings: avsa(output, settings),
    score=retrieval,
    chance=chance_of_pairs,
    directional=True,
)
