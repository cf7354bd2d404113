"""Frames of a sound field to mel bands of level, intensity and energy density, or covariance.

Sixteen frames of four channels go side by side, so that the innermost loops, over these lanes,
are alike for every step, run in vectors, and know nothing of the order in which a Fourier
transform keeps its numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ambikit._kernels.compiling import compiled

FRAMES = 16
LANES = 4 * FRAMES
VARIANTS = ("bounded", "dcase", "salsa", "covariance")
BOUNDED, DCASE, SALSA, COVARIANCE = range(4)

# Plain numbers would make the arithmetic double
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
THIRD, TINY = np.float32(1 / 3), np.float32(1e-8)


@compiled(forceinline=True)
def _load(x: Any, first: int, frames: int, hop: int, window: Any, z: Any) -> None:
    """Window frames first to first + frames of x (4, n), and fold each: even samples are real.

    Beyond its ends the signal is reflected. Lanes without a frame repeat the last one.
    """
    n, last = z.shape[1], x.shape[1] - 1
    begin = first * hop - n
    reach = (FRAMES - 1) * hop + 2
    inside = begin >= 0 and begin + reach + 2 * n <= last + 1 and frames == FRAMES
    for i in range(n):
        even, odd = window[2 * i], window[2 * i + 1]
        for c in range(4):
            if inside:
                real = z[0, i, c * FRAMES : (c + 1) * FRAMES]
                imag = z[1, i, c * FRAMES : (c + 1) * FRAMES]
                source = x[c, begin + 2 * i : begin + 2 * i + reach]
                for lane in range(FRAMES):
                    real[lane] = even * source[lane * hop]
                    imag[lane] = odd * source[lane * hop + 1]
            else:
                for lane in range(FRAMES):
                    at = begin + min(lane, frames - 1) * hop + 2 * i
                    z[0, i, c * FRAMES + lane] = even * x[c, last - abs(last - abs(at))]
                    z[1, i, c * FRAMES + lane] = odd * x[c, last - abs(last - abs(at + 1))]


@compiled(fastmath={"contract"}, forceinline=True)
def _transform(z: Any, cosine: Any, sine: Any) -> None:
    """Transform z (2, n, lanes), real and imaginary, along n, a power of 2; bins end in disorder.

    In place, by decimation in frequency with radix 4. The tables (2 n) hold one turn.
    """
    n = z.shape[1]
    size = n
    while size >= 4:
        quarter, step = size // 4, 2 * (n // size)
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
    if size == 2:
        for k in range(0, n, 2):
            a, b, e, f = z[0, k], z[0, k + 1], z[1, k], z[1, k + 1]
            for i in range(z.shape[2]):
                ab, ef = a[i] - b[i], e[i] - f[i]
                a[i], e[i] = a[i] + b[i], e[i] + f[i]
                b[i], f[i] = ab, ef


@compiled(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _quantities(spectrum: Any, magnitude: bool, variant: int, out: Any) -> None:
    """Fill out (8 FRAMES) of one bin from its spectrum (2, LANES)."""
    re, im = spectrum[0], spectrum[1]
    for i in range(LANES):
        out[i] = re[i] * re[i] + im[i] * im[i]
    for i in range(FRAMES):
        y, z, x = FRAMES + i, 2 * FRAMES + i, 3 * FRAMES + i
        out[LANES + i] = re[i] * re[x] + im[i] * im[x]
        out[LANES + y] = re[i] * re[y] + im[i] * im[y]
        out[LANES + z] = re[i] * re[z] + im[i] * im[z]
        out[LANES + x] = HALF * (out[i] + out[y] + out[z] + out[x])
    if variant != BOUNDED:
        for i in range(FRAMES):
            y, z, x = FRAMES + i, 2 * FRAMES + i, 3 * FRAMES + i
            if variant == DCASE:
                size = TINY + out[i] + (out[y] + out[z] + out[x]) * THIRD
            else:
                ix, iy, iz = out[LANES + i], out[LANES + y], out[LANES + z]
                size = math.sqrt(ix * ix + iy * iy + iz * iz)
            scale = ONE / size if size > ZERO else ZERO
            out[LANES + i] *= scale
            out[LANES + y] *= scale
            out[LANES + z] *= scale
    if magnitude:
        for i in range(LANES):
            out[i] = math.sqrt(out[i])


@compiled(fastmath={"contract"}, forceinline=True)
def _products(spectrum: Any, out: Any) -> None:
    """Fill out (10 FRAMES) of one bin with the products of pairs of channels."""
    re, im = spectrum[0], spectrum[1]
    for i in range(FRAMES):
        y, z, x = FRAMES + i, 2 * FRAMES + i, 3 * FRAMES + i
        out[i] = re[i] * re[i] + im[i] * im[i]
        out[y] = re[i] * re[y] + im[i] * im[y]
        out[z] = re[i] * re[z] + im[i] * im[z]
        out[x] = re[i] * re[x] + im[i] * im[x]
        out[LANES + i] = re[y] * re[y] + im[y] * im[y]
        out[LANES + y] = re[y] * re[z] + im[y] * im[z]
        out[LANES + z] = re[y] * re[x] + im[y] * im[x]
        out[LANES + x] = re[z] * re[z] + im[z] * im[z]
        out[2 * LANES + i] = re[z] * re[x] + im[z] * im[x]
        out[2 * LANES + y] = re[x] * re[x] + im[x] * im[x]


@compiled(fastmath={"contract"}, forceinline=True)
def _unfold(z: Any, p: int, q: int, cosine: Any, sine: Any, spectrum: Any) -> None:
    """Fill spectrum (2, lanes) of a bin from two of the folded signal: its own p, its mirror q."""
    a, b, c, d = z[0, p], z[1, p], z[0, q], z[1, q]
    real, imag = spectrum[0], spectrum[1]
    for i in range(z.shape[2]):
        odd_real, odd_imag = b[i] + d[i], c[i] - a[i]
        real[i] = HALF * (a[i] + c[i] + odd_real * cosine + odd_imag * sine)
        imag[i] = HALF * (b[i] - d[i] + odd_imag * cosine - odd_real * sine)


@compiled(fastmath={"contract"})
def pool(
    x: Any,
    first: int,
    hop: int,
    window: Any,
    turn: Any,
    place: Any,
    magnitude: bool,
    variant: int,
    band: Any,
    weights: Any,
    z: Any,
    bins: Any,
    out: Any,
) -> None:
    """Fill out (rows, frames, mels) from the signals x (4, n), beginning with frame `first`.

    Eight rows: the level of W, Y, Z, X (magnitude or power), the intensity along x, y, z, the
    energy density; variants DCASE and SALSA divide the intensity of each bin as these do. Or, of
    the variant COVARIANCE, ten: the upper triangle of the covariance. Bin k counts weights[k, 0] in
    the band band[k] and weights[k, 1] in the next. `turn` (2, n_fft) holds cosine and sine of one
    turn, `place` where the transform of n_fft / 2 leaves each bin. Scratch:
    z (2, n_fft / 2, LANES), bins (mels + 4, rows FRAMES).
    """
    half, mels = z.shape[1], out.shape[2]
    spectrum, quantities, bands = bins[0][: 2 * LANES].reshape(2, LANES), bins[1], bins[2:]
    for begin in range(0, out.shape[1], FRAMES):
        frames = min(FRAMES, out.shape[1] - begin)
        _load(x, first + begin, frames, hop, window, z)
        _transform(z, turn[0], turn[1])
        bands[:] = ZERO
        for k in range(half + 1):
            p, q = place[k % half], place[(half - k) % half]
            _unfold(z, p, q, turn[0, k], turn[1, k], spectrum)
            if variant == COVARIANCE:
                _products(spectrum, quantities)
            else:
                _quantities(spectrum, magnitude, variant, quantities)
            low, high = weights[k, 0], weights[k, 1]
            here, there = bands[band[k]], bands[band[k] + 1]
            for i in range(len(quantities)):
                here[i] += low * quantities[i]
                there[i] += high * quantities[i]
        for row in range(out.shape[0]):
            for t in range(frames):
                for m in range(mels):
                    out[row, begin + t, m] = bands[m, row * FRAMES + t]
