"""The data set of rendered scenes: crops and sound of a world without files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from ambikit import checks
from ambikit_learn._typing import Sound
from ambikit_learn.data.items import Item, Snapshot, make_item
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.crops import STRATEGIES, Crops, select_crops
from ambikit_learn.sphere.listening import listen
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.pictures import boxes, boxes_at, render_crops, render_frames
from ambikit_learn.world.presets import PRESETS, Preset
from ambikit_learn.world.scene import Scene, sample_scene
from ambikit_learn.world.sounds import perform

SAMPLE_RATE = 24000
# The scenes of other splits have other numbers: they share no room with training.
_FIRST_SCENE = {"train": 0, "test": 2**40, "validation": 2**41}


class WorldDataset(Dataset[Item]):
    """Crops of rendered scenes with the sound that belongs to them.

    Its items are those of `ambikit_learn.data.dataset.AlignmentDataset`, and so are its other
    arguments.

    Parameters
    ----------
    preset : str or Preset
        Difficulty of the scenes: a key of `ambikit_learn.world.PRESETS`, such as ``"standard"``.
    split : {"train", "validation", "test"}
        In training each epoch has new scenes, otherwise the same ones.
    strategy, views, span, frames, size, seed
        As for `AlignmentDataset`; a scene lasts for `span` seconds.
    epoch_length : int
        Number of scenes per epoch.
    sample_rate : int
        Sample rate of the sound in Hz.
    covariance : mapping, optional
        As for `AlignmentDataset`.

    Raises
    ------
    InputError
        An argument is wrong.

    Notes
    -----
    An item depends only on (seed, epoch, index). Its sound equals that of `render_world` before
    coding; its crops are rendered directly, so that they are sharper than crops of frames.

    Examples
    --------
    >>> from ambikit_learn import WorldDataset
    >>> item = WorldDataset("standard")[0]
    >>> item.video.shape, item.sound.shape
    (torch.Size([4, 3, 48, 48, 3]), torch.Size([4, 24000]))
    """

    def __init__(
        self,
        preset: str | Preset = "standard",
        split: str = "train",
        *,
        strategy: str = "random",
        views: int = 4,
        span: float = 1.0,
        frames: int = 3,
        size: int = 48,
        seed: int = 0,
        epoch_length: int = 10_000,
        sample_rate: int = SAMPLE_RATE,
        covariance: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(preset, str):
            preset = PRESETS[checks.choice(preset, tuple(PRESETS), "preset of a world")]
        self.preset = preset
        self.split = checks.choice(split, tuple(_FIRST_SCENE), "split")
        self.strategy = checks.choice(strategy, STRATEGIES, "strategy")
        self.views = checks.positive_int(views, "views")
        self.span = checks.positive(span, "span", "seconds")
        self.frames = checks.positive_int(frames, "frames")
        self.size = checks.positive_int(size, "size")
        self.sample_rate = checks.positive_int(sample_rate, "sample_rate")
        self.seed, self.epoch = checks.nonnegative_int(seed, "seed"), 0
        self.covariance = covariance
        self._length = checks.positive_int(epoch_length, "epoch_length")
        # Workers that are forked from this process share the kernels and noises of an item.
        _ = self[0]

    def set_epoch(self, epoch: int) -> None:
        """Draw the scenes of another epoch from now on; only training has more than one.

        Parameters
        ----------
        epoch : int
            Its number, from 0.
        """
        self.epoch = epoch if self.split == "train" else 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Item:
        """Render an item; see `ambikit_learn.data.dataset.AlignmentDataset`."""
        if not 0 <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        scene = self.scene(index)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        return self.render(scene, rng, key=f"{self.split}-{scene.index}", clip=index)

    def scene(self, index: int) -> Scene:
        """Return the scene of which an item is rendered.

        Parameters
        ----------
        index : int
            As of an item.
        """
        number = index + self.epoch * len(self) + _FIRST_SCENE[self.split]
        return sample_scene(
            self.preset, seed=self.seed, index=number, split=self.split, duration=self.span
        )

    def render(self, scene: Scene, rng: np.random.Generator, *, key: str, clip: int) -> Item:
        """Return the item of a scene.

        Parameters
        ----------
        scene : Scene
            What to render.
        rng : numpy.random.Generator
            Draws the crops.
        key, clip : str, int
            As in the item.
        """
        performances = [perform(scene, i, self.sample_rate) for i in range(len(scene.objects))]
        there = Boxes.empty()
        if self.strategy != "random":
            there = boxes_at(boxes(scene, performances), self.span / 2)
        sound = render_sound(scene, performances, self.sample_rate)
        crops = self._select(there, sound, rng)
        times = np.arange(1, self.frames + 1) * self.span / (self.frames + 1)
        return make_item(
            render_crops(scene, performances, times, crops, self.size),
            sound,
            crops,
            key=key,
            clip=clip,
            start=0.0,
            sample_rate=self.sample_rate,
            covariance=self.covariance,
        )

    def _select(self, boxes: Boxes, sound: Sound, rng: np.random.Generator) -> Crops:
        """Draw the crops of a scene."""
        heard = listen(sound, self.sample_rate) if self.strategy == "sounding" else None
        return select_crops(self.strategy, boxes, rng, self.views, heard=heard)


def snapshot(dataset: WorldDataset, index: int, size: tuple[int, int] = (180, 360)) -> Snapshot:
    """Render the frame in the middle of a scene, with all of its sound and its objects.

    Parameters
    ----------
    dataset : WorldDataset
        Where the scene is from.
    index : int
        As of an item.
    size : (int, int)
        Height and width of the frame.
    """
    scene, middle = dataset.scene(index), dataset.span / 2
    rate = dataset.sample_rate
    performances = [perform(scene, i, rate) for i in range(len(scene.objects))]
    (frame,) = render_frames(scene, performances, [middle], size)
    there = boxes_at(boxes(scene, performances), middle)
    return Snapshot(frame, render_sound(scene, performances, rate), there)
