"""Cutting signals into windowed frames, and putting spectra together to signals again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft

from ambikit._typing import ComplexArray, FloatArray

_TILE = 1 << 16

COSINES = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}
"""Windows by name: the weights of 1, -cos(phase) and cos(2 phase)."""


def cosine_window(name: str, length: int) -> FloatArray:
    """Return the periodic window of that name."""
    phase = 2.0 * np.pi * np.arange(length) / length
    window = np.zeros(length)
    for k, weight in enumerate(COSINES[name]):
        window += (-1) ** k * weight * np.cos(k * phase)
    return window


@dataclass(frozen=True)
class Framing:
    """How a signal of so many samples is cut: frame t begins at sample ``t * hop - lead``."""

    samples: int
    window: FloatArray
    hop: int
    lead: int
    frames: int

    @classmethod
    def centred(cls, samples: int, window: FloatArray, hop: int) -> Framing:
        """Centre frame t on sample ``t * hop``; the last centre is at the end or behind it."""
        return cls(samples, window, hop, len(window) // 2, 1 + math.ceil(samples / hop))

    @classmethod
    def whole(cls, samples: int, window: FloatArray, hop: int) -> Framing:
        """Begin frame t at sample ``t * hop``; every frame ends within the signal."""
        return cls(samples, window, hop, 0, max(0, 1 + (samples - len(window)) // hop))

    def spectra(self, x: FloatArray, first: int, last: int) -> ComplexArray:
        """Return the spectra (..., bins, last - first) of some frames of x (..., samples)."""
        n_fft = len(self.window)
        shape = (*x.shape[:-1], last - first, n_fft // 2 + 1)
        out = np.empty(shape, np.result_type(x.dtype, np.complex64))
        for begin, end in self._tiles(first, last, math.prod(x.shape[:-1])):
            start = begin * self.hop - self.lead
            span = _span(x, start, start + (end - begin - 1) * self.hop + n_fft)
            frames = np.lib.stride_tricks.sliding_window_view(span, n_fft, axis=-1)
            windowed = frames[..., :: self.hop, :] * self.window
            out[..., begin - first : end - first, :] = scipy.fft.rfft(windowed, overwrite_x=True)
        return out.swapaxes(-1, -2)

    def rows(self, leading: tuple[int, ...]) -> FloatArray:
        """Return silence (..., rows, hop) for `add` to fill and `signal` to read."""
        return np.zeros((*leading, self._row_count, self.hop), self.window.dtype)

    def add(self, spectra: ComplexArray, first: int, rows: FloatArray) -> None:
        """Add the frames of spectra (..., bins, count), the first of them number `first`."""
        end_of_all = first + spectra.shape[-1]
        for begin, end in self._tiles(first, end_of_all, math.prod(spectra.shape[:-2])):
            tile = spectra[..., begin - first : end - first].swapaxes(-1, -2)
            frames = scipy.fft.irfft(tile, len(self.window)) * self.window
            for k in range(self._overlap):
                piece = frames[..., k * self.hop : (k + 1) * self.hop]
                rows[..., begin + k : end + k, : piece.shape[-1]] += piece

    def signal(self, rows: FloatArray) -> FloatArray:
        """Return the signal (..., samples) of rows to which all frames were added."""
        tiny = np.finfo(rows.dtype).tiny
        step = max(1, _TILE // self.hop)
        for begin in range(0, self._row_count, step):
            some = np.arange(begin, min(begin + step, self._row_count))
            rows[..., some[0] : some[-1] + 1, :] /= np.maximum(self._weight(some), tiny)
        return rows.reshape(*rows.shape[:-2], self._row_count * self.hop)[
            ..., self.lead : self.lead + self.samples
        ]

    def weights(self) -> FloatArray:
        """Return what squared windows sum up to, wherever it differs within the signal."""
        count, overlap = self._row_count, self._overlap
        edges = np.union1d(np.arange(count)[:overlap], np.arange(count)[-overlap:])
        sample = edges[:, None] * self.hop + np.arange(self.hop) - self.lead
        weights: FloatArray = self._weight(edges)[(sample >= 0) & (sample < self.samples)]
        return weights

    @property
    def _overlap(self) -> int:
        """Rows that one frame covers, the last perhaps in part."""
        return math.ceil(len(self.window) / self.hop)

    @property
    def _row_count(self) -> int:
        """Rows that all frames cover."""
        return self.frames + self._overlap - 1

    def _weight(self, rows: FloatArray) -> FloatArray:
        """Return the sum of squared windows (count, hop) over some rows, given by number."""
        squared = np.zeros(self._overlap * self.hop, self.window.dtype)
        squared[: len(self.window)] = self.window**2
        frame = rows[:, None] - np.arange(self._overlap)
        live = ((frame >= 0) & (frame < self.frames)).astype(self.window.dtype)
        weight: FloatArray = live @ squared.reshape(self._overlap, self.hop)
        return weight

    def _tiles(self, first: int, last: int, signals: int) -> list[tuple[int, int]]:
        """Divide frames first to last of so many signals into runs that fit a cache."""
        step = max(1, _TILE // max(1, signals * len(self.window)))
        return [(begin, min(begin + step, last)) for begin in range(first, last, step)]


def _span(x: FloatArray, begin: int, end: int) -> FloatArray:
    """Return x[..., begin:end], silent before the first and behind the last sample."""
    inside = x[..., max(begin, 0) : end]
    before = max(-begin, 0)
    behind = end - begin - before - inside.shape[-1]
    if before == behind == 0:
        return inside
    return np.pad(inside, [(0, 0)] * (x.ndim - 1) + [(before, behind)])
