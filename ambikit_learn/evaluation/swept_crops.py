"""Where the picture agrees best with the sound: crops swept around real clips.

The angle from the best of the swept crops to a sounding object whose place is known, beside that
from the highest points of maps of the sound alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

import ambikit
from ambikit import InputError, checks
from ambikit_learn._typing import Floats, Frames, Sound
from ambikit_learn.evaluation.intervals import Estimate, bootstrap_mean
from ambikit_learn.evaluation.results import NO_INTERVAL, Grid, Measure, Row, TaskResults
from ambikit_learn.evaluation.sound_embedders import untrained
from ambikit_learn.evaluation.task import ENCODER, RANDOM
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.sources import Clip, open_source
from ambikit_learn.sphere.equirect import gnomonic
from ambikit_learn.sphere.projection import FrameLayout, equirectangular_size
from ambikit_learn.sphere.recognition import NotASphereError, recognise
from ambikit_learn.video.decode import open_video, shown_at
from ambikit_learn.video.files import Pictures, ends_early, layout_of, shape_of

PLACES = {
    "KVvDejzzQjM_6": -3.6,
    "NdE7uYVaynQl_0": 3.6,
    "TKPZf_P5_18_30": 3.6,
    "gyFx147_35Q_52": -25.2,
    "pC2WmY6bkB4_251": 0.0,
}
"""Azimuth in degrees, by eye, of the one sounding object of clips of Sphere360: a piano, a hang, a
guitar, a saxophone and a tabla."""
STEP = 10.0
"""Degrees from crop to crop."""
FIELD = 60.0
"""Width and height of a swept crop in degrees."""
SIZE = 48
"""Pixels of a crop, where a run does not say what it was trained on."""


def evaluate_swept_crops(
    data: Path,
    encoder: AmbiEncoder | None,
    baselines: Sequence[str],
    *,
    places: Path | None = None,
    skip_bad: bool = False,
    seed: int = 0,
) -> TaskResults:
    """Measure the angle from the best of swept crops to the sounding object of real clips.

    Parameters
    ----------
    data : Path
        Folder in the layout of Sphere360.
    encoder : AmbiEncoder, optional
        Its heads say how well crops and sounds agree.
    baselines : sequence of str
        ``"random"``, ``"intensity"``.
    places : Path, optional
        Lines ``key,azimuth``; by default `PLACES`.
    skip_bad, seed
        As for `ambikit_learn.evaluation.direction.evaluate_direction`.

    Returns
    -------
    TaskResults

    Raises
    ------
    InputError
        If no clip has a known place, or a clip is unreadable.
    """
    begin = time.perf_counter()
    known = PLACES if places is None else read_places(places)
    clips = [clip for clip in open_source("sphere360", data).clips() if clip.key in known]
    there = [clip for clip in clips if clip.video.is_file()]
    if not there:
        raise InputError(
            f"{data} has none of the {len(known)} clips whose place is known: give a file of "
            "key,azimuth (--places)"
        )
    azimuth = np.arange(0.0, 360.0, STEP)
    models = {} if encoder is None else {ENCODER: encoder}
    if encoder is not None and "random" in baselines:
        models[RANDOM] = untrained(encoder, seed)
    waiting, skipped = 0.0, []
    errors: dict[str, dict[str, float]] = {}
    for clip in there:
        try:
            started = time.perf_counter()
            sound, rate = ambikit.read(
                clip.audio, start=clip.start, duration=clip.duration, sample_rate=_rate(encoder)
            )
            waiting += time.perf_counter() - started
            found = {name: sweep(one, clip, sound, azimuth) for name, one in models.items()}
            if "intensity" in baselines:
                found |= of_sound(sound, rate)
        except (InputError, OSError) as error:
            if not skip_bad:
                raise
            skipped.append(str(error))
            continue
        for name, towards in found.items():
            errors.setdefault(name, {})[clip.key] = around(towards - known[clip.key])
    if not errors:
        raise InputError(f"no clip could be measured: {'; '.join(skipped) or 'give a model'}")
    measure = Measure(
        "azimuth error",
        "bootstrap over clips, 2,000 draws; not over seeds of training",
        "°",
        higher_is_better=False,
        chance=90.0,
    )
    rows, each = [], []
    for name, by_clip in errors.items():
        values = np.array(list(by_clip.values()))
        kind: Literal["learned", "baseline"] = "learned" if name == ENCODER else "baseline"
        estimate = bootstrap_mean(values, np.arange(len(values)))
        rows.append(Row(name, {measure.name: estimate}, kind))
        each.append(Row(name, {key: Estimate(value, clips=1) for key, value in by_clip.items()}))
    keys = tuple(
        Measure(c.key, NO_INTERVAL, "°") for c in there if c.key in next(iter(errors.values()))
    )
    missing = [
        f"{key}: its file is missing" for key in sorted(known.keys() - {c.key for c in there})
    ]
    if encoder is None and "random" in baselines:
        missing.append("random weights need a model, whose networks they are (--model)")
    return TaskResults(
        task="direction",
        data=f"swept crops of {len(there)} clips of {data.name}",
        table=Grid((measure,), tuple(rows)),
        details=(Grid(keys, tuple(each), "azimuth error by clip"),),
        skipped=tuple(skipped),
        missing=tuple(missing),
        settings={"step": STEP, "field_of_view": FIELD, "seed": seed},
        seconds=time.perf_counter() - begin,
        waiting=waiting,
    )


def read_places(path: Path) -> dict[str, float]:
    """Read lines ``key,azimuth`` in degrees.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    InputError
        A line holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file: give lines of key,azimuth (--places)")
    places = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        key, _, azimuth = line.rpartition(",")
        try:
            places[key.strip()] = checks.within(float(azimuth), -180.0, 180.0, "azimuth")
        except ValueError:
            raise InputError(
                f"{path}, line {number}: {line.strip()!r} is not key,azimuth with degrees from "
                "-180 to 180"
            ) from None
    return places


