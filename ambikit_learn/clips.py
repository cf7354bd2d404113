"""One clip of a source: is it usable, what is on its picture, and its members of a shard."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

import ambikit
from ambikit import InputError
from ambikit_learn.detection import Detector, load_detector, read_boxes
from ambikit_learn.detection.tracking import Objects, Track, follow, regular
from ambikit_learn.equirect import Boxes
from ambikit_learn.manifest import Settings
from ambikit_learn.media import probe, read_frames, read_layout
from ambikit_learn.members import Frames, Sound, encode_frames, encode_sound
from ambikit_learn.projection import FrameLayout, recognise
from ambikit_learn.sources import Clip
from ambikit_learn.spherical import PartialSphereError

RECORD_FORMAT = "ambikit-clip/2"

SHORTEST = 1.0
"""Seconds below which a clip is left out."""
SILENT = 1e-4
"""Peak of W, relative to full scale, below which sound is silence (-80 dB)."""
ABSENT = 1e-3
"""RMS relative to W below which a dipole channel is absent (-60 dB)."""
STILL = 4.0
"""Grey levels by which some 4 x 4 block must change for a picture to move; coding noise stays
below 2."""
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
)
"""What is worth knowing of a clip and leaves it out only if the settings say so. Cubemaps are
converted to equirectangular frames, and one of two eyes is kept."""

_DETECTED_AT_ONCE = 8


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
class LeftOut:
    """A clip that cannot be used.

    Parameters
    ----------
    reason : str
        One of few, to count by.
    detail : str
        The same in full.
    """

    reason: str
    detail: str


@dataclass(frozen=True)
class Material:
    """Picture and sound of a usable clip, of one length."""

    frames: Frames
    layout: FrameLayout
    sound: Sound
    notes: tuple[str, ...]


class _UnusableError(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


def prepare_clip(clip: Clip, settings: Settings) -> Prepared | LeftOut:
    """Check, detect, resample and encode a clip.

    Parameters
    ----------
    clip : Clip
    settings : Settings

    Returns
    -------
    Prepared or LeftOut
        The same for the same files and settings, in whatever process.

    Raises
    ------
    InputError
        The detector cannot work as it is set.
    ImportError
        The detector needs a package that is not installed.
    """
    try:
        material = _examine(clip, settings)
        _refuse(settings.leave_out, material.notes)
        duration = len(material.frames) / settings.frame_rate
        name, objects = _detect(clip, settings, duration, material.layout)
        return _packed(clip, settings, material, name, objects)
    except _UnusableError as error:
        return LeftOut(error.reason, str(error))
    except (InputError, ImportError):
        # The detector cannot work at all: that concerns every clip, and whoever set it.
        raise
    except Exception as error:
        # Whatever else a stranger's file or detector provokes costs this clip, not the run.
        return LeftOut("failed", f"{type(error).__name__}: {error}")


def check_clip(clip: Clip, settings: Settings) -> Prepared | LeftOut:
    """Do what `prepare_clip` does without looking for objects, and keep no members."""
    outcome = prepare_clip(clip, replace(settings, detector="none"))
    return replace(outcome, members={}) if isinstance(outcome, Prepared) else outcome


def read_objects(record: bytes) -> Objects:
    """Read the objects of a clip.

    Parameters
    ----------
    record : bytes
        The clip's ``{key}.json``.

    Returns
    -------
    Objects

    Raises
    ------
    InputError
        The record is damaged, or of another version.
    """
    try:
        document = json.loads(record)
        if document["format"] != RECORD_FORMAT:
            raise ValueError(f"format {document['format']!r}, not {RECORD_FORMAT!r}")
        tracks = tuple(map(Track.from_record, document["objects"]))
        return Objects(document["detection_rate"], document["moments"], tracks)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the objects are damaged ({error}): prepare the data again") from error


@contextmanager
def _or_left_out(reason: str) -> Iterator[None]:
    """Turn what is wrong with a file into the reason that the clip is left out."""
    try:
        yield
    except FileNotFoundError as error:
        raise _UnusableError("missing file", str(error)) from None
    except PartialSphereError as error:
        raise _UnusableError("part of the sphere", str(error)) from None
    except (InputError, OSError) as error:
        raise _UnusableError(reason, str(error)) from None


def _refuse(unwanted: tuple[str, ...], notes: tuple[str, ...]) -> None:
    """Leave the clip out if one of its notes is unwanted."""
    for note in notes:
        if note in unwanted:
            raise _UnusableError(note)


def _examine(clip: Clip, settings: Settings) -> Material:
    """Read a clip's picture and sound to their common length; raise what makes it unusable."""
    if clip.split == "unlisted":
        raise _UnusableError("unlisted", "the data set's lists do not name this clip")
    (layout, frames), sound = _picture(clip, settings), _sound(clip, settings)
    seconds = len(frames) / settings.frame_rate, sound.shape[1] / settings.sample_rate
    count = math.floor(min(seconds) * settings.frame_rate)
    if count < SHORTEST * settings.frame_rate:
        raise _UnusableError("too short", f"{min(seconds):.2f} s of picture and sound")
    frames = frames[:count]
    sound = sound[:, : round(count / settings.frame_rate * settings.sample_rate)]
    found = (
        _is_still(frames),
        *_absent(sound),
        abs(seconds[0] - seconds[1]) > APART,
        layout.projection == "cubemap",
        layout.projection == "eac",
        layout.stereo != "mono",
    )
    notes = tuple(note for note, holds in zip(NOTES, found, strict=True) if holds)
    return Material(frames, layout, sound, notes)


