"""Ranks: processes that train together on parts of one batch."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather  # the one that carries gradients


def ranks() -> int:
    """Return the number of processes that train together: 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process among them."""
    return dist.get_rank() if ranks() > 1 else 0


def gather(x: Tensor) -> Tensor:
    """Return `x` of all ranks, one after the other along the first dimension, with gradients.

    Each rank then takes the loss of the whole batch. The gradients that the gather sums over the
    ranks are divided again by the mean that DistributedDataParallel takes: the step is that of one
    process with the whole batch.
    """
    if ranks() == 1:
        return x
    return torch.cat(all_gather(x))  # type: ignore[no-untyped-call]


def gathered(output: Any) -> Any:
    """Return a tensor, or a named tuple of such, for the batches of all ranks, with gradients."""
    if isinstance(output, Tensor):
        return gather(output)
    return type(output)(*map(gathered, output))
