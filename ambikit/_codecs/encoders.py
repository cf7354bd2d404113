"""Sound tracks of mp4, m4a, mov, mkv, webm and .opus files, written through PyAV (FFmpeg)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ambikit._codecs import mp4
from ambikit._codecs.ffmpeg import pyav
from ambikit._errors import InputError
from ambikit._typing import FloatArray

CODECS = {
    ".m4a": "aac",
    ".mp4": "aac",
    ".mov": "aac",
    ".mkv": "flac",
    ".mka": "flac",
    ".webm": "opus",
    ".opus": "opus",
}
"""Default codec by file extension."""

_BOXED = (".mp4", ".m4a", ".mov")
_ENCODERS = {"opus": "libopus"}
_FLOAT = ("aac", "opus", "libopus", "vorbis", "wavpack")
"""Codecs that take samples beyond ±1."""
# Stereo coding and noise substitution would spoil the phases between channels; the default search
# for quantisers takes three times as long for the same error.
_OPTIONS = {"aac": {"aac_coder": "fast", "aac_is": "0", "aac_ms": "0", "aac_pns": "0"}}
# Ogg and Matroska would number each file at random.
_CONTAINER = {"fflags": "+bitexact"}
# 128 kb/s for each channel at 48 kHz
_BITS_PER_SAMPLE = 8 / 3
_BLOCK = 1024


def clips(suffix: str, subtype: str | None) -> bool:
    """Tell whether a codec holds nothing beyond ±1."""
    codec = (subtype or CODECS[suffix]).lower()
    return codec not in _FLOAT and not codec.startswith("pcm_f")


def save(
    path: Path,
    x: FloatArray,
    sample_rate: int,
    suffix: str,
    subtype: str | None,
    labels: str | None,
) -> None:
    """Encode channels; `labels` is the layout that the file names, None for Ambisonic channels."""
    av = pyav(str(path))
    codec = (subtype or CODECS[suffix]).lower()
    order = math.isqrt(len(x)) - 1
    ambisonic = labels is None
    if labels is None:
        labels = f"ambisonic {order}" if codec in ("opus", "libopus") else _unnamed(len(x))
    options = {"mapping_family": "2"} if labels.startswith("ambisonic") else _OPTIONS.get(codec, {})
    try:
        settings = dict(_CONTAINER)
        if suffix in _BOXED:  # edit lists count in its ticks, by default of 1 ms
            settings["movie_timescale"] = str(sample_rate)
        with av.open(f"file:{path}", "w", options=settings) as container:
            stream = container.add_stream(
                _ENCODERS.get(codec, codec), rate=sample_rate, options=options
            )
            stream.layout = labels
            if stream.layout.nb_channels != len(x):
                raise ValueError(f"layout {labels} has {stream.layout.nb_channels} channels")
            stream.format = _sample_format(stream.codec_context.codec)
            if codec in ("aac", "opus", "libopus"):
                stream.bit_rate = round(_BITS_PER_SAMPLE * sample_rate * len(x))
            for packet in _packets(av, stream, x, sample_rate):
                container.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):  # a full disk, which no other format remedies
            raise
        raise InputError(
            f"a {suffix} file cannot hold {len(x)} channels at {sample_rate} Hz as {codec} "
            f"({error}): choose another subtype, extension or sample rate"
        ) from error
    if suffix in _BOXED and ambisonic:
        mp4.write_box(path, order)


def _unnamed(channels: int) -> str:
    """Return a layout of so many channels; codecs with layouts of their own know "4.0"."""
    return "4.0" if channels == 4 else f"{channels} channels"


def _sample_format(codec: Any) -> str:
    """Choose the finest sample type that the encoder takes."""
    names = [f.name for f in codec.audio_formats]
    return next(n for n in ("fltp", "flt", "dbl", "s32p", "s32", "s16p", "s16", "u8") if n in names)


def _packets(av: ModuleType, stream: Any, x: FloatArray, sample_rate: int) -> Iterator[Any]:
    """Encode channels block by block."""
    form = stream.format
    # PyAV fills eight planes no better than it reads them: FFmpeg itself takes them apart
    kind = form.name if len(x) < 8 else form.packed.name
    parter = None if kind == form.name else av.AudioResampler(form.name, stream.layout)
    for start in range(0, x.shape[1], _BLOCK):
        block = _as_type(x[:, start : start + _BLOCK], kind)
        if not kind.endswith("p"):
            block = block.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block), format=kind, layout=stream.layout.name
        )
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        if parter is not None:
            frame = parter.resample(frame)[0]
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _as_type(x: FloatArray, kind: str) -> Any:
    """Return samples as the numbers that a sample format holds."""
    name = kind.removesuffix("p")
    if name in ("flt", "dbl"):
        return x.astype(np.float32 if name == "flt" else np.float64)
    bits = {"u8": 8, "s16": 16, "s32": 32}[name]
    full = 2.0 ** (bits - 1)
    # float32 holds 24 bits: the largest that does not round up beyond the type
    values = np.clip(np.rint(x * full), -full, full - 2 ** max(bits - 24, 0))
    return (values + 128).astype(np.uint8) if name == "u8" else values.astype(f"i{bits // 8}")
