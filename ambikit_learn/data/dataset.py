"""Data sets of prepared clips: aligned crops and sound of spans, read by random access."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from torch.utils.data import Dataset

from ambikit import InputError, checks
from ambikit_learn._typing import Floats, Frames, Indices, Sound
from ambikit_learn.data.format import Settings
from ambikit_learn.data.items import Item, Snapshot, make_item
from ambikit_learn.data.shards import member, usable_clips, videos_of
from ambikit_learn.data.sound import decode_sound
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import SPACING, STRATEGIES, Crops, select_crops
from ambikit_learn.sphere.equirect import gnomonic
from ambikit_learn.sphere.listening import listen
from ambikit_learn.video.coding import decode_frames

if TYPE_CHECKING:
    from ambikit_learn.sphere.tracks import Objects, Track

RELEASED: Mapping[str, Any] = MappingProxyType(
    {
        "strategy": "random",
        "spacing": 0.0,
        "sampling": "videos",
        "span": 1.0,
        "frames": 8,
        "picture_rate": 16.0,
        "size": 112,
        "flip": True,
        "colour_jitter": 0.4,
        "gain_jitter": 0.9,
    }
)
"""Options of `AlignmentDataset` that follow the code released with the audio-visual spatial
alignment paper: crops at any distance from each other, flipped without their sound; and videos
drawn first, then one of their clips. (That code jitters the colours of each crop separately.)"""

Direction = tuple[npt.ArrayLike, npt.ArrayLike]
"""Azimuth and elevation of a crop in degrees: one for all frames, or one per frame."""

SAMPLING = ("clips", "videos")
STEP = 0.25
"""Greatest time between two points of the path of a crop, in seconds."""


class AlignmentDataset(Dataset[Item]):
    """Crops of prepared clips with the sound that belongs to them.

    Parameters
    ----------
    root : path
        Folder that `ambikit_learn.preparation.command.prepare` wrote.
    split : str
        ``"train"``, ``"validation"`` or ``"test"``.
    strategy : {"random", "objects", "mixed", "sounding"}
        Choice of the crops, as in `ambikit_learn.sphere.crops.select_crops`.
    views : int
        Number of crops K of an item.
    span : float
        Length of the sound in seconds.
    frames : int
        Number of frames T of each crop, evenly spaced in the span unless `picture_rate` is given.
    size : int
        Rows and columns of a crop.
    seed : int
        Random seed.
    epoch_length : int, optional
        Items of an epoch, by default one for each clip. Each epoch continues through the clips
        where the previous one ended.
    mirror : bool
        Swap left and right of picture and sound together in half of the items.
    flip : bool
        Swap left and right of each crop with a probability of one half, but not of its sound.
    follow : bool
        Let crops follow their objects. Otherwise they look where the object is in the middle of
        the span. Random crops never move.
    spacing : float
        Smallest angle between two crops in degrees; 0 for none.
    sampling : {"clips", "videos"}
        Draw a clip for each item, or first a video and then one of its clips. Keys of clips of one
        video differ in the number at their end (``ID-10``, ``ID-20``).
    picture_rate : float, optional
        Take consecutive frames at this rate, in Hz, from a random position in the span.
    colour_jitter : float
        Strength, 0 to 1, of random changes of brightness, contrast, saturation and hue, the same
        for all crops of an item; see `ambikit_learn.data.augment.jitter_colours`.
    gain_jitter : float
        Greatest random change of level in dB, the same for all channels.
    validation_share : float
        Fraction of the training videos, 0 to 1, that is the validation split, and excluded from
        training, if the data have no such split. With fewer than five videos there is none.
    covariance : mapping, optional
        Settings of `ambikit.mel_covariance`: items then have its result in place of sound, which
        saves `ambikit_learn.networks.front_end.FrontEnd` the transform.

    Raises
    ------
    FileNotFoundError
        `root` is not prepared, or its preparation has not finished.
    InputError
        An argument is wrong, the split has no clip of this length, or a shard is cut short.

    Notes
    -----
    An item depends on (seed, epoch, index) alone, not on the worker or rank that reads it. A span
    begins on a frame, so sound and picture are aligned to the sample; its sound is not rotated.

    A crop at an object is centred on it in every frame, by its interpolated track; the direction in
    the item is that in the middle of the span, and its path that along the span, for the sound to
    be turned along it. Options
    do not change each other's random numbers: crops are the same with and without a jitter.

    Members are read by the byte offsets of the manifest, and no file is held open.

    Examples
    --------
    >>> import tempfile
    >>> from ambikit_learn import AlignmentDataset, prepare, render_world
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     render_world(f"{folder}/clips", clips=2, duration=1.5, workers=0)
    ...     _ = prepare(f"{folder}/clips", f"{folder}/shards", detector="file", workers=0)
    ...     items = AlignmentDataset(f"{folder}/shards", strategy="objects", views=2)
    ...     item = items[0]
    >>> item.video.shape, item.sound.shape, item.azimuth.shape
    (torch.Size([2, 3, 48, 48, 3]), torch.Size([4, 24000]), torch.Size([2]))
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
        flip: bool = False,
        follow: bool = True,
        spacing: float = SPACING,
        sampling: str = "clips",
        picture_rate: float | None = None,
        colour_jitter: float = 0.0,
        gain_jitter: float = 0.0,
        validation_share: float = 0.0,
        covariance: Mapping[str, Any] | None = None,
    ) -> None:
        self.root = Path(root)
        self.settings = Settings.load(self.root)
        self.strategy = checks.choice(strategy, STRATEGIES, "strategy")
        self.views = checks.positive_int(views, "views")
        self.span = checks.positive(span, "span", "seconds")
        self.frames = checks.positive_int(frames, "frames")
        self.size = checks.positive_int(size, "size")
        self.seed, self.epoch, self.mirror = seed, 0, mirror
        self.flip, self.follow = flip, follow
        self.spacing = checks.within(spacing, 0.0, 180.0, "spacing")
        self.colour_jitter = checks.fraction(colour_jitter, "colour_jitter")
        self.gain_jitter = checks.within(gain_jitter, 0.0, 60.0, "gain_jitter")
        self.covariance = covariance
        self._offsets, self._slack = self._moments(picture_rate)
        self.clips = usable_clips(
            self.root, split, self.span, checks.fraction(validation_share, "validation_share")
        )
        self._groups = _grouped(self.clips, checks.choice(sampling, SAMPLING, "sampling"))
        self._length = (
            len(self._groups)
            if epoch_length is None
            else checks.positive_int(epoch_length, "epoch_length")
        )

    def set_epoch(self, epoch: int) -> None:
        """Draw the items of another epoch from now on; running workers are not affected.

        Parameters
        ----------
        epoch : int
            Its number, from 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Item:
        """Read an item.

        Returns
        -------
        Item
        """
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        rng = np.random.default_rng([self.seed, self.epoch, index])
        number, clip, frame = self._span(index, rng)
        return self._read(number, clip, frame, rng)

    @property
    def _points(self) -> int:
        """Number of points of the path of a crop, also in both ends of the span."""
        return 1 + math.ceil(self.span / STEP)

    @property
    def _rate(self) -> float:
        """Frames per second."""
        return self.settings.frame_rate

    def _span(self, index: int, rng: np.random.Generator) -> tuple[int, dict[str, Any], int]:
        """Return number and row of an item's clip, and the frame at which its span begins."""
        number, place = self._place(index, rng)
        clip = self.clips.slice(number, 1).to_pylist()[0]
        choices = 1 + math.floor((clip["duration"] - self.span) * self._rate + 1e-6)
        return number, clip, int(place * choices)

    def _place(self, index: int, rng: np.random.Generator) -> tuple[int, float]:
        """Return the clip of an item, and the place of its span, from 0 (first) to 1 (excluded)."""
        group = self._groups[(self.epoch * len(self) + index) % len(self._groups)]
        place, choice = rng.random(2)
        return int(group[int(choice * len(group))]), float(place)

    def _read(
        self, number: int, clip: dict[str, Any], frame: int, rng: np.random.Generator
    ) -> Item:
        """Read the span of a clip that begins on a frame."""
        mirrored = bool(rng.random() < 0.5) and self.mirror
        middle = frame / self._rate + self.span / 2
        objects = None if self.strategy == "random" else self._objects(clip)
        boxes = Boxes.empty() if objects is None else objects.boxes(middle)
        sound = self._sound(clip, frame)
        heard = listen(sound, self.settings.sample_rate) if self.strategy == "sounding" else None
        crops = select_crops(
            self.strategy, boxes, rng, self.views, spacing=self.spacing, heard=heard
        )
        # Drawn whether or not they are used, so that no option changes the draws of another.
        later, flips = rng.random(), rng.random(self.views) < 0.5
        level, *colours = rng.uniform(-1.0, 1.0, 5)
        numbers = frame + np.floor((self._offsets + later * self._slack) * self._rate + 1e-6)
        where: Iterable[Direction] = zip(crops.azimuth, crops.elevation, strict=True)
        path = None
        if objects is not None and self.follow:
            tracks = objects.present(middle)
            where = _directions(crops, tracks, numbers / self._rate * objects.rate)
            times = frame / self._rate + np.linspace(0.0, self.span, self._points)
            path = _path(crops, tracks, times * objects.rate)
        video = self._crop(self._frames(clip, numbers.astype(int)), crops, where)
        if mirrored:
            video = np.ascontiguousarray(video[..., ::-1, :])
            sound[1] *= -1.0  # Y in ACN order
        if self.flip:
            video[flips] = video[flips][..., ::-1, :]
        if self.colour_jitter:
            from ambikit_learn.data.augment import jitter_colours

            video = jitter_colours(video, self.colour_jitter, colours)
        if self.gain_jitter:
            sound *= np.float32(10.0 ** (level * self.gain_jitter / 20.0))
        return make_item(
            video,
            sound,
            crops,
            key=clip["key"],
            clip=number,
            start=frame / self._rate,
            sample_rate=self.settings.sample_rate,
            covariance=self.covariance,
            mirrored=mirrored,
            path=path,
        )

    def _moments(self, rate: float | None) -> tuple[Floats, float]:
        """Return the times of frames after the begin of a span, and how much later they may be."""
        if rate is None:
            return np.arange(1, self.frames + 1) * self.span / (self.frames + 1), 0.0
        length = self.frames / checks.positive(rate, "picture_rate", "Hz")
        if rate > self._rate:
            raise InputError(
                f"picture_rate is {rate:g} Hz, the prepared frames have {self._rate:g}: ask for "
                "less, or prepare with a higher --frame-rate"
            )
        if length > self.span:
            raise InputError(
                f"{self.frames} frames at picture_rate {rate:g} Hz last {length:g} s, longer than "
                f"the span of {self.span:g} s: ask for fewer"
            )
        return np.arange(self.frames) / rate, self.span - length

    def _frames(self, clip: dict[str, Any], numbers: Indices) -> Frames:
        """Read frames by their numbers, in ascending order."""
        distinct, places = np.unique(numbers, return_inverse=True)
        with member(self.root, clip, "frames") as data:
            return decode_frames(data, distinct.tolist(), self._rate)[places]

    def _crop(self, frames: Frames, crops: Crops, where: Iterable[Direction]) -> Frames:
        """Cut all crops (K, T, size, size, 3) out of frames."""
        sides = zip(crops.width, crops.height, strict=True)
        return np.stack(
            [
                gnomonic(frames, *direction, *side, self.size, degrees=True)
                for direction, side in zip(where, sides, strict=True)
            ]
        )

    def _objects(self, clip: dict[str, Any]) -> Objects:
        """Read the objects of a clip."""
        from ambikit_learn.data.record import read_objects

        with member(self.root, clip, "record") as data:
            return read_objects(data)

    def _sound(self, clip: dict[str, Any], frame: int) -> Sound:
        """Read the sound of a span."""
        rate = self.settings.sample_rate
        count = round(self.span * rate)
        start = min(round(frame / self._rate * rate), clip["samples"] - count)
        with member(self.root, clip, "sound") as data:
            return decode_sound(data, start, count, clip["gain"])


