"""Clips of frames from videos of actions: decoded once, cropped for training and for testing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ambikit import InputError
from ambikit_learn._typing import Frames, Integers
from ambikit_learn.data.augment import jitter_colours
from ambikit_learn.evaluation.embeddings import Recording, file_recording, fingerprint
from ambikit_learn.sources import LabelledClip
from ambikit_learn.video.decode import open_video
from ambikit_learn.video.files import info_of, read_frames, resize, shape_of

AREA, ASPECT = (0.08, 1.0), 4.0 / 3.0
"""Bounds of the area of a training crop relative to the frame, and its greatest aspect ratio."""
MARGIN = 128 / 112
"""Short side of a frame that is decoded, relative to the crop."""
JITTER = 0.4


@dataclass(frozen=True)
class ClipShape:
    """Frames of a clip.

    Attributes
    ----------
    frames : int
        Their number.
    rate : float
        Frames per second.
    size : int
        Rows and columns of a crop.
    """

    frames: int
    rate: float
    size: int


@dataclass(frozen=True)
class Decoded:
    """All frames of a video, (T, H, W, 3), with the short side a margin larger than a crop."""

    frames: Frames
    rate: float


def decode(clip: LabelledClip, shape: ClipShape) -> Decoded:
    """Decode a video.

    Raises
    ------
    InputError, FileNotFoundError
        Names the file that cannot be read.
    """
    with open_video(clip.path) as video:
        about, (height, width) = info_of(video), shape_of(video)
    scale = shape.size * MARGIN / min(height, width)
    size = (round(height * scale), round(width * scale))
    frames = read_frames(clip.path, size=size)
    if not len(frames):
        raise InputError(f"{clip.path} holds no frames")
    return Decoded(frames, about.frame_rate)


def spaced_clips(video: Decoded, shape: ClipShape, count: int) -> Frames:
    """Return clips at even distances, cropped in the middle, (count, T, size, size, 3).

    A video that is shorter than a clip is repeated.

    Examples
    --------
    >>> ten = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 4, 4, 3))
    >>> clips = spaced_clips(Decoded(ten, 10.0), ClipShape(frames=2, rate=5.0, size=2), 3)
    >>> clips.shape, clips[:, :, 0, 0, 0].tolist()
    ((3, 2, 2, 2, 3), [[0, 2], [4, 6], [7, 9]])
    """
    height, width = video.frames.shape[1:3]
    top, left = (height - shape.size) // 2, (width - shape.size) // 2
    middle = video.frames[:, top : top + shape.size, left : left + shape.size]
    steps = _steps(video, shape)
    last = max(len(middle) - 1 - steps[-1], 0)
    starts = np.rint(np.linspace(0, last, count)).astype(int)
    clips: Frames = middle[(starts[:, None] + steps) % len(middle)]
    return clips


def random_clip(video: Decoded, shape: ClipShape, rng: np.random.Generator) -> Frames:
    """Return a clip at a random time for training, (T, size, size, 3).

    Cropped to a random area and aspect, mirrored in half of all cases, with random colours.
    """
    steps = _steps(video, shape)
    start = int(rng.integers(max(len(video.frames) - steps[-1], 1)))
    frames = video.frames[(start + steps) % len(video.frames)]
    height, width = frames.shape[1:3]
    area = rng.uniform(*AREA) * height * width
    aspect = np.exp(rng.uniform(-np.log(ASPECT), np.log(ASPECT)))
    tall = int(np.clip(round(np.sqrt(area / aspect)), 1, height))
    wide = int(np.clip(round(np.sqrt(area * aspect)), 1, width))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    crop = frames[:, top : top + tall, left : left + wide]
    out = resize(np.ascontiguousarray(crop), (shape.size, shape.size))
    if rng.random() < 0.5:
        out = out[:, :, ::-1]
    return jitter_colours(np.ascontiguousarray(out), JITTER, rng.uniform(-1, 1, 4))


def video_recording(clip: LabelledClip, shape: ClipShape, count: int) -> Recording:
    """Return a video as a recording of `count` evenly spaced clips."""
    whole = file_recording(clip, partial(decode, shape=shape))

    def read() -> Frames:
        return spaced_clips(whole.read(), shape, count)

    def identity() -> str:
        return fingerprint({"video": whole.identity(), "shape": repr(shape), "clips": count})

    return replace(whole, read=read, identity=identity)


def _steps(video: Decoded, shape: ClipShape) -> Integers:
    """Return the numbers of a clip's frames relative to its first."""
    steps: Integers = np.rint(np.arange(shape.frames) * (video.rate / shape.rate)).astype(np.int64)
    return steps
