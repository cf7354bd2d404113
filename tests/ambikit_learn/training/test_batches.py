"""The stream of clips, and what is done to its items."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ambikit
from ambikit_learn._typing import Covariance
from ambikit_learn.data.items import Item, direction_blind
from ambikit_learn.pretext.flip import mirror_sound, swap_left_right
from ambikit_learn.training.batches import StreamBatches, StreamDataset, labelled


def test_stream_gives_every_clip_once_an_epoch():
    positions = [p for batch in StreamBatches(10, 4, 5, seed=3) for p in batch]
    for epoch in range(2):
        clips = [p - 10 * epoch for p in positions[10 * epoch : 10 * epoch + 10]]
        assert sorted(clips) == list(range(10))
    assert positions[:10] != [p - 10 for p in positions[10:]]


def test_stream_goes_on_and_divides_over_ranks():
    whole = list(StreamBatches(10, 4, 7, seed=3))
    assert list(StreamBatches(10, 4, 7, seed=3, start=4)) == whole[4:]
    parts = [list(StreamBatches(10, 4, 7, seed=3, rank=r, ranks=2)) for r in range(2)]
    assert [a + b for a, b in zip(*parts, strict=True)] == whole


class Numbers:
    """Ten items that know their epoch and index."""

    def __len__(self) -> int:
        return 10

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> Item:
        angles = torch.tensor([0.1, 0.2, 0.3, 0.4])[:, None].expand(4, 3)
        place = torch.tensor([self.epoch, index])
        number = np.int64(index)
        return Item(
            place, torch.ones(4, 3), *angles, torch.zeros(3).bool(), "", number, np.float64(0)
        )


def test_changes_depend_on_seed_and_position_alone():
    """And not on what was read before: as workers read, and as runs go on."""
    first, again, other = (StreamDataset(Numbers(), [direction_blind], seed) for seed in (5, 5, 6))
    assert first[37].video.tolist() == [3, 7]
    order = [first[p].azimuth for p in (3, 13, 4)]
    back = [again[p].azimuth for p in (4, 13, 3)][::-1]
    assert all(torch.equal(a, b) for a, b in zip(order, back, strict=True))
    assert not torch.equal(order[0], order[1])
    assert not torch.equal(order[0], other[3].azimuth)


def test_blind_sound_knows_nothing_of_the_crops():
    angles = [StreamDataset(Numbers(), [direction_blind])[p] for p in range(400)]
    azimuth = torch.cat([item.azimuth for item in angles])
    assert azimuth.dtype == torch.float32
    assert torch.cat([item.elevation for item in angles]).abs().max() == 0
    # Uniform on the circle: mean direction near none, twice the angle as well
    for k in (1, 2):
        assert torch.exp(1j * k * azimuth).mean().abs() < 0.1
    assert (azimuth.min(), azimuth.max()) == (
        pytest.approx(-np.pi, abs=0.05),
        pytest.approx(np.pi, abs=0.05),
    )


def test_half_of_the_sounds_are_flipped_and_say_so():
    items = [StreamDataset(Numbers(), [labelled(swap_left_right)])[p] for p in range(400)]
    labels = torch.stack([item.label for item in items])
    assert labels.dtype == torch.bool
    assert 160 < labels.sum() < 240
    for item in items:
        sign = -1.0 if item.label else 1.0
        assert item.sound[:, 0].tolist() == [1.0, sign, 1.0, 1.0]


def test_mirrored_covariance_is_that_of_mirrored_sound():
    sound = np.random.default_rng(0).normal(size=(4, 4800)).astype(np.float32)
    of_mirrored = ambikit.mel_covariance(ambikit.mirror(sound, "left_right"), 24000)
    covariance = Covariance(torch.from_numpy(ambikit.mel_covariance(sound, 24000)))
    got = mirror_sound(covariance).values
    np.testing.assert_allclose(got, of_mirrored, atol=1e-5 * float(np.abs(of_mirrored).max()))
    np.testing.assert_array_equal(
        mirror_sound(torch.from_numpy(sound)), ambikit.mirror(sound, "left_right")
    )
