"""Partitioned convolution of a long sound with a long response.

The blocks of both are lanes of one array, so that the innermost loops, over lanes, are vectorised
and independent of the order of the bins of the transform. A transform of BLOCK complex numbers,
modulated so that what wraps around is multiplied by i, holds the 2 BLOCK samples of the convolution
of two blocks: its real part is the first half, its imaginary part the second.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ambikit._kernels.compiling import compiled

BLOCK = 4**5
"""Samples of a block."""
_TILE = 16
_ZERO = np.float32(0)


@compiled(forceinline=True)
def _load(signal: Any, quarter: Any, z: Any, first: int) -> None:
    """Turn the blocks of a signal into lanes `first` and following of z (2, BLOCK, lanes)."""
    cosine, sine = quarter[0], quarter[1]
    for start in range(0, BLOCK, _TILE):
        for p in range(-(-len(signal) // BLOCK)):
            source = signal[p * BLOCK + start : p * BLOCK + start + _TILE]
            for i in range(len(source)):
                z[0, start + i, first + p] = cosine[start + i] * source[i]
                z[1, start + i, first + p] = sine[start + i] * source[i]


# A length known to the compiler would keep it from vectorising over the lanes.
@compiled(fastmath={"contract"}, forceinline=True)
def _transform(z: Any, cosine: Any, sine: Any) -> None:
    """Transform z (2, BLOCK, lanes), real and imaginary, in place; bins are not in order."""
    n = z.shape[1]
    size = n
    while size >= 4:
        quarter, step = size // 4, n // size
        for j in range(quarter):
            c1, s1 = cosine[j * step], sine[j * step]
            c2, s2 = cosine[2 * j * step], sine[2 * j * step]
            c3, s3 = cosine[3 * j * step], sine[3 * j * step]
            for k in range(j, n, size):
                a, b, c, d = z[0, k], z[0, k + quarter], z[0, k + size // 2], z[0, k + 3 * quarter]
                e, f, g, h = z[1, k], z[1, k + quarter], z[1, k + size // 2], z[1, k + 3 * quarter]
                for i in range(z.shape[2]):
                    ac, eg, bd, fh = a[i] + c[i], e[i] + g[i], b[i] + d[i], f[i] + h[i]
                    ca, ge, db, hf = a[i] - c[i], e[i] - g[i], b[i] - d[i], f[i] - h[i]
                    a[i], e[i] = ac + bd, eg + fh
                    real, imag = ac - bd, eg - fh
                    b[i], f[i] = real * c2 + imag * s2, imag * c2 - real * s2
                    real, imag = ca + hf, ge - db
                    c[i], g[i] = real * c1 + imag * s1, imag * c1 - real * s1
                    real, imag = ca - hf, ge + db
                    d[i], h[i] = real * c3 + imag * s3, imag * c3 - real * s3
        size //= 4


@compiled(fastmath={"contract"}, forceinline=True)
def _restore(z: Any, cosine: Any, sine: Any) -> None:
    """Invert `_transform` step by step, up to a factor of BLOCK."""
    size = 4
    n = z.shape[1]
    while size <= n:
        quarter, step = size // 4, n // size
        for j in range(quarter):
            c1, s1 = cosine[j * step], sine[j * step]
            c2, s2 = cosine[2 * j * step], sine[2 * j * step]
            c3, s3 = cosine[3 * j * step], sine[3 * j * step]
            for k in range(j, n, size):
                a, b, c, d = z[0, k], z[0, k + quarter], z[0, k + size // 2], z[0, k + 3 * quarter]
                e, f, g, h = z[1, k], z[1, k + quarter], z[1, k + size // 2], z[1, k + 3 * quarter]
                for i in range(z.shape[2]):
                    real, imag = b[i] * c2 - f[i] * s2, f[i] * c2 + b[i] * s2
                    ac, eg, bd, fh = a[i] + real, e[i] + imag, a[i] - real, e[i] - imag
                    u, v = c[i] * c1 - g[i] * s1, g[i] * c1 + c[i] * s1
                    real, imag = d[i] * c3 - h[i] * s3, h[i] * c3 + d[i] * s3
                    ca, ge, db, hf = u + real, v + imag, imag - v, u - real
                    a[i], e[i], c[i], g[i] = ac + ca, eg + ge, ac - ca, eg - ge
                    b[i], f[i], d[i], h[i] = bd + db, fh + hf, bd - db, fh - hf
        size *= 4


@compiled(fastmath={"contract"}, forceinline=True)
def _multiply(z: Any, first: int, last: int, history: Any, y: Any) -> None:
    """Fill y (2, BLOCK, M): in each bin, lanes of z up to `first` through those up to `last`.

    `history` (2, last - first + M) is scratch.
    """
    count, blocks = last - first, y.shape[2]
    history[:] = _ZERO
    given = min(first, blocks)
    for k in range(BLOCK):
        real, imag = y[0, k], y[1, k]
        real[:] = _ZERO
        imag[:] = _ZERO
        for p in range(given):
            history[0, count + p], history[1, count + p] = z[0, k, p], z[1, k, p]
        for q in range(count):
            c, s = z[0, k, first + q], z[1, k, first + q]
            re, im = history[0, count - q :], history[1, count - q :]
            for m in range(blocks):
                real[m] += c * re[m] - s * im[m]
                imag[m] += c * im[m] + s * re[m]


@compiled(fastmath={"contract"}, forceinline=True)
def _unload(y: Any, quarter: Any, out: Any) -> None:
    """Demodulate y (2, BLOCK, M), and add the second half of each block to the next block."""
    cosine, sine, scale = quarter[0], quarter[1], np.float32(1 / BLOCK)
    out[:] = _ZERO
    for start in range(0, BLOCK, _TILE):
        for m in range(-(-len(out) // BLOCK)):
            row = out[m * BLOCK + start : m * BLOCK + start + _TILE]
            after = out[(m + 1) * BLOCK + start : (m + 1) * BLOCK + start + _TILE]
            for i in range(len(row)):
                real, imag = scale * y[0, start + i, m], scale * y[1, start + i, m]
                row[i] += real * cosine[start + i] + imag * sine[start + i]
                if i < len(after):
                    after[i] = imag * cosine[start + i] - real * sine[start + i]


@compiled()
def convolve(
    signal: Any, response: Any, turn: Any, quarter: Any, z: Any, history: Any, y: Any, out: Any
) -> None:
    """Fill out (n,) with the first samples of the convolution of a signal with a response.

    `turn` (2, BLOCK) holds cosine and sine of one turn, `quarter` those of a quarter of one.
    Scratch, where the three have P, Q and M blocks, full or not: z (2, BLOCK, P + Q or more), all
    zeros, history (2, Q + M), y (2, BLOCK, M).
    """
    first = -(-len(signal) // BLOCK)
    last = first - (-len(response) // BLOCK)
    _load(signal, quarter, z, 0)
    _load(response, quarter, z, first)
    _transform(z, turn[0], turn[1])
    _multiply(z, first, last, history, y)
    _restore(y, turn[0], turn[1])
    _unload(y, quarter, out)
