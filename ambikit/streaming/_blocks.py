"""What blocks of a stream have in common, so that only the first is checked in full."""

from __future__ import annotations

from typing import Any

import numpy as np

from ambikit import checks
from ambikit._typing import FloatArray


class Known:
    """Shape and type of the last block that was checked."""

    __slots__ = ("dtype", "shape")

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None
        self.dtype: np.dtype[Any] | None = None

    def __contains__(self, block: object) -> bool:
        """Whether a block is an array like the last one."""
        return type(block) is np.ndarray and block.shape == self.shape and block.dtype is self.dtype

    def add(self, block: FloatArray) -> None:
        """Remember a block that was checked."""
        self.shape, self.dtype = block.shape, block.dtype


def output(
    out: FloatArray | None, shape: tuple[int, ...], block: FloatArray, *, in_place: bool = False
) -> FloatArray:
    """Return `out` if it fits a block, or a new array."""
    if out is None:
        return np.empty(shape, block.dtype)
    if (
        type(out) is np.ndarray
        and out.shape == shape
        and out.dtype is block.dtype
        and out.flags.writeable
        and not np.may_share_memory(out, block)
    ):
        return out
    return checks.output(out, shape, block.dtype, block, in_place=in_place)


def plain(x: FloatArray) -> bool:
    """Whether a kernel takes an array as it is."""
    return bool(x.flags.c_contiguous and x.flags.aligned)
