"""Channels times matrices: what encoding, rotation and beamforming come down to.

Matrices (R, C) are 0 outside of some blocks, each given by its first and last row and its first and
last column. Outputs (..., R, n) may be the inputs (..., C, n) themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit import _motion
from ambikit._typing import FloatArray

CACHES = 1 << 22
"""Values above which sound outgrows the caches, so that a kernel that writes past them wins."""

_TILE = 16384
_KERNEL_TILE = 512
_ROWS = 8
"""Rows that are computed before they are written, so that they stay in the innermost cache."""
_FOUR = 4
"""Channels that a kernel reads at a time; of so few, a shorter tile is better."""
_LINE = 64
_MATRICES = 1 << 23
"""Values of matrices along a motion that are held at once."""
_SPAN = 1 << 20
"""Values of a span that is made contiguous for a kernel, where the whole is not."""

threads = 1
"""Threads among which a kernel's sound is shared out; `ambikit.set_threads` changes it."""

_SHARE = 1 << 16
"""Samples of which a thread has at least as many."""

Blocks = npt.NDArray[np.int64]


def points_at_once(values: int) -> int:
    """Return how many matrices of so many values to have at once: some megabytes of them."""
    return max(64, min(_MATRICES // values, _SPAN // 16))


def one_block(rows: int, columns: int) -> Blocks:
    """Return the blocks of a full matrix."""
    return np.array([[0, rows, 0, columns]])


def degree_blocks(order: int) -> Blocks:
    """Return the blocks of matrices that mix the channels of each degree."""
    low = np.arange(order + 1) ** 2
    high = np.arange(1, order + 2) ** 2
    return np.stack([low, high, low, high], axis=1)


def mix(x: FloatArray, matrix: FloatArray, blocks: Blocks, out: FloatArray) -> None:
    """Fill out (..., R, n) with matrix (R, C) times x (..., C, n)."""
    fill = _mix_compiled if max(x.size, out.size) > CACHES else _mix_numpy
    fill(x, np.ascontiguousarray(matrix, x.dtype), blocks, out)


def mix_moving(
    x: FloatArray, lines: _motion.Lines, matrices: FloatArray, blocks: Blocks, out: FloatArray
) -> None:
    """Fill out (..., R, n) with matrices (K, R, C) along the lines times x (..., C, n).

    Samples before the first line and after the last are left as they are.
    Blocks have an odd number of columns.
    """
    fill = _moving_compiled if out.size > _motion.KERNEL_PAYS else _moving_numpy
    fill(x, lines, np.ascontiguousarray(matrices, x.dtype), blocks, out)


def _mix_numpy(x: FloatArray, matrix: FloatArray, blocks: Blocks, out: FloatArray) -> None:
    """Mix block by block, and tile by tile."""
    for begin in range(0, x.shape[-1], _TILE):
        tile = slice(begin, begin + _TILE)
        for top, bottom, left, right in blocks:
            # BLAS is slow with a single column
            product = np.matmul if right - left > 1 else np.multiply
            part = matrix[top:bottom, left:right]
            product(part, x[..., left:right, tile], out=out[..., top:bottom, tile])


def _mix_compiled(x: FloatArray, matrix: FloatArray, blocks: Blocks, out: FloatArray) -> None:
    """Do the same in a kernel."""
    from ambikit._kernels import mixing as kernels

    height = int((blocks[:, 1] - blocks[:, 0]).max())
    # in place, a block is read to its end before it is written
    chunk = height if np.may_share_memory(x, out) else min(height, _ROWS)
    tile = _KERNEL_TILE if x.shape[-2] > _FOUR else _KERNEL_TILE // 2
    tiles = np.append(np.arange(0, x.shape[-1], _TILE), x.shape[-1])
    for _, _, piece, target in _contiguous(x, tiles, out):

        def work(begin: int, end: int, piece: FloatArray = piece, out: FloatArray = target) -> None:
            scratch = _scratch(1 + chunk, tile, x.dtype)
            kernels.still(piece, matrix, blocks, scratch, out, begin, end)

        _share_out(work, piece.shape[-1], piece.shape[-1])


def _moving_numpy(
    x: FloatArray, lines: _motion.Lines, matrices: FloatArray, blocks: Blocks, out: FloatArray
) -> None:
    """Mix with a matrix for each sample."""
    key, fraction = lines.per_sample(x.dtype)
    span = slice(lines.start[0], lines.start[-1])
    source, target = x[..., span], out[..., span]
    for top, bottom, left, right in blocks:
        part = matrices[:, top:bottom, left:right]
        here = part[key]
        matrix = here + fraction[:, None, None] * (part[key + 1] - here)
        product = np.einsum("tij,...jt->...it", matrix, source[..., left:right, :])
        target[..., top:bottom, :] = product


def _moving_compiled(
    x: FloatArray, lines: _motion.Lines, matrices: FloatArray, blocks: Blocks, out: FloatArray
) -> None:
    """Do the same in a kernel."""
    from ambikit._kernels import mixing as kernels

    for some, origin, piece, target in _contiguous(x, lines.start, out):
        here = lines.some(some, origin)

        def work(
            first: int,
            last: int,
            lines: _motion.Lines = here,
            piece: FloatArray = piece,
            out: FloatArray = target,
        ) -> None:
            scratch = _scratch(2 + matrices.shape[1], _KERNEL_TILE + kernels.VECTORS, x.dtype)
            part = lines.some(slice(first, last), 0)
            kernels.moving(piece, *part, matrices, blocks, scratch, out)

        _share_out(work, len(here.control), int(here.start[-1] - here.start[0]))


def _share_out(work: Callable[[int, int], None], count: int, samples: int) -> None:
    """Do work on 0 to count, in equal shares on as many threads as are allowed and pay."""
    parts = max(min(threads, samples // _SHARE, count), 1)
    if parts == 1:
        work(0, count)
        return
    from concurrent.futures import ThreadPoolExecutor

    edges = [count * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:  # not kept: a fork would leave it without its threads
        for done in pool.map(work, edges[:-1], edges[1:]):
            del done  # what fails there is raised here


def _contiguous(
    x: FloatArray, start: npt.NDArray[Any], out: FloatArray
) -> Iterator[tuple[slice, int, FloatArray, FloatArray]]:
    """Yield runs of lines, the sample that they count from, their input and their output.

    Contiguous arrays, (B, C, n) and (B, R, n), are one run; of others, a few samples are copied at
    a time. So are arrays that do not begin at a multiple of the size of their numbers (a memory map
    behind a header may not): compiled code takes for granted that they do, and its stores past the
    caches end the process.
    """
    last = len(start) - 1
    if all(a.flags.c_contiguous and a.flags.aligned for a in (x, out)):
        yield slice(0, last), 0, _batch(x), _batch(out)
        return
    reach = _SPAN * x.shape[-1] // max(x.size, out.size, 1)
    first = 0
    while first < last:
        end = max(first + 1, int(np.searchsorted(start, start[first] + reach, side="right")) - 1)
        span = slice(start[first], start[end])
        piece = np.require(x[..., span], requirements=["C", "A"])
        target = np.empty((*out.shape[:-1], piece.shape[-1]), out.dtype)
        yield slice(first, end), int(start[first]), _batch(piece), _batch(target)
        out[..., span] = target
        first = end


def _scratch(rows: int, columns: int, dtype: np.dtype[np.generic]) -> FloatArray:
    """Return memory that begins with a line of the cache: a kernel is a third faster on it."""
    size = rows * columns * dtype.itemsize
    block = np.empty(size + _LINE, np.uint8)
    skip = -block.ctypes.data % _LINE
    return block[skip : skip + size].view(dtype).reshape(rows, columns)


def _batch(x: FloatArray) -> FloatArray:
    """Return (B, channels, n)."""
    return x.reshape(-1, *x.shape[-2:])
