"""Preparation of one clip: checks, detection of objects, and its members of a shard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import ambikit
from ambikit import InputError
from ambikit_learn._threads import one_thread
from ambikit_learn._typing import Frames, Sound
from ambikit_learn.data.format import Settings
from ambikit_learn.data.record import write_record
from ambikit_learn.data.sound import encode_sound
from ambikit_learn.detection import Detector, load_detector, read_boxes
from ambikit_learn.detection.tracking import link, regular
from ambikit_learn.sources import Clip
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.projection import EAC_PADDING, FrameLayout
from ambikit_learn.sphere.recognition import NotASphereError
from ambikit_learn.sphere.tracks import Objects
from ambikit_learn.video.files import probe, read_layout, read_orientation, stream_frames
from ambikit_learn.video.spherical import UPRIGHT, PartialSphereError
from ambikit_learn.video.transcode import GAP, Picture, transcode

SHORTEST = 1.0
"""Seconds below which a clip is rejected."""
SILENT = 1e-4
"""Peak of W, relative to full scale, below which sound is silence (-80 dB)."""
ABSENT = 1e-3
"""RMS relative to W below which a dipole channel is absent (-60 dB)."""
_NOTHING = 1e-7
"""Level below which a sample is digital silence, resampled or not."""
_LATE = 0.002
"""Seconds by which picture or sound may begin after a clip: stamps of whole milliseconds."""
APART = 0.5
"""Seconds by which picture and sound may differ in length before it is noted."""

NOTES = (
    "still picture",
    "Z is silent",
    "W only",
    "lengths differ",
    "cubemap",
    "equi-angular cubemap",
    "two eyes",
    "projection assumed",
    "gaps",
)
"""Notes on clips, which reject a clip only if the settings say so. Cubemaps are converted to
equirectangular frames, and one of two eyes is kept. The projection is assumed to be equirectangular
where neither settings nor file state it and the picture does not show it. Gaps are seconds without
a new frame, or of digital silence."""

_DETECTED_AT_ONCE, _DETECTED_PIXELS = 8, 16_000_000


@dataclass(frozen=True)
class Prepared:
    """A clip that can be used.

    Parameters
    ----------
    facts : dict
        Columns of the manifest.
    members : dict
        Bytes by part: ``frames``, ``sound`` and ``record``.
    """

    facts: dict[str, Any]
    members: dict[str, bytes]


@dataclass(frozen=True)
class Rejected:
    """A clip that cannot be used.

    Parameters
    ----------
    reason : str
        Short reason, by which rejected clips are counted.
    detail : str
        Full reason.
    """

    reason: str
    detail: str


@dataclass(frozen=True)
class Material:
    """Picture and sound of a usable clip, and its length in frames."""

    picture: Picture
    sound: Sound
    count: int
    notes: tuple[str, ...]


class _UnusableError(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


def prepare_clip(clip: Clip, settings: Settings) -> Prepared | Rejected:
    """Check, detect, resample and encode a clip.

    Parameters
    ----------
    clip : Clip
    settings : Settings

    Returns
    -------
    Prepared or Rejected
        The same for the same files and settings, in any process.

    Raises
    ------
    InputError
        The settings of the detector are wrong.
    ImportError
        The detector needs a package that is not installed.
    """
    try:
        clip = _from_both(clip)
        material = _examine(clip, settings)
        _refuse(settings.leave_out, material.notes)
        duration = material.count / settings.frame_rate
        name, objects = _detect(clip, settings, duration, material.picture.layout)
        return _packed(clip, settings, material, name, objects)
    except _UnusableError as error:
        return Rejected(error.reason, str(error))
    except (InputError, ImportError):
        # A detector that cannot work at all concerns every clip.
        raise
    except Exception as error:
        # Any other error of a file or a detector rejects this clip; the run continues.
        return Rejected("failed", f"{type(error).__name__}: {error}")


def check_clip(clip: Clip, settings: Settings) -> Prepared | Rejected:
    """Check a clip as `prepare_clip` does, without detection and members."""
    outcome = prepare_clip(clip, replace(settings, detector="none"))
    return replace(outcome, members={}) if isinstance(outcome, Prepared) else outcome


def length_of(clip: Clip) -> float:
    """Read the length of the picture of a clip from the header of its file.

    Parameters
    ----------
    clip : Clip

    Returns
    -------
    float
        Seconds; 0.0 if the file does not state it or cannot be read, which `prepare_clip` reports.
    """
    try:
        return max(0.0, probe(clip.video).duration - clip.start)
    except Exception:
        return 0.0


@contextmanager
def _or_left_out(reason: str) -> Iterator[None]:
    """Turn an error of a file into the reason that the clip is rejected."""
    try:
        yield
    except FileNotFoundError as error:
        raise _UnusableError("missing file", str(error)) from None
    except PartialSphereError as error:
        raise _UnusableError("part of the sphere", str(error)) from None
    except NotASphereError as error:
        raise _UnusableError("not a sphere", str(error)) from None
    except (InputError, OSError) as error:
        raise _UnusableError(reason, str(error)) from None


def _refuse(unwanted: tuple[str, ...], notes: tuple[str, ...]) -> None:
    """Reject the clip if one of its notes is unwanted."""
    for note in notes:
        if note in unwanted:
            raise _UnusableError(note)


def _examine(clip: Clip, settings: Settings) -> Material:
    """Read a clip's picture and sound to their common length; raise if it is unusable."""
    if clip.split == "unlisted":
        raise _UnusableError("unlisted", "the data set's lists do not name this clip")
    seen, heard = _seconds_of_picture(clip), _seconds_of_sound(clip, settings)
    picture = _picture(clip, settings, min(seen, heard))
    count = math.floor(min(picture.seconds, heard) * settings.frame_rate + 1e-6)
    sound = _sound(clip, settings, count / settings.frame_rate)
    found = (
        picture.still,
        *_absent(sound),
        abs(seen - heard) > APART,
        picture.layout.projection in ("cubemap", "c3x2", "c6x1", "c1x6"),
        picture.layout.projection in ("eac", "gopro-max"),
        picture.layout.stereo != "mono",
        picture.layout.assumed,
        picture.gap or _has_gap(sound, settings.sample_rate),
    )
    notes = tuple(note for note, holds in zip(NOTES, found, strict=True) if holds)
    return Material(picture, sound, count, notes)


