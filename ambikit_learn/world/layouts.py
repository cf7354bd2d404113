"""Paths and contents of a clip's files, in the layouts of published data sets."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ambikit
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Integers
from ambikit_learn.world.scene import CLASSES, LABEL_RATE, Scene
from ambikit_learn.world.sounds import ACTIVITY_RATE, Performance, Signal

AUDIBLE = 0.1
"""Activity from which an object counts as sounding: 40 dB below its peak."""
_HOW: dict[str, dict[str, str]] = {
    ".m4a": {"convention": "youtube51"},
    ".opus": {},
    ".wav": {"subtype": "PCM_16"},
}


@dataclass(frozen=True)
class Files:
    """Paths of one clip, relative to the data set; `events` where the data set has such labels."""

    video: Path
    sound: Path
    boxes: Path
    events: Path | None = None


@dataclass(frozen=True)
class Layout:
    """The file layout of a data set.

    Parameters
    ----------
    name : callable (seed, index, split) -> str
        Returns the name of a clip.
    files : callable (name, split, suffix of the sound) -> Files
    sounds : dict of str to str
        Suffix of the sound by codec, the data set's own first.
    lists : callable (name) -> str, optional
        Returns the line of a clip in ``train.txt`` or ``test.txt``, if the data set has such lists.
    """

    name: Callable[[int, int, str], str]
    files: Callable[[str, str, str], Files]
    sounds: dict[str, str]
    lists: Callable[[str], str] | None = None


def write_sound(path: Path, sound: Signal, sample_rate: int) -> None:
    """Write four-channel sound in the codec of the suffix: AAC "5.1", Opus, or 16-bit WAV."""
    ambikit.write(path, sound, sample_rate, **_HOW[path.suffix])


def scene_events(scene: Scene, performances: Sequence[Performance]) -> Integers:
    """Return the sounding objects of a scene over time, (n, 6), sorted by frame.

    Frame at 10 Hz, class by its place in `CLASSES`, number of the object, azimuth, elevation and
    distance, in degrees and centimetres in whole numbers, as in the labels of STARSS23.
    """
    frames = np.arange(max(1, round(scene.duration * LABEL_RATE)))
    step = round(ACTIVITY_RATE / LABEL_RATE)
    rows = []
    for i, (thing, played) in enumerate(zip(scene.objects, performances, strict=True)):
        loud = np.maximum.reduceat(played.activity, frames * step) > AUDIBLE
        times = frames / LABEL_RATE - scene.duration / 2
        azimuth, elevation, distance = scene.places(thing.path.at(times))
        track = np.rint([np.rad2deg(azimuth), np.rad2deg(elevation), 100.0 * distance]).astype(int)
        kind = CLASSES.index(thing.instance.label)
        heard = np.flatnonzero(loud & thing.sounding)
        rows += [(int(k), kind, i, *track[:, k].tolist()) for k in heard]
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, 6)


def write_events(path: Path, scene: Scene, performances: Sequence[Performance]) -> None:
    """Write the sounding objects over time, as `ambikit_learn.sources.starss23.read_events` reads.

    Lines ``frame,class,source,azimuth,elevation,distance`` of `scene_events`.
    """
    rows = scene_events(scene, performances).tolist()
    with atomic_write(path) as temporary:
        temporary.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


def _youtube_id(seed: int, index: int, split: str) -> str:
    """Return an id of 11 characters, as YouTube has them, and the second of the cut."""
    digest = hashlib.blake2b(f"{seed}/{index}".encode(), digest_size=8).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") + "-0"


def _yt360(name: str, split: str, suffix: str) -> Files:
    return Files(
        Path("video", f"{name}.mp4"), Path("audio", name + suffix), Path("boxes", f"{name}.json")
    )


def _recording(seed: int, index: int, split: str) -> str:
    """Return a name as in STARSS23: folds 3 and 4 are training and test; each clip has a room."""
    return f"fold{3 if split == 'train' else 4}_room{index + 1:02d}_mix001"


def _starss23(name: str, split: str, suffix: str) -> Files:
    part = Path(f"dev-{split}-world")
    return Files(
        "video_dev" / part / f"{name}.mp4",
        "foa_dev" / part / (name + suffix),
        "boxes_dev" / part / f"{name}.json",
        "metadata_dev" / part / f"{name}.csv",
    )


LAYOUTS = {
    "yt360": Layout(
        _youtube_id,
        _yt360,
        {"aac": ".m4a", "opus": ".opus"},
        lists=lambda name: name.rpartition("-")[0],
    ),
    "starss23": Layout(_recording, _starss23, {"wav": ".wav"}),
}
