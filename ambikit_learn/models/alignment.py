"""The two encoders with the heads of a pretext task, by preset, and with their front end."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ambikit import checks
from ambikit_learn._typing import Covariance
from ambikit_learn.networks.front_end import FrontEnd
from ambikit_learn.networks.presets import NETWORKS
from ambikit_learn.pretext.interface import Output
from ambikit_learn.pretext.tasks import TASKS, Objective


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
        """Return the output of the heads for crops (B, K, T, S, S, 3), features (B, K, C, t, m)."""
        out: Output = self.heads(self.encode_video(video), self.encode_audio(features))
        return out


def build_model(
    preset: str = "tiny", audio_channels: int = 4, *, objective: Objective = "avsa", frames: int = 3
) -> AlignmentNet:
    """Return the untrained networks of a preset.

    Parameters
    ----------
    preset : str
        ``"tiny"``: for CPUs, with crops of about 48 x 48 pixels, few frames, and features of the
        preset "tiny". ``"paper"``: the networks of the baseline, with crops of 112 x 112 pixels,
        8 frames, and features of the preset "avsa".
    audio_channels : int
        Number of channels of the features: 1, 4 or 7, see
        `ambikit_learn.networks.front_end.FrontEnd.channels`.
    objective : str
        Pretext task whose heads to build, a name in `ambikit_learn.pretext.tasks.TASKS`.
    frames : int
        Frames per crop. ``"tiny"`` stacks them, so that their number is fixed.

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
    task = TASKS[checks.choice(objective, tuple(TASKS), "objective")]
    size = NETWORKS[checks.choice(preset, tuple(NETWORKS), "model preset")]
    heads = task.heads(size.dim, size.hidden, size.dropout)
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


class AlignmentModel(nn.Module):
    """Front end and networks: from crops and unrotated sound to the output of the heads."""

    def __init__(self, front_end: FrontEnd, net: AlignmentNet) -> None:
        super().__init__()
        self.front_end, self.net = front_end, net

    @property
    def dim(self) -> int:
        """Width of the encodings."""
        return NETWORKS[self.net.settings["preset"]].dim

    def encode(
        self,
        video: Tensor,
        sound: Tensor | Covariance,
        azimuth: Tensor,
        elevation: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the encodings of vision and sound at each viewpoint, both (B, K, dim).

        Parameters
        ----------
        video : Tensor, shape (B, K, T, S, S, 3)
            Crops, uint8.
        sound : Tensor, shape (B, 4, n), or Covariance
            AmbiX sound, not rotated, or its covariance, see `FrontEnd.forward`.
        azimuth, elevation : Tensor, shape (B, K) or (B, K, P)
            Centres of the crops in radians, or along their paths.
        """
        features = self.front_end(sound, azimuth, elevation)
        return self.net.encode_video(video), self.net.encode_audio(features)

    def forward(
        self,
        video: Tensor,
        sound: Tensor | Covariance,
        azimuth: Tensor,
        elevation: Tensor,
    ) -> Output:
        """Return the output of the heads at each viewpoint; parameters as for `encode`."""
        out: Output = self.net.heads(*self.encode(video, sound, azimuth, elevation))
        return out
