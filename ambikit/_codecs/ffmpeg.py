"""Sound tracks of mp4, mov, mkv, webm, mpegts, avi and others, and .opus, through PyAV (FFmpeg).

The channels are taken as the decoder gives them. Asking FFmpeg for another layout would mix them:
from "5.1" to "4.0" it reorders the channels and lowers one by 3 dB.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from ambikit import checks
from ambikit._codecs import matroska, mp4, ogg, opus, riff
from ambikit._codecs.source import Source
from ambikit._codecs.statement import Track
from ambikit._errors import InputError
from ambikit._typing import FloatArray

# Not playlists and scripts, by which a file leads FFmpeg to other files or to the network
_ALONE = {
    "format_whitelist": "aac,ac3,aiff,ape,asf,au,avi,caf,dts,dtshd,eac3,flac,flv,matroska,webm,mov,"
    "mp3,mpeg,mpegts,mxf,nut,ogg,rm,tak,truehd,tta,w64,wav,wv"
}
_UNPARSED = {"fflags": "noparse"}
"""For Opus of family 3, of which FFmpeg's parser would let no packet pass."""
# PyAV looks for planes until it meets a null pointer, and a frame has room for eight pointers: from
# eight planes on it reads memory that is not the frame's (seen with PyAV 18).
_PLANES = 7
_PACKABLE = 64
"""Planes that FFmpeg's resampler takes."""
_SAMPLE_TYPES = ("u8", "s16", "s32", "flt", "dbl")
"""What PyAV hands to numpy."""
# Decoders carry state: Opus needs 80 ms to converge (RFC 7845, 4.6); after 0.5 s nothing is left.
_PREROLL = 0.5
_NEAR_END = 0.5
_SLACK = 0.1
"""Seconds by which a stated length may exceed the sound: it counts padding at both ends."""
_GAP = 0.03
"""Seconds from which a jump of the time stamps is a gap in the sound, or a cut back, and not their
rounding: less than a frame of the picture."""
_SURROUNDINGS = frozenset(
    getattr(errno, name) for name in ("EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ETIMEDOUT")
)
"""Errors that say nothing of the content of a file. EIO is none of them: FFmpeg reports it of
damaged files too."""
_MILLION = 1_000_000
_WRAPPING = ("mpegts", "mpeg")
_COUNTING = ("w64", "au", "aiff", "caf", "wv", "tta", "tak", "ape")
"""Formats whose header counts the samples; others estimate the length from the rate of bits."""


def tracks(source: Source) -> list[Track]:
    """List the tracks of sound."""
    notes = _end_of_file(source)
    with source.open() as file:
        boxes = mp4.statements(file)
    found = []
    with _open(source) as container:
        if not container.streams.audio:
            raise InputError(f"{source} has no sound track")
        for number, stream in enumerate(container.streams.audio):
            track = replace(_track(number, stream), notes=notes)
            if container.format.name == "flv":  # it states 44.1 kHz of AAC, whatever the rate is
                frame = next(_frames(container, stream, entered=False), None)
                rate = frame.sample_rate if frame else 0
                track = replace(track, sample_rate=rate)
            if stream.id in boxes:
                said = mp4.statement(*boxes[stream.id], track.channels)
                track = replace(track, statement=said or track.statement)
            found.append(track)
    if all(not track.channels or not track.sample_rate for track in found):
        raise InputError(
            f"{source} has no sound that can be decoded ({found[0].codec}): it is truncated, or "
            "its codec is unknown"
        )
    return found


def length(source: Source, track: Track) -> int:
    """Return where the sound ends, in samples from the beginning of the file."""
    rate = track.sample_rate
    with _open(source, track) as container:
        stream = container.streams.audio[track.number]
        origin = _origin(container, rate)
        ticks = None if stream.duration is None else (stream.start_time or 0) + stream.duration
        with source.open() as file:
            if ticks is not None and mp4.has_segment_index(file):
                ticks = stream.duration  # FFmpeg takes the end that is stated for the length
        stated = 0 if ticks is None else round(float(ticks * stream.time_base * rate)) - origin
        tagged = round(_tagged_seconds(stream) * rate) - origin
        mp4_like = "mp4" in container.format.name
        counted = container.format.name in _COUNTING
        whole = round((container.duration or 0) / _MILLION * rate)
        if "matroska" in container.format.name:
            whole -= origin  # counted from zero
    if mp4_like and stated > 0:
        with source.open() as file:
            if mp4.is_indexed(file):
                return stated
    guess = stated if (mp4_like or counted) and stated > 0 else whole
    # Matroska and Ogg count padding too, Matroska in milliseconds, and fragments of mp4 count what
    # is skipped at the beginning: look at the end itself.
    end = _last(source, track, max(0, guess - round(_NEAR_END * rate)))
    if mp4_like and 0 < stated <= end:
        return stated
    promised = max(tagged, stated if mp4_like or counted else 0)
    if promised - end > (0 if counted else _SLACK * rate):
        raise InputError(
            f"{source} is truncated: it breaks off at {end / rate:.3f} s, before the "
            f"{promised / rate:g} s that it states; copy or download it again"
        )
    return end


