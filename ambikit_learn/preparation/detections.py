"""Objects of a clip: detected in its frames while they are decoded, or read from its file."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ambikit_learn._threads import one_thread
from ambikit_learn._typing import Frames
from ambikit_learn.detection import Detector, load_detector
from ambikit_learn.detection.tracking import lasting, link
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.tracks import Objects
from ambikit_learn.video.decode import Video
from ambikit_learn.video.files import ends_early

_AT_ONCE, _PIXELS = 8, 16_000_000


def detection_times(duration: float, rate: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the seconds of a clip at which objects are detected, `rate` times per second."""
    return np.arange(math.ceil(duration * rate)) / rate


class Detections:
    """Detects objects in frames as they come, so many at once as fit into memory.

    It is the `ambikit_learn.video.transcode.Watcher` of a clip. An error of the detector is kept
    until the objects are asked for: what is wrong with the picture is reported first.

    Parameters
    ----------
    spec : str
        As for `ambikit_learn.detection.load_detector`.
    duration : float
        Seconds of the clip.
    rate : float
        Detections per second.
    """

    def __init__(self, spec: str, duration: float, rate: float) -> None:
        self.rate = rate
        self.times = detection_times(duration, rate)
        self._spec = spec
        self.begin()

    def begin(self) -> None:
        """Forget what was detected before."""
        self._given = 0
        self._waiting: list[Frames] = []
        self._found: list[Boxes] = []
        self._error: Exception | None = None

    def take(self, frame: Frames) -> None:
        """Take the frame (H, W, 3) of the next time."""
        self._given += 1
        self._waiting.append(frame)
        if len(self._waiting) >= min(_AT_ONCE, _PIXELS // (frame.shape[0] * frame.shape[1])):
            self._detect()

    def check(self, video: Video, start: float) -> None:
        """Raise InputError if a video ended before it gave all frames of a clip."""
        if self._given < len(self.times):
            raise ends_early(video, start + self.times, self._given)

    @property
    def name(self) -> str:
        """Name of the detector."""
        return _detector(self._spec).name

    def objects(self) -> Objects:
        """Return the objects of the clip, without those that were detected only once.

        Raises
        ------
        Exception
            What the detector raised.
        """
        self._detect()
        if self._error is not None:
            raise self._error
        tracks = lasting(link(self._found, self.rate), len(self.times))
        return Objects(self.rate, len(self.times), tuple(tracks))

    def _detect(self) -> None:
        """Detect objects in the frames that wait."""
        waiting, self._waiting = self._waiting, []
        if not waiting or self._error is not None:
            return
        try:
            with one_thread():
                self._found.extend(_detector(self._spec).detect(np.stack(waiting)))
        except Exception as error:
            self._error = error


@cache
def _detector(spec: str) -> Detector:
    """Load a detector once per process."""
    return load_detector(spec)