def _from_both(clip: Clip) -> Clip:
    """Cut from a clip what comes before its picture or its sound begins."""
    try:
        info = probe(clip.video)
    except (InputError, OSError):
        return clip  # what is wrong is reported when it is read
    late = max(info.begin, info.sound_begin if clip.audio == clip.video else 0.0) - clip.start
    if late <= _LATE:
        return clip
    left = None if clip.duration is None else clip.duration - late
    if left is not None and left < SHORTEST:
        raise _UnusableError(
            "too short", f"picture or sound of {clip.video} begin only {late:.2f} s after the clip"
        )
    return replace(clip, start=round(clip.start + late, 6), duration=left)


def _seconds_of_picture(clip: Clip) -> float:
    """Return the length of the picture of a clip, at most to the end of its file."""
    with _or_left_out("unreadable picture"):
        info = probe(clip.video)
    if clip.audio == clip.video and not info.has_audio:
        raise _UnusableError("no sound", f"{clip.video} has no sound track")
    if not info.duration and clip.duration is None:
        raise _UnusableError("unreadable picture", f"{clip.video} does not say how long it is")
    return _within(clip, clip.video, info.duration or math.inf)


def _seconds_of_sound(clip: Clip, settings: Settings) -> float:
    """Return the length of the sound of a clip, at most to the end of its file."""
    with _or_left_out("unusable sound"):
        info = ambikit.info(clip.audio, track=settings.track)
    if info.convention is None and settings.convention is None:
        raise _UnusableError(f"{info.channels} channels", f"{clip.audio} is no Ambisonic sound")
    return _within(clip, clip.audio, info.duration)


def _within(clip: Clip, path: Path, end: float) -> float:
    """Return the seconds of a clip that lie before the end of a file."""
    if end <= clip.start:
        raise _UnusableError("too short", f"{path} ends at {end:.2f} s, before the clip begins")
    return min(end - clip.start, clip.duration or math.inf)


def _picture(clip: Clip, settings: Settings, seconds: float) -> Picture:
    """Transcode the picture of a clip."""
    if seconds < SHORTEST:
        raise _UnusableError("too short", f"{seconds:.2f} s of picture and sound")
    with _or_left_out("truncated picture"):
        return transcode(
            clip.video,
            clip.start,
            seconds,
            rate=settings.frame_rate,
            size=settings.frame_size,
            layout=_stated(clip.video, settings),
            stereo=None if settings.stereo == "auto" else settings.stereo,
            mode=settings.video_mode,
        )


