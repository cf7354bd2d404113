"""Sound tracks of mp4, m4a, mov, mkv and webm files, and .opus, through PyAV (FFmpeg).

The planes are taken as the decoder gives them. Asking FFmpeg for another layout would mix them:
from "5.1" to "4.0" it reorders the planes and lowers one by 3 dB.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ambikit import checks
from ambikit._codecs import Properties, mp4
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

_ENCODERS = {"opus": "libopus"}
# Stereo coding and noise substitution would spoil the phases between planes; the default search
# for quantisers takes three times as long for the same error.
_OPTIONS = {"aac": {"aac_coder": "fast", "aac_is": "0", "aac_ms": "0", "aac_pns": "0"}}
# Ogg and Matroska would number each file at random.
_CONTAINER = {"fflags": "+bitexact"}
# 128 kb/s for each plane at 48 kHz
_BITS_PER_SAMPLE = 8 / 3
_BLOCK = 1024
# PyAV looks for planes until it meets a null pointer, and a frame has room for eight pointers: from
# eight planes on it reads memory that is not the frame's (seen with PyAV 18).
_PLANES = 7
_SAMPLE_TYPES = ("u8", "s16", "s32", "flt", "dbl")
"""What PyAV hands to numpy."""
# Decoders carry state: Opus needs 80 ms to converge (RFC 7845, 4.6); after 0.5 s nothing is left.
_PREROLL = 0.5
# The tag counts padding at both ends.
_SLACK = 0.1


def properties(path: Path) -> Properties:
    """Describe the first sound track."""
    with _open(path) as (_, stream):
        codec = stream.codec_context
        labels, name, rate = codec.layout.name, codec.codec.canonical_name, int(stream.sample_rate)
        found = Properties(int(stream.channels), rate, 0, name, labels)
    found = found._replace(frames=_frames(path))
    box = mp4.read_box(path)
    if box is not None:
        convention = "ambix+stereo" if box.head_locked_stereo else "ambix"
        return found._replace(
            convention=convention, stated_by="SA3D box", order=box.plane_order(found.channels)
        )
    if labels.startswith("ambisonic"):
        return found._replace(convention="ambix", stated_by="channel layout")
    return found


def planes(path: Path, start: int, stop: int) -> FloatArray:
    """Decode the samples start to stop of every plane, in the decoder's order."""
    x: FloatArray | None = None
    reached = 0
    for position, block in _blocks(path, start):
        if x is None:
            x = np.zeros((len(block), stop - start), np.float32)
        reached = position + block.shape[1]
        lower, upper = max(position, start), min(reached, stop)
        if lower < upper:
            x[:, lower - start : upper - start] = block[:, lower - position : upper - position]
        if reached >= stop:
            return x
    raise InputError(
        f"{path} is truncated: {reached} samples of {stop} can be decoded; copy or download it "
        "again"
    )


def save(
    path: Path,
    x: FloatArray,
    sample_rate: int,
    suffix: str,
    subtype: str | None,
    labels: str | None,
) -> None:
    """Encode planes; `labels` is the layout that the file names, None for Ambisonic planes."""
    av = _pyav(path)
    codec = (subtype or CODECS[suffix]).lower()
    order = math.isqrt(len(x)) - 1
    if labels is None:
        labels = f"ambisonic {order}" if codec == "opus" else "4.0"
    options = {"mapping_family": "2"} if labels.startswith("ambisonic") else _OPTIONS.get(codec, {})
    try:
        with av.open(str(path), "w", options=_CONTAINER) as container:
            stream = container.add_stream(
                _ENCODERS.get(codec, codec), rate=sample_rate, options=options
            )
            stream.layout = labels
            if stream.layout.nb_channels != len(x):
                raise ValueError(f"layout {labels} has {stream.layout.nb_channels} channels")
            stream.format = _sample_format(stream.codec_context.codec)
            if codec in ("aac", "opus"):
                stream.bit_rate = round(_BITS_PER_SAMPLE * sample_rate * len(x))
            for packet in _packets(av, stream, x, sample_rate):
                container.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):  # a full disk, which no other format mends
            raise
        raise InputError(
            f"a {suffix} file cannot hold {len(x)} channels at {sample_rate} Hz as {codec} "
            f"({error}): choose another subtype, extension or sample rate"
        ) from error
    if suffix in (".mp4", ".m4a", ".mov") and labels == "4.0":
        mp4.write_box(path, order)


