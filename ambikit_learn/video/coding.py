"""Frames of a clip as the bytes that a shard holds, and some of them read back.

They are H.264 with a key frame a second and neither B-frames nor loop filter nor CABAC. A
reader asks for a few frames of a random second: that costs about 1.4 times the time of MJPEG, for
a quarter of its bytes at a higher fidelity. Frames that were copied from their source have whatever
H.264 it has.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ambikit import InputError
from ambikit_learn._typing import Frames
from ambikit_learn.video.decode import STAMP, UNPROBED, shown_at

QUALITY = 21
"""Constant rate factor of the frames: 38.6 dB on a clip of YT-360, against its scaled frames."""

# x264's macroblock tree is not reproducible: of 200 encodings of one clip 74 came out otherwise.
_CODING = {
    "preset": "veryfast",
    "tune": "fastdecode",
    "crf": str(QUALITY),
    "bf": "0",
    "mbtree": "0",
}
# What decoders and their wrappers raise of bytes that are something else.
_UNREADABLE = (
    av.FFmpegError,
    IndexError,
    OverflowError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)


def encode_frames(frames: Iterable[Frames], rate: float) -> bytes:
    """Encode frames as an mp4 file whose bytes depend on nothing else.

    Parameters
    ----------
    frames : iterable of (H, W, 3) uint8 arrays
        RGB, at least one, all of one size, with even H and W. They are not held.
    rate : float
        Frames per second.

    Returns
    -------
    bytes
    """
    rational = Fraction(rate).limit_denominator(1001)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rational, options=_CODING)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = max(1, round(rate))
        # x264 cuts its work, and so its bytes, by the number of threads.
        stream.codec_context.thread_count = 1
        for i, picture in enumerate(frames):
            if i == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, 1 / rational
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode_frames(data: bytes, indices: Sequence[int], rate: float) -> Frames:
    """Decode some frames.

    Parameters
    ----------
    data : bytes
        What `encode_frames` or `ambikit_learn.video.transcode.copy_span` gave.
    indices : sequence of int
        Numbers of the frames, rising. Frame i is what is shown ``i / rate`` seconds after the
        beginning, whatever the rate of a copied stream.
    rate : float
        Frames per second.

    Returns
    -------
    (len(indices), H, W, 3) uint8 array
        RGB.

    Raises
    ------
    InputError
        The bytes are damaged, or hold no such frames.

    Examples
    --------
    >>> ramp = np.repeat(np.arange(0, 240, 10, dtype=np.uint8), 16 * 32 * 3).reshape(-1, 16, 32, 3)
    >>> found = decode_frames(encode_frames(ramp, 8.0), [3, 17], 8.0)
    >>> found.shape, found.mean(axis=(1, 2, 3)).round(-1)
    ((2, 16, 32, 3), array([ 30., 170.]))
    """
    # Made once: each reformatter sets up its own colour conversion.
    reformatter = VideoReformatter()
    pictures: list[Frames] = []
    last = None
    try:
        with av.open(io.BytesIO(data), "r", format="mp4", options=UNPROBED) as container:
            stream: Any = container.streams.video[0]
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            end = float(stream.duration * stream.time_base)
            times = [t for t in (i / rate for i in indices) if t < end - STAMP]
            # A little late: rounding must not lead to the key frame before.
            container.seek(round((indices[0] / rate + STAMP) * av.time_base))
            timed = ((frame.time, frame) for frame in container.decode(stream))
            for frame in shown_at(times, timed):
                if frame is not last:
                    picture = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
                    last = frame
                pictures.append(picture.astype(np.uint8, copy=False))
        if len(pictures) == len(indices):
            return np.stack(pictures)
    except _UNREADABLE as error:
        raise InputError(f"the frames are damaged ({error})") from error
    raise InputError(f"there are no frames {list(indices)}")
