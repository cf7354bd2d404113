"""Scenes written as clips, in the layout of a data set with boxes beside them."""

from __future__ import annotations

import errno
import json
import math
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write, locked, remove_partial
from ambikit_learn._progress import progress
from ambikit_learn._threads import cores
from ambikit_learn.detection.box_file import write_boxes
from ambikit_learn.parallel.processes import Loss, map_in_order
from ambikit_learn.video.files import write_video
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.layouts import LAYOUTS, Files, write_events, write_sound
from ambikit_learn.world.pictures import boxes, render_frames
from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.scene import CLASSES, LABEL_RATE, Scene, sample_scene
from ambikit_learn.world.sounds import perform

FORMAT = "ambikit-world/1"
SETTINGS = "world.json"


@dataclass(frozen=True)
class WorldSettings:
    """What all clips of a world have in common; kept in ``world.json``."""

    preset: str
    seed: int
    duration: float
    test_fraction: float
    frame_size: tuple[int, int]
    frame_rate: float
    sample_rate: int
    layout: str
    sound: str

    def rules(self) -> Preset:
        """Return the preset by its name."""
        return PRESETS[self.preset]

    def scene(self, index: int) -> Scene:
        """Return the scene of a clip."""
        return sample_scene(
            self.rules(),
            seed=self.seed,
            index=index,
            split=self.split(index),
            duration=self.duration,
        )

    def split(self, index: int) -> str:
        """Return the split of a clip; test clips lie evenly among the others."""
        before, after = (math.floor(i * self.test_fraction) for i in (index, index + 1))
        return "test" if after > before else "train"

    def name(self, index: int) -> str:
        """Return the name of a clip, fixed by seed and index."""
        return LAYOUTS[self.layout].name(self.seed, index, self.split(index))

    def files(self, index: int) -> Files:
        """Return the paths of a clip below the data set's folder."""
        layout = LAYOUTS[self.layout]
        return layout.files(self.name(index), self.split(index), layout.sounds[self.sound])


def render_world(
    out: str | Path,
    *,
    clips: int = 100,
    seed: int = 0,
    preset: str = "standard",
    duration: float = 6.0,
    test_fraction: float = 0.2,
    frame_size: tuple[int, int] = (160, 320),
    frame_rate: float = 8.0,
    sample_rate: int = 24000,
    layout: str = "yt360",
    sound: str | None = None,
    workers: int | None = None,
) -> None:
    """Write a procedural data set whose every direction is known.

    Parameters
    ----------
    out : path
        Folder for the data set and ``world.json``. Clips that are there already are kept.
    clips : int
        Number of clips. A later call may ask for more; those that exist are kept.
    seed : int
        Random seed. The same seed gives the same clips for any number of workers. Their bytes are
        the same on processors of one kind: others round differently, which codecs make visible.
    preset : str
        Difficulty of the scenes, a key of `PRESETS`.
    duration : float
        Length of a clip in seconds.
    test_fraction : float
        Fraction of test clips, 0 to 1. They share no object with the training clips.
    frame_size : (int, int)
        Height and width in pixels, both even.
    frame_rate, sample_rate : float, int
        Rates of frames and of sound, in Hz.
    layout : {"yt360", "starss23"}
        "yt360": ``video/{ID}-0.mp4`` (H.264), ``audio/{ID}-0.m4a`` (AAC "5.1" in YouTube's channel
        order) or ``.opus``, ``boxes/{ID}-0.json``, ``train.txt`` and ``test.txt``. "starss23":
        ``foa_dev/dev-{train,test}-world/fold{3,4}_roomNN_mix001.wav``, and with the same names
        ``video_dev/….mp4``, ``metadata_dev/….csv`` with the sounding objects at 10 Hz, and
        ``boxes_dev/….json``.
    sound : {"aac", "opus", "wav"}, optional
        Codec of the sound: "aac" (default) or "opus" for "yt360", "wav" for "starss23".
    workers : int, optional
        Number of processes; by default one per core; 0 renders in this process.

    Raises
    ------
    InputError
        An argument cannot be used, or `out` holds a world of other settings.
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from ambikit_learn import render_world
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     render_world(folder, clips=1, duration=0.5, frame_size=(32, 64), workers=0)
    ...     len(list(Path(folder, "video").iterdir()))
    1
    """
    kind = LAYOUTS[checks.choice(layout, tuple(LAYOUTS), "layout")]
    codecs = tuple(kind.sounds)
    settings = WorldSettings(
        checks.choice(preset, tuple(PRESETS), "preset"),
        checks.nonnegative_int(seed, "seed"),
        checks.positive(duration, "duration", "seconds"),
        checks.fraction(test_fraction, "test_fraction"),
        checks.frame_size(frame_size),
        checks.frame_rate(frame_rate),
        checks.positive_int(sample_rate, "sample_rate"),
        layout,
        codecs[0] if sound is None else checks.choice(sound, codecs, f"sound of {layout}"),
    )
    count = checks.positive_int(clips, "clips")
    processes = cores() if workers is None else checks.nonnegative_int(workers, "workers")
    folder = Path(out)
    try:
        _render(folder, settings, count, processes)
    except OSError as error:
        if error.errno is None:  # not raised by the operating system
            raise
        if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.ENOENT):
            raise NotADirectoryError(f"{folder} cannot be a folder: give another one") from error
        raise OSError(
            error.errno,
            f"cannot write to {folder} ({error.strerror}): free some space or give another folder, "
            "then run again; complete clips are kept",
        ) from error


