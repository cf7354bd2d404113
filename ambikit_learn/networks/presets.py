"""Presets: networks of both modalities with their front end, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ambikit_learn.networks.audio import AudioNet, SmallAudioNet
from ambikit_learn.networks.video import R2Plus1DNet, SmallVideoNet


@dataclass(frozen=True)
class NetworkPreset:
    """Networks, their widths, and the preset of the front end.

    Attributes
    ----------
    video : callable
        Number of frames of a crop -> network from uint8 frames to `dim` values.
    audio : callable
        Number of feature channels -> network from features to `dim` values.
    dim : int
        Width of the encodings.
    hidden : int
        Feed-forward width of the translators.
    dropout : float
        Dropout of the translators.
    front_end : str
        Preset of the front end, see `ambikit_learn.networks.front_end.FRONT_ENDS`.
    """

    video: Callable[[int], nn.Module]
    audio: Callable[[int], nn.Module]
    dim: int
    hidden: int
    dropout: float
    front_end: str


NETWORKS = {
    "tiny": NetworkPreset(
        SmallVideoNet, SmallAudioNet, dim=128, hidden=256, dropout=0.0, front_end="tiny"
    ),
    "paper": NetworkPreset(
        lambda _: R2Plus1DNet(), AudioNet, dim=512, hidden=2048, dropout=0.1, front_end="avsa"
    ),
}
