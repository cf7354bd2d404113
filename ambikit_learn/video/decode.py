"""The first video stream of a file: opening it, its times, and which frame is shown when."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

import av

from ambikit import InputError, checks

HELD = 0.5
"""Seconds for which the last frame may stand for frames that a file does not have."""
STAMP = 0.0006
"""Matroska stamps whole milliseconds, so a frame may seem to begin half of one late."""

UNPROBED = {"skip_frame": "all"}
"""Option for a file of which only frames are wanted: opening it decodes some, to learn what its
header says as well, and that takes longer than to open it."""

_SURROUNDINGS = frozenset(
    getattr(errno, name) for name in ("EACCES", "EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ETIMEDOUT")
)
"""Errors that say nothing of the content of a file. EIO and EPERM are none of them: FFmpeg reports
them of damaged files too."""

TimedFrame = tuple[float, Any]
"""Second at which a frame begins, and the frame, an av.VideoFrame."""

# Not playlists and scripts, by which a file leads FFmpeg to other files.
_ALONE = {"format_whitelist": "mov,mp4,m4a,matroska,webm,mpegts,mpeg,avi,ogg,flv,asf,mxf"}
_WRAPPING = ("mpegts", "mpeg")
_NEAR_END = 1.0
"""Seconds before the end that is stated at which the real one is looked for."""
# For tags that are not UTF-8: PyAV before 19 refuses such a file.
_OLD = int(av.__version__.split(".")[0]) < 19
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if _OLD else {}


class Video:
    """A video file that is open, and its first video stream; made by `open_video`.

    It is opened once for all that is asked of it, and decodes from one place at a time: to ask for
    frames or packets of another place ends what was read before.

    Attributes
    ----------
    path : Path
        The file.
    container, stream : av.container.InputContainer, av.video.stream.VideoStream
        What PyAV opened.
    """

    def __init__(self, path: Path, container: Any, stream: Any) -> None:
        self.path, self.container, self.stream = path, container, stream
        self._at_beginning = True
        self._ahead: tuple[float, TimedFrame, Iterator[TimedFrame]] | None = None

    @property
    def frame_rate(self) -> float:
        """Average number of frames per second."""
        return float(self.stream.average_rate or self.stream.guessed_rate)

    @property
    def origin(self) -> float:
        """Time stamp at which the file begins: that of its first stream, in seconds.

        So it is for sound (`ambikit.read`): a negative stamp is the lead of a decoder, which does
        not come out of it; but the clock of MPEG streams wraps after 26.5 hours, and FFmpeg counts
        back from there.
        """
        start = self.container.start_time or 0
        if self.container.format.name not in _WRAPPING:
            start = max(0, start)
        return float(start / av.time_base)

    @property
    def first_tick(self) -> int:
        """Time from which no frame is missed, in units of the stream's time base."""
        return 0 if self.origin >= 0 else round((self.origin - 1.0) / self.stream.time_base)

    @cached_property
    def partner(self) -> Any:
        """Second stream of a picture that a camera writes as two; None if there is none."""
        from ambikit_learn.sphere.projection import is_gopro_max

        shape = self.stream.height, self.stream.width
        same = [s for s in self.container.streams.video if (s.height, s.width) == shape]
        return same[1] if len(same) > 1 and is_gopro_max(*shape) else None

    @cached_property
    def end(self) -> float:
        """Second at which the video ends, 0 if neither the header nor its packets say."""
        stream = self.stream
        whole = (self.container.duration or 0) / av.time_base
        if stream.duration is not None:
            first, length = (stream.start_time or 0), stream.duration
            stated = float((first + length) * stream.time_base) - self.origin
            if first > 0 and "mp4" in self.container.format.name:
                # Of a file with an index of segments (DASH), FFmpeg takes the end for the length
                return self._measured(float(length * stream.time_base) - self.origin)
            return stated
        if "matroska" in self.container.format.name:  # which counts from zero
            # It states the end of each track as text, 00:00:10.250000000.
            if tagged := _tagged_seconds(stream.metadata.get("DURATION", "")):
                return max(0.0, tagged - self.origin)
            whole = max(0.0, whole - self.origin)
        return self._measured(whole)

    def _measured(self, stated: float) -> float:
        """Return the end of the last packet, or what is stated if the whole file ends before."""
        base, ends = self.stream.time_base, {self.stream.index: 0.0}
        for place in (stated - _NEAR_END, 0.0):
            self.seek(round((max(0.0, place) + self.origin) / base))
            with _in_one_line(self.path):
                for packet in self.container.demux():
                    if packet.pts is not None:
                        last = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                        index = packet.stream.index
                        ends[index] = max(ends.get(index, 0.0), last - self.origin)
            if ends[self.stream.index] > 0:
                break
        return ends[self.stream.index] if max(ends.values()) + HELD > stated else stated

    def begin_of(self, stream: Any) -> float:
        """Return the second at which a stream begins, from the beginning of the file."""
        first = float((stream.start_time or 0) * stream.time_base)
        return max(0.0, first - self.origin)

    def first_frame(self, start: float = 0.0) -> Any:
        """Decode the frame at which decoding for a time begins: the key frame before it.

        `frames` of the same time goes on from there.

        Parameters
        ----------
        start : float
            Seconds.

        Returns
        -------
        av.VideoFrame

        Raises
        ------
        InputError
            There are no frames, or they are damaged.
        """
        frames = self.frames(start)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{self.path} holds no frames: fetch or make it again")
        self._ahead = start, first, frames
        return first[1]

    def frames(self, start: float = 0.0) -> Iterator[TimedFrame]:
        """Decode from the key frame before a time.

        Parameters
        ----------
        start : float
            Seconds.

        Yields
        ------
        (float, av.VideoFrame)
            Second at which each frame begins, rising, and the frame.

        Raises
        ------
        InputError
            The frames are damaged, or have no time stamps.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == start:
            return chain([ahead[1]], ahead[2])
        return self._decoded(start)

    def seek(self, ticks: int) -> None:
        """Go to the key frame before a time, given in units of the stream's time base."""
        self._ahead, self._at_beginning = None, False
        with _in_one_line(self.path):
            self.container.seek(ticks, stream=self.stream)

    def packets(self) -> Iterator[Any]:
        """Give the packets from the present place on, not decoded, in the order of decoding."""
        self._ahead, self._at_beginning = None, False
        with _in_one_line(self.path):
            yield from self.container.demux(self.stream)

    def _decoded(self, start: float) -> Iterator[TimedFrame]:
        if start > 0:
            self.seek(int((start + self.origin) / self.stream.time_base))
            frames = self._timed()
            first = next(frames, None)
            if first is not None and first[0] <= start + STAMP:
                yield first
                yield from frames
                return
        # An index may lead astray; the beginning is always right.
        if not self._at_beginning:
            self.seek(self.first_tick)
        yield from self._timed()

    def _timed(self) -> Iterator[TimedFrame]:
        """Decode from the present place on."""
        self._at_beginning = False
        with _in_one_line(self.path):
            frames = self.container.decode(self.stream) if self.partner is None else self._joined()
            for frame in frames:
                if frame.pts is None:
                    raise InputError(f"{self.path} has frames without time stamps: remux it to mp4")
                yield float(frame.pts * self.stream.time_base) - self.origin, frame

    def _joined(self) -> Iterator[Any]:
        """Decode two streams, each frame of the first above that of the second at its time."""
        graph: Any = av.filter.Graph()
        streams = self.stream, self.partner
        sources = [graph.add_buffer(template=one) for one in streams]
        stack, sink = graph.add("vstack", "inputs=2"), graph.add("buffersink")
        for number, source in enumerate(sources):
            source.link_to(stack, 0, number)
        stack.link_to(sink)
        graph.configure()
        places = {one.index: source for one, source in zip(streams, sources, strict=True)}
        for packet in self.container.demux(*streams):
            for frame in packet.decode():
                places[packet.stream.index].push(frame)
            while True:
                try:
                    yield graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break


