"""Both pretext tasks on the two real clips, until every answer is right."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import default_collate

from ambikit_learn.data.dataset import SpanDataset
from ambikit_learn.models.run import load_run
from ambikit_learn.preparation.command import prepare
from ambikit_learn.pretext.contrast import Agreement
from ambikit_learn.training.batches import StreamDataset
from ambikit_learn.training.command import train
from ambikit_learn.training.data import AlignmentData
from ambikit_learn.training.module import AlignmentModule

SPANS = 4


@pytest.fixture(scope="module")
def shards(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("real") / "out"
    prepare(test_data / "yt360", out, detector="none", workers=0)
    return out


class Remembered:
    """The same spans and crops in every epoch, read once."""

    def __init__(self, dataset: SpanDataset) -> None:
        self.items = [dataset[i] for i in range(len(dataset))]

    def set_epoch(self, epoch: int) -> None:
        pass

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.items[index]


class FewSpans(AlignmentData):
    """Four spans of each clip, and nothing else."""

    @cached_property
    def training_set(self) -> StreamDataset:
        items = SpanDataset(
            self.path, "train", spans=SPANS, views=self.views, covariance=self._covariance()
        )
        return StreamDataset(Remembered(items))


def overfit(shards: Path, run: Path, steps: int, views: int, **model: Any) -> Agreement:
    """Train, load what was exported, and return what it says of the spans it was trained on."""
    torch.manual_seed(0)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        default_root_dir=run,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    options: dict[str, Any] = {"views": views, "batch_size": 2 * SPANS, "workers": 0}
    data = FewSpans(str(shards), validation_clips=0, **options)
    train(trainer, AlignmentModule(kind="foa_iv", **model), data)
    batch = default_collate(data.training_set.dataset.items)
    with torch.no_grad():
        return load_run(run)(batch.video, batch.sound, batch.azimuth, batch.elevation)


def found(queries: torch.Tensor, keys: torch.Tensor) -> float:
    """How many queries have their own key as the nearest of all."""
    q, k = (torch.nn.functional.normalize(x.flatten(0, 1), dim=-1) for x in (queries, keys))
    return float(((q @ k.mT).argmax(1) == torch.arange(len(q))).float().mean())


def test_both_pretexts_are_learned_to_the_last_crop(shards: Path, tmp_path: Path) -> None:
    """AVC among the sounds of 8 spans, AVSA among their 32 viewpoints."""
    avc = overfit(shards, tmp_path / "avc", 40, views=1, objective="avc")
    assert found(avc.vision, avc.sound) == found(avc.sound, avc.vision) == 1.0
    first = str(tmp_path / "avc")
    avsa = overfit(shards, tmp_path / "avsa", 120, views=4, objective="avsa", initialise_from=first)
    assert (avsa.similarity().argmax(-1) == torch.arange(4)).all()
    assert found(avsa.vision_from_sound, avsa.vision) == 1.0
    assert found(avsa.sound_from_vision, avsa.sound) == 1.0
