"""Reading prepared data: aligned crops and sound of a span, from any place of any shard."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.utils.data import Dataset

import ambikit
from ambikit import InputError, _validate
from ambikit_learn.clips import read_objects
from ambikit_learn.crops import STRATEGIES, Crops, select_crops
from ambikit_learn.equirect import Boxes, gnomonic
from ambikit_learn.manifest import MEMBERS, Settings, read_manifest
from ambikit_learn.members import Frames, Sound, decode_frames, decode_sound


class AlignmentDataset(Dataset[dict[str, Any]]):
    """Crops of prepared clips with the sound that belongs to them.

    Parameters
    ----------
    root : path
        Folder that `ambikit_learn.prepare.prepare` wrote.
    split : str
        ``"train"`` or ``"test"``.
    strategy : {"random", "objects", "mixed"}
        How the crops are chosen, as in `ambikit_learn.crops.select_crops`.
    views : int
        Crops K of an item.
    span : float
        Seconds of sound.
    frames : int
        Frames T of each crop, evenly spaced inside the span.
    size : int
        Rows and columns of a crop.
    seed : int
        Of all randomness.
    epoch_length : int, optional
        Items of an epoch, by default one for each clip. Consecutive epochs go on through the clips
        where the last one ended.
    mirror : bool
        Swap left and right of picture and sound together in half of the items.
    covariance : mapping, optional
        Settings of `ambikit.mel_covariance`: items then have its result in place of sound, so that
        `ambikit_learn.features.FrontEnd` has no transform to take.

    Raises
    ------
    FileNotFoundError
        `root` is not prepared, or not to the end.
    InputError
        An argument is wrong, the split has no clip of this length, or a shard is cut short.

    Notes
    -----
    An item depends on (seed, epoch, index) alone, not on the worker or rank that reads it. A span
    begins on a frame, so sound and picture are aligned to the sample; its sound is not rotated.

    Members are read by the byte offsets of the manifest, and no file is held open.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        strategy: str = "random",
        views: int = 4,
        span: float = 1.0,
        frames: int = 3,
        size: int = 48,
        seed: int = 0,
        epoch_length: int | None = None,
        mirror: bool = False,
        covariance: Mapping[str, Any] | None = None,
    ) -> None:
        self.root = Path(root)
        self.settings = Settings.load(self.root)
        self.strategy = _validate.choice(strategy, STRATEGIES, "strategy")
        self.views = _validate.count(views, "views")
        self.span = _validate.positive(span, "span", "seconds")
        self.frames = _validate.count(frames, "frames")
        self.size = _validate.count(size, "size")
        self.seed, self.epoch, self.mirror = seed, 0, mirror
        self.covariance = covariance
        self.clips = _usable_clips(self.root, split, self.span)
        self._length = (
            len(self.clips)
            if epoch_length is None
            else _validate.count(epoch_length, "epoch_length")
        )

    def set_epoch(self, epoch: int) -> None:
        """Draw the items of another epoch from now on; workers that already run do not hear it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read an item.

        Returns
        -------
        dict
            ``video`` (K, T, size, size, 3) uint8; ``sound`` (4, n) float32 AmbiX, or its
            covariance (10, frames, mels); ``azimuth`` and
            ``elevation`` (K,) float32 radians, the centres of the crops; ``width`` and ``height``
            (K,) float32 radians, their fields of view; ``on_object`` (K,) bool; ``key`` str;
            ``clip`` int64, the number of the clip in its split; ``start`` float64, seconds.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        rng = np.random.default_rng([self.seed, self.epoch, index])
        number, clip, frame = self._span(index, rng)
        item = self._read(clip, frame, rng)
        start = frame / self._rate
        return item | {"key": clip["key"], "clip": np.int64(number), "start": np.float64(start)}

    @property
    def _rate(self) -> float:
        """Frames per second."""
        return self.settings.frame_rate

    def _span(self, index: int, rng: np.random.Generator) -> tuple[int, dict[str, Any], int]:
        """Return number and row of an item's clip, and the frame on which its span begins."""
        number, place = self._place(index, rng)
        clip = self.clips.slice(number, 1).to_pylist()[0]
        choices = 1 + math.floor((clip["duration"] - self.span) * self._rate + 1e-6)
        return number, clip, int(place * choices)

    def _place(self, index: int, rng: np.random.Generator) -> tuple[int, float]:
        """Clip of an item, and where in it the span lies, from 0 (first) to 1 (beyond the last)."""
        return (self.epoch * len(self) + index) % len(self.clips), rng.random()

    def _read(self, clip: dict[str, Any], frame: int, rng: np.random.Generator) -> dict[str, Any]:
        """Read the span of a clip that begins on a frame."""
        mirrored = bool(rng.random() < 0.5) and self.mirror
        boxes = Boxes.empty()
        if self.strategy != "random":
            record = _member(self.root, clip, "record")
            boxes = read_objects(record).boxes(frame / self._rate + self.span / 2)
        crops = select_crops(self.strategy, boxes, rng, self.views)
        video = self._crop(self._frames(clip, frame), crops)
        sound = self._sound(clip, frame)
        side = 1.0
        if mirrored:
            video, side = np.ascontiguousarray(video[..., ::-1, :]), -1.0
            sound[1] *= side  # Y in ACN order
        if self.covariance is not None:
            rate = self.settings.sample_rate
            sound = ambikit.mel_covariance(sound, rate, **self.covariance)
        angles = {
            "azimuth": side * crops.azimuth,
            "elevation": crops.elevation,
            "width": crops.width,
            "height": crops.height,
        }
        return {
            "video": torch.from_numpy(video),
            "sound": torch.from_numpy(sound),
            **{
                name: torch.from_numpy(np.deg2rad(a, dtype=np.float32))
                for name, a in angles.items()
            },
            "on_object": torch.tensor([origin == "object" for origin in crops.origin]),
        }

    def _frames(self, clip: dict[str, Any], first: int) -> Frames:
        """Read frames evenly spaced inside a span: those that a player shows at these times."""
        times = np.arange(1, self.frames + 1) * self.span / (self.frames + 1)
        numbers = first + np.floor(times * self._rate + 1e-6).astype(int)
        distinct, places = np.unique(numbers, return_inverse=True)
        data = _member(self.root, clip, "frames")
        return decode_frames(data, distinct.tolist(), self._rate)[places]

    def _crop(self, frames: Frames, crops: Crops) -> Frames:
        """Cut all crops (K, T, size, size, 3) out of frames."""
        views = zip(crops.azimuth, crops.elevation, crops.width, crops.height, strict=True)
        return np.stack([gnomonic(frames, *view, self.size, degrees=True) for view in views])

    def _sound(self, clip: dict[str, Any], frame: int) -> Sound:
        """Read the sound of a span."""
        rate = self.settings.sample_rate
        count = round(self.span * rate)
        start = min(round(frame / self._rate * rate), clip["samples"] - count)
        return decode_sound(_member(self.root, clip, "sound"), start, count, clip["gain"])


