"""Preparation of one clip: checks, detection of objects, and its members of a shard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import ambikit
from ambikit import InputError
from ambikit_learn._files import as_text
from ambikit_learn._typing import Sound
from ambikit_learn.data.format import Settings
from ambikit_learn.data.record import write_record
from ambikit_learn.data.sound import encode_sound
from ambikit_learn.detection import read_boxes
from ambikit_learn.detection.annotated import annotated_tracks
from ambikit_learn.detection.tracking import regular
from ambikit_learn.preparation.detections import Detections, detection_times
from ambikit_learn.sources import Clip
from ambikit_learn.sphere.listening import ABSENT
from ambikit_learn.sphere.projection import EAC_PADDING, GOPRO_RATIOS, FrameLayout
from ambikit_learn.sphere.recognition import NotASphereError
from ambikit_learn.sphere.tracks import Objects
from ambikit_learn.video.decode import UNPROBED, Video, open_video
from ambikit_learn.video.files import info_of, layout_of
from ambikit_learn.video.spherical import UPRIGHT, PartialSphereError, orientation_of
from ambikit_learn.video.transcode import (
    GAP,
    Picture,
    coded_seconds,
    copy_span,
    encode_span,
    watch_span,
)

SHORTEST = 1.0
"""Seconds below which a clip is rejected."""
SILENT = 1e-4
"""Peak of W, relative to full scale, below which sound is silence (-80 dB)."""
GAINS = (0.1, 2.5)
"""Bounds of the energy of X, Y and Z together over that of W, where all three are present: 1 of any
plane wave and of any diffuse field, 2 if W is 3 dB too low (FuMa), 3 if channels are N3D."""
_NOTHING = 1e-7
"""Level below which a sample is digital silence, resampled or not."""
_LATE = 0.002
"""Seconds by which picture or sound may begin after a clip: stamps of whole milliseconds."""
APART = 0.5
"""Seconds by which picture and sound may differ in length before it is noted."""

FAILED = "failed"
"""Reason of a clip that says nothing of its content: the same command tries it again."""

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
    "impossible gains",
)
"""Notes on clips, which reject a clip only if the settings say so. Cubemaps are converted to
equirectangular frames, and one of two eyes is kept. The projection is assumed to be equirectangular
where neither settings nor file state it and the picture does not show it. Gaps are seconds without
a new frame, or of digital silence. Gains are impossible if X, Y and Z together have another energy
than W in any sound field: `GAINS`."""


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
        if clip.split == "unlisted":
            raise _UnusableError("unlisted", "the data set's lists do not name this clip")
        with ExitStack() as files:
            with _or_rejected("unreadable picture"):
                video = files.enter_context(open_video(clip.video))
            return _prepared(_from_both(clip, video), settings, video)
    except _UnusableError as error:
        return Rejected(error.reason, str(error))
    except (InputError, ImportError):
        # A detector that cannot work at all concerns every clip.
        raise
    except Exception as error:
        # Any other error of a file or a detector rejects this clip; the run continues.
        return Rejected(FAILED, f"{type(error).__name__}: {error}")


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
        with open_video(clip.video, **UNPROBED) as video:
            return max(0.0, video.end - clip.start)
    except Exception:
        return 0.0


@contextmanager
def _or_rejected(reason: str) -> Iterator[None]:
    """Turn an error of a file into the reason that the clip is rejected."""
    try:
        yield
    except FileNotFoundError as error:
        raise _UnusableError("missing file", str(error)) from None
    except PartialSphereError as error:
        raise _UnusableError("part of the sphere", str(error)) from None
    except NotASphereError as error:
        raise _UnusableError("not a sphere", str(error)) from None
    except InputError as error:
        raise _UnusableError(reason, str(error)) from None
    except OSError as error:  # of the disk or its rights, which may be other next time
        raise _UnusableError(FAILED, str(error)) from None


def _refuse(unwanted: tuple[str, ...], notes: tuple[str, ...]) -> None:
    """Reject the clip if one of its notes is unwanted."""
    for note in notes:
        if note in unwanted:
            raise _UnusableError(note)


def _prepared(clip: Clip, settings: Settings, video: Video) -> Prepared:
    """Prepare a clip whose video is open; raise if it is unusable."""
    seen, heard = _seconds_of_picture(clip, video), _seconds_of_sound(clip, settings)
    seconds, rate = min(seen, heard), settings.frame_rate
    if seconds < SHORTEST:
        raise _UnusableError("too short", f"{seconds:.2f} s of picture and sound")
    span: dict[str, Any] = {"rate": rate, "size": settings.frame_size}
    with _or_rejected("truncated picture"):
        span["layout"] = _stated(video, clip.start, settings)
        span["stereo"] = None if settings.stereo == "auto" else settings.stereo
        copy = copy_span(video, clip.start, seconds, mode=settings.video_mode, **span)
    length = coded_seconds(seconds, rate) if copy is None else copy.seconds
    count = math.floor(min(length, heard) * rate + 1e-6)
    duration, unequal = count / rate, abs(seen - heard) > APART
    # Its errors are reported after those of the picture, but nothing is detected in vain.
    sound = _sound(clip, settings, duration)
    detections, flaws = None, (False, False, False, False)
    if not isinstance(sound, _UnusableError):
        flaws = _flaws(sound, settings.sample_rate)
        stated = replace(span["layout"] or FrameLayout(), assumed=False)
        known = Picture(b"", length, stated, still=False, copied=False)
        detections = _detections(settings, _notes(flaws, known, unequal=unequal), duration)
    with _or_rejected("truncated picture"):
        picture = copy or encode_span(video, clip.start, seconds, watcher=detections, **span)
    if isinstance(sound, _UnusableError):
        raise sound
    notes = _notes(flaws, picture, unequal=unequal)
    _refuse(settings.leave_out, notes)
    if detections is not None:
        with _or_rejected("truncated picture"):
            if picture.copied:
                watch_span(video, clip.start, picture.layout, detections)
            detections.check(video, clip.start)
    name, objects = _objects(clip, settings, duration, detections)
    return _packed(clip, settings, Material(picture, sound, count, notes), name, objects)


def _from_both(clip: Clip, video: Video) -> Clip:
    """Cut from a clip what comes before its picture or its sound begins."""
    info = info_of(video)
    late = max(info.begin, info.sound_begin if clip.audio == clip.video else 0.0) - clip.start
    if late <= _LATE:
        return clip
    left = None if clip.duration is None else clip.duration - late
    if left is not None and left < SHORTEST:
        raise _UnusableError(
            "too short", f"picture or sound of {clip.video} begin only {late:.2f} s after the clip"
        )
    return replace(clip, start=round(clip.start + late, 6), duration=left)


def _seconds_of_picture(clip: Clip, video: Video) -> float:
    """Return the length of the picture of a clip, at most to the end of its file."""
    if clip.audio == clip.video and not video.container.streams.audio:
        raise _UnusableError("no sound", f"{clip.video} has no sound track")
    if not video.end and clip.duration is None:
        raise _UnusableError("unreadable picture", f"{clip.video} does not say how long it is")
    return _within(clip, clip.video, video.end or math.inf)


def _seconds_of_sound(clip: Clip, settings: Settings) -> float:
    """Return the length of the sound of a clip, at most to the end of its file."""
    with _or_rejected("unusable sound"):
        info = ambikit.info(clip.audio, track=settings.track)
    if info.convention is None and settings.convention is None:
        raise _UnusableError(f"{info.channels} channels", f"{clip.audio} is no Ambisonic sound")
    return _within(clip, clip.audio, info.duration)


def _within(clip: Clip, path: Path, end: float) -> float:
    """Return the seconds of a clip that lie before the end of a file."""
    if end <= clip.start:
        raise _UnusableError("too short", f"{path} ends at {end:.2f} s, before the clip begins")
    return min(end - clip.start, clip.duration or math.inf)


def _stated(video: Video, start: float, settings: Settings) -> FrameLayout | None:
    """Return the layout that the settings, or else the file, state; None if neither does."""
    if settings.projection == "auto":
        layout = layout_of(video, start)
        if layout is None or settings.stereo == "auto":
            return layout
        return replace(layout, stereo=settings.stereo)
    _refuse_other_camera(video, settings.projection)
    padding = EAC_PADDING if settings.projection == "eac" else 0
    try:
        upright = orientation_of(video.first_frame(start)) == UPRIGHT
    except PartialSphereError as error:
        raise PartialSphereError(f"{video.path}: {error}") from None
    stereo = "mono" if settings.stereo == "auto" else settings.stereo
    return FrameLayout(settings.projection, stereo, padding, upright)


def _refuse_other_camera(video: Video, projection: str) -> None:
    """Refuse to take a GoPro MAX's two streams for another projection, or another file for them."""
    height, width = video.stream.height, video.stream.width
    if video.partner is not None and projection != "gopro-max":
        raise NotASphereError(
            f"{video.path} holds the two streams of a GoPro MAX, which are no picture of the "
            f"projection {projection!r}: leave --projection out, or state gopro-max"
        )
    joined = GOPRO_RATIOS[0] <= width / height <= GOPRO_RATIOS[1]
    if video.partner is None and projection == "gopro-max" and not joined:
        raise NotASphereError(
            f"{video.path} holds frames of {width} × {height}, which are not the two streams of a "
            "GoPro MAX, one above the other: state another --projection, or leave it out"
        )


