"""The first video stream of a file: opening it, its times, and which frame is shown when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from ambikit import InputError, checks
from ambikit_learn.sphere.projection import is_gopro_max

HELD = 0.5
"""Seconds for which the last frame may stand for frames that a file does not have."""
STAMP = 0.0006
"""Matroska stamps whole milliseconds, so a frame may seem to begin half of one late."""

UNPROBED = {"skip_frame": "all"}
"""Option for a file of which only frames are wanted: opening it decodes some, to learn what its
header says as well, and that takes longer than to open it."""

# Not playlists and scripts, by which a file leads FFmpeg to other files.
_ALONE = {"format_whitelist": "mov,mp4,m4a,matroska,webm,mpegts,mpeg,avi,ogg,flv,asf"}


@contextmanager
def open_video(path: str | Path, **options: str) -> Iterator[tuple[Any, Any]]:
    """Open a file and its first video stream, and say in one line what is wrong with it."""
    file = checks.input_file(path)
    try:
        with av.open(str(file), options=_ALONE | options, metadata_errors="replace") as container:
            cover = av.stream.Disposition.attached_pic
            videos = [s for s in container.streams.video if not s.disposition & cover]
            if not videos:
                raise InputError(f"{path} has no video stream: give the file with the picture")
            if videos[0].codec_context is None:
                raise InputError(f"{path}: its video codec is unknown: convert it to H.264")
            videos[0].codec_context.thread_count = 1
            yield container, videos[0]
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path} cannot be read as video ({error.strerror}): it is truncated or another kind "
            "of file; fetch or convert it again"
        ) from None


def partner_of(container: Any, stream: Any) -> Any:
    """Second stream of a picture that a camera writes as two; None if there is none."""
    same = [
        s for s in container.streams.video if (s.height, s.width) == (stream.height, stream.width)
    ]
    joined = len(same) > 1 and is_gopro_max(stream.height, stream.width)
    return same[1] if joined else None


def _joined(container: Any, stream: Any, partner: Any) -> Iterator[Any]:
    """Decode two streams, each frame of the first above that of the second at the same time."""
    graph: Any = av.filter.Graph()
    sources = [graph.add_buffer(template=one) for one in (stream, partner)]
    stack, sink = graph.add("vstack", "inputs=2"), graph.add("buffersink")
    for number, source in enumerate(sources):
        source.link_to(stack, 0, number)
    stack.link_to(sink)
    graph.configure()
    places = {stream.index: sources[0], partner.index: sources[1]}
    for packet in container.demux(stream, partner):
        for frame in packet.decode():
            places[packet.stream.index].push(frame)
        while True:
            try:
                yield graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break


def frame_rate_of(stream: Any) -> float:
    """Average number of frames per second."""
    return float(stream.average_rate or stream.guessed_rate)


def origin_of(container: Any) -> float:
    """Return the time stamp at which a file begins: that of its first stream.

    So it is for sound (`ambikit.read`): a negative stamp is the lead of a decoder, which does not
    come out of it.
    """
    return max(0, container.start_time or 0) / av.time_base


def begin_of(container: Any, stream: Any) -> float:
    """Return the second at which a stream begins, from the beginning of its file."""
    first = float((stream.start_time or 0) * stream.time_base)
    return max(0.0, first - origin_of(container))


def end_of(container: Any, stream: Any) -> float:
    """Return the second at which the video ends, 0 if the header does not say."""
    origin = origin_of(container)
    if stream.duration is not None:
        ticks = (stream.start_time or 0) + stream.duration
        return float(ticks * stream.time_base) - origin
    # Matroska states the end of each track as text, 00:00:10.250000000, and counts from zero.
    hours, minutes, seconds = stream.metadata.get("DURATION", "0:0:0").split(":")
    stated = 3600 * float(hours) + 60 * float(minutes) + float(seconds)
    if not stated:
        stated = (container.duration or 0) / av.time_base
        if "matroska" not in container.format.name:
            return stated
    return max(0.0, stated - origin)


def frames_from(container: Any, stream: Any, start: float) -> Iterator[tuple[float, Any]]:
    """Decode from the key frame before `start`: (seconds, frame)."""
    origin = origin_of(container)

    partner = partner_of(container, stream)

    def timed() -> Iterator[tuple[float, Any]]:
        frames = container.decode(stream)
        if partner is not None:
            frames = _joined(container, stream, partner)
        for frame in frames:
            if frame.pts is None:
                raise InputError(
                    f"{container.name} has frames without time stamps: remux it to mp4"
                )
            yield float(frame.pts * stream.time_base) - origin, frame

    if start > 0:
        container.seek(int((start + origin) / stream.time_base), stream=stream)
        frames = timed()
        first = next(frames, None)
        if first is not None and first[0] <= start + STAMP:
            yield first
            yield from frames
            return
        # An index that leads astray: the beginning is always right.
        container.seek(0, stream=stream)
    yield from timed()


def shown_at(times: Iterable[float], frames: Iterable[tuple[float, Any]]) -> Iterator[Any]:
    """Give for each time the frame that is shown then: the last one that does not begin later.

    Parameters
    ----------
    times : iterable of float
        In seconds, rising.
    frames : iterable of (float, av.VideoFrame)
        Frames and the second at which each begins, rising. No more are taken than needed.

    Yields
    ------
    av.VideoFrame
        The first frame also stands for what comes before it; the last one for half a second, if
        it does not say longer.
    """
    pending = deque(times)
    begin, shown = 0.0, None
    for time, frame in frames:
        while pending and shown is not None and pending[0] < time - STAMP:
            pending.popleft()
            yield shown
        begin, shown = time, frame
        while pending and abs(pending[0] - time) <= STAMP:
            pending.popleft()
            yield shown
        if not pending:
            return
    if shown is not None:
        end = begin + max(HELD, float((shown.duration or 0) * shown.time_base))
        while pending and pending.popleft() <= end:
            yield shown
