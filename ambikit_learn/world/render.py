"""Scenes written as clips, in the layout of YT-360 with boxes beside them."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from ambikit import InputError, _validate
from ambikit_learn._files import replacing
from ambikit_learn._progress import tracked
from ambikit_learn.detection.boxfile import write_boxes
from ambikit_learn.media import write_video
from ambikit_learn.workers import cores, map_in_order
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.pictures import boxes, render_frames
from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.scene import LABEL_RATE, sample_scene
from ambikit_learn.world.sounds import Signal, perform

FORMAT = "ambikit-world/1"
SETTINGS = "world.json"
BIT_RATE = 384_000


@dataclass(frozen=True)
class Settings:
    """What all clips of a world have in common; kept in ``world.json``."""

    preset: str
    seed: int
    duration: float
    test_fraction: float
    frame_size: tuple[int, int]
    frame_rate: float
    sample_rate: int

    def rules(self) -> Preset:
        """Return the preset by its name."""
        return PRESETS[self.preset]

    def split(self, index: int) -> str:
        """Return the split of a clip; test clips lie evenly among the others."""
        before, after = (math.floor(i * self.test_fraction) for i in (index, index + 1))
        return "test" if after > before else "train"

    def key(self, index: int) -> str:
        """Return an id of 11 characters, as YouTube has them, fixed by seed and index."""
        digest = hashlib.blake2b(f"{self.seed}/{index}".encode(), digest_size=8).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def render_world(
    out: str | Path,
    *,
    clips: int,
    seed: int = 0,
    preset: str = "standard",
    duration: float = 6.0,
    test_fraction: float = 0.2,
    frame_size: tuple[int, int] = (160, 320),
    frame_rate: float = 8.0,
    sample_rate: int = 24000,
    workers: int | None = None,
) -> None:
    """Write a procedural data set whose every direction is known.

    Parameters
    ----------
    out : path
        Folder for ``video/{ID}-0.mp4`` (H.264), ``audio/{ID}-0.m4a`` (AAC "5.1" in YouTube's order
        of planes), ``boxes/{ID}-0.json``, ``train.txt``, ``test.txt`` and ``world.json``. Clips
        that are there already are kept.
    clips : int
        Number of clips. More may be asked for later: the first ones stay what they are.
    seed : int
        The same seed gives the same clips, whatever the number of workers.
    preset : {"standard", "easy", "hard"}
        How hard the scenes are.
    duration : float
        Seconds a clip.
    test_fraction : float
        Share of test clips, 0 to 1. They share no object with the training clips.
    frame_size : (int, int)
        Height and width in pixels, both even.
    frame_rate, sample_rate : float, int
        In Hz.
    workers : int, optional
        Processes; one a core when not given, 0 for none but this.

    Raises
    ------
    InputError
        An argument cannot be used, or `out` holds a world of other settings.
    OSError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     render_world(folder, clips=1, duration=0.5, frame_size=(32, 64), workers=0)
    ...     len(list(Path(folder, "video").iterdir()))
    1
    """
    settings = Settings(
        _validate.choice(preset, tuple(PRESETS), "preset"),
        _validate.natural(seed, "seed"),
        _validate.positive(duration, "duration", "seconds"),
        _validate.share(test_fraction, "test_fraction"),
        _validate.frame_size(frame_size),
        _validate.positive(frame_rate, "frame_rate", "Hz"),
        _validate.count(sample_rate, "sample_rate"),
    )
    count = _validate.count(clips, "clips")
    processes = cores() if workers is None else _validate.natural(workers, "workers")
    folder = Path(out)
    _claim(folder, settings)
    for split in ("train", "test"):
        keys = [settings.key(i) for i in range(count) if settings.split(i) == split]
        with replacing(folder / f"{split}.txt") as temporary:
            temporary.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    todo = [i for i in range(count) if not _boxes_of(folder, settings.key(i)).exists()]
    work = partial(_attempt, folder, settings)
    results = map_in_order(work, todo, workers=processes, lost=_lost)
    with closing(cast("Generator[Exception | None, None, None]", results)):
        for failure in tracked(results, len(todo), "world"):
            if failure is not None:
                raise failure


def render_clip(folder: Path, settings: Settings, index: int) -> None:
    """Write the files of one clip; the boxes come last, so a clip that has them is complete."""
    scene = sample_scene(
        settings.rules(),
        seed=settings.seed,
        index=index,
        split=settings.split(index),
        duration=settings.duration,
    )
    rate = settings.sample_rate
    performances = [perform(scene, i, rate) for i in range(len(scene.objects))]
    key = settings.key(index)
    _write_sound(folder / "audio" / f"{key}-0.m4a", render_sound(scene, performances, rate), rate)
    times = np.arange(max(1, round(scene.duration * settings.frame_rate))) / settings.frame_rate
    frames = render_frames(scene, performances, times, settings.frame_size)
    write_video(folder / "video" / f"{key}-0.mp4", frames, settings.frame_rate)
    write_boxes(_boxes_of(folder, key), LABEL_RATE, boxes(scene, performances))


def _boxes_of(folder: Path, key: str) -> Path:
    return folder / "boxes" / f"{key}-0.json"


def _claim(folder: Path, settings: Settings) -> None:
    """Write the settings beside the clips, or refuse a folder that has others."""
    path = folder / SETTINGS
    asked = json.loads(json.dumps({"format": FORMAT, **asdict(settings)}))
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}): render to a new folder") from None
        if not isinstance(found, dict):
            raise InputError(f"{path} is not the settings of a world: render to a new folder")
        differing = [k for k in asked.keys() | found.keys() if asked.get(k) != found.get(k)]
        if differing:
            name = min(differing)
            raise InputError(
                f"{folder} holds a world with {name} {found.get(name)!r}, not {asked.get(name)!r}: "
                "render to another folder, or with the same settings"
            )
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")


def _attempt(folder: Path, settings: Settings, index: int) -> Exception | None:
    """Write a clip; return what went wrong, since workers may not raise."""
    try:
        render_clip(folder, settings, index)
    except Exception as error:
        return error
    return None


def _lost(index: int) -> Exception:
    """Return the error of a clip whose worker died."""
    return OSError(f"the process rendering clip {index} died: is there enough memory?")


def _write_sound(path: Path, sound: Signal, sample_rate: int) -> None:
    """Write AAC "5.1" with the planes where YouTube has them (FL=X, FR=Y, FC=W, BL=Z)."""
    import av

    planes = np.zeros((6, sound.shape[-1]), np.float32)
    planes[[2, 1, 4, 0]] = sound
    # Intensity stereo, mid/side and noise substitution would spoil the phases between planes.
    options = {"aac_is": "0", "aac_ms": "0", "aac_pns": "0", "aac_coder": "fast"}
    with replacing(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("aac", rate=sample_rate, layout="5.1", options=options)
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="5.1")
        frame.sample_rate, frame.pts = sample_rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
