"""Chance against the losses themselves, of models that give all pairs the same similarity."""

from __future__ import annotations

import math

import pytest
import torch

from ambikit_learn.pretext.avc import avc
from ambikit_learn.pretext.avsa import avsa
from ambikit_learn.pretext.both import Agreements, both
from ambikit_learn.pretext.contrast import (
    Agreement,
    ContrastiveSettings,
    LearnedSigmoid,
    candidate_mask,
    sigmoid,
)
from ambikit_learn.pretext.tasks import TASKS

CLIPS, VIEWS = 5, 3
BLIND = Agreement(*[torch.ones(CLIPS, VIEWS, 8)] * 4)


@pytest.mark.parametrize("negatives", ["all", "other_clips", "same_clip", "released"])
def test_it_is_the_loss_of_a_model_that_sees_and_hears_nothing(negatives):
    settings = ContrastiveSettings(negatives=negatives, avc_weight=0.3)
    losses = {
        "avc": avc(BLIND, settings),
        "avsa": avsa(BLIND, settings),
        "both": both(Agreements(BLIND, BLIND), settings),
    }
    for objective, loss in losses.items():
        assert TASKS[objective].chance(settings, CLIPS, VIEWS) == pytest.approx(loss.item())
    assert TASKS["flip"].chance(settings, CLIPS, VIEWS) == pytest.approx(math.log(2))


@pytest.mark.parametrize("negatives", ["all", "other_clips", "same_clip"])
def test_of_decisions_about_pairs_it_is_the_best_constant(negatives):
    settings = ContrastiveSettings(LearnedSigmoid(), negatives)
    mask = candidate_mask(CLIPS, VIEWS, negatives)
    same = torch.ones(CLIPS * VIEWS, 8)
    best = min(
        sigmoid(same, same, candidates=mask, scale=0.0, bias=bias).item()
        for bias in torch.linspace(-6, 1, 701).tolist()
    )
    assert TASKS["avc"].chance(settings, CLIPS, VIEWS) == pytest.approx(best, rel=1e-4)
