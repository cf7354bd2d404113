"""Controls on models that use one cue each: what is taken away must be what they lose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ambikit_learn._typing import Covariance
from ambikit_learn.data.items import Item
from ambikit_learn.evaluation.controls import CONTROLS, Control, control_scores, heard_from, omni
from ambikit_learn.models.alignment import AlignmentModel
from ambikit_learn.pretext.contrast import Agreement

CLIPS, VIEWS = 400, 4
OWN = "own sound among 4 views"
NAMES = list(CONTROLS)


class Directions(torch.utils.data.Dataset):
    """Items whose picture is the direction of its crop, and whose sound is constant."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        shape = CLIPS, VIEWS
        self.azimuth = torch.from_numpy(rng.uniform(-np.pi, np.pi, shape)).float()
        self.elevation = torch.from_numpy(rng.uniform(-0.5, 0.5, shape)).float()

    def __len__(self) -> int:
        return CLIPS

    def __getitem__(self, index: int) -> Item:
        if index >= CLIPS:
            raise IndexError
        azimuth, elevation = self.azimuth[index], self.elevation[index]
        video = torch.stack([azimuth, elevation], -1)
        sound, size = torch.ones(4, 8), torch.ones(VIEWS)
        seen = torch.zeros(VIEWS, dtype=torch.bool)
        place = azimuth, elevation, size, size, seen
        return Item(video, sound, *place, "k", np.int64(index), np.float64(0))


class Told(nn.Module):
    """A front end that gives away the direction that it is turned to, times the level of X."""

    covariance_settings = None

    def forward(self, sound: Tensor, azimuth: Tensor, elevation: Tensor) -> Tensor:
        level = sound[:, 3].mean(-1)[:, None, None]
        return torch.stack([azimuth, elevation], -1) * level


class Cue(nn.Module):
    """Networks that compare one cue of the direction: 0 for azimuth, 1 for elevation."""

    def __init__(self, cues: tuple[int, ...]) -> None:
        super().__init__()
        self.cues = list(cues)

    def encode_video(self, video: Tensor) -> Tensor:
        return self._embed(video)

    def encode_audio(self, features: Tensor) -> Tensor:
        return self._embed(features)

    def _embed(self, angles: Tensor) -> Tensor:
        if 0 in self.cues:
            a, e = angles[..., 0], angles[..., 1] * (1 in self.cues)
            return torch.stack([e.cos() * a.cos(), e.cos() * a.sin(), e.sin()], -1)
        e = 3 * angles[..., 1]
        return torch.stack([e.cos(), e.sin(), 0 * e], -1)

    def heads(self, video: Tensor, audio: Tensor) -> Agreement:
        return Agreement(video, audio, audio, video)


def scores(*cues):
    return control_scores(AlignmentModel(Told(), Cue(cues)), Directions(), 0)


@pytest.mark.parametrize("cues", [(0,), (1,), (0, 1)])
def test_nothing_better_than_guessing_is_left_where_it_must_not_be(cues):
    found = scores(*cues)
    assert found["as it is"][OWN].mean > 0.99
    for name, control in CONTROLS.items():
        if control.guessing:
            assert found[name][OWN].mean == pytest.approx(0.25, abs=0.05), name


def test_each_cue_is_measured_alone():
    azimuth, elevation = scores(0), scores(1)
    by_azimuth, by_elevation = NAMES[1], NAMES[2]
    assert azimuth[by_azimuth][OWN].mean == 1.0
    assert azimuth[by_elevation][OWN].mean == pytest.approx(0.25, abs=0.05)
    # Crops at almost one elevation are one to it
    assert elevation[by_elevation][OWN].mean > 0.99
    assert elevation[by_azimuth][OWN].mean == pytest.approx(0.25, abs=0.05)


def test_the_turn_of_the_wrong_pair_is_heard_by_azimuth_alone():
    assert scores(0)["as it is"]["aligned above turned"].mean == 1.0
    # Elevation does not change with a yaw: ties are half right
    assert scores(1)["as it is"]["aligned above turned"].mean == 0.5
    assert scores(0)["directions scrambled"]["aligned above turned"].mean == pytest.approx(
        0.5, abs=0.08
    )


def test_directions_of_controls():
    azimuth = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    elevation = torch.tensor([[0.0, 0.1], [0.2, 0.3]])
    generator = torch.Generator().manual_seed(0)
    same = heard_from(Control(), azimuth, elevation, generator)
    assert torch.equal(same[0], azimuth)
    assert torch.equal(same[1], elevation)
    scrambled, other = heard_from(
        Control(azimuth=False, elevation="other"), azimuth, elevation, generator
    )
    assert scrambled.unique().numel() == 4  # each crop its own
    assert torch.equal(other, elevation[[1, 0]])


def test_the_field_that_is_left_is_w():
    sound = omni(torch.ones(2, 4, 3))
    assert sound.sum((0, 2)).tolist() == [6.0, 0.0, 0.0, 0.0]
    left = omni(Covariance(torch.ones(2, 10, 3, 5)))
    assert isinstance(left, Covariance)
    assert left.values.sum((0, 2, 3)).tolist() == [30.0] + [0.0] * 9