@contextmanager
def open_video(path: str | Path, **options: str) -> Iterator[Video]:
    """Open a file and its first video stream.

    Parameters
    ----------
    path : path
        Media file.
    **options : str
        Of FFmpeg, such as `UNPROBED`.

    Yields
    ------
    Video

    Raises
    ------
    FileNotFoundError
        There is no such file.
    InputError
        The file is not media, is truncated, or holds no video.
    OSError
        It may not be read, or memory or open files have run out.
    """
    file = checks.input_file(path)
    with (
        _in_one_line(file),
        av.open(str(file), options=_ALONE | options, **_ANY_TAGS) as container,
    ):
        cover = av.stream.Disposition.attached_pic
        videos = [s for s in container.streams.video if not s.disposition & cover]
        if not videos:
            raise InputError(f"{path} has no video stream: give the file with the picture")
        if videos[0].codec_context is None:
            raise InputError(f"{path}: its video codec is unknown: convert it to H.264")
        videos[0].codec_context.thread_count = 1
        yield Video(file, container, videos[0])


def _tagged_seconds(text: str) -> float:
    """Read the time of a tag, hours:minutes:seconds; 0 if it is something else."""
    try:
        hours, minutes, seconds = map(float, text.split(":"))
    except ValueError:
        return 0.0
    stated = 3600 * hours + 60 * minutes + seconds
    return stated if 0.0 < stated < inf else 0.0


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    """Say in one line what FFmpeg refuses of a file."""
    try:
        yield
    except av.error.FFmpegError as error:
        if error.errno in _SURROUNDINGS:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise InputError(
            f"{path} cannot be read as video ({error.strerror}): it is truncated or another kind "
            "of file; fetch or convert it again"
        ) from None


def shown_at(times: Iterable[float], frames: Iterable[TimedFrame]) -> Iterator[Any]:
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