def _picture(clip: Clip, settings: Settings) -> tuple[FrameLayout, Frames]:
    """Read the equirectangular frames of a clip, and the layout that its file has."""
    with _or_left_out("unreadable picture"):
        info = probe(clip.video)
    if clip.audio == clip.video and not info.has_audio:
        raise _UnusableError("no sound", f"{clip.video} has no sound track")
    with _or_left_out("truncated picture"):
        stated = read_layout(clip.video)

    def read(layout: FrameLayout) -> Frames:
        with _or_left_out("truncated picture"):
            return read_frames(
                clip.video,
                start=clip.start,
                duration=clip.duration,
                rate=settings.frame_rate,
                size=settings.frame_size,
                layout=layout,
            )

    plain = FrameLayout()
    frames = read(stated or plain)
    layout = stated or recognise(_some(frames))
    # Metadata seldom outlives a download: most cubemaps show only once they are seen.
    return layout, read(layout) if stated is None and layout != plain else frames


def _sound(clip: Clip, settings: Settings) -> Sound:
    """Read the first-order sound of a clip."""
    with _or_left_out("unusable sound"):
        info = ambikit.info(clip.audio)
        if info.convention is None:
            raise _UnusableError(f"{info.channels} channels", f"{clip.audio} is no Ambisonic sound")
        sound, _ = ambikit.read(
            clip.audio, sample_rate=settings.sample_rate, start=clip.start, duration=clip.duration
        )
    if np.abs(sound[0]).max(initial=0.0) < SILENT:
        raise _UnusableError("silent", f"W stays below {SILENT:g} of full scale")
    return np.ascontiguousarray(sound[:4], dtype=np.float32)


def _some(frames: Frames) -> Frames:
    """Choose up to 16 frames, evenly spread."""
    chosen: Frames = frames[np.unique(np.linspace(0, len(frames) - 1, 16).astype(int))]
    return chosen


def _is_still(frames: Frames) -> bool:
    """Tell whether nothing moves, looking at the green of up to 16 frames."""
    chosen = _some(frames)[..., 1]
    count, height, width = chosen.shape
    blocks = chosen[:, : height // 4 * 4, : width // 4 * 4].reshape(
        count, height // 4, 4, width // 4, 4
    )
    means = blocks.mean(axis=(2, 4), dtype=np.float32)
    return bool(np.ptp(means, axis=0).max() < STILL)


def _absent(sound: Sound) -> tuple[bool, bool]:
    """Tell whether Z is absent from sound with X and Y, and whether all dipoles are absent."""
    w, y, z, x = np.sqrt(np.mean(np.square(sound, dtype=np.float64), axis=1))
    flat = bool(max(x, y) < ABSENT * w)
    return bool(z < ABSENT * w) and not flat, flat and bool(z < ABSENT * w)


@cache
def _detector(spec: str) -> Detector:
    """Load a detector once a process."""
    return load_detector(spec)


def _detect(
    clip: Clip, settings: Settings, duration: float, layout: FrameLayout
) -> tuple[str, Objects]:
    """Name the detector, and look for objects at each multiple of the detection's interval."""
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
    for first in range(0, len(times), _DETECTED_AT_ONCE):
        some = times[first : first + _DETECTED_AT_ONCE]
        with _or_left_out("truncated picture"):
            frames = read_frames(
                clip.video,
                start=clip.start + some[0],
                duration=len(some) / rate,
                rate=rate,
                layout=layout,
            )
        boxes.extend(detector.detect(frames))
    return detector.name, Objects(rate, len(times), tuple(follow(boxes, rate)))


def _packed(
    clip: Clip, settings: Settings, material: Material, detector: str, objects: Objects
) -> Prepared:
    """Encode what was found."""
    sound, gain = encode_sound(material.sound, settings.sample_rate)
    facts = {
        "start": clip.start,
        "duration": len(material.frames) / settings.frame_rate,
        "frames": len(material.frames),
        "samples": material.sound.shape[1],
        "gain": gain,
        "notes": list(material.notes),
        "detector": detector,
    }
    record = {
        "format": RECORD_FORMAT,
        "key": clip.key,
        "split": clip.split,
        "video": clip.video.name,
        "audio": clip.audio.name,
        **facts,
        "frame_rate": settings.frame_rate,
        "frame_size": settings.frame_size,
        "sample_rate": settings.sample_rate,
        "detection_rate": settings.detection_rate,
        "moments": objects.count,
        "objects": [track.to_record() for track in objects.tracks],
    }
    return Prepared(
        facts | {"boxes": sum(len(track.boxes) for track in objects.tracks)},
        {
            "frames": encode_frames(material.frames, settings.frame_rate),
            "sound": sound,
            "record": json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(),
        },
    )