class SpanDataset(AlignmentDataset):
    """The same few spans of every clip, for evaluation.

    Parameters
    ----------
    root : path
        As for `AlignmentDataset`.
    split : str
        As for `AlignmentDataset`.
    spans : int
        Number of spans of each clip, evenly spaced from its beginning to its end. Item ``i`` is
        span ``i % spans`` of clip ``i // spans``.
    **options
        As for `AlignmentDataset`, without `epoch_length`. The crops depend only on the seed.

    Raises
    ------
    FileNotFoundError, InputError
        As for `AlignmentDataset`.

    Examples
    --------
    >>> import tempfile
    >>> from ambikit_learn import SpanDataset, prepare, render_world
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     render_world(f"{folder}/clips", clips=2, duration=2.0, workers=0)
    ...     _ = prepare(f"{folder}/clips", f"{folder}/shards", workers=0)
    ...     spans = SpanDataset(f"{folder}/shards", "train", spans=3)
    ...     begins = [float(spans[i].start) for i in range(len(spans))]
    >>> begins
    [0.125, 0.5, 0.875, 0.125, 0.5, 0.875]
    """

    def __init__(
        self, root: str | Path, split: str = "test", *, spans: int = 4, **options: Any
    ) -> None:
        super().__init__(root, split, **options)
        self.spans = checks.positive_int(spans, "spans")
        self._length = len(self.clips) * self.spans

    def set_epoch(self, epoch: int) -> None:
        """Refuse: there is only one epoch.

        Parameters
        ----------
        epoch : int
            Of no use.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError("the spans of a SpanDataset are fixed: it has no epochs")

    def scene(self, index: int) -> Snapshot:
        """Read frame, sound and boxes of a span, without crops.

        Parameters
        ----------
        index : int
            As of an item.

        Returns
        -------
        Snapshot
            ``frame`` (H, W, 3) uint8 and ``boxes`` in the middle of the span; ``sound`` (4, n),
            AmbiX.
        """
        _, clip, frame = self._span(index, np.random.default_rng())
        middle = frame / self._rate + self.span / 2
        boxes = self._objects(clip).boxes(middle)
        (picture,) = self._frames(clip, np.array([int(middle * self._rate + 1e-6)]))
        return Snapshot(picture, self._sound(clip, frame), boxes)

    def _place(self, index: int, rng: np.random.Generator) -> tuple[int, float]:
        clip, number = divmod(index, self.spans)
        return clip, (number + 0.5) / self.spans


def _grouped(clips: pa.Table, sampling: str) -> Sequence[Indices] | Indices:
    """Return the clips from which each item is drawn, by number."""
    numbers = np.arange(len(clips))
    if sampling == "clips":
        return numbers[:, None]
    names = pa.array(videos_of(clips)).dictionary_encode().indices.to_numpy()
    order = np.argsort(names, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(names[order])) + 1)


def _directions(crops: Crops, tracks: Sequence[Track], steps: Floats) -> Iterator[Direction]:
    """Give the direction of each crop, along the track of its object if it has one."""
    for azimuth, elevation, box in zip(crops.azimuth, crops.elevation, crops.box, strict=True):
        if tracks and box >= 0:
            path = tracks[box].at(steps)
            yield path.azimuth, path.elevation
        else:
            yield azimuth, elevation


def _path(crops: Crops, tracks: Sequence[Track], steps: Floats) -> Floats:
    """Return the directions (K, P, 2) of crops at steps of detection, in degrees."""
    directions = _directions(crops, tracks, steps)
    return np.stack(
        [np.stack([np.broadcast_to(a, len(steps)) for a in one], axis=-1) for one in directions]
    )