def sweep(encoder: AmbiEncoder, clip: Clip, sound: Sound, azimuth: Floats) -> float:
    """Return the azimuth in degrees, of those given, at which crop and sound agree best.

    The agreement is the mean over consecutive spans of the clip of the similarity by the heads of
    the model, of each crop with the sound as heard from its viewpoint.
    """
    model = encoder.model
    data = encoder.record.settings.get("data", {})
    span, frames = encoder.window, int(model.net.settings["frames"])
    samples = round(span * encoder.sample_rate)
    spans = sound.shape[-1] // samples
    if not spans:
        raise InputError(f"{clip.audio} is shorter than {span:g} s, on which the model was trained")
    offsets = span * np.arange(1, frames + 1) / (frames + 1)
    times = (span * np.arange(spans)[:, None] + offsets).ravel()
    pictures = read_frames(clip.video, clip.start + times)
    agreement = np.zeros(len(azimuth))
    towards = torch.from_numpy(np.deg2rad(azimuth)).float()[None]
    for number in range(spans):
        some = pictures[number * frames : (number + 1) * frames]
        heard = torch.from_numpy(sound[None, :4, number * samples :][..., :samples].copy())
        agreement += agreements(model, some, heard, towards, int(data.get("size", SIZE)))
    return float(azimuth[agreement.argmax()])


def agreements(
    model: AlignmentModel, frames: Frames, sound: torch.Tensor, azimuth: torch.Tensor, size: int
) -> Floats:
    """Return how well each crop (K,) of frames (T, H, W, 3) agrees with the sound (1, 4, n)."""
    crops = [
        gnomonic(frames, float(a), 0.0, np.deg2rad(FIELD), np.deg2rad(FIELD), size)
        for a in azimuth[0]
    ]
    video = torch.from_numpy(np.stack(crops))[None]
    with torch.inference_mode():
        output = model.net.heads(*model.encode(video, sound, azimuth, torch.zeros_like(azimuth)))
        found: Floats = output.similarity()[0].diagonal().double().numpy()
    return found


def of_sound(sound: Sound, rate: int) -> Mapping[str, float]:
    """Return the azimuths in degrees that the sound alone gives, by method."""
    azimuth, elevation = np.arange(-180.0, 180.0, 2.0), np.arange(-60.0, 61.0, 4.0)[:, None]
    power = ambikit.power_map(sound[:4], azimuth, elevation, degrees=True)
    vector = ambikit.intensity(sound[:4]).mean(-1)
    peak = ambikit.localize(sound[:4], rate, n_sources=1, degrees=True)
    return {
        "power map": float(azimuth[power.max(0).argmax()]),
        "intensity vector": float(np.rad2deg(np.arctan2(vector[1], vector[0]))),
        "intensity histogram": float(peak.azimuth[0]) if len(peak) else 0.0,
    }


def read_frames(path: Path, times: Floats) -> Frames:
    """Return equirectangular frames (T, H, W, 3) that are shown at times in seconds, rising.

    Raises
    ------
    InputError
        The video ends before, or states or shows something else than the sphere.
    """
    with open_video(path) as video:
        start = float(times[0])
        stated = layout_of(video, start)
        first, shape = stated or FrameLayout(), shape_of(video, start)
        shown = list(shown_at(times, video.frames(start)))
        if len(shown) < len(times):
            raise ends_early(video, times, len(shown))

    def as_of(layout: FrameLayout) -> Frames:
        pictures = Pictures(layout, equirectangular_size(*shape, layout))
        return np.stack([pictures.of(frame) for frame in shown])

    frames = as_of(first)
    if stated is not None and not stated.assumed:
        return frames
    try:
        found = replace(recognise(frames, shape), upright=first.upright)
    except NotASphereError as error:
        raise NotASphereError(f"{path}: {error}") from None
    return frames if found == first else as_of(found)


def around(degrees: float) -> float:
    """Return the size of a difference of azimuths, from 0 to 180 degrees."""
    return abs((degrees + 180.0) % 360.0 - 180.0)


def _rate(encoder: AmbiEncoder | None) -> int | None:
    return None if encoder is None else encoder.sample_rate