def _sound(clip: Clip, settings: Settings, seconds: float) -> Sound | _UnusableError:
    """Read the first-order sound of a clip, or return what is wrong with it."""
    try:
        with _or_rejected("unusable sound"):
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
    except _UnusableError as error:
        return error
    return np.ascontiguousarray(sound[:4], dtype=np.float32)


def _notes(
    heard: tuple[bool, bool, bool, bool], picture: Picture, *, unequal: bool
) -> tuple[str, ...]:
    """Return those of `NOTES` that hold of a picture, and of sound as `_flaws` tells them."""
    no_height, no_direction, silence, gains = heard
    layout = picture.layout
    found = (
        picture.still,
        no_height,
        no_direction,
        unequal,
        layout.projection in ("cubemap", "c3x2", "c6x1", "c1x6"),
        layout.projection in ("eac", "gopro-max"),
        layout.stereo != "mono",
        layout.assumed,
        picture.gap or silence,
        gains,
    )
    return tuple(note for note, holds in zip(NOTES, found, strict=True) if holds)


def _flaws(sound: Sound, sample_rate: int) -> tuple[bool, bool, bool, bool]:
    """Return whether Z is absent, all dipoles are, it is nothing for long, gains are impossible."""
    no_height, no_direction = _absent(sound)
    w, *xyz = (float(np.vdot(channel, channel)) for channel in sound)
    known = not (no_height or no_direction)
    gains = known and not GAINS[0] * w <= sum(xyz) <= GAINS[1] * w
    return no_height, no_direction, _has_gap(sound, sample_rate), gains