def _stated(path: Path, settings: Settings) -> FrameLayout | None:
    """Return the layout that the settings, or else the file, state; None if neither does."""
    if settings.projection == "auto":
        layout = read_layout(path)
        if layout is None or settings.stereo == "auto":
            return layout
        return replace(layout, stereo=settings.stereo)
    padding = EAC_PADDING if settings.projection == "eac" else 0
    upright = read_orientation(path) == UPRIGHT
    stereo = "mono" if settings.stereo == "auto" else settings.stereo
    return FrameLayout(settings.projection, stereo, padding, upright)


def _sound(clip: Clip, settings: Settings, seconds: float) -> Sound:
    """Read the first-order sound of a clip."""
    with _or_left_out("unusable sound"):
        sound, _ = ambikit.read(
            clip.audio,
            sample_rate=settings.sample_rate,
            convention=settings.convention,
            track=settings.track,
            start=clip.start,
            duration=seconds,
        )
    if np.abs(sound[0]).max(initial=0.0) < SILENT:
        raise _UnusableError("silent", f"W stays below {SILENT:g} of full scale")
    return np.ascontiguousarray(sound[:4], dtype=np.float32)


def _has_gap(sound: Sound, sample_rate: int) -> bool:
    """Tell whether all channels are digital silence for a second or more."""
    loud = np.flatnonzero(np.abs(sound).max(axis=0) > _NOTHING)
    edges = np.concatenate([[-1], loud, [sound.shape[1]]])
    return bool(np.diff(edges).max() > GAP * sample_rate)


def _absent(sound: Sound) -> tuple[bool, bool]:
    """Return whether Z is absent from sound with X and Y, and whether all dipoles are absent."""
    w, y, z, x = np.sqrt(np.mean(np.square(sound, dtype=np.float64), axis=1))
    flat = bool(max(x, y) < ABSENT * w)
    return bool(z < ABSENT * w) and not flat, flat and bool(z < ABSENT * w)


@cache
def _detector(spec: str) -> Detector:
    """Load a detector once per process."""
    return load_detector(spec)


def _detect(
    clip: Clip, settings: Settings, duration: float, layout: FrameLayout
) -> tuple[str, Objects]:
    """Return the name of the detector, and detect objects at multiples of its interval."""
    rate = settings.detection_rate
    times = np.arange(math.ceil(duration * rate)) / rate
    if settings.detector == "none":
        return "none", Objects(rate, 0, ())
    if settings.detector == "file":
        if clip.boxes is None:
            raise _UnusableError("no boxes", "the source has no file of boxes for this clip")
        with _or_left_out("unreadable boxes"):
            known = read_boxes(clip.boxes, clip.start + times)
        return "file", Objects(rate, len(times), tuple(regular(known)))
    detector = _detector(settings.detector)
    boxes: list[Boxes] = []
    frames = stream_frames(
        clip.video, start=clip.start, duration=len(times) / rate, rate=rate, layout=layout
    )
    batches = _batches(frames)
    while True:
        with _or_left_out("truncated picture"):
            batch = next(batches, None)
        if batch is None:
            break
        try:
            with one_thread():
                boxes.extend(detector.detect(batch))
        except (InputError, ImportError):
            raise
        except Exception as error:
            cause = f"{detector.name}: {type(error).__name__}: {error}"
            raise _UnusableError("detector failed", cause) from error
    return detector.name, Objects(rate, len(times), tuple(link(boxes, rate)))


def _batches(frames: Iterator[Frames]) -> Iterator[Frames]:
    """Stack as many frames as fit into memory at their size."""
    for first in frames:
        count = min(_DETECTED_AT_ONCE, _DETECTED_PIXELS // (first.shape[0] * first.shape[1]))
        yield np.stack([first, *islice(frames, max(0, count - 1))])


def _packed(
    clip: Clip, settings: Settings, material: Material, detector: str, objects: Objects
) -> Prepared:
    """Assemble the members and facts of a clip."""
    sound, gain = encode_sound(
        material.sound, settings.sample_rate, settings.sound_codec, settings.bitrate
    )
    facts = {
        "start": clip.start,
        "duration": material.count / settings.frame_rate,
        "frames": material.count,
        "copied": material.picture.copied,
        "samples": material.sound.shape[1],
        "gain": gain,
        "notes": list(material.notes),
        "detector": detector,
    }
    about = {
        "key": clip.key,
        "split": clip.split,
        "video": clip.video.name,
        "audio": clip.audio.name,
        **facts,
        "frame_rate": settings.frame_rate,
        "frame_size": settings.frame_size,
        "sample_rate": settings.sample_rate,
    }
    return Prepared(
        facts | {"boxes": sum(len(track.boxes) for track in objects.tracks)},
        {
            "frames": material.picture.data,
            "sound": sound,
            "record": write_record(about, objects),
        },
    )
