"""Files as other programs write them, through nothing but PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest


class _Needed:
    """PyAV; a test that asks anything of it is skipped where it is not installed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pytest.importorskip("av"), name)


av: Any = _Needed()

RATE = 48000
_INTEGERS = {"u8": 8, "s16": 16, "s32": 32}


def chord(channels: int, samples: int = 4800, rate: int = RATE) -> np.ndarray:
    """Return a tone of its own in each channel: channel k has 300 + 100 k Hz."""
    time = np.arange(samples) / rate
    pitch = 300 + 100 * np.arange(channels)[:, None]
    return (0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def pitches(x: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Return the strongest frequency of each channel, to 10 Hz."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(x.shape[1]), rate // 10))
    return spectrum.argmax(axis=1) * 10


def make(
    path: Path | str,
    x: np.ndarray,
    codec: str,
    layout: str | None = None,
    *,
    rate: int = RATE,
    sample_format: str | None = None,
    start: int = 0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
) -> None:
    """Encode x (channels, samples) into a file of one sound track, from sample `start` on."""
    with av.open(str(path), "w", format=format, options=container_options or {}) as container:
        stream = add_sound(container, codec, len(x), layout, rate, sample_format, options)
        encode(container, stream, x, start)


def add_sound(
    container: Any,
    codec: str,
    channels: int,
    layout: str | None = None,
    rate: int = RATE,
    sample_format: str | None = None,
    options: dict[str, str] | None = None,
) -> Any:
    """Add a sound track to an open container."""
    stream = container.add_stream(codec, rate=rate, options=options or {})
    stream.layout = layout or f"{channels} channels"
    offered = [f.name for f in stream.codec_context.codec.audio_formats or []] or ["flt"]
    finest = ("flt", "fltp", "dbl", "s32", "s32p", "s16", "s16p", "u8", "u8p")
    stream.format = sample_format or next(name for name in finest if name in offered)
    return stream


def encode(container: Any, stream: Any, x: np.ndarray, start: int = 0) -> None:
    """Encode x (channels, samples) as the whole of a sound track."""
    for packet in packets(stream, x, start):
        container.mux(packet)


def packets(stream: Any, x: np.ndarray, start: int = 0) -> list[Any]:
    """Return the packets of x (channels, samples), whose first sample is number `start`."""
    wanted, layout = stream.format.name, stream.layout
    kind = {"s64": "dbl"}.get(wanted, wanted.removesuffix("p"))
    packer = av.AudioResampler(wanted, layout)
    made = []
    for begin in range(0, x.shape[1], 1024):
        block = x[:, begin : begin + 1024].T.reshape(1, -1)
        if kind in _INTEGERS:
            full = 2.0 ** (_INTEGERS[kind] - 1)
            values = np.clip(np.rint(block.astype(float) * full), -full, full - 1)
            offset = 128 if kind == "u8" else 0
            block = (values + offset).astype("u1" if offset else f"i{_INTEGERS[kind] // 8}")
        else:
            block = block.astype({"flt": "f4", "dbl": "f8"}[kind])
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), kind, layout.name)
        frame.sample_rate, frame.time_base = stream.rate, Fraction(1, stream.rate)
        frame.pts = start + begin
        if wanted != kind:  # PyAV cannot fill eight planes, so the library itself parts them
            frame = packer.resample(frame)[0]
        made += stream.encode(frame)
    return made + stream.encode(None)
