"""Building blocks of voices: waveforms at a moving pitch, struck bodies and coloured noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ambikit._kernels.compiling import compiled

PERIOD = 2048
"""Samples of a waveform's period."""
_BLOCK = 64
_ZERO = np.float32(0)


@compiled()
def oscillate(
    period: Any, pitch: Any, loudness: Any, hop: int, sample_rate: float, out: Any
) -> None:
    """Add a waveform with the period `period` (PERIOD) to out (n,).

    Its pitch, in Hz, and its loudness are keys (n / hop + 2 or more), `hop` samples apart, which
    are interpolated linearly.
    """
    # The phase is a fraction of a turn in units of 2⁻³², so that integer overflow wraps it.
    phase, unit, mask = 0, 2.0**32 / sample_rate, 2**32 - 1
    for k in range(-(-len(out) // hop)):
        row = out[k * hop : (k + 1) * hop]
        step, bend = int(unit * pitch[k]), int(unit * (pitch[k + 1] - pitch[k]) / hop)
        gain, rise = loudness[k], (loudness[k + 1] - loudness[k]) / np.float32(hop)
        for i in range(len(row)):
            row[i] += gain * period[phase // (2**32 // PERIOD)]
            phase = (phase + step) & mask
            step += bend
            gain += rise


@compiled(fastmath={"contract"})
def ring(frequencies: Any, decays: Any, gains: Any, out: Any) -> None:
    """Add sines to out (n,): radians per sample, and samples in which each decays to 1/e."""
    sine, cosine = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    for m in range(len(frequencies)):
        fall = math.exp(-_BLOCK / decays[m])
        for i in range(_BLOCK):
            level = gains[m] * math.exp(-i / decays[m])
            sine[i] = level * math.sin(frequencies[m] * i)
            cosine[i] = level * math.cos(frequencies[m] * i)
        # Each block is the last one, rotated in phase and attenuated
        real, imag = math.cos(frequencies[m] * _BLOCK), math.sin(frequencies[m] * _BLOCK)
        c, s = 1.0, 0.0
        for start in range(0, len(out), _BLOCK):
            row, p, q = out[start : start + _BLOCK], np.float32(c), np.float32(s)
            for i in range(len(row)):
                row[i] += p * sine[i] + q * cosine[i]
            c, s = fall * (c * real - s * imag), fall * (c * imag + s * real)


@compiled(fastmath={"contract"})
def strike(bodies: Any, which: Any, onsets: Any, gains: Any, out: Any) -> None:
    """Add sounds (B, m) to out (n,): at each onset the sound of the given index, with a gain."""
    for k in range(len(onsets)):
        row, body, gain = out[onsets[k] :], bodies[which[k]], gains[k]
        for i in range(min(len(row), len(body))):
            row[i] += gain * body[i]


@compiled(fastmath={"contract"})
def keep_band(poles: Any, x: Any) -> None:
    """Filter x (n,) in place with two poles: 12 dB per octave outside a band."""
    p, q = poles[0], poles[1]
    a = b = c = d = _ZERO
    for i in range(len(x)):
        v = x[i]
        a += p * (v - a)
        v -= a
        b += p * (v - b)
        v -= b
        c += q * (v - c)
        d += q * (c - d)
        x[i] = d
