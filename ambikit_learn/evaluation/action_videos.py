"""Labelled videos of actions: UCF101 and HMDB51 in their published splits, and rendered objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ambikit import InputError
from ambikit_learn._typing import Frames, Indices
from ambikit_learn.data.augment import jitter_colours
from ambikit_learn.evaluation.action_clips import (
    JITTER,
    ClipShape,
    decode,
    random_clip,
    video_recording,
)
from ambikit_learn.evaluation.embeddings import Recording, rendered_identity
from ambikit_learn.evaluation.finetune import Draw
from ambikit_learn.evaluation.intervals import Estimate
from ambikit_learn.evaluation.results import Row
from ambikit_learn.evaluation.worlds import World
from ambikit_learn.sources import LabelledClip, LabelledSource, open_labelled
from ambikit_learn.sphere.crops import FIELD_OF_VIEW, Crops
from ambikit_learn.world.scene import Scene

_NEURIPS = "Morgado et al. 2020, split 1, one seed"
_JSTSP = "2022, split and score not stated"


@dataclass(frozen=True)
class Videos:
    """Labelled videos in divisions.

    Attributes
    ----------
    name : str
        Of the data set.
    labels, groups : ndarray of str, shape (n,)
        Class of each video, and the film it was cut from.
    splits : list of (ndarray of int, ndarray of int)
        Videos to train on and to test on.
    recordings : callable
        Function of a clip's shape and a number of clips: returns all videos as recordings.
    draw : callable
        Function of a clip's shape: returns the function that draws random clips.
    unit : str
        What intervals draw.
    published : tuple of Row
        Figures of the papers.
    """

    name: str
    labels: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    splits: list[tuple[Indices, Indices]]
    recordings: Callable[[ClipShape, int], list[Recording]]
    draw: Callable[[ClipShape], Draw]
    unit: str
    published: tuple[Row, ...] = ()


def on_disk(data: str | Path, splits: Sequence[int]) -> Videos:
    """Return a data set in its published divisions.

    Parameters
    ----------
    data : path
        Folder of UCF101 or of HMDB51.
    splits : sequence of int
        Numbers of published splits.

    Returns
    -------
    Videos

    Raises
    ------
    FileNotFoundError
        The folder is missing, or is of no such data set.
    InputError
        There is no split, or a list is damaged.
    """
    root = Path(data)
    if not root.is_dir():
        raise FileNotFoundError(f"{data}: no such folder: give the folder of UCF101 or of HMDB51")
    if (root / "ucfTrainTestlist").is_dir():
        name = "ucf101"
    elif (root / "splits").is_dir():
        name = "hmdb51"
    else:
        raise FileNotFoundError(
            f"{data} holds neither ucfTrainTestlist (UCF101) nor splits (HMDB51): fetch the lists "
            "that are published with the data set"
        )
    source = open_labelled(name, root)
    if not splits:
        raise InputError("splits: give at least one of 1, 2, 3")
    clips, divisions = _divided(source, splits)
    return Videos(
        name,
        np.array([clip.label for clip in clips]),
        np.array([clip.group for clip in clips]),
        divisions,
        lambda shape, count: [video_recording(clip, shape, count) for clip in clips],
        lambda shape: lambda i, rng: random_clip(decode(clips[i], shape), shape, rng),
        "films",
        _published(name),
    )


def _divided(
    source: LabelledSource, splits: Sequence[int]
) -> tuple[list[LabelledClip], list[tuple[Indices, Indices]]]:
    """Return all videos, and which of them each split trains and tests on."""
    known: dict[str, LabelledClip] = {}
    uses = []
    for split in splits:
        use: dict[str, list[str]] = {"train": [], "test": []}
        for clip in source.clips(split):
            known.setdefault(clip.key, clip)
            use[clip.split].append(clip.key)
        uses.append(use)
    order = {key: i for i, key in enumerate(sorted(known))}
    divisions = [
        tuple(np.array([order[key] for key in use[part]], np.intp) for part in ("train", "test"))
        for use in uses
    ]
    return [known[key] for key in order], divisions  # type: ignore[return-value]


def rendered(world: World, scenes: tuple[int, int], seed: int) -> Videos:
    """Return crops at an object of each rendered scene: its class, and whether it acts.

    Parameters
    ----------
    world : World
        Its preset and seed.
    scenes : (int, int)
        Numbers of scenes to train on and to test on.
    seed : int
        Of the choice of an object.

    Returns
    -------
    Videos
    """
    drawn = []
    for split, count in zip(("train", "test"), scenes, strict=True):
        for i, scene in enumerate(world.scenes(split, count)):
            rng = np.random.default_rng([seed, i, len(scene.objects)])
            drawn.append((split, scene, int(rng.integers(len(scene.objects)))))

    def label(scene: Scene, number: int) -> str:
        thing = scene.objects[number]
        return f"{thing.instance.label}, {'acting' if thing.pulsing else 'still'}"

    def recordings(shape: ClipShape, _: int) -> list[Recording]:
        return [
            Recording(
                f"{split}-{i}",
                label(scene, number),
                f"{split}-{i}",
                partial(rendered_identity, f"{scene!r} {number} {shape!r}"),
                partial(_object_clip, scene, number, shape),
            )
            for i, (split, scene, number) in enumerate(drawn)
        ]

    def draw(shape: ClipShape) -> Draw:
        def one(i: int, rng: np.random.Generator) -> Frames:
            _, scene, number = drawn[i]
            clip = _object_clip(scene, number, shape)[0]
            if rng.random() < 0.5:
                clip = clip[:, :, ::-1]
            return jitter_colours(np.ascontiguousarray(clip), JITTER, rng.uniform(-1, 1, 4))

        return one

    part = np.array([split for split, _, _ in drawn])
    return Videos(
        world.name,
        np.array([label(scene, number) for _, scene, number in drawn]),
        np.array([f"{i}" for i in range(len(drawn))]),
        [(np.flatnonzero(part == "train"), np.flatnonzero(part == "test"))],
        recordings,
        draw,
        "scenes",
    )


def _object_clip(scene: Scene, number: int, shape: ClipShape) -> Frames:
    """Render a crop at an object, (1, T, size, size, 3)."""
    from ambikit_learn.data.rendered import SAMPLE_RATE
    from ambikit_learn.world.pictures import render_crops
    from ambikit_learn.world.sounds import perform

    performances = [perform(scene, i, SAMPLE_RATE) for i in range(len(scene.objects))]
    azimuth, elevation, radius = (np.rad2deg(x) for x in scene.track(number, [scene.duration / 2]))
    view = np.clip(3.0 * radius, *FIELD_OF_VIEW)
    crops = Crops(azimuth, elevation, view, view, ("object",), np.zeros(1, np.intp))
    times = np.arange(1, shape.frames + 1) * scene.duration / (shape.frames + 1)
    return render_crops(scene, performances, times, crops, shape.size)


def _published(name: str) -> tuple[Row, ...]:
    """Return figures of the papers: split 1, 8 frames of 112 × 112, one seed."""
    quoted = {
        "ucf101": (
            ("AVSA, fine-tuned", 0.6852, 0.7380, _NEURIPS),
            ("from nothing, fine-tuned", 0.5485, 0.5995, _NEURIPS),
            ("AVSA, frozen", 0.363, None, _JSTSP),
            ("AVSA beamform and YOLO, frozen", 0.404, None, _JSTSP),
        ),
        "hmdb51": (
            ("AVSA, fine-tuned", 0.3296, 0.3766, _NEURIPS),
            ("from nothing, fine-tuned", 0.2740, 0.3110, _NEURIPS),
            ("AVSA, frozen", 0.231, None, _JSTSP),
            ("AVSA beamform and YOLO, frozen", 0.242, None, _JSTSP),
        ),
    }
    rows = []
    for row, clip, video, where in quoted[name]:
        values = {"clip": Estimate(clip)} | ({"video": Estimate(video)} if video else {})
        rows.append(Row(row, values, "published", where))
    return tuple(rows)