def _render(folder: Path, settings: WorldSettings, count: int, processes: int) -> None:
    """Write settings, lists of names, and the clips that are not there yet."""
    _claim(folder, settings)
    with locked(folder / SETTINGS):
        _render_rest(folder, settings, count, processes)


def _render_rest(folder: Path, settings: WorldSettings, count: int, processes: int) -> None:
    """Write lists of names, and the clips that are not there yet."""
    while (folder / settings.files(count).boxes).exists():  # an earlier call asked for more
        count += 1
    files = [settings.files(i) for i in range(count)]
    paths = [path for one in files for path in (one.video, one.sound, one.boxes, one.events)]
    remove_partial(folder, *{(folder / path).parent for path in paths if path})
    kind = LAYOUTS[settings.layout]
    if kind.lists is not None:
        for split in ("train", "test"):
            names = [settings.name(i) for i in range(count) if settings.split(i) == split]
            with atomic_write(folder / f"{split}.txt") as temporary:
                lines = "".join(f"{kind.lists(name)}\n" for name in names)
                temporary.write_text(lines, encoding="utf-8")
    todo = [i for i, one in enumerate(files) if not (folder / one.boxes).exists()]
    work = partial(_attempt, folder, settings)
    results = map_in_order(work, todo, workers=processes, lost=_lost)
    with closing(results):
        for failure in progress(results, len(todo), "world"):
            if failure is not None:
                raise failure


def render_clip(folder: Path, settings: WorldSettings, index: int) -> None:
    """Write the files of one clip, or none; a clip that has boxes is complete."""
    scene = settings.scene(index)
    rate = settings.sample_rate
    performances = [perform(scene, i, rate) for i in range(len(scene.objects))]
    files = settings.files(index)
    paths = [
        folder / path for path in (files.sound, files.video, files.events, files.boxes) if path
    ]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_sound(folder / files.sound, render_sound(scene, performances, rate), rate)
        times = np.arange(max(1, round(scene.duration * settings.frame_rate)))
        frames = render_frames(
            scene, performances, times / settings.frame_rate, settings.frame_size
        )
        write_video(folder / files.video, frames, settings.frame_rate)
        if files.events is not None:
            write_events(folder / files.events, scene, performances)
        write_boxes(folder / files.boxes, LABEL_RATE, boxes(scene, performances))
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def load_settings(folder: Path) -> WorldSettings:
    """Read the settings of a world.

    Parameters
    ----------
    folder : Path
        What `render_world` wrote.

    Returns
    -------
    WorldSettings

    Raises
    ------
    FileNotFoundError
        `folder` holds no world.
    InputError
        Its settings are damaged, or of another version.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file: give the folder of a rendered world")
    found = _read(path)
    known = {name: found[name] for name in found.keys() - {"format", "classes"}}
    try:
        known["frame_size"] = tuple(known["frame_size"])
        settings = WorldSettings(**known)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is of another version ({error}): render it again") from None
    if found != _record(settings):
        raise InputError(f"{path} is of another version: render it again")
    return settings


def _record(settings: WorldSettings) -> dict[str, Any]:
    """Return what ``world.json`` holds."""
    record: dict[str, Any] = json.loads(
        json.dumps({"format": FORMAT, **asdict(settings), "classes": CLASSES})
    )
    return record


def _read(path: Path) -> dict[str, Any]:
    """Read a file that should hold the settings of a world."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): render to a new folder") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not the settings of a world: render to a new folder")
    return found


def _claim(folder: Path, settings: WorldSettings) -> None:
    """Write the settings beside the clips, or refuse a folder with other settings."""
    path = folder / SETTINGS
    asked = _record(settings)
    if path.exists():
        found = _read(path)
        differing = [k for k in asked.keys() | found.keys() if asked.get(k) != found.get(k)]
        if differing:
            name = min(differing)
            raise InputError(
                f"{folder} holds a world with {name} {found.get(name)!r}, not {asked.get(name)!r}: "
                "render to another folder, or with the same settings"
            )
        return
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")


def _attempt(folder: Path, settings: WorldSettings, index: int) -> Exception | None:
    """Write a clip; return what went wrong, since workers may not raise."""
    try:
        render_clip(folder, settings, index)
    except Exception as error:
        return error
    return None


def _lost(index: int, _: Loss) -> Exception:
    """Return the error of a clip whose worker died."""
    return OSError(f"the process rendering clip {index} died: is there enough memory?")
