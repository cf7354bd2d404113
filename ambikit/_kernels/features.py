"""Spectra of a sound field to mel bands of level, intensity and energy density."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

# Plain numbers would make the arithmetic double
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
THIRD, TINY = np.float32(1 / 3), np.float32(1e-8)


@njit(cache=True, nogil=True, fastmath={"contract"})
def pool(
    spectra: Any,
    magnitude: bool,
    variant: int,
    first: Any,
    last: Any,
    weights: Any,
    bins: Any,
    out: Any,
) -> None:
    """Fill out (8, frames, mels) from spectra (4, frames, 2 bins), real and imaginary in turn.

    Rows: the level of W, Y, Z, X (magnitude or power), the intensity along x, y, z, the energy
    density. variant 1 and 2 divide the intensity of each bin as DCASE and SALSA do. Band m takes
    the bins first[m] to last[m] times weights[m]. bins (n_bins, 8) is scratch.
    """
    for t in range(spectra.shape[1]):
        w, y, z, x = spectra[0, t], spectra[1, t], spectra[2, t], spectra[3, t]
        for f in range(bins.shape[0]):
            wr, yr, zr, xr = w[2 * f], y[2 * f], z[2 * f], x[2 * f]
            wi, yi, zi, xi = w[2 * f + 1], y[2 * f + 1], z[2 * f + 1], x[2 * f + 1]
            ww, yy = wr * wr + wi * wi, yr * yr + yi * yi
            zz, xx = zr * zr + zi * zi, xr * xr + xi * xi
            ix, iy, iz = wr * xr + wi * xi, wr * yr + wi * yi, wr * zr + wi * zi
            if variant == 1:
                scale = ONE / (TINY + ww + (yy + zz + xx) * THIRD)
                ix, iy, iz = ix * scale, iy * scale, iz * scale
            elif variant == 2:
                length = math.sqrt(ix * ix + iy * iy + iz * iz)
                scale = ONE / length if length > ZERO else ZERO
                ix, iy, iz = ix * scale, iy * scale, iz * scale
            bins[f, 4], bins[f, 5], bins[f, 6] = ix, iy, iz
            bins[f, 7] = HALF * (ww + yy + zz + xx)
            if magnitude:
                ww, yy, zz, xx = math.sqrt(ww), math.sqrt(yy), math.sqrt(zz), math.sqrt(xx)
            bins[f, 0], bins[f, 1], bins[f, 2], bins[f, 3] = ww, yy, zz, xx
        for m in range(first.shape[0]):
            a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = ZERO
            for f in range(first[m], last[m]):
                g = weights[m, f - first[m]]
                a0 += g * bins[f, 0]
                a1 += g * bins[f, 1]
                a2 += g * bins[f, 2]
                a3 += g * bins[f, 3]
                a4 += g * bins[f, 4]
                a5 += g * bins[f, 5]
                a6 += g * bins[f, 6]
                a7 += g * bins[f, 7]
            out[0, t, m], out[1, t, m], out[2, t, m], out[3, t, m] = a0, a1, a2, a3
            out[4, t, m], out[5, t, m], out[6, t, m], out[7, t, m] = a4, a5, a6, a7
