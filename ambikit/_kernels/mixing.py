"""Mixing channels with matrices that stand still or move.

Sound is longer than the caches. A plain store first reads the memory that it is about to overwrite;
these kernels work on tiles that stay in the cache and write each result past it, once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.core import cgutils

from ambikit._kernels.compiling import compiled

LINE = 64
"""Bytes in a line of the cache."""

VECTORS = 32
"""Numbers that a turn of a compiled loop takes at once, or a multiple."""

# What it decorates is called without the typing context that it is written with
intrinsic: Any = extending.intrinsic


def to_line(target: Any, begin: int) -> int:
    """Return how many numbers lie between target[begin] and the next line of the cache."""
    return int(-(target.ctypes.data // target.itemsize + begin) % (LINE // target.itemsize))


def write_past_caches(source: Any, first: int, target: Any, begin: int, count: int) -> None:
    """Copy source[first : first + count] to target[begin:], both flat."""
    target[begin : begin + count] = source[first : first + count]


@intrinsic
def _address(typing: Any, array: Any) -> Any:
    """Return where an array begins, without counting a reference as `array.ctypes` does.

    Counting is atomic, and every atomic instruction waits for what was written past the caches.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        return builder.ptrtoint(data, context.get_value_type(types.intp))

    return types.intp(array), generate


