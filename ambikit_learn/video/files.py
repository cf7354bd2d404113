"""Video files: what they hold, the frames of a span, and writing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Floats, Frames
from ambikit_learn.sphere.projection import (
    FrameLayout,
    cubemap_to_equirectangular,
    equirectangular_size,
    first_eye,
)
from ambikit_learn.video.decode import UNPROBED, Video, open_video, shown_at
from ambikit_learn.video.spherical import (
    UPRIGHT,
    PartialSphereError,
    mesh_layout,
    orientation_of,
    stated_in_xml,
    stated_layout,
)


@dataclass(frozen=True)
class MediaInfo:
    """What the header of a media file says.

    Parameters
    ----------
    width, height : int
        Size of the video in pixels.
    frame_rate : float
        Average number of frames per second.
    duration : float
        Length of the video in seconds; 0.0 if the file does not say.
    video_codec : str
        FFmpeg's name of the video codec.
    has_audio : bool
        There is a sound track.
    begin, sound_begin : float
        Seconds from the beginning of the file to that of the video and of its last sound track to
        begin. A file begins with the first of its streams.
    """

    width: int
    height: int
    frame_rate: float
    duration: float
    video_codec: str
    has_audio: bool
    begin: float = 0.0
    sound_begin: float = 0.0


def probe(path: str | Path) -> MediaInfo:
    """Read what a video file's header says, without decoding.

    Parameters
    ----------
    path : path
        Media file.

    Returns
    -------
    MediaInfo

    Raises
    ------
    FileNotFoundError
        There is no such file.
    InputError
        The file is not media, is truncated, or holds no video.
    """
    with open_video(path) as video:
        return info_of(video)


def info_of(video: Video) -> MediaInfo:
    """Return what the header of an open file says."""
    # Nothing is asked about the channels of sound: of QuickTime's B-format, PyAV would free a list
    # that is FFmpeg's
    stream, tracks = video.stream, video.container.streams.audio
    return MediaInfo(
        width=stream.width,
        height=stream.height,
        frame_rate=video.frame_rate,
        duration=video.end,
        video_codec=stream.codec_context.name,
        has_audio=bool(tracks),
        begin=video.begin_of(stream),
        sound_begin=max(map(video.begin_of, tracks), default=0.0),
    )


def read_layout(path: str | Path) -> FrameLayout | None:
    """Read what a video file states about its projection.

    Parameters
    ----------
    path : path
        Video file: mp4 or mov (boxes sv3d and st3d, or the XML of Spherical Video V1), mkv or webm.
        A projection mesh, as YouTube writes, is recognised if it is an equi-angular cubemap's.

    Returns
    -------
    FrameLayout or None
        None if it states nothing.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    PartialSphereError
        The file shows only a part of the sphere.
    InputError
        The file is no video.
    """
    with open_video(path, **UNPROBED) as video:
        return layout_of(video)


def layout_of(video: Video, start: float = 0.0) -> FrameLayout | None:
    """Return what an open file states about its projection, as `read_layout` does.

    Parameters
    ----------
    video : Video
    start : float
        Second from which its frames are read next.
    """
    if video.partner is not None:
        return FrameLayout("gopro-max")
    frame = video.first_frame(start)
    try:
        _refuse_two_pictures(video)
        stated, mesh = stated_layout(frame.side_data), mesh_layout(video.path)
        stated = stated_in_xml(video.path, video.stream.metadata) or stated
        upright = orientation_of(frame) == UPRIGHT
    except PartialSphereError as error:
        raise PartialSphereError(f"{video.path}: {error}") from None
    layout = replace(mesh, stereo=stated.stereo) if mesh and stated else mesh or stated
    if upright:
        return layout
    return replace(layout or FrameLayout(assumed=True), upright=False)


def _refuse_two_pictures(video: Video) -> None:
    """Refuse two streams of one square size, as cameras write of two lenses."""
    size = video.stream.height, video.stream.width
    sizes = [(s.height, s.width) for s in video.container.streams.video]
    if size[0] == size[1] and sizes.count(size) > 1:
        raise PartialSphereError(
            f"it holds two pictures of {size[1]} × {size[0]}, as of two lenses: stitch them in the "
            "camera's own program"
        )


def read_frames(
    path: str | Path,
    *,
    start: float = 0.0,
    duration: float | None = None,
    rate: float | None = None,
    size: tuple[int, int] | None = None,
    layout: FrameLayout | None = None,
) -> Frames:
    """Read the frames of a span of video.

    Parameters
    ----------
    path : path
        Video file.
    start : float
        Beginning of the span in seconds.
    duration : float, optional
        Length in seconds; to the end of the video when not given.
    rate : float, optional
        Frames per second to return, at the times ``start + arange(T) / rate``; the video's own
        rate when not given. Each time gets the frame that a player shows then: the last one that
        does not begin later.
    size : (height, width), optional
        Scale to this size, smoothly; the video's own size when not given.
    layout : FrameLayout, optional
        How the frames show the sphere, such as `read_layout` says: cubemaps are converted to
        equirectangular frames, and of two eyes the left one is taken. As they are when not given.

    Returns
    -------
    (T, height, width, 3) uint8 array
        RGB, with ``T = round(duration * rate)``, at least 1.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    InputError
        The file is not media, is truncated, holds no video, or ends before the span does.

    Notes
    -----
    One pass: the file is entered at the key frame before `start` and left after the span, so a
    span costs the distance to its key frame plus its own length. One thread. The last frame is
    held for up to half a second after the end, since the tracks of a file seldom end together.
    """
    with open_video(path) as video:
        times, shape = _plan(video, (start, duration, rate), size, layout)
        out = np.empty((len(times), *shape, 3), np.uint8)
        pictures = Pictures(layout or FrameLayout(), shape)
        shown = shown_at(times, video.frames(times[0]))
        given = 0
        for place, frame in zip(out, shown, strict=False):
            place[:] = pictures.of(frame)
            given += 1
        if given < len(times):
            raise ends_early(video, times, given)
    return out


class Pictures:
    """Frames of a layout as equirectangular pictures of one size.

    Parameters
    ----------
    layout : FrameLayout
        How the frames show the sphere.
    size : (height, width)
        Of the pictures.
    """

    def __init__(self, layout: FrameLayout, size: tuple[int, int]) -> None:
        self.layout, self.size = layout, size
        self._reformatter = VideoReformatter()
        self._last: Any = None
        self._picture: Frames | None = None

    def of(self, frame: Any) -> Frames:
        """Return the picture (height, width, 3) of an av.VideoFrame.

        The same array again while the same frame is shown.
        """
        if self._picture is None or frame is not self._last:
            self._picture = _equirectangular(frame, self.layout, self.size, self._reformatter)
            self._last = frame
        return self._picture


def ends_early(video: Video, times: Sequence[float] | Floats, given: int) -> InputError:
    """Return the error of a file that shows nothing at the times after the first `given` ones."""
    return InputError(
        f"{video.path} ends before {times[given]:.2f} s and should reach {times[-1]:.2f} s: it is "
        "truncated, or less should be asked for"
    )


def resize(frames: npt.ArrayLike, size: tuple[int, int]) -> Frames:
    """Scale frames, smoothly.

    Parameters
    ----------
    frames : (..., H, W, 3) uint8 array
        RGB frames.
    size : (height, width)
        Size to scale to.

    Returns
    -------
    (..., height, width, 3) uint8 array

    Examples
    --------
    >>> resize(np.full((2, 64, 128, 3), 7, np.uint8), (32, 64)).shape
    (2, 32, 64, 3)
    """
    pictures = checks.frames(frames)
    height, width = (checks.positive_int(n, "size") for n in size)
    out = np.empty((*pictures.shape[:-3], height, width, 3), np.uint8)
    flat = zip(
        pictures.reshape(-1, *pictures.shape[-3:]), out.reshape(-1, *out.shape[-3:]), strict=True
    )
    # Made once: each reformatter sets up its own filters.
    reformatter = VideoReformatter()
    for picture, place in flat:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        place[:] = scaled(frame, height, width, reformatter)
    return out


def write_video(
    path: str | Path,
    frames: Iterable[Frames],
    rate: float,
    *,
    codec: str = "libx264",
    gop: int | None = None,
    quality: float | None = None,
) -> None:
    """Write frames as a video without sound.

    Parameters
    ----------
    path : path
        File to write, such as a ``.mp4`` or ``.mkv``; it appears under its name when complete.
    frames : iterable of (H, W, 3) uint8 arrays
        RGB frames of one size, at least one.
    rate : float
        Frames per second.
    codec : {"libx264", "mjpeg"}
        H.264 is small; in MJPEG each frame stands alone and any one is cheap to reach.
    gop : int, optional
        Frames from one key frame to the next: a seek decodes at most so many.
    quality : float, optional
        libx264: constant rate factor, 0 (lossless) to 51, 20 when not given. mjpeg: quantiser,
        2 to 31, 3 when not given. Lower is better.

    Raises
    ------
    InputError
        No frames, frames of odd or of different sizes, or an unknown codec or container.
    TypeError
        Frames that are not uint8.

    Examples
    --------
    >>> import tempfile
    >>> grey = np.full((6, 32, 64, 3), 128, np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_video(Path(folder, "a.mp4"), grey, rate=2.0)
    ...     read_frames(Path(folder, "a.mp4"), start=1.0, size=(16, 32)).shape
    (4, 16, 32, 3)
    """
    coding = _CODINGS[checks.choice(codec, tuple(_CODINGS), "codec")]
    rational = Fraction(checks.positive(rate, "rate", "Hz")).limit_denominator(1001)
    pictures = iter(frames)
    head = next(pictures, None)
    if head is None:
        raise InputError(f"no frames to write to {path}: a video holds at least one")
    first = checks.frames(head, "each frame")
    height, width = checks.frame_size(first.shape[:-1], "size of the frames")
    with atomic_write(path) as temporary:
        try:
            # Matroska would number each file at random
            container = av.open(str(temporary), "w", options={"fflags": "+bitexact"})
        except ValueError:
            raise InputError(f"{path} names no video container: end it in .mp4 or .mkv") from None
        with container:
            stream: Any = container.add_stream(codec, rate=rational)
            stream.height, stream.width = height, width
            stream.pix_fmt = coding.pixels
            stream.options = coding.options(coding.quality if quality is None else quality)
            stream.codec_context.thread_count = 1
            if gop is not None:
                stream.codec_context.gop_size = checks.positive_int(gop, "gop")
            for i, picture in enumerate(chain([first], pictures)):
                if picture.shape != first.shape:
                    raise InputError(
                        f"frame {i} has shape {picture.shape}, the first {first.shape}: "
                        "a video holds one size"
                    )
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.pts, frame.time_base = i, 1 / rational
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


@dataclass(frozen=True)
class _Coding:
    """How a codec wants its pixels, and its quality."""

    pixels: str
    quality: float
    options: Callable[[float], dict[str, str]]


_CODINGS = {
    # x264's macroblock tree does not give the same bytes every time. Beside its default preset,
    # veryfast takes half the time for a tenth more bytes at the same quality.
    "libx264": _Coding(
        "yuv420p", 20, lambda q: {"preset": "veryfast", "crf": str(q), "mbtree": "0"}
    ),
    "mjpeg": _Coding("yuvj420p", 3, lambda q: {"qmin": str(round(q)), "qmax": str(round(q))}),
}


def scaled(
    frame: Any, height: int, width: int, reformatter: VideoReformatter | None = None
) -> Frames:
    """Return the pixels of a frame as RGB, turned as its file asks players to turn them.

    FFmpeg's bilinear filter widens when it shrinks a picture.
    """
    reformatter = reformatter or VideoReformatter()
    transposed, *flips = orientation_of(frame)
    size = (height, width) if transposed else (width, height)
    small = reformatter.reformat(frame, *size, "rgb24", interpolation="BILINEAR", threads=1)
    pixels = small.to_ndarray().astype(np.uint8, copy=False)
    if transposed:
        pixels = pixels.swapaxes(0, 1)
    across, down = (slice(None, None, -1 if flip else 1) for flip in flips)
    return np.ascontiguousarray(pixels[down, across])


def _equirectangular(
    frame: Any, layout: FrameLayout, size: tuple[int, int], reformatter: VideoReformatter
) -> Frames:
    """Pixels of a frame of some layout as an equirectangular one."""
    if (layout.projection, layout.stereo) == ("equirectangular", "mono"):
        return scaled(frame, *size, reformatter)
    whole = (frame.width, frame.height) if orientation_of(frame)[0] else (frame.height, frame.width)
    eye = first_eye(scaled(frame, *whole, reformatter), layout.stereo)
    if layout.projection == "equirectangular":
        return resize(eye, size)
    return cubemap_to_equirectangular(eye, layout, size)


def _plan(
    video: Video,
    span: tuple[float, float | None, float | None],
    size: tuple[int, int] | None,
    layout: FrameLayout | None,
) -> tuple[Floats, tuple[int, int]]:
    """Return the times of the frames of a span (start, duration, rate), and their shape."""
    start, duration, rate = span
    rate = video.frame_rate if rate is None else checks.positive(rate, "rate", "Hz")
    end = video.end
    if start < 0 or 0 < end <= start:
        raise InputError(f"{video.path} is {end:.2f} s long: start must lie within it, got {start}")
    if duration is None:
        if not end:
            raise InputError(f"{video.path} does not say how long it is: give a duration")
        duration = end - start
    count = max(1, round(checks.positive(duration, "duration", "seconds") * rate))
    if size is None:
        size = equirectangular_size(*shape_of(video, start), layout or FrameLayout())
    return start + np.arange(count) / rate, size


def shape_of(video: Video, start: float = 0.0) -> tuple[int, int]:
    """Return height and width of the frames of an open file as players show them, turned.

    Parameters
    ----------
    video : Video
    start : float
        Second from which its frames are read next.
    """
    height, width = video.stream.height, video.stream.width
    transposed = orientation_of(video.first_frame(start))[0]
    return (width, height) if transposed else (height, width)
