"""A clip's picture as a member of a shard: coded anew, or cut out of its file as it is."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from ambikit import InputError
from ambikit_learn._typing import Frames
from ambikit_learn.sphere.projection import FrameLayout
from ambikit_learn.sphere.recognition import recognise
from ambikit_learn.video.coding import encode_frames
from ambikit_learn.video.decode import (
    HELD,
    STAMP,
    UNPROBED,
    frame_rate_of,
    open_video,
    origin_of,
    shown_at,
)
from ambikit_learn.video.files import probe, scaled, stream_frames

MODES = ("auto", "encode", "copy")
"""When a stream is copied: if it is as it would be coded, never, or wherever it can be."""

SEEK = 1.0
"""Seconds from key frame to key frame within which a stream is cheap to enter anywhere."""

GAP = 1.0
"""Seconds for which one frame may be shown before it is noted."""

STILL = 4.0
"""Grey levels by which some 4 x 4 block must change for a picture to move; coding noise stays
below 2."""

_COPIED_PIXELS = ("yuv420p", "yuvj420p")
_LOOKED_AT, _FEWEST = 16, 4


@dataclass(frozen=True)
class Picture:
    """The picture of a clip.

    Parameters
    ----------
    data : bytes
        What `ambikit_learn.video.coding.decode_frames` reads.
    seconds : float
        Its length.
    layout : FrameLayout
        How the file showed the sphere; `data` is equirectangular.
    still : bool
        Nothing moves, as far as up to 16 frames tell.
    copied : bool
        The stream is that of the file.
    gap : bool
        No frame begins for a second or more.
    """

    data: bytes
    seconds: float
    layout: FrameLayout
    still: bool
    copied: bool
    gap: bool = False


def transcode(
    path: Path,
    start: float,
    seconds: float,
    *,
    rate: float,
    size: tuple[int, int],
    layout: FrameLayout | None = None,
    stereo: str | None = None,
    mode: str = "auto",
) -> Picture:
    """Make the picture of a clip.

    Parameters
    ----------
    path : Path
        Video file.
    start, seconds : float
        The span to take.
    rate : float
        Frames per second to code.
    size : (height, width)
        Size to code.
    layout : FrameLayout, optional
        What the file states; recognised by the looks when not given.
    stereo : {"mono", "top-bottom", "left-right"}, optional
        Eyes in a frame of the file, if that is known where its projection is not.
    mode : {"auto", "encode", "copy"}
        As `MODES` says.

    Returns
    -------
    Picture

    Raises
    ------
    FileNotFoundError, InputError
        As for `ambikit_learn.video.files.read_frames`.

    Notes
    -----
    Only H.264 in 4:2:0 that shows one equirectangular picture can be copied. It is as it would be
    coded if it also has this size and rate and a key frame every second.

    A copy begins with the last key frame before the span, and the edit list of the mp4 file says
    where the span itself begins. Its packets are not decoded, so damage within them shows only when
    they are read; and to read from it costs half the distance of its key frames every time.
    """
    if mode != "encode" and layout in (None, FrameLayout()):
        only = rate if mode == "auto" else None
        picture = copy_span(
            path, start, seconds, size=size, only=only, layout=layout, stereo=stereo
        )
        if picture is not None:
            return picture
    return encode_span(path, start, seconds, rate=rate, size=size, layout=layout, stereo=stereo)


def encode_span(
    path: Path,
    start: float,
    seconds: float,
    *,
    rate: float,
    size: tuple[int, int],
    layout: FrameLayout | None = None,
    stereo: str | None = None,
) -> Picture:
    """Code a span anew, holding a frame at a time.

    Parameters
    ----------
    path, start, seconds, rate, size, layout, stereo
        As for `transcode`.

    Returns
    -------
    Picture

    Raises
    ------
    FileNotFoundError, InputError
        As for `ambikit_learn.video.files.read_frames`.
    """
    shown = layout or FrameLayout(stereo=stereo or "mono")
    frames = stream_frames(path, start=start, duration=seconds, rate=rate, size=size, layout=shown)
    count = max(1, round(seconds * rate))
    some: list[Frames] = []
    held = _Held()
    data = encode_frames(_noting(held.watching(frames), _spread(count), some), rate)
    looks = np.stack(some)
    # Metadata seldom outlives a download: most cubemaps show only once they are seen.
    if layout is None or layout.assumed:
        info = probe(path)
        found = recognise(looks, (info.height, info.width), stereo)
        found = replace(found, upright=shown.upright)
        if found != shown:
            known = replace(found, assumed=False)
            again = encode_span(path, start, seconds, rate=rate, size=size, layout=known)
            return replace(again, layout=found)
        shown = found
    gap = held.longest > GAP * rate
    return Picture(data, count / rate, shown, is_still(looks), copied=False, gap=gap)


def copy_span(
    path: Path,
    start: float,
    seconds: float,
    *,
    size: tuple[int, int],
    only: float | None = None,
    layout: FrameLayout | None = None,
    stereo: str | None = None,
) -> Picture | None:
    """Cut a span out of a file without decoding it.

    Parameters
    ----------
    path : Path
        Video file.
    start, seconds : float
        The span.
    size : (height, width)
        Of the frames to look at.
    only : float, optional
        Copy nothing but what has this rate and `size`, and a key frame every `SEEK` seconds.
    layout : FrameLayout, optional
        What the file states.

    Returns
    -------
    Picture or None
        None if the stream is not to be copied, or cannot be.

    Raises
    ------
    FileNotFoundError, InputError
        As for `ambikit_learn.video.files.read_frames`.
    """
    with open_video(path) as (container, stream):
        if stream.codec_context.name != "h264" or stream.pix_fmt not in _COPIED_PIXELS:
            return None
        same = (stream.height, stream.width, frame_rate_of(stream)) == (*size, only)
        if only is not None and not same:
            return None
        shape = stream.height, stream.width
        packets = _packets(container, stream, start, start + seconds)
        moments = {packet.pts for packet in packets}
        if len(moments) < len(packets) or None in moments or not packets[0].is_keyframe:
            return None
        zero = round((start + origin_of(container)) / stream.time_base)
        end = max(packet.pts + (packet.duration or 0) for packet in packets)
        lasting = float((end - zero) * stream.time_base)
        if lasting + HELD < seconds or any(packet.is_corrupt for packet in packets):
            raise InputError(
                f"{path} ends or is damaged before {start + seconds:.2f} s: it is truncated, or "
                "less should be asked for"
            )
        keys = sorted(packet.pts for packet in packets if packet.is_keyframe)
        gaps = np.diff([*keys, end]) * float(stream.time_base)
        if only is not None and gaps.max() > SEEK + STAMP:
            return None
        apart = np.diff(sorted(packet.pts for packet in packets), append=end)
        gap = bool(apart.max() * float(stream.time_base) > GAP)
        data = _remuxed(stream, packets, zero)
    looks = _looks(data, seconds, size)
    found = layout or recognise(looks, shape, stereo)
    if found != FrameLayout():
        return None
    # Stamps of whole milliseconds must not cost the last frame.
    lasting = min(seconds, lasting + 2 * STAMP)
    return Picture(data, lasting, found, is_still(looks), copied=True, gap=gap)


def is_still(frames: Frames) -> bool:
    """Tell whether nothing moves.

    Parameters
    ----------
    frames : (T, H, W, 3) uint8 array
        Of which the green is looked at.

    Returns
    -------
    bool
    """
    green = frames[..., 1]
    count, height, width = green.shape
    blocks = green[:, : height // 4 * 4, : width // 4 * 4].reshape(
        count, height // 4, 4, width // 4, 4
    )
    means = blocks.mean(axis=(2, 4), dtype=np.float32)
    return bool(np.ptp(means, axis=0).max() < STILL)


class _Held:
    """Counts for how many times in a row the same frame is given."""

    longest = 0

    def watching(self, frames: Iterable[Frames]) -> Iterator[Frames]:
        """Pass frames on."""
        last, count = None, 0
        for frame in frames:
            count = count + 1 if frame is last else 1
            self.longest, last = max(self.longest, count), frame
            yield frame


def _spread(count: int) -> set[int]:
    """Choose up to 16 of some frames, evenly spread."""
    return {int(i) for i in np.linspace(0, count - 1, _LOOKED_AT)}


def _noting(frames: Iterable[Frames], chosen: set[int], kept: list[Frames]) -> Iterator[Frames]:
    """Pass frames on, keeping some."""
    for i, frame in enumerate(frames):
        if i in chosen:
            kept.append(frame)
        yield frame


def _packets(container: Any, stream: Any, start: float, end: float) -> list[Any]:
    """Packets from the last key frame before the start to the end, in the order of decoding."""
    first, last = (round((t + origin_of(container)) / stream.time_base) for t in (start, end))
    early = first + round(STAMP / stream.time_base)
    packets: list[Any] = []
    for place in (first, 0):  # an index may lead astray; the beginning is always right
        container.seek(place, stream=stream)
        packets = []
        for packet in container.demux(stream):
            if packet.size == 0:  # the end of the file
                break
            if packet.is_keyframe and packet.pts is not None and packet.pts <= early:
                packets = []
            packets.append(packet)
            # Nothing that is decoded later is shown earlier than this.
            if packet.dts is not None and packet.dts >= last:
                break
        if packets and packets[0].is_keyframe and (packets[0].pts or 0) <= early:
            break
    return packets


def _remuxed(stream: Any, packets: list[Any], zero: int) -> bytes:
    """Write packets as an mp4 file that begins at `zero`."""
    # What is shown at the beginning begins there: FFmpeg passes over what begins before.
    late = zero + round(STAMP / stream.time_base)
    begun = [packet for packet in packets if packet.pts <= late]
    if begun:
        max(begun, key=lambda packet: int(packet.pts)).pts = zero
    shown = sorted(packet.pts for packet in packets)
    # Matroska has no times of decoding: those of showing in their order, early enough for all.
    delay = max(time - packet.pts for time, packet in zip(shown, packets, strict=True))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        copy = container.add_stream_from_template(stream)
        for time, packet in zip(shown, packets, strict=True):
            packet.pts, packet.dts = packet.pts - zero, time - delay - zero
            packet.stream = copy
            container.mux(packet)
    return buffer.getvalue()


def _looks(data: bytes, seconds: float, size: tuple[int, int]) -> Frames:
    """Look at a copied stream until something moves, or at up to 16 frames, evenly spread."""
    some: list[Frames] = []
    last = None
    with av.open(io.BytesIO(data), "r", format="mp4", options=UNPROBED) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.skip_frame = "BIDIR"  # half the work, and nothing rests on them
        timed = ((frame.time, frame) for frame in container.decode(stream))
        for frame in shown_at(np.arange(_LOOKED_AT) * seconds / _LOOKED_AT, timed):
            if frame is not last:
                some.append(scaled(frame, *size))
                last = frame
            if len(some) >= _FEWEST and not is_still(np.stack(some)):
                break
    return np.stack(some)