def _pyav(path: Path) -> ModuleType:
    """Import PyAV, an optional dependency."""
    return checks.package("av", f"{path} is read and written through PyAV: it needs")


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file at its first sound track; what FFmpeg refuses becomes one line about the file."""
    av = _pyav(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path} has no sound track")
            stream = container.streams.audio[0]
            if not stream.channels or not stream.sample_rate:
                raise InputError(f"{path} is truncated: its sound track has no header")
            yield container, stream
    except av.FFmpegError as error:
        raise InputError(
            f"{path} cannot be decoded ({error.strerror}): it is truncated, damaged or not a "
            "sound or video file"
        ) from error


def _frames(path: Path) -> int:
    """Return where the sound ends, in samples from time zero."""
    with _open(path) as (container, stream):
        rate, declared = int(stream.sample_rate), _tagged_seconds(stream)
        if stream.duration is not None and "mp4" in container.format.name:
            ticks = (stream.start_time or 0) + stream.duration
            return round(float(ticks * stream.time_base * rate))
        near_end = int((container.duration or 0) / 1_000_000 * rate) - rate
    # Matroska and Ogg count padding too, Matroska in milliseconds: look at the end itself.
    end = 0
    for position, block in _blocks(path, max(near_end, 0)):
        end = position + block.shape[1]
    if declared - end / rate > _SLACK:
        raise InputError(
            f"{path} is truncated: it breaks off before {declared:g} s; copy or download it again"
        )
    return end


def _tagged_seconds(stream: Any) -> float:
    """Return the length of a Matroska track by its tag, 0 where there is none."""
    hours, minutes, seconds = stream.metadata.get("DURATION", "0:0:0").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _blocks(path: Path, start: int) -> Iterator[tuple[int, FloatArray]]:
    """Yield (position of the first sample, planes) of the decoded blocks from about `start` on."""
    with _open(path) as (container, stream):
        rate = int(stream.sample_rate)
        tick = float(stream.time_base * rate)
        seconds = start / rate - _PREROLL
        # A clock of milliseconds does not tell the sample. Blocks are equally long in every codec
        # but Vorbis, so the ends of the first two give the grid on which all others end.
        coarse = tick > 1
        grid = (1, 0)
        seek = seconds > 0 and not (coarse and stream.codec_context.name == "vorbis")
        if seek:
            grid = _grid(path) if coarse else grid
            container.seek(int(seconds / stream.time_base), stream=stream)
        end: int | None = None
        for frame in container.decode(stream):
            if end is None:
                length, phase = grid
                end = phase + length * round((frame.pts * tick + frame.samples - phase) / length)
            else:
                end += frame.samples
            yield end - frame.samples, _samples(frame)


def _grid(path: Path) -> tuple[int, int]:
    """Return the length of a block and where the first block ends."""
    with _open(path) as (container, stream):
        blocks = list(itertools.islice(container.decode(stream), 2))
        if not blocks:
            return 1, 0
        start = round(float(blocks[0].pts * stream.time_base * stream.sample_rate))
        return blocks[-1].samples, start + blocks[0].samples


def _samples(frame: Any) -> FloatArray:
    """Return a decoded frame as (channels, samples) float32; integers are scaled to ±1."""
    many = frame.format.is_planar and frame.layout.nb_channels > _PLANES
    if many or frame.format.packed.name not in _SAMPLE_TYPES:
        frame = _packed(frame)
    x: FloatArray = frame.to_ndarray()
    if not frame.format.is_planar:
        x = x.reshape(-1, frame.layout.nb_channels).T
    if x.dtype.kind == "u":
        return (x.astype(np.float32) - 128) / 128
    scale = 1.0 if x.dtype.kind == "f" else 2.0 ** (1 - 8 * x.dtype.itemsize)
    return np.multiply(x, scale, dtype=np.float32)


def _packed(frame: Any) -> Any:
    """Return the frame with its channels interleaved: another sample format, the same layout."""
    from av import AudioResampler

    name = frame.format.packed.name
    packer = AudioResampler(name if name in _SAMPLE_TYPES else "flt", frame.layout)
    return packer.resample(frame)[0]


def _sample_format(codec: Any) -> str:
    """Choose the finest sample type that the encoder takes."""
    names = [f.name for f in codec.audio_formats]
    return next(name for name in ("fltp", "flt", "s32p", "s32", "s16p", "s16") if name in names)


def _packets(av: ModuleType, stream: Any, x: FloatArray, sample_rate: int) -> Iterator[Any]:
    """Encode planes block by block."""
    form = stream.format
    for start in range(0, x.shape[1], _BLOCK):
        block = x[:, start : start + _BLOCK].astype(np.float32)
        if not form.name.startswith("flt"):
            bits = 8 * form.bytes
            full = 2.0 ** (bits - 1)
            block = np.clip(np.rint(block * full), -full, full - 2 ** max(bits - 24, 0))
            block = block.astype(f"i{form.bytes}")
        if not form.is_planar:
            block = block.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(block), format=form.name, layout=stream.layout.name
        )
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)
