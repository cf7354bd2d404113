"""Small clips with known content, in the layout of YT-360, and small encoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import ambikit
from ambikit_learn.detection import write_boxes
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.models.run import Record
from ambikit_learn.networks.front_end import FrontEnd
from ambikit_learn.preparation.command import prepare
from ambikit_learn.sphere.equirect import direction_to_pixel
from ambikit_learn.video.files import write_video

SAMPLE_RATE = 24000
FRAME_RATE = 8.0
SIZE = (80, 160)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Draw the same random numbers whatever tests ran before."""
    torch.manual_seed(0)


class ClipFolder:
    """Writes ``video/{key}.mp4``, ``audio/{key}.wav`` and ``boxes/{key}.json`` below a folder.

    The picture is a bright disc on a grey that darkens from frame to frame, the sound white noise;
    both come from one direction, in degrees.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("video", "audio", "boxes"):
            (root / name).mkdir(parents=True)

    def path(self, kind: str, key: str) -> Path:
        suffix = {"video": "mp4", "audio": "wav", "boxes": "json"}[kind]
        return self.root / kind / f"{key}.{suffix}"

    def add(
        self,
        key: str,
        azimuth: float = 40.0,
        elevation: float = 20.0,
        *,
        duration: float = 2.0,
        sound: npt.NDArray[np.float32] | None = None,
        frames: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        if frames is None:
            frames = self.disc(azimuth, elevation, round(duration * FRAME_RATE))
        if sound is None:
            sound = self.noise(azimuth, elevation, duration)
        write_video(self.path("video", key), frames, FRAME_RATE, quality=10)
        ambikit.write(self.path("audio", key), sound, SAMPLE_RATE)
        entries = round(duration * 10)
        track = {"azimuth": azimuth, "elevation": elevation, "width": 30.0, "height": 30.0}
        one = {"label": "disc", **{name: [value] * entries for name, value in track.items()}}
        write_boxes(self.path("boxes", key), 10.0, [one])

    @staticmethod
    def disc(azimuth: float, elevation: float, count: int) -> npt.NDArray[np.uint8]:
        """Draw a white disc of radius 10° in some direction, by angles and not by projection."""
        height, width = SIZE
        u, v = direction_to_pixel(np.deg2rad(azimuth), np.deg2rad(elevation))
        columns = (np.arange(width) + 0.5) / width
        rows = (np.arange(height)[:, None] + 0.5) / height
        # Great-circle distance by the spherical law of cosines, colatitude = row · π.
        cosine = np.cos(rows * np.pi) * np.cos(v * np.pi) + np.sin(rows * np.pi) * np.sin(
            v * np.pi
        ) * np.cos((columns - u) * 2 * np.pi)
        frames = np.repeat(np.linspace(80, 20, count).astype(np.uint8), height * width * 3)
        frames = frames.reshape(count, height, width, 3)
        frames[:, np.arccos(np.clip(cosine, -1, 1)) < np.deg2rad(10)] = 255
        return frames

    @staticmethod
    def noise(azimuth: float, elevation: float, duration: float) -> npt.NDArray[np.float32]:
        """White noise from a direction, (4, n)."""
        rng = np.random.default_rng(0)
        noise = 0.1 * rng.standard_normal(round(duration * SAMPLE_RATE)).astype(np.float32)
        a, e = np.deg2rad([azimuth, elevation])
        gains = [1, np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]
        return np.asarray(gains, np.float32)[:, None] * noise


@pytest.fixture(scope="session")
def new_clip_folder() -> Callable[[Path], ClipFolder]:
    """Make an empty folder for clips at a path."""
    return ClipFolder


@pytest.fixture
def clip_folder(tmp_path: Path) -> ClipFolder:
    """An empty folder for clips."""
    return ClipFolder(tmp_path / "source")


@pytest.fixture(scope="session")
def small_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six prepared clips for training and two for testing, with boxes."""
    root = tmp_path_factory.mktemp("small")
    source = ClipFolder(root / "source")
    for i in range(8):
        source.add(f"clip{i}", azimuth=45.0 * i - 170, elevation=5.0 * i - 20, duration=1.5)
    (source.root / "train.txt").write_text("".join(f"clip{i}\n" for i in range(6)))
    (source.root / "test.txt").write_text("clip6\nclip7\n")
    prepare(source.root, root / "out", detector="file", frame_size=SIZE, workers=0)
    return root / "out"


def make_encoder(kind: str = "foa_iv", record: Record | None = None, **front_end: Any):
    """Make an encoder whose statistics and running averages are not those of a fresh one."""
    torch.manual_seed(0)
    first = FrontEnd(kind, **{"preset": "tiny", **front_end})
    towards = torch.zeros(2, 1)
    first.fit_statistics([(0.1 * torch.randn(2, 4, SAMPLE_RATE // 2), towards, towards)])
    net = build_model("tiny", first.channels, frames=2)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return AmbiEncoder(AlignmentModel(first, net), record)


@pytest.fixture(scope="session")
def new_encoder():
    return make_encoder
