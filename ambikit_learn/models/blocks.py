"""Pieces shared by the audio and the video networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_bn_relu(width: int, out: int, size: int, stride: int = 1) -> nn.Sequential:
    """Return a 2D convolution without bias, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(width, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )


class SmallConvNet(nn.Module):
    """Four convolutions (5, 3, 3, 3), maximum and mean over the plane, one linear layer."""

    def __init__(self, channels: int, widths: Sequence[int], dim: int) -> None:
        super().__init__()
        sizes, strides = (5, 3, 3, 3), (2, 2, 2, 1)
        layers = [
            conv_bn_relu(*shape)
            for shape in zip((channels, *widths), widths, sizes, strides, strict=False)
        ]
        self.convolutions = nn.Sequential(*layers)
        self.project = nn.Linear(2 * widths[-1], dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, dim) of planes (N, channels, H, W)."""
        # Channels last is the faster order for convolutions, on CPUs and tensor cores
        x = self.convolutions(x.contiguous(memory_format=torch.channels_last))
        out: Tensor = self.project(torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1))
        return out