def channels(source: Source, track: Track, start: int, stop: int) -> FloatArray:
    """Decode the samples start to stop of every channel, in the decoder's order."""
    x = np.zeros((track.channels, stop - start), np.float32)
    reached = 0
    for position, block in _blocks(source, track, start):
        reached = position + block.shape[1]
        lower, upper = max(position, start), min(reached, stop)
        if lower < upper:
            x[:, lower - start : upper - start] = block[:, lower - position : upper - position]
        if reached >= stop:
            return x
    if 0 < stop - reached <= min(reached, _GAP * track.sample_rate):  # jumps too small for a gap
        return x
    raise InputError(
        f"{source} is truncated: {reached} samples of {stop} can be decoded; copy or download it "
        "again"
    )


def pyav(name: str) -> ModuleType:
    """Import PyAV, an optional dependency."""
    return checks.package("av", f"{name} is read and written through PyAV: it needs")


def _end_of_file(source: Source) -> tuple[str, ...]:
    """Refuse a file that is cut short by the sizes in it; return what is to be noted."""
    with source.open() as stream:
        head = stream.read(4)
        cut = any(kind.is_cut(stream) for kind in (matroska, mp4, riff))
        headless = mp4.lacks_beginning(stream)
    if headless:
        raise InputError(
            f"{source} is a segment of DASH or CMAF without its beginning: put the initialisation "
            "segment of its track before it, in one file"
        )
    if cut:
        raise InputError(
            f"{source} is truncated: by the sizes in it, it should be longer; copy or "
            "download it again"
        )
    return ogg.notes(source) if head == b"OggS" else ()


@contextmanager
def _open(source: Source, track: Track | None = None) -> Iterator[Any]:
    """Open a file; what FFmpeg refuses becomes one line about the file."""
    av = pyav(source.name)
    demixed = track and track.statement and track.statement.by == opus.FAMILY_3
    options = _ALONE | _UNPARSED if demixed else _ALONE
    try:
        with av.open(source.for_ffmpeg(), options=options, **_any_tags(av)) as container:
            yield container
    except av.FFmpegError as error:
        if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError):
            raise
        if error.errno in _SURROUNDINGS:
            raise OSError(error.errno, error.strerror, str(source)) from None
        raise InputError(
            f"{source} cannot be decoded ({error.strerror}): it is truncated, damaged or not a "
            "sound or video file"
        ) from error


def _any_tags(av: ModuleType) -> dict[str, str]:
    """Arguments of av.open for tags that are not UTF-8: PyAV before 19 refuses such a file."""
    return {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}


def _track(number: int, stream: Any) -> Track:
    """Describe a track of sound, as far as FFmpeg knows it."""
    codec = stream.codec_context
    if codec is None:
        return Track(number, 0, 0, "unknown codec")
    name, rate = codec.codec.canonical_name, int(stream.sample_rate or 0)
    matrix = opus.demixing(bytes(codec.extradata or b"")) if name == "opus" else None
    if matrix is not None:
        rows, columns = matrix.shape
        if columns == 0:
            return Track(number, 0, rate, "opus of family 3 whose demixing matrix is cut short")
        said = opus.statement(opus.FAMILY_3, rows)
        return Track(number, rows, rate, name, f"{rows} channels", said)
    layout = _layout(codec)
    track = Track(number, int(layout.nb_channels), rate, name, layout.name)
    if track.channel_layout.startswith("ambisonic"):
        by = "Opus mapping family 2" if name == "opus" else "channel layout"
        return replace(track, statement=opus.statement(by, track.channels))
    return track


def _layout(owner: Any) -> Any:
    """Return the layout of a decoder or a frame, never to be freed if it lists its channels.

    PyAV would free the list with it, which belongs to the decoder or frame and is freed once more:
    that ends the process (seen with PyAV 18, QuickTime's B-format).
    """
    layout = owner.layout
    if _lists_channels(layout):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout


def _lists_channels(layout: Any) -> bool:
    """Tell whether a layout is a list of channels, such as ``4 channels (AMBI0+AMBI3+...)``."""
    return "(" in layout.name


def _origin(container: Any, rate: int) -> int:
    """Return the time stamp, in samples, at which the file begins: its first stream's.

    A negative one is the lead of a decoder, which does not come out of it; but the clock of MPEG
    streams wraps after 26.5 hours, and FFmpeg counts back from there.
    """
    start = container.start_time or 0
    if container.format.name not in _WRAPPING:
        start = max(0, start)
    return round(start / _MILLION * rate)