class Scene(NamedTuple):
    """A moment of a clip: equirectangular frame (H, W, 3), AmbiX sound (4, n), boxes."""

    frame: npt.NDArray[np.uint8]
    sound: Sound
    boxes: Boxes


class SpanDataset(AlignmentDataset):
    """The same few spans of every clip, for evaluation.

    Parameters
    ----------
    root : path
        As for `AlignmentDataset`.
    split : str
        The same.
    spans : int
        Spans of each clip, evenly spread from its beginning to its end. Item ``i`` is span
        ``i % spans`` of clip ``i // spans``.
    **options
        As for `AlignmentDataset`, without `epoch_length`. The crops depend on the seed alone.
    """

    def __init__(
        self, root: str | Path, split: str = "test", *, spans: int = 4, **options: Any
    ) -> None:
        super().__init__(root, split, **options)
        self.spans = _validate.count(spans, "spans")
        self._length = len(self.clips) * self.spans

    def set_epoch(self, epoch: int) -> None:
        """Refuse: there is one epoch."""
        raise InputError("the spans of a SpanDataset are fixed: it has no epochs")

    def scene(self, index: int) -> Scene:
        """Read what a span shows as a whole, not through crops."""
        _, clip, frame = self._span(index, np.random.default_rng())
        record = _member(self.root, clip, "record")
        boxes = read_objects(record).boxes(frame / self._rate + self.span / 2)
        frames = self._frames(clip, frame)
        return Scene(frames[len(frames) // 2], self._sound(clip, frame), boxes)

    def _place(self, index: int, rng: np.random.Generator) -> tuple[int, float]:
        clip, number = divmod(index, self.spans)
        return clip, (number + 0.5) / self.spans


def _usable_clips(root: Path, split: str, span: float) -> pa.Table:
    """Rows of the clips of a split that hold a span, whose shards are all there."""
    rows = read_manifest(root).filter(pc.field("split") == split)
    prepared = rows.filter(pc.field("status") == "ok")
    if not len(prepared):
        raise InputError(
            f"{root} has no usable clip in the split {split!r} ({len(rows)} left out): "
            "manifest.parquet says why"
        )
    usable = prepared.filter(pc.field("duration") >= span)
    if not len(usable):
        longest = pc.max(prepared["duration"])
        raise InputError(f"span is {span:g} s, the longest clip {longest} s: ask for less")
    ends = [pc.add(usable[f"{part}_offset"], usable[f"{part}_bytes"]) for part in MEMBERS]
    needed = pa.table({"shard": usable["shard"], "end": pc.max_element_wise(*ends)})
    for need in needed.group_by("shard").aggregate([("end", "max")]).to_pylist():
        path = root / "shards" / need["shard"]
        if not path.is_file() or path.stat().st_size < need["end_max"]:
            raise InputError(_cut(path, need["end_max"]))
    return usable


def _member(root: Path, clip: dict[str, Any], part: str) -> bytes:
    """Read a member of a clip from its shard."""
    path = root / "shards" / clip["shard"]
    offset, count = clip[f"{part}_offset"], clip[f"{part}_bytes"]
    with path.open("rb", buffering=0) as file:
        data = os.pread(file.fileno(), count, offset)
    if len(data) < count:
        raise InputError(_cut(path, offset + count))
    return data


def _cut(path: Path, end: int) -> str:
    """Say that a shard is not whole."""
    return (
        f"{path} should have at least {end} bytes and is missing or cut short: "
        "run the same `ambikit-learn prepare` again, it mends the shard"
    )
