"""Files of any length to loudspeakers, to ears, from microphones and to maps, span by span.

What is held is a span of some seconds, whatever the length of the file.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from ambikit import checks, io
from ambikit._codecs.libsndfile import SpanWriter
from ambikit._typing import FloatArray
from ambikit.directions import angles_to_vector
from ambikit.io.reading import Sound
from ambikit.io.writing import warn_clipping
from ambikit.maps import power_map
from ambikit.microphones import array_filters
from ambikit.microphones.arrays import MicrophoneArray, array_of
from ambikit.streaming import Binauralizer, Decoder
from ambikit.streaming.listening import Convolver

SPAN = 1 << 19
"""Samples that are read at a time."""


class Input:
    """A sound file, read span by span."""

    def __init__(self, sound: Sound, *, start: float, duration: float | None) -> None:
        self._sound, self.rate = sound, sound.sample_rate
        self._first, last = sound.span(start, duration, self.rate)
        self.samples = last - self._first

    def spans(self, report: Callable[[float], None]) -> Iterator[FloatArray]:
        """Yield the sound (channels, n), one span after the other."""
        for begin in range(0, self.samples, SPAN):
            count = min(SPAN, self.samples - begin)
            first = self._first + begin
            yield self._sound.read(first, first + count, self.rate)
            report((begin + count) / self.samples)


def to_loudspeakers(source: Input, output: Path, layout: str, **options: object) -> None:
    """Decode a file to loudspeakers, one channel each."""
    decoder = Decoder(layout, sample_rate=source.rate, **options)  # type: ignore[arg-type]
    _filtered(source, output, decoder.process)


def to_ears(source: Input, output: Path, ears: Binauralizer) -> None:
    """Decode a file to two ears."""
    _filtered(source, output, ears.process)


def from_microphones(
    source: Input, output: Path, array: str | MicrophoneArray, *, order: int | None, max_gain: float
) -> None:
    """Turn a file of capsules' signals into AmbiX, in time with it."""
    filters = array_filters(array, source.rate, order=order, max_gain=max_gain)
    late = filters.shape[-1] // 2
    convolver, count = Convolver(filters), array_of(array).count

    def process(x: FloatArray) -> FloatArray:
        return convolver.process(checks.recording(x, count, repr(array)))

    _filtered(source, output, process, late=late)


def to_map(source: Input, output: Path, *, height: int, rate: float, pattern: str) -> None:
    """Write maps of power over time as .npy (frames, height, 2 height) in float32.

    The pixels are those of an equirectangular frame, +180° at the left, the zenith at the top.
    """
    hop = checks.positive_int(round(source.rate / checks.positive(rate, "rate", "Hz")), "hop")
    azimuth = (1 - (np.arange(2 * height) + 0.5) / height)[None] * np.pi
    elevation = (0.5 - (np.arange(height) + 0.5) / height)[:, None] * np.pi
    angles_to_vector(azimuth, elevation)
    frames = source.samples // hop
    checks.positive_int(frames, "number of maps")
    # Not mapped into memory: where the disk is full, a store to a mapped page kills the process.
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)),
        "fortran_order": False,
        "shape": (frames, height, 2 * height),
    }
    with (
        io.atomic_write(output) as temporary,
        temporary.open("wb") as file,
        progress(output.name) as report,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        left = None
        for x in source.spans(report):
            x = x if left is None else np.concatenate([left, x], axis=-1)
            count = x.shape[-1] // hop
            if count:
                maps = power_map(x[:, : count * hop], azimuth, elevation, pattern=pattern, hop=hop)
                file.write(np.ascontiguousarray(maps, np.float32).data)
            left = x[:, count * hop :]


def _filtered(
    source: Input, output: Path, process: Callable[[FloatArray], FloatArray], late: int = 0
) -> None:
    """Write what becomes of each span; the first `late` samples are left out, and made up for."""
    suffixes = (".wav", ".flac", ".w64", ".rf64", ".caf")
    checks.choice(output.suffix.lower(), suffixes, f"kind of sound file of {output}:")
    skip = late
    with (
        io.atomic_write(output) as temporary,
        SpanWriter(temporary, source.rate, source.samples) as file,
        progress(output.name) as report,
    ):
        for x in _followed(source.spans(report), late):
            file.append(process(x)[:, skip:])
            skip = max(skip - x.shape[-1], 0)
    warn_clipping(file.peak, output.suffix)


def _followed(spans: Iterator[FloatArray], late: int) -> Iterator[FloatArray]:
    """Yield spans, and silence after them."""
    x = None
    for x in spans:
        yield x
    if late and x is not None:
        yield np.zeros((len(x), late), x.dtype)


class progress:
    """A line on a terminal that says how far a file is; nothing where stderr is no terminal."""

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self._name, self._stream = name, stream or sys.stderr
        self._shown = -1

    def __enter__(self) -> Callable[[float], None]:
        return self._report

    def __exit__(self, *error: object) -> None:
        if self._shown >= 0:
            print(file=self._stream)

    def _report(self, share: float) -> None:
        """Write the percentage over the one before."""
        percent = math.floor(100 * share)
        if self._stream.isatty() and percent > self._shown:
            print(f"\r{self._name}: {percent:3d} %", end="", file=self._stream, flush=True)
            self._shown = percent
