"""Mel filters: triangles between frequencies that are equally spaced on a mel scale."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ambikit._typing import FloatArray

# Slaney's scale: 200/3 Hz per mel up to 1 kHz, then 27 mels for each factor 6.4.
_LINEAR = 200 / 3
_KNEE = 1000.0
_LOG_STEP = math.log(6.4) / 27


class MelFilters(NamedTuple):
    """A filter bank as a matrix and by bin: each triangle overlaps only with its neighbours."""

    matrix: FloatArray
    """(bins, mels) float32."""
    band: FloatArray
    """The lower band (bins,) that a bin lies in."""
    weights: FloatArray
    """Its weights (bins, 2) in that band and in the next."""


def hz_to_mel(frequency: FloatArray, scale: str) -> FloatArray:
    """Return mels, by Slaney's scale (linear, then logarithmic) or HTK's."""
    f = np.asarray(frequency, float)
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + f / 700.0))
    above = _KNEE / _LINEAR + np.log(np.maximum(f, _KNEE) / _KNEE) / _LOG_STEP
    return np.where(f < _KNEE, f / _LINEAR, above)


def mel_to_hz(mel: FloatArray, scale: str) -> FloatArray:
    """Return frequencies in Hz."""
    m = np.asarray(mel, float)
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (m / 2595.0) - 1.0))
    knee = _KNEE / _LINEAR
    return np.where(m < knee, m * _LINEAR, _KNEE * np.exp((m - knee) * _LOG_STEP))


@lru_cache(maxsize=16)
def mel_filters(
    sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, scale: str
) -> MelFilters:
    """Return triangular filters over the bins of an n_fft transform, each of area 1 in Hz."""
    low, high = hz_to_mel(np.array([fmin, fmax]), scale)
    edges = mel_to_hz(np.linspace(low, high, n_mels + 2), scale)
    frequency = np.arange(n_fft // 2 + 1)[:, None] * (sample_rate / n_fft)
    rising = (frequency - edges[:-2]) / np.diff(edges[:-1])
    falling = (edges[2:] - frequency) / np.diff(edges[1:])
    matrix = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))
    band = (matrix > 0).argmax(axis=1)
    padded = np.pad(matrix, ((0, 0), (0, 1)))
    weights = np.take_along_axis(padded, np.stack([band, band + 1], axis=1), axis=1)
    return MelFilters(matrix.astype(np.float32), band, weights.astype(np.float32))
