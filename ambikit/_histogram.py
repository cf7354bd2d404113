"""Where the active intensity points: a histogram over the sphere, and its density."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import icosphere
from ambikit.spectral import moving_sum, spectral_intensity, stft

SUBDIVISIONS = 4
"""2562 directions, 4° apart."""
_WIDTH = np.deg2rad(8.0)
"""Standard deviation of the kernel that smooths the histogram."""
_WINDOW = 0.043
_AVERAGE = 3
_FRAMES = 256
_QUIET = 1e-5

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


def analysed(x: ArrayLike, sample_rate: float) -> tuple[FloatArray, int]:
    """Return one signal and its window: the power of two samples nearest to 43 ms."""
    signal, _ = checks.one_signal(x)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    length = 1 << max(4, round(math.log2(_WINDOW * rate)))
    checks.long_enough(signal.shape[-1], length, length)
    return scaled(signal, gain_for(signal)), length


def histogram(x: FloatArray, length: int, grid: FloatArray) -> FloatArray:
    """Return for each cell of the grid the weighted sum of unit vectors, and of the weights."""
    tree = _tree(SUBDIVISIONS)
    sums = np.zeros((len(grid), 4))
    hop = length // 2
    for start in range(0, x.shape[-1] - hop, _FRAMES * hop):
        part = x[:4, start : start + (_FRAMES + 1) * hop]
        if part.shape[-1] < length:
            break
        spectra = stft(part, n_fft=length, hop=hop, center=False)[:, 1:]
        intensity = moving_sum(spectral_intensity(spectra), _AVERAGE, 1)
        energy = moving_sum(0.5 * (spectra.real**2 + spectra.imag**2).sum(axis=0), _AVERAGE, 1)
        size = np.sqrt((intensity**2).sum(axis=0))
        # E (1 - psi)**2 = |I|**2 / E
        weight = np.divide(size**2, energy, out=np.zeros_like(energy), where=energy > 0)
        loud = weight > _QUIET * weight.max()
        weight = weight[loud]
        unit = (intensity[:, loud] / size[loud]).T
        cell = tree.query(unit)[1]
        for column in range(3):
            sums[:, column] += np.bincount(cell, weight * unit[:, column], len(grid))
        sums[:, 3] += np.bincount(cell, weight, len(grid))
    return sums


@lru_cache(maxsize=1)
def _tree(subdivisions: int) -> cKDTree:
    """Return a search tree over the grid."""
    from scipy.spatial import cKDTree

    return cKDTree(icosphere(subdivisions))


def _kernel(cosine: FloatArray) -> FloatArray:
    """Return the von Mises-Fisher kernel, 1 at its centre."""
    return np.asarray(np.exp((cosine - 1) / _WIDTH**2))


def density(directions: FloatArray, weight: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the kernel density of the histogram over the one of a flat histogram."""
    # The mean of the kernel over the sphere is width² / 2
    share = weight / (weight.sum() or 1.0)
    return np.asarray(_kernel(directions @ grid.T) @ share * (2 / _WIDTH**2))


def mean_shift(direction: FloatArray, sums: FloatArray, grid: FloatArray) -> FloatArray:
    """Return the direction that is the kernel-weighted mean of the vectors around it."""
    for _ in range(8):
        mean = _kernel(grid @ direction) @ sums
        direction = mean / np.linalg.norm(mean)
    return direction
