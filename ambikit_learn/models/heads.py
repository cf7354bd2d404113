"""What each pretext task puts on top of the two encoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ambikit_learn.models.blocks import at_least_float32
from ambikit_learn.models.translator import Translator

HEAD_DIM = 128


class Agreement(NamedTuple):
    """What should agree at each viewpoint, all (B, K, dim).

    In the space of vision: `vision`, and what the sound says of it. In the space of sound: `sound`,
    and what the vision says of it. For correspondence the two spaces are one.
    """

    vision: Tensor
    vision_from_sound: Tensor
    sound: Tensor
    sound_from_vision: Tensor

    def similarity(self) -> Tensor:
        """Return how well crop i fits sound j of its clip, (B, K, K): the mean of two cosines."""
        with torch.autocast(self.vision.device.type, enabled=False):
            unit = Agreement(*(functional.normalize(at_least_float32(x), dim=-1) for x in self))
            seen = unit.vision @ unit.vision_from_sound.mT
            heard = unit.sound_from_vision @ unit.sound.mT
            return 0.5 * (seen + heard)


class Agreements(NamedTuple):
    """What should agree for correspondence and for alignment, of the same viewpoints."""

    correspondence: Agreement
    alignment: Agreement

    def similarity(self) -> Tensor:
        """Return that of the alignment, which knows directions."""
        return self.alignment.similarity()


class Order(NamedTuple):
    """How much sound j of a clip sounds right way round at crop i: log-odds (B, K, K)."""

    logits: Tensor

    def similarity(self) -> Tensor:
        """Return the log-odds."""
        return self.logits


Output = Agreement | Agreements | Order


class CorrespondenceHeads(nn.Module):
    """Audio-visual correspondence: one linear projection a modality, into one space."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vision = nn.Linear(dim, HEAD_DIM)
        self.sound = nn.Linear(dim, HEAD_DIM)

    def forward(self, vision: Tensor, sound: Tensor) -> Agreement:
        """Return the projections of encodings (B, K, dim)."""
        v, a = self.vision(vision), self.sound(sound)
        return Agreement(vision=v, vision_from_sound=a, sound=a, sound_from_vision=v)


class AlignmentHeads(nn.Module):
    """Audio-visual spatial alignment: translators over viewpoints, projections on each side."""

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
        """Return what each pair of heads makes of encodings (B, K, dim)."""
        return Agreements(self.correspondence(vision, sound), self.alignment(vision, sound))


class OrderHeads(nn.Module):
    """Left-right order: a classifier of pairs of crop and sound, with one hidden layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        # Of a pair side by side a linear layer is the sum of one a modality
        self.vision = nn.Linear(dim, HEAD_DIM)
        self.sound = nn.Linear(dim, HEAD_DIM, bias=False)
        self.decide = nn.Linear(HEAD_DIM, 1)

    def forward(self, vision: Tensor, sound: Tensor) -> Order:
        """Return the log-odds of all pairs of a clip from encodings (B, K, dim)."""
        pairs = self.vision(vision)[:, :, None] + self.sound(sound)[:, None]
        return Order(self.decide(functional.relu(pairs)).squeeze(-1))


HEADS: dict[str, Callable[[int, int, float], nn.Module]] = {
    "avc": lambda dim, hidden, dropout: CorrespondenceHeads(dim),
    "avsa": AlignmentHeads,
    "both": BothHeads,
    "flip": lambda dim, hidden, dropout: OrderHeads(dim),
}
"""Width of encodings, feed-forward width and dropout of translators -> heads, by objective."""