def _tagged_seconds(stream: Any) -> float:
    """Return the length of a Matroska track by its tag, 0 where there is none that makes sense."""
    try:
        hours, minutes, seconds = map(float, stream.metadata.get("DURATION", "").split(":"))
    except ValueError:
        return 0.0
    stated = hours * 3600 + minutes * 60 + seconds
    return stated if 0.0 < stated < math.inf else 0.0


def _last(source: Source, track: Track, near_end: int) -> int:
    """Return the end of the last block."""
    end = 0
    for position, block in _blocks(source, track, near_end):
        end = position + block.shape[1]
    if end == 0 and near_end > 0:  # an index that leads astray
        return _last(source, track, 0)
    return end


def _blocks(source: Source, track: Track, start: int) -> Iterator[tuple[int, FloatArray]]:
    """Yield (position of the first sample, channels) of the decoded blocks from about `start` on.

    Positions count from the beginning of the file.
    """
    rate = track.sample_rate
    with _open(source, track) as container:
        stream = container.streams.audio[track.number]
        unmix = _unmixer(stream)
        origin = _origin(container, rate)
        tick = float(stream.time_base * rate)
        seconds = (start + origin) / rate - _PREROLL
        # A clock of milliseconds does not tell the sample. Blocks are equally long in every codec
        # but Vorbis, so the ends of the first two give the grid on which all others end.
        coarse = tick > 1
        grid = (1, 0)
        seek = start / rate > _PREROLL and not (coarse and stream.codec_context.name == "vorbis")
        if seek:
            grid = _grid(source, track) if coarse else grid
            container.seek(int(seconds / stream.time_base), stream=stream)
        end: int | None = None
        for frame, following in _with_next(_frames(container, stream, seek)):
            begin = 0.0 if frame.pts is None else frame.pts * tick
            if end is None:
                size, phase = grid
                # Of the last block of all, which may be short, the beginning is on the grid
                known = 0 if following else frame.samples
                end = phase + known + size * round((begin + frame.samples - known - phase) / size)
            elif frame.pts is not None and abs(begin - end) > _GAP * rate:
                end = round(begin) + frame.samples
            else:
                end += frame.samples
            x = unmix(_samples(source, frame))
            if len(x) != track.channels or frame.sample_rate != rate:
                raise InputError(
                    f"{source} changes from {track.channels} channels at {rate} Hz to {len(x)} at "
                    f"{frame.sample_rate} Hz, {(end - frame.samples) / rate:.3f} s in: cut it there"
                )
            yield end - frame.samples - origin, x


def _frames(container: Any, stream: Any, entered: bool) -> Iterator[Any]:
    """Decode a track; a file that is entered somewhere may begin within a packet (MPEG-PS)."""
    av = pyav("")
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.ArgumentError:
            if packet.size:
                raise
            continue  # AAC in FLV begins with an empty packet
        except av.error.InvalidDataError:
            if not entered:
                raise
            continue
        entered = entered and not frames
        yield from frames


def _with_next(frames: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each frame that holds something with the one after it, None after the last."""
    held = None
    for frame in frames:
        if frame.samples:
            if held is not None:
                yield held, frame
            held = frame
    if held is not None:
        yield held, None


def _unmixer(stream: Any) -> Any:
    """Return what makes the channels of a track out of those that are decoded."""
    header = bytes(stream.codec_context.extradata or b"")
    matrix = opus.demixing(header) if stream.codec_context.name == "opus" else None
    if matrix is None:
        return lambda x: x
    stream.codec_context.extradata = opus.as_discrete(header)
    return lambda x: matrix @ x


def _grid(source: Source, track: Track) -> tuple[int, int]:
    """Return the length of a block and where the first block ends, by the time stamps."""
    with _open(source, track) as container:
        stream = container.streams.audio[track.number]
        _unmixer(stream)
        blocks = list(itertools.islice(_frames(container, stream, entered=False), 2))
        if not blocks or blocks[0].pts is None:
            return 1, 0
        start = round(float(blocks[0].pts * stream.time_base * blocks[0].sample_rate))
        return blocks[-1].samples, start + blocks[0].samples


def _samples(source: Source, frame: Any) -> FloatArray:
    """Return a decoded frame as (channels, samples) float32; integers are scaled to ±1."""
    layout = _layout(frame)
    count = layout.nb_channels
    many = frame.format.is_planar and count > _PLANES
    if many or frame.format.packed.name not in _SAMPLE_TYPES:
        if count > _PACKABLE or _lists_channels(layout):
            raise InputError(
                f"{source} holds {layout.name}, which cannot be brought together: convert it to "
                ".wav or .w64"
            )
        frame = _packed(frame)
    x: FloatArray = frame.to_ndarray()
    if not frame.format.is_planar:
        x = x.reshape(-1, count).T
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
