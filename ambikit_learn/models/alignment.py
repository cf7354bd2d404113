"""The two encoders with the heads of a pretext task, by preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from ambikit import InputError
from ambikit_learn.models.audio import AudioNet, SmallAudioNet
from ambikit_learn.models.heads import HEADS, Output
from ambikit_learn.models.video import R2Plus1DNet, SmallVideoNet

Objective = Literal["avc", "avsa", "both", "flip"]


@dataclass(frozen=True)
class Preset:
    """Sizes that belong together.

    Attributes
    ----------
    video : callable
        Frames a crop -> network from uint8 frames to `dim` values.
    audio : callable
        Feature channels -> network from features to `dim` values.
    dim : int
        Width of the encodings.
    hidden : int
        Feed-forward width of the translators.
    dropout : float
        Dropout of the translators.
    """

    video: Callable[[int], nn.Module]
    audio: Callable[[int], nn.Module]
    dim: int
    hidden: int
    dropout: float


PRESETS = {
    "tiny": Preset(SmallVideoNet, SmallAudioNet, dim=128, hidden=256, dropout=0.0),
    "paper": Preset(lambda _: R2Plus1DNet(), AudioNet, dim=512, hidden=2048, dropout=0.1),
}


class AlignmentNet(nn.Module):
    """Encoders of vision and of features of sound, with the heads of one pretext task.

    Built by `build_model`.
    """

    def __init__(
        self, video: nn.Module, audio: nn.Module, heads: nn.Module, settings: dict[str, Any]
    ) -> None:
        super().__init__()
        self.video, self.audio, self.heads = video, audio, heads
        self.settings = settings

    def encode_video(self, video: Tensor) -> Tensor:
        """Return encodings (..., dim) of uint8 crops (..., T, S, S, 3)."""
        return _flat_batch(self.video, video, 4)

    def encode_audio(self, features: Tensor) -> Tensor:
        """Return encodings (..., dim) of features (..., channels, frames, mels)."""
        return _flat_batch(self.audio, features, 3)

    def forward(self, video: Tensor, features: Tensor) -> Output:
        """Return what should agree, from crops (B, K, T, S, S, 3) and features (B, K, C, t, m)."""
        out: Output = self.heads(self.encode_video(video), self.encode_audio(features))
        return out


def build_model(
    preset: str = "tiny", audio_channels: int = 4, *, objective: Objective = "avsa", frames: int = 3
) -> AlignmentNet:
    """Return the untrained networks of a preset.

    Parameters
    ----------
    preset : str
        ``"tiny"``: made for CPUs; crops of about 48 x 48 pixels and few frames, features of the
        preset "tiny". ``"paper"``: the baseline's networks; crops of 112 x 112 and 8 frames,
        features of the preset "avsa".
    audio_channels : int
        Channels of the features: 1, 4 or 7, see `ambikit_learn.features.FrontEnd.channels`.
    objective : "avc", "avsa", "both" or "flip"
        Pretext task whose heads to build, see `ambikit_learn.objectives.OBJECTIVES`.
    frames : int
        Frames a crop. ``"tiny"`` stacks them, so it takes this many only.

    Raises
    ------
    InputError
        If the preset or the objective is unknown.

    Examples
    --------
    >>> net = build_model("tiny", 7)
    >>> sum(p.numel() for p in net.audio.parameters())
    164216
    """
    if preset not in PRESETS:
        raise InputError(f"unknown model preset {preset!r}: choose one of {', '.join(PRESETS)}")
    if objective not in HEADS:
        raise InputError(f"unknown objective {objective!r}: choose one of {', '.join(HEADS)}")
    size = PRESETS[preset]
    heads = HEADS[objective](size.dim, size.hidden, size.dropout)
    settings = {
        "preset": preset,
        "audio_channels": audio_channels,
        "objective": objective,
        "frames": frames,
    }
    return AlignmentNet(size.video(frames), size.audio(audio_channels), heads, settings)


def _flat_batch(net: nn.Module, x: Tensor, dims: int) -> Tensor:
    """Apply `net` to the last `dims` dimensions, all leading ones as one batch."""
    batch = x.shape[:-dims]
    out: Tensor = net(x.flatten(0, -dims - 1))
    return out.reshape(*batch, out.shape[-1])
