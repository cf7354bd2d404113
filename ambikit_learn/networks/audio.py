"""Networks from the features of a sound to one vector."""

from __future__ import annotations

from torch import Tensor, nn

from ambikit_learn.networks.blocks import SmallConvNet, conv_bn_relu

MAP_STRIDE = 8
"""Frames of features from step to step of the maps: step j is centred on frame 8 j."""


class SmallAudioNet(nn.Module):
    """A network for short, coarse features (50 frames of 32 bands): 164 k parameters."""

    def __init__(self, channels: int, dim: int = 128) -> None:
        super().__init__()
        self.net = SmallConvNet(channels, (24, 48, 96, 96), dim)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, dim) of features (N, channels, frames, mels)."""
        out: Tensor = self.net(features)
        return out

    def maps(self, features: Tensor) -> Tensor:
        """Return the maps (N, 96, steps, bands) that are pooled to one vector."""
        out: Tensor = self.net.convolutions(features)
        return out


class AudioNet(nn.Module):
    """The nine convolutions of the baseline, without skips: 4.74 M parameters, 512 outputs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers = [
            conv_bn_relu(channels, 64, 7, 2),
            conv_bn_relu(64, 64, 3),
            conv_bn_relu(64, 64, 3),
        ]
        for width, out, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
            layers += [conv_bn_relu(width, out, 3, stride), conv_bn_relu(out, out, 3)]
        self.net = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, 512) of features (N, channels, frames, mels)."""
        return self.maps(features).amax((2, 3))

    def maps(self, features: Tensor) -> Tensor:
        """Return the maps (N, 512, steps, bands) that are pooled to one vector."""
        out: Tensor = self.net(features)
        return out
