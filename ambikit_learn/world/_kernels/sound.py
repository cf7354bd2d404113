"""Propagation of sound through a room: filtering by walls and air, delays, weights and tails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit._kernels.compiling import compiled

_TAPS = 16
_PHASES = 512


def _filters() -> npt.NDArray[np.float32]:
    """Windowed-sinc filters for each fraction of a sample, (phases + 1, taps), unit DC gain."""
    fraction = np.arange(_PHASES + 1)[:, None] / _PHASES
    x = np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1) - fraction
    window = 0.5 + 0.5 * np.cos(np.pi * x / (_TAPS // 2 + 0.5))
    table = np.sinc(x) * window
    unit: npt.NDArray[np.float64] = table / table.sum(-1, keepdims=True)
    return unit.astype(np.float32)


_FILTERS = _filters()
BLOCK = 64
"""Samples of a block; its moving delay is approximated by a fade between the delays at its ends."""
MARGIN = BLOCK + _TAPS
"""Samples of silence that a signal needs at both ends."""
_FADE = (np.arange(BLOCK) / BLOCK).astype(np.float32)
POLES = 6
"""One-pole low-passes that colour a sound."""
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled(fastmath={"contract"})
def colour(signal: Any, poles: Any, weights: Any, first: int, out: Any) -> None:
    """Fill out (K, …) from sample `first` on with K mixtures of a signal and its low-passes.

    A low-pass is ``s = (1 − pole) s + pole x``; the last of the weights (K, POLES + 1) is the
    signal's.
    """
    n = len(signal)
    p0, p1, p2, p3, p4, p5 = poles[0], poles[1], poles[2], poles[3], poles[4], poles[5]
    q0, q1, q2, q3, q4, q5 = _ONE - p0, _ONE - p1, _ONE - p2, _ONE - p3, _ONE - p4, _ONE - p5
    s0 = s1 = s2 = s3 = s4 = s5 = _ZERO
    low = np.empty((POLES, BLOCK), np.float32)
    for start in range(0, n, BLOCK):
        x = signal[start : start + BLOCK]
        # The processor overlaps recursions of scalars, but not those of array elements
        for i in range(len(x)):
            v = x[i]
            s0 = q0 * s0 + p0 * v
            s1 = q1 * s1 + p1 * v
            s2 = q2 * s2 + p2 * v
            s3 = q3 * s3 + p3 * v
            s4 = q4 * s4 + p4 * v
            s5 = q5 * s5 + p5 * v
            low[0, i], low[1, i], low[2, i] = s0, s1, s2
            low[3, i], low[4, i], low[5, i] = s3, s4, s5
        for k in range(len(weights)):
            w, row = weights[k], out[k, first + start : first + start + len(x)]
            for i in range(len(x)):
                row[i] = (
                    (w[0] * low[0, i] + w[1] * low[1, i])
                    + (w[2] * low[2, i] + w[3] * low[3, i])
                    + (w[4] * low[4, i] + w[5] * low[5, i] + w[6] * x[i])
                )


# A fixed number of steps and unsigned indices let the compiler vectorise.
@compiled(fastmath={"contract"}, forceinline=True)
def _filter(signal: Any, taps: Any, out: Any) -> None:
    """Filter `signal` (BLOCK + taps) into `out` (BLOCK)."""
    for i in range(BLOCK):
        total = _ZERO
        for j in range(_TAPS):
            total += taps[j] * signal[np.uint64(i + j)]
        out[i] = total


@compiled(fastmath={"contract"}, forceinline=True)
def _add(signal: Any, gains: Any, ends: Any, out: Any) -> None:
    """Add a signal (BLOCK) to out (channels, BLOCK) with gains that fade linearly to their ends."""
    for c in range(len(gains)):
        gain, rise, row = gains[c], ends[c] - gains[c], out[c]
        for i in range(BLOCK):
            row[i] += (gain + rise * _FADE[i]) * signal[i]


@compiled(error_model="numpy")
def arrive(
    positions: Any, signs: Any, middles: Any, heading: float, distances: Any, weights: Any
) -> None:
    """Fill distances (S, P, K) and weights (S, P, K, 4) of mirrored sources at K times.

    Image p of a source at `positions` (S, K, 3) lies at ``signs[p] * position + middles[p]``. The
    weights of W, Y, Z, X are divided by the distance. The microphone looks along the azimuth
    `heading`.
    """
    cos, sin = math.cos(heading), math.sin(heading)
    for s in range(distances.shape[0]):
        for p in range(distances.shape[1]):
            for k in range(distances.shape[2]):
                x = signs[p, 0] * positions[s, k, 0] + middles[p, 0]
                y = signs[p, 1] * positions[s, k, 1] + middles[p, 1]
                z = signs[p, 2] * positions[s, k, 2] + middles[p, 2]
                square = x * x + y * y + z * z
                distances[s, p, k] = math.sqrt(square)
                weights[s, p, k, 0] = 1.0 / distances[s, p, k]
                weights[s, p, k, 1] = (cos * y - sin * x) / square
                weights[s, p, k, 2] = z / square
                weights[s, p, k, 3] = (cos * x + sin * y) / square


@compiled(fastmath={"contract"})
def add_paths(
    arriving: Any, kind: Any, first: int, delays: Any, weights: Any, scratch: Any, out: Any
) -> None:
    """Add signals to `out` (channels, n) along P paths, of which path p carries signal kind[p].

    `arriving` (K, …) holds silence, from `first` on the signals, and silence again: at least
    MARGIN, and before them as much more as the longest delay. `delays` (P, B + 1) in samples and
    `weights` (P, B + 1, channels) are those at the ends of the B blocks. Scratch:
    (channels + 2, BLOCK).
    """
    here, there, total = scratch[0], scratch[1], scratch[2:]
    for block in range(delays.shape[1] - 1):
        start = block * BLOCK
        total[:] = _ZERO
        for path in range(delays.shape[0]):
            source = arriving[kind[path]]
            delay = delays[path, block]
            whole = math.floor(-delay)
            place = first + start + int(whole) - (_TAPS // 2 - 1)
            taps = _FILTERS[int((-delay - whole) * _PHASES + 0.5)]
            _filter(source[place : place + BLOCK + _TAPS], taps, here)
            if delays[path, block + 1] != delay:
                delay = delays[path, block + 1]
                whole = math.floor(-delay)
                place = first + start + int(whole) - (_TAPS // 2 - 1)
                taps = _FILTERS[int((-delay - whole) * _PHASES + 0.5)]
                _filter(source[place : place + BLOCK + _TAPS], taps, there)
                for i in range(BLOCK):
                    here[i] += _FADE[i] * (there[i] - here[i])
            _add(here, weights[path, block], weights[path, block + 1], total)
        for c in range(out.shape[0]):
            row = out[c, start : start + BLOCK]
            for i in range(len(row)):
                row[i] += total[c, i]


@compiled(fastmath={"contract"})
def spread(store: Any, begins: Any, weights: Any, out: Any) -> None:
    """Add sections of stored noise to out (channels, n), four at a time.

    They begin at `begins` (R, 4); `weights` (R, 4, channels) are their gains in the channels.
    """
    n = out.shape[1]
    for start in range(0, n, 8 * BLOCK):
        stop = min(start + 8 * BLOCK, n)
        for r in range(len(begins)):
            a, b = store[begins[r, 0] + start :], store[begins[r, 1] + start :]
            c, d = store[begins[r, 2] + start :], store[begins[r, 3] + start :]
            for channel in range(out.shape[0]):
                row = out[channel, start:stop]
                p, q = weights[r, 0, channel], weights[r, 1, channel]
                s, t = weights[r, 2, channel], weights[r, 3, channel]
                for i in range(len(row)):
                    row[i] += (p * a[i] + q * b[i]) + (s * c[i] + t * d[i])


@compiled(fastmath={"contract"})
def die_away(noise: Any, begin: int, rates: Any, out: Any) -> None:
    """Fill out (n,) with a sum of noises (B, …), read from `begin` on.

    Each decays by exp(−rate) per sample.
    """
    fall, level = np.empty((len(rates), BLOCK), np.float32), np.ones(len(rates))
    for b in range(len(rates)):
        for i in range(BLOCK):
            fall[b, i] = math.exp(-rates[b] * i)
    for start in range(0, len(out), BLOCK):
        row = out[start : start + BLOCK]
        row[:] = _ZERO
        for b in range(len(rates)):
            gain, source = np.float32(level[b]), noise[b, begin + start :]
            for i in range(len(row)):
                row[i] += gain * fall[b, i] * source[i]
            level[b] *= math.exp(-rates[b] * BLOCK)


@compiled(fastmath={"contract"})
def loudest(x: Any) -> float:
    """Return the greatest square of pressure or velocity in x (4, n), invariant to rotation."""
    peaks = np.zeros(BLOCK, np.float32)
    for start in range(0, x.shape[1], BLOCK):
        w, y = x[0, start : start + BLOCK], x[1, start : start + BLOCK]
        z, front = x[2, start : start + BLOCK], x[3, start : start + BLOCK]
        for i in range(len(w)):
            pressure = w[i] * w[i]
            velocity = y[i] * y[i] + z[i] * z[i] + front[i] * front[i]
            greater = pressure if pressure > velocity else velocity
            peaks[i] = greater if greater > peaks[i] else peaks[i]
    return float(peaks.max())