def _has_gap(sound: Sound, sample_rate: int) -> bool:
    """Tell whether all channels are digital silence for a second or more."""
    loud = np.flatnonzero(np.abs(sound).max(axis=0) > _NOTHING)
    edges = np.concatenate([[-1], loud, [sound.shape[1]]])
    return bool(np.diff(edges).max() > GAP * sample_rate)


def _absent(sound: Sound) -> tuple[bool, bool]:
    """Return whether Z is absent from sound with X and Y, and whether all dipoles are absent."""
    w, y, z, x = (math.sqrt(np.vdot(channel, channel)) for channel in sound)
    flat = bool(max(x, y) < ABSENT * w)
    return bool(z < ABSENT * w) and not flat, flat and bool(z < ABSENT * w)


def _detections(settings: Settings, known: tuple[str, ...], duration: float) -> Detections | None:
    """Return what detects objects in frames, unless known notes will reject the clip anyway."""
    if settings.detector in ("none", "file") or set(known) & set(settings.leave_out):
        return None
    return Detections(settings.detector, duration, settings.detection_rate)


def _objects(
    clip: Clip, settings: Settings, duration: float, detections: Detections | None
) -> tuple[str, Objects]:
    """Return the name of the detector, and the objects of a clip."""
    if detections is not None:
        try:
            return detections.name, detections.objects()
        except (InputError, ImportError):
            raise
        except Exception as error:
            cause = f"{detections.name}: {type(error).__name__}: {error}"
            raise _UnusableError("detector failed", cause) from error
    rate = settings.detection_rate
    if settings.detector == "none":
        return "none", Objects(rate, 0, ())
    if clip.boxes is None:
        raise _UnusableError("no boxes", "the source has no file of boxes for this clip")
    times = detection_times(duration, rate)
    with _or_rejected("unreadable boxes"):
        if clip.boxes.suffix == ".csv":
            tracks = annotated_tracks(clip.boxes, clip.start + times, rate)
            return "annotated", Objects(rate, len(times), tuple(tracks))
        known = read_boxes(clip.boxes, clip.start + times)
    return "file", Objects(rate, len(times), tuple(regular(known)))


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
        "key": as_text(clip.key),
        "split": clip.split,
        "video": as_text(clip.video.name),
        "audio": as_text(clip.audio.name),
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
