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

    def has_channels(self, block: object) -> bool:
        """Whether a block has as many channels as the last one, which tells them from samples."""
        shape = getattr(block, "shape", ())[-2:-1]
        return self.shape is not None and shape == self.shape[-2:-1] != ()

    def add(self, block: FloatArray) -> None:
        """Remember a block that was checked."""
        self.shape, self.dtype = block.shape, block.dtype


class Joined:
    """Arrays one after the other along an axis, in memory that is kept from block to block."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._kept: list[FloatArray] = []

    def array(self, before: FloatArray | None, shape: tuple[int, ...]) -> FloatArray:
        """Return `before`, and room behind it for as much as `shape` says, float32.

        What is returned holds until the next but one call: `before` may be a part of it.
        """
        length = 0 if before is None else before.shape[self._axis]
        total = length + shape[self._axis]
        whole = list(shape)
        whole[self._axis] = total
        if len(self._kept) < 2 or not self._fits(self._kept[0], whole):
            whole[self._axis] = total + total // 2
            self._kept = [*self._kept[-1:], np.empty(whole, np.float32)][-2:]
        else:
            self._kept.reverse()
        room = self._part(self._kept[-1], 0, total)
        if before is not None:
            self._part(room, 0, length)[...] = before
        return room

    def behind(self, room: FloatArray, count: int) -> FloatArray:
        """Return the last `count` of an array."""
        total = room.shape[self._axis]
        return self._part(room, total - count, total)

    def _part(self, values: FloatArray, first: int, last: int) -> FloatArray:
        """Return a slice along the axis."""
        index = (slice(None),) * self._axis + (slice(first, last),)
        return values[index]

    def _fits(self, memory: FloatArray, shape: list[int]) -> bool:
        """Whether an array of a shape has room in a piece of memory."""
        there = list(memory.shape)
        return there.pop(self._axis) >= shape[self._axis] and there == [
            n for axis, n in enumerate(shape) if axis != self._axis
        ]


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
