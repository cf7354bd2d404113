"""A clip's picture as a member of a shard: coded anew, or cut out of its file as it is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import av
import numpy as np

from ambikit import InputError
from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.projection import FrameLayout, equirectangular_size
from ambikit_learn.sphere.recognition import NotASphereError, recognise
from ambikit_learn.video.coding import encode_frames
from ambikit_learn.video.decode import HELD, STAMP, UNPROBED, Video, shown_at
from ambikit_learn.video.files import Pictures, ends_early, scaled, shape_of

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


_PLAIN = FrameLayout()


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


class Watcher(Protocol):
    """What looks at the frames of a clip at their own size while they are decoded.

    Attributes
    ----------
    times : (n,) array
        Seconds from the beginning of the clip at which it wants frames, rising.
    """

    times: Floats

    def begin(self) -> None:
        """Forget what was taken before: the clip is decoded from its beginning."""

    def take(self, frame: Frames) -> None:
        """Take the equirectangular frame (H, W, 3) of the next time."""


def coded_seconds(seconds: float, rate: float) -> float:
    """Return how long a span is when it is coded: whole frames, one at least."""
    return max(1, round(seconds * rate)) / rate


def encode_span(
    video: Video,
    start: float,
    seconds: float,
    *,
    rate: float,
    size: tuple[int, int],
    layout: FrameLayout | None = None,
    stereo: str | None = None,
    watcher: Watcher | None = None,
) -> Picture:
    """Code a span anew, in one pass that holds a frame at a time.

    Parameters
    ----------
    video : Video
        Open file.
    start, seconds : float
        The span to take.
    rate : float
        Frames per second to code.
    size : (height, width)
        Size to code.
    layout : FrameLayout, optional
        What is stated of the file; recognised in the frames when it is not given, or assumed.
    stereo : {"mono", "top-bottom", "left-right"}, optional
        Eyes in a frame of the file, if that is known where its projection is not.
    watcher : Watcher, optional
        Looks at frames of the same pass.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        As for `ambikit_learn.video.files.read_frames`.
    """
    times = start + np.arange(max(1, round(seconds * rate))) / rate
    first = layout or FrameLayout(stereo=stereo or "mono")
    settled = layout is not None and not layout.assumed
    # Metadata seldom outlives a download: most cubemaps show only once they are seen. The first
    # frame nearly always tells what all that are looked at tell; otherwise the pass is repeated.
    found = first if settled else _guess(video, start, size, first, stereo)
    shown = None
    while shown != found:
        shown = found
        data, looks, before, held = _coded(video, start, times, rate, size, shown, first, watcher)
        if not settled:
            found = _recognised(video, before, first, stereo)
    still, gap = is_still(looks), held > GAP * rate
    return Picture(data, len(times) / rate, found, still, copied=False, gap=gap)


def _guess(
    video: Video, start: float, size: tuple[int, int], first: FrameLayout, stereo: str | None
) -> FrameLayout:
    """Tell from one frame how those of a file show the sphere."""
    look = Pictures(first, size).of(video.first_frame(start))
    try:
        return _recognised(video, look[None], first, stereo)
    except NotASphereError:
        return first  # what all frames show is to decide


def _recognised(
    video: Video, frames: Frames, first: FrameLayout, stereo: str | None
) -> FrameLayout:
    """Tell from some frames, taken as of layout `first`, how they show the sphere."""
    found = recognise(frames, _shape(video, first), stereo)
    return replace(found, upright=first.upright)


def copy_span(
    video: Video,
    start: float,
    seconds: float,
    *,
    rate: float,
    size: tuple[int, int],
    layout: FrameLayout | None = None,
    stereo: str | None = None,
    mode: str = "auto",
) -> Picture | None:
    """Cut a span out of a file without decoding it, where `mode` says so.

    Parameters
    ----------
    video : Video
        Open file.
    start, seconds : float
        The span.
    rate : float
        Frames per second that would be coded.
    size : (height, width)
        Size that would be coded, and of the frames that are looked at.
    layout : FrameLayout, optional
        What is stated of the file; recognised in the frames when not given.
    stereo : {"mono", "top-bottom", "left-right"}, optional
        Eyes in a frame of the file, if that is known where its projection is not.
    mode : {"auto", "encode", "copy"}
        As `MODES` says.

    Returns
    -------
    Picture or None
        None if the stream is not to be copied, or cannot be.

    Raises
    ------
    InputError
        As for `ambikit_learn.video.files.read_frames`.

    Notes
    -----
    Only H.264 in 4:2:0 that shows one equirectangular picture can be copied. It is as it would be
    coded if it also has this size and rate and a key frame every second.

    A copy begins with the last key frame before the span, and the edit list of the mp4 file says
    where the span itself begins. Its packets are not decoded, so damage within them shows only when
    they are read; and to read from it costs half the distance of its key frames every time.
    """
    stream, alike = video.stream, mode == "auto"
    if mode == "encode" or layout not in (None, _PLAIN):
        return None
    if stream.codec_context.name != "h264" or stream.pix_fmt not in _COPIED_PIXELS:
        return None
    if alike and (stream.height, stream.width, video.frame_rate) != (*size, rate):
        return None
    packets = _packets(video, start, start + seconds)
    stamps = {packet.pts for packet in packets}
    zero = round((start + video.origin) / stream.time_base)
    if len(stamps) < len(packets) or None in stamps or not packets[0].is_keyframe:
        return None
    if packets[0].pts > zero + round(STAMP / stream.time_base):  # a copy would begin later
        return None
    end = max(packet.pts + (packet.duration or 0) for packet in packets)
    lasting = float((end - zero) * stream.time_base)
    if lasting + HELD < seconds or any(packet.is_corrupt for packet in packets):
        raise InputError(
            f"{video.path} ends or is damaged before {start + seconds:.2f} s: it is truncated, or "
            "less should be asked for"
        )
    keys = sorted(packet.pts for packet in packets if packet.is_keyframe)
    gaps = np.diff([*keys, end]) * float(stream.time_base)
    if alike and gaps.max() > SEEK + STAMP:
        return None
    apart = np.diff(sorted(packet.pts for packet in packets), append=end)
    gap = bool(apart.max() * float(stream.time_base) > GAP)
    data = _remuxed(stream, packets, zero)
    looks = _looks(data, seconds, size)
    found = layout or recognise(looks, (stream.height, stream.width), stereo)
    if found != _PLAIN:
        return None
    # Stamps of whole milliseconds must not cost the last frame.
    lasting = min(seconds, lasting + 2 * STAMP)
    return Picture(data, lasting, found, is_still(looks), copied=True, gap=gap)


def watch_span(video: Video, start: float, layout: FrameLayout, watcher: Watcher) -> None:
    """Show a watcher the frames of a span that is not coded.

    Parameters
    ----------
    video : Video
        Open file.
    start : float
        Beginning of the span.
    layout : FrameLayout
        How the frames show the sphere.
    watcher : Watcher

    Raises
    ------
    InputError
        The frames are damaged.
    """
    for _ in _shown(video, start, np.empty(0), layout, watcher):
        pass


def _shape(video: Video, layout: FrameLayout) -> tuple[int, int]:
    """Return height and width of frames as they are shown; those that are upright are not asked."""
    stream = video.stream
    return (stream.height, stream.width) if layout.upright else shape_of(video)


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
    height, width = (n // 4 * 4 for n in frames.shape[1:3])
    green = frames[:, :height, :width, 1]
    # Strides add up several times faster than an axis of four.
    rows = np.add.reduce([green[:, i::4].astype(np.uint16) for i in range(4)])
    sums = np.add.reduce([rows[:, :, i::4] for i in range(4)])
    return bool(np.ptp(sums, axis=0).max() < 16 * STILL)


def _spread(count: int) -> set[int]:
    """Choose up to 16 of some frames, evenly spread."""
    return {int(i) for i in np.linspace(0, count - 1, _LOOKED_AT)}


def _coded(
    video: Video,
    start: float,
    times: Floats,
    rate: float,
    size: tuple[int, int],
    layout: FrameLayout,
    first: FrameLayout,
    watcher: Watcher | None,
) -> tuple[bytes, Frames, Frames, int]:
    """Code the frames at some times, taken as of a layout.

    Returns the file, up to 16 of the frames as they are coded and as they are in a layout `first`,
    and for how many times in a row one frame is shown.
    """
    chosen = _spread(len(times))
    pictures = Pictures(layout, size)
    unchanged = pictures if layout == first else Pictures(first, size)
    looks: list[Frames] = []
    before: list[Frames] = []
    runs = [0]

    def coded() -> Iterator[Frames]:
        last = None
        for number, frame in enumerate(_shown(video, start, times, layout, watcher)):
            picture = pictures.of(frame)
            if number in chosen:
                looks.append(picture)
                before.append(unchanged.of(frame))
            if frame is not last:
                runs.append(0)
            runs[-1], last = runs[-1] + 1, frame
            yield picture

    data = encode_frames(coded(), rate)
    return data, np.stack(looks), np.stack(before), max(runs)


def _shown(
    video: Video, start: float, times: Floats, layout: FrameLayout, watcher: Watcher | None
) -> Iterator[Any]:
    """Give the frame that is shown at each time; on the way, give the watcher those it wants."""
    wanted = np.empty(0)
    if watcher is not None:
        watcher.begin()
        wanted = start + watcher.times
    every = np.concatenate([times, wanted])
    order = np.argsort(every, kind="stable")
    whole = Pictures(layout, equirectangular_size(*_shape(video, layout), layout))
    given = 0
    for place, frame in zip(order, shown_at(every[order], video.frames(start)), strict=False):
        if place < len(times):
            given += 1
            yield frame
        elif watcher is not None:
            watcher.take(whole.of(frame))
    if given < len(times):
        raise ends_early(video, times, given)


def _packets(video: Video, start: float, end: float) -> list[Any]:
    """Packets from the last key frame before the start to the end, in the order of decoding."""
    base = video.stream.time_base
    first, last = (round((t + video.origin) / base) for t in (start, end))
    early = first + round(STAMP / base)
    packets: list[Any] = []
    for place in (
        first,
        video.first_tick,
    ):  # an index may lead astray; the beginning is always right
        video.seek(place)
        packets = []
        for packet in video.packets():
            if packet.size == 0:  # the end of the file, or a frame of AVI that is shown once more
                continue
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
