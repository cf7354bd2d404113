"""Correspondence and alignment together."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from ambikit_learn.networks.translator import Translator
from ambikit_learn.pretext.avc import CorrespondenceHeads, avc
from ambikit_learn.pretext.avsa import AlignmentHeads, avsa
from ambikit_learn.pretext.chance import chance_of_pairs
from ambikit_learn.pretext.contrast import CONTRASTIVE, Agreement, ContrastiveSettings, retrieval
from ambikit_learn.pretext.interface import PretextTask


class Agreements(NamedTuple):
    """Outputs of the heads of correspondence and of alignment, for the same viewpoints."""

    correspondence: Agreement
    alignment: Agreement

    def similarity(self) -> Tensor:
        """Return that of the alignment, which depends on directions."""
        return self.alignment.similarity()


class BothHeads(nn.Module):
    """The heads of correspondence and of alignment, side by side."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.correspondence = CorrespondenceHeads(dim)
        self.alignment = AlignmentHeads(dim, hidden, dropout)

    @property
    def vision_to_sound(self) -> Translator:
        """Translator of the alignment."""
        return self.alignment.vision_to_sound

    def forward(self, vision: Tensor, sound: Tensor) -> Agreements:
        """Return the outputs of both heads for encodings (B, K, dim)."""
        return Agreements(self.correspondence(vision, sound), self.alignment(vision, sound))


def both(agreements: Agreements, settings: ContrastiveSettings = CONTRASTIVE) -> Tensor:
    """Return the loss ``w avc + (1 - w) avsa``, with w the `avc_weight`.

    Parameters
    ----------
    agreements : Agreements
        Outputs of both heads.
    settings : ContrastiveSettings
        Loss of pairs, and negatives. The correspondence always has other clips as negatives: the
        viewpoints of a clip are distinguished only by the alignment.

    Returns
    -------
    Tensor, scalar
    """
    correspondence = avc(agreements.correspondence, _apart(settings))
    alignment = avsa(agreements.alignment, settings)
    return settings.avc_weight * correspondence + (1.0 - settings.avc_weight) * alignment


def chance(settings: ContrastiveSettings, clips: int, views: int) -> float:
    """Return the loss of networks that know nothing; parameters as for `chance_of_pairs`."""
    correspondence = chance_of_pairs(_apart(settings), clips, views)
    alignment = chance_of_pairs(settings, clips, views)
    return settings.avc_weight * correspondence + (1.0 - settings.avc_weight) * alignment


def _apart(settings: ContrastiveSettings) -> ContrastiveSettings:
    """Return the settings of the correspondence, which does not tell viewpoints apart."""
    return replace(settings, negatives="other_clips")


TASK = PretextTask(
    description="audio-visual correspondence and spatial alignment together (AVC and AVSA)",
    heads=BothHeads,
    loss=lambda output, labels, settings: both(output, settings),
    score=retrieval,
    chance=chance,
    directional=True,
)
