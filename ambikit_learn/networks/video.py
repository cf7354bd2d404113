"""Networks from the frames of a crop to one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ambikit_learn.networks.blocks import BatchNorm, SmallConvNet

# Colour statistics of ImageNet, by which the inputs of visual networks are customarily scaled.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class NormalizeFrames(nn.Module):
    """Scale uint8 colours (..., 3 frames) to floats of about unit variance."""

    scale: Tensor
    shift: Tensor

    def __init__(self, frames: int = 1) -> None:
        super().__init__()
        mean, std = torch.tensor(_MEAN).repeat(frames), torch.tensor(_STD).repeat(frames)
        self.register_buffer("scale", 1.0 / (255.0 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    def forward(self, colours: Tensor) -> Tensor:
        """Return floats from uint8."""
        return torch.addcmul(self.shift, colours.float(), self.scale)


class SmallVideoNet(nn.Module):
    """A 2D network over a few frames stacked as channels: 80 k parameters with 3 frames."""

    def __init__(self, frames: int = 3, dim: int = 128) -> None:
        super().__init__()
        self.normalize = NormalizeFrames(frames)
        self.net = SmallConvNet(3 * frames, (16, 32, 64, 64), dim)

    def forward(self, frames: Tensor) -> Tensor:
        """Return (N, dim) of uint8 frames (N, T, S, S, 3)."""
        # Stacking bytes is faster than stacking floats, and keeps the order of channels last
        x = self.normalize(torch.cat(frames.unbind(1), -1))
        out: Tensor = self.net(x.permute(0, 3, 1, 2))
        return out


class R2Plus1DNet(nn.Module):
    """The (2+1)D residual network of the baseline: 18 layers, 15.38 M parameters, 512 outputs.

    The width between the spatial and the temporal convolution equals the output width, unlike
    torchvision's ``r2plus1d_18``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalize = NormalizeFrames()
        stem = _Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
        blocks: list[nn.Module] = []
        width = 64
        for out in (64, 128, 256, 512):
            blocks += [_Block(width, out, stride=1 if out == width else 2), _Block(out, out)]
            width = out
        self.net = nn.Sequential(stem, BatchNorm(64), nn.ReLU(), *blocks)

    def forward(self, frames: Tensor) -> Tensor:
        """Return (N, 512) of uint8 frames (N, T, S, S, 3)."""
        out: Tensor = self.net(self.normalize(frames).permute(0, 4, 1, 2, 3)).amax((2, 3, 4))
        return out


class _Conv3d(nn.Conv3d):
    """A convolution without bias over (N, channels, T, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, out, T', H', W')."""
        time, *plane = map(int, self.padding)
        if input.device.type != "cpu" or time == 0:
            return super().forward(input)
        # Where oneDNN pads time, the gradient of bfloat16 weights over two frames is unset memory
        padded = functional.pad(input, (0, 0, 0, 0, time, time))
        return functional.conv3d(padded, self.weight, None, self.stride, (0, *plane))


class _Block(nn.Module):
    """Two pairs of spatial and temporal convolutions with a skip, then BN and ReLU."""

    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _Conv3d(width, out, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
            BatchNorm(out),
            nn.ReLU(),
            _Conv3d(out, out, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
            BatchNorm(out),
            nn.ReLU(),
            _Conv3d(out, out, (1, 3, 3), 1, (0, 1, 1), bias=False),
            BatchNorm(out),
            nn.ReLU(),
            _Conv3d(out, out, (3, 1, 1), 1, (1, 0, 0), bias=False),
        )
        self.skip: nn.Module = nn.Identity()
        if width != out:
            self.skip = _Conv3d(width, out, 1, stride, bias=False)
        self.close = nn.Sequential(BatchNorm(out), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.close(self.skip(x) + self.residual(x))
        return out
