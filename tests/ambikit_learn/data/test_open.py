"""Data sets by name: a prepared folder, or a world."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ambikit import InputError
from ambikit_learn.data.dataset import AlignmentDataset, SpanDataset
from ambikit_learn.data.open import is_world, open_items, sample_rate_of
from ambikit_learn.data.rendered import WorldDataset


def test_a_folder_gives_random_spans_or_the_same_ones(small_shards: Path) -> None:
    random = open_items(small_shards, views=2, size=8, mirror=True)
    assert type(random) is AlignmentDataset
    assert random.mirror
    assert len(random) <= 6
    same = open_items(str(small_shards), "test", spans=3, scenes=100, size=8)
    assert type(same) is SpanDataset
    assert len(same) == 2 * 3
    assert not is_world(small_shards)
    assert sample_rate_of(small_shards) == 24000


def test_a_world_gives_new_scenes() -> None:
    items = open_items("world:easy", "test", spans=4, scenes=7, seed=3, size=8, mirror=True)
    assert type(items) is WorldDataset
    assert len(items) == 7
    wanted = WorldDataset("easy", "test", seed=3, epoch_length=7, size=8)[2]
    assert all(
        torch.equal(a, b) if torch.is_tensor(a) else a == b
        for a, b in zip(items[2], wanted, strict=True)
    )
    assert is_world("world:easy")
    assert sample_rate_of("world:easy") == wanted.sound.shape[1] == 24000


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("world:cosy",), {}, "unknown preset of a world 'cosy'.*easy"),
        (("world:easy", "dev"), {}, "unknown split"),
        (("world:easy",), {"spacing": 10.0}, r"world:easy does not take spacing.*at 36\.0"),
        (("world:easy",), {"picture_rate": 8.0}, "does not take picture_rate"),
    ],
)
def test_what_a_world_does_not_have(
    arguments: tuple[str, ...], options: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_items(*arguments, **options)


def test_neither_a_world_nor_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no prepared data: give the folder"):
        open_items(tmp_path)
    with pytest.raises(TypeError, match="colour"):
        open_items("world:easy", colour=1.0)