@intrinsic
def _write_lines(typing: Any, target: Any, source: Any, lines: Any) -> Any:
    """Copy whole lines between addresses; the target is aligned to lines."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        line = ir.VectorType(ir.IntType(32), LINE // 4)
        targets, sources = (builder.inttoptr(a, line.as_pointer()) for a in arguments[:2])
        hint = builder.module.add_metadata([ir.IntType(32)(1)])
        with cgutils.for_range(builder, arguments[2]) as loop:
            load = builder.load(builder.gep(sources, [loop.index]))
            load.align = 4
            store = builder.store(load, builder.gep(targets, [loop.index]))
            store.align = LINE
            store.set_metadata("nontemporal", hint)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@extending.overload(to_line)
def _to_line(target: Any, begin: Any) -> Any:
    size = target.dtype.bitwidth // 8

    def implementation(target: Any, begin: Any) -> int:
        return int(-(_address(target) // size + begin) % (LINE // size))

    return implementation


@extending.overload(write_past_caches)
def _write_past_caches(source: Any, first: Any, target: Any, begin: Any, count: Any) -> Any:
    size = target.dtype.bitwidth // 8

    def implementation(source: Any, first: Any, target: Any, begin: Any, count: Any) -> None:
        head = min(count, -(_address(target) // size + begin) % (LINE // size))
        lines = (count - head) * size // LINE
        for i in range(head):
            target[begin + i] = source[first + i]
        begin_address = _address(target) + (begin + head) * size
        _write_lines(begin_address, _address(source) + (first + head) * size, lines)
        for i in range(head + lines * (LINE // size), count):
            target[begin + i] = source[first + i]

    return implementation


@compiled(fastmath={"contract"})
def still(x: Any, matrix: Any, blocks: Any, scratch: Any, out: Any, origin: int, stop: int) -> None:
    """Fill out (B, R, n) with matrix (R, C) times x (B, C, n), the samples origin to stop.

    Outside of blocks (any, 4), of first and last row, first and last column, the matrix is 0.
    scratch (1 + rows at once, tile); out may be x itself if no block has more rows than that.

    Four columns are read at a time, and kept for two rows. The first time it may be fewer: then one
    is read again, with a gain of 0. A row beyond the last lands in the spare row of scratch.
    Indices into flat arrays are unsigned: nothing need look whether they count from the end.
    """
    rows, samples = out.shape[1:]
    columns = x.shape[1]
    chunk, tile = scratch.shape[0] - 1, scratch.shape[1]
    results, target, source = scratch.reshape(-1), out.reshape(-1), x.reshape(-1)
    zero = scratch.dtype.type(0)
    for b in range(x.shape[0]):
        begin, end = origin, min(origin + to_line(target, b * rows * samples + origin), stop)
        while begin < stop:
            count = np.uint64(end - begin)
            for k in range(blocks.shape[0]):
                top, bottom, left, right = blocks[k, 0], blocks[k, 1], blocks[k, 2], blocks[k, 3]
                for first in range(top, bottom, chunk):
                    last = min(first + chunk, bottom)
                    c, width = left, (right - left - 1) % 4 + 1
                    p = np.uint64((b * columns + c) * samples + begin)
                    q = p + np.uint64(samples * min(1, width - 1))
                    r = p + np.uint64(samples * min(2, width - 1))
                    s = p + np.uint64(samples * min(3, width - 1))
                    for row in range(first, last, 2):
                        below = min(row + 1, last - 1)
                        g0, h0 = matrix[row, c], matrix[below, c]
                        g1 = g2 = g3 = h1 = h2 = h3 = zero
                        if width > 1:
                            g1, h1 = matrix[row, c + 1], matrix[below, c + 1]
                        if width > 2:
                            g2, h2 = matrix[row, c + 2], matrix[below, c + 2]
                        if width > 3:
                            g3, h3 = matrix[row, c + 3], matrix[below, c + 3]
                        t = np.uint64((row - first) * tile)
                        u = t + np.uint64(tile)
                        for i in range(count):
                            v, w, y, z = source[p + i], source[q + i], source[r + i], source[s + i]
                            results[t + i] = g0 * v + g1 * w + g2 * y + g3 * z
                            results[u + i] = h0 * v + h1 * w + h2 * y + h3 * z
                    for c in range(left + width, right, 4):
                        p = np.uint64((b * columns + c) * samples + begin)
                        q = p + np.uint64(samples)
                        r = q + np.uint64(samples)
                        s = r + np.uint64(samples)
                        # a range of rows would keep LLVM from vectorising the loop inside
                        row = first - 2
                        while row + 2 < last:
                            row += 2
                            below = min(row + 1, last - 1)
                            g0, g1, g2 = matrix[row, c], matrix[row, c + 1], matrix[row, c + 2]
                            h0, h1, h2 = (
                                matrix[below, c],
                                matrix[below, c + 1],
                                matrix[below, c + 2],
                            )
                            g3, h3 = matrix[row, c + 3], matrix[below, c + 3]
                            t = np.uint64((row - first) * tile)
                            u = t + np.uint64(tile)
                            for i in range(count):
                                v, w = source[p + i], source[q + i]
                                y, z = source[r + i], source[s + i]
                                results[t + i] += g0 * v + g1 * w + g2 * y + g3 * z
                                results[u + i] += h0 * v + h1 * w + h2 * y + h3 * z
                    for row in range(first, last):
                        place = (b * rows + row) * samples + begin
                        write_past_caches(results, (row - first) * tile, target, place, end - begin)
            begin, end = end, min(end + tile, stop)


@compiled(forceinline=True)
def _course(here: Any, there: Any, passed: Any, rate: Any) -> Any:
    """Return a gain on its way from here to there, and its change in a sample."""
    change = there - here
    return here + passed * change, rate * change


@compiled(fastmath={"contract"})
def moving(
    x: Any,
    start: Any,
    control: Any,
    first: Any,
    slope: Any,
    matrices: Any,
    blocks: Any,
    scratch: Any,
    out: Any,
) -> None:
    """Do the same with matrices (K, R, C) along lines; scratch (2 + R, tile + VECTORS).

    Samples before the first line and after the last are left as they are.
    Blocks have an odd number of columns: the first alone, then two at a time.
    """
    rows, samples = out.shape[1:]
    width = scratch.shape[1]
    tile = width - VECTORS
    results, target = scratch.reshape(-1), out.reshape(-1)
    number = scratch.dtype.type
    stop = start[len(start) - 1]
    steps, ramp = scratch[0], scratch[1]
    for i in range(width):
        steps[i] = i
    for b in range(x.shape[0]):
        line = 0
        begin = start[0]
        end = min(begin + to_line(target, b * rows * samples + begin), stop)
        while begin < stop:
            at = begin
            while at < end:
                length = min(end, start[line + 1]) - at
                # Whole vectors: what lies beyond the line is written again by the next one
                wide = min((length + VECTORS - 1) // VECTORS * VECTORS, samples - at)
                here, there = matrices[control[line]], matrices[control[line] + 1]
                # Counted from the line's begin, so that no result depends on where tiles end
                offset = number(at - start[line])
                for i in range(wide):
                    ramp[i] = steps[i] + offset
                passed, rate = number(first[line]), number(slope[line])
                for k in range(blocks.shape[0]):
                    for row in range(blocks[k, 0], blocks[k, 1]):
                        total = scratch[2 + row, at - begin : at - begin + wide]
                        c = blocks[k, 2]
                        g, dg = _course(here[row, c], there[row, c], passed, rate)
                        p = x[b, c, at : at + wide]
                        for i in range(wide):
                            total[i] = p[i] * (g + ramp[i] * dg)
                        for c in range(blocks[k, 2] + 1, blocks[k, 3], 2):
                            g, dg = _course(here[row, c], there[row, c], passed, rate)
                            h, dh = _course(here[row, c + 1], there[row, c + 1], passed, rate)
                            p, q = x[b, c, at : at + wide], x[b, c + 1, at : at + wide]
                            for i in range(wide):
                                total[i] += p[i] * (g + ramp[i] * dg) + q[i] * (h + ramp[i] * dh)
                at += length
                if at == start[line + 1]:
                    line += 1
            for row in range(rows):
                place = (b * rows + row) * samples + begin
                write_past_caches(results, (2 + row) * width, target, place, end - begin)
            begin, end = end, min(end + tile, stop)
