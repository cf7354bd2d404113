"""Modules shared by the networks: the same results for one rank and for many that share a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ambikit_learn._distributed import gather, rank, ranks


class BatchNorm(_BatchNorm):
    """Batch normalisation with the statistics of all ranks, for any number of dimensions.

    In one process it equals `torch.nn.BatchNorm2d` and its variants for other dimensions.
    `torch.nn.SyncBatchNorm` does the same on GPUs only. All ranks have equal parts of the batch.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, C, ...) standardised over all but C."""
        if ranks() == 1 or not self.training:
            return super().forward(input)
        # Statistics in bfloat16 would be too coarse to average
        x = at_least_float32(input)
        var, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
        parts = gather(torch.stack([mean, var])[None])
        mean = parts[:, 0].mean(0)
        var = parts[:, 1].mean(0) + parts[:, 0].var(0, correction=0)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            count = ranks() * x.numel() / x.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (var + self.eps).rsqrt()
        shift = self.bias - mean * scale
        shape = (-1, *[1] * (x.ndim - 2))
        return (x * scale.view(shape) + shift.view(shape)).to(input.dtype)


class Dropout(nn.Module):
    """Dropout with a mask for the whole batch, of which each rank applies its part.

    Many ranks thus equal one process, provided that their generators are in the same state.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, ...); in training, random values are set to 0 and the others scaled up."""
        if ranks() == 1 or not self.training or self.p == 0.0:
            return functional.dropout(x, self.p, self.training)
        mask = functional.dropout(x.new_ones(ranks(), *x.shape), self.p)
        return x * mask[rank()]


def at_least_float32(x: Tensor) -> Tensor:
    """Return `x` in float32, or unchanged if it is float64."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def conv_bn_relu(width: int, out: int, size: int, stride: int = 1) -> nn.Sequential:
    """Return a 2D convolution without bias, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(width, out, size, stride, size // 2, bias=False), BatchNorm(out), nn.ReLU()
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
