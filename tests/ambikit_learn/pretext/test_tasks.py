from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ambikit import InputError
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.networks.front_end import FrontEnd
from ambikit_learn.pretext.avc import avc
from ambikit_learn.pretext.avsa import avsa
from ambikit_learn.pretext.both import Agreements, both
from ambikit_learn.pretext.contrast import (
    CONTRASTS,
    Agreement,
    ContrastiveSettings,
    candidate_mask,
    info_nce,
    sigmoid,
)
from ambikit_learn.pretext.flip import FlipLogits, flip, mirror_sound


def naive_info_nce(queries, keys, temperature, candidates) -> float:
    """Loop over queries and candidates in Python."""
    total = 0.0
    for i, q in enumerate(queries.tolist()):
        scores = {}
        for j, k in enumerate(keys.tolist()):
            if candidates[i][j]:
                cosine = sum(a * b for a, b in zip(q, k, strict=True))
                cosine /= math.hypot(*q) * math.hypot(*k)
                scores[j] = math.exp(cosine / temperature)
        total -= math.log(scores[i] / sum(scores.values()))
    return total / len(queries)


ALLOWED = {
    "all": lambda n, k, m, j: True,
    "other_clips": lambda n, k, m, j: n != m or k == j,
    "same_clip": lambda n, k, m, j: n == m,
    "released": lambda n, k, m, j: n == m or k == j,
}


def naive_sigmoid(queries, keys, scale, bias, candidates) -> float:
    """Loop over pairs in Python."""
    total = 0.0
    for i, q in enumerate(queries.tolist()):
        for j, k in enumerate(keys.tolist()):
            cosine = sum(a * b for a, b in zip(q, k, strict=True))
            cosine /= math.hypot(*q) * math.hypot(*k)
            odds = math.exp(scale * cosine + bias)
            right = odds / (1 + odds) if i == j else 1 / (1 + odds)
            total -= math.log(right) * candidates[i][j]
    return total / len(queries)


def naive_candidates(clips: int, views: int, name: str) -> list[list[bool]]:
    pairs = [(n, k) for n in range(clips) for k in range(views)]
    return [[ALLOWED[name](n, k, m, j) for m, j in pairs] for n, k in pairs]


def random_agreement(clips: int = 3, views: int = 4, dim: int = 6) -> Agreement:
    generator = torch.Generator().manual_seed(1)
    return Agreement(*torch.randn(4, clips, views, dim, generator=generator, dtype=torch.float32))


def test_info_nce_equals_a_loop():
    q, k = torch.randn(2, 7, 5)
    everything = [[True] * 7] * 7
    assert info_nce(q, k).item() == pytest.approx(naive_info_nce(q, k, 0.07, everything), rel=1e-5)


def test_info_nce_of_equal_keys_is_chance():
    q = torch.randn(9, 4)
    assert info_nce(q, torch.ones(9, 4)).item() == pytest.approx(math.log(9), rel=1e-6)


def test_sigmoid_equals_a_loop():
    q, k = torch.randn(2, 6, 5)
    allowed = naive_candidates(3, 2, "same_clip")
    got = sigmoid(q, k, scale=3.0, bias=-1.0, candidates=torch.tensor(allowed))
    assert got.item() == pytest.approx(naive_sigmoid(q, k, 3.0, -1.0, allowed), rel=1e-5)
    everything = [[True] * 6] * 6
    expected = naive_sigmoid(q, k, 3.0, -1.0, everything)
    assert sigmoid(q, k, scale=3.0, bias=-1.0).item() == pytest.approx(expected, rel=1e-5)


def test_learned_sigmoid_begins_as_published_and_learns_both():
    q, k = torch.randn(2, 6, 5)
    contrast = CONTRASTS["sigmoid"](0.1)
    loss = contrast(q, k)
    assert loss.item() == pytest.approx(sigmoid(q, k, scale=10.0, bias=-10.0).item(), rel=1e-6)
    loss.backward()
    assert all(p.grad.abs() > 0 for p in contrast.parameters())


@pytest.mark.parametrize("negatives", list(ALLOWED))
def test_avsa_equals_a_loop(negatives):
    agreement = random_agreement()
    vision, vision_from_sound, sound, sound_from_vision = (x.flatten(0, 1) for x in agreement)
    allowed = naive_candidates(3, 4, negatives)
    expected = 0.5 * (
        naive_info_nce(vision_from_sound, vision, 0.07, allowed)
        + naive_info_nce(sound_from_vision, sound, 0.07, allowed)
    )
    assert avsa(agreement, ContrastiveSettings(negatives=negatives)).item() == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("negatives", list(ALLOWED))
def test_avc_equals_a_loop(negatives):
    agreement = random_agreement(clips=5, views=2)
    vision, sound = agreement.vision.flatten(0, 1), agreement.sound.flatten(0, 1)
    allowed = naive_candidates(5, 2, negatives)
    expected = 0.5 * (
        naive_info_nce(vision, sound, 0.1, allowed) + naive_info_nce(sound, vision, 0.1, allowed)
    )
    rules = ContrastiveSettings(CONTRASTS["info_nce"](0.1), negatives)
    assert avc(agreement, rules).item() == pytest.approx(expected, rel=1e-5)


def test_both_are_the_weighted_sum_of_their_losses():
    first, second = random_agreement(), Agreement(*torch.randn(4, 3, 4, 6))
    rules = ContrastiveSettings(negatives="same_clip", avc_weight=0.2)
    expected = 0.2 * avc(first, ContrastiveSettings(negatives="other_clips")) + 0.8 * avsa(
        second, rules
    )
    torch.testing.assert_close(both(Agreements(first, second), rules), expected)


def test_flip_is_the_cross_entropy_of_each_crop_with_its_own_sound():
    logits = torch.randn(3, 4, 4)
    flipped = [True, False, True]
    total = 0.0
    for n in range(3):
        for k in range(4):
            right = 1 / (1 + math.exp(-logits[n, k, k]))
            total -= math.log(1 - right if flipped[n] else right)
    assert flip(FlipLogits(logits), torch.tensor(flipped)).item() == pytest.approx(
        total / 12, rel=1e-5
    )


def test_candidates_of_the_released_code_are_31():
    sums = {name: candidate_mask(28, 4, name).sum(1).unique().tolist() for name in ALLOWED}
    assert sums == {"all": [112], "other_clips": [109], "same_clip": [4], "released": [31]}
    for name in ALLOWED:
        assert candidate_mask(5, 3, name).tolist() == naive_candidates(5, 3, name)
    with pytest.raises(InputError, match="all, other_clips, same_clip, released"):
        candidate_mask(2, 2, "some")


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("objective", [avc, avsa])
def test_aligned_is_less_than_shuffled_and_both_sides_learn(objective, contrast):
    vision, sound = torch.randn(2, 4, 4, 16, requires_grad=True)
    v, a = vision.detach().requires_grad_(), sound.detach().requires_grad_()
    aligned = (
        Agreement(v, v + 0.1 * a, a, a + 0.1 * v)
        if objective is avsa
        else (Agreement(v, v + 0.3 * a, v + 0.3 * a, v))
    )
    shuffled = aligned._replace(
        vision_from_sound=aligned.vision_from_sound.roll(1, 1), sound=aligned.sound.roll(1, 1)
    )
    rules = ContrastiveSettings(CONTRASTS[contrast](0.07))
    loss = objective(aligned, rules)
    assert loss < objective(shuffled, rules) - 1
    loss.backward()
    assert v.grad.abs().sum() > 0
    assert a.grad.abs().sum() > 0


def test_autocast_keeps_the_loss_in_float32():
    agreement = random_agreement()
    with torch.autocast("cpu", torch.bfloat16):
        low = avsa(agreement)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, avsa(agreement))


def coloured_clips(clips: int, views: int) -> tuple[torch.Tensor, ...]:
    """Crops of one colour each, whose pitch sounds from their direction."""
    rng = np.random.default_rng(0)
    azimuth = np.linspace(-np.pi, np.pi, views, endpoint=False) + rng.uniform(0, 6, (clips, 1))
    elevation = rng.uniform(-0.5, 0.5, (clips, views))
    video = np.zeros((clips, views, 3, 24, 24, 3), np.uint8)
    sound = np.zeros((clips, 4, 9600), np.float32)
    time = np.arange(9600) / 24000
    for n in range(clips):
        for k, pitch in enumerate(rng.permutation(views)):
            video[n, k] = 60 * rng.random() + np.eye(4)[pitch, :3] * 180
            a, e = azimuth[n, k], elevation[n, k]
            gains = np.array([1, np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
            tone = np.sin(2 * np.pi * 500 * 2**pitch * time + rng.random())
            sound[n] += (gains[:, None] * tone).astype(np.float32) * 0.1
    sound += rng.normal(size=sound.shape).astype(np.float32) * 1e-3
    return (
        torch.from_numpy(video),
        torch.from_numpy(sound),
        torch.from_numpy(azimuth).float(),
        torch.from_numpy(elevation).float(),
    )


def test_alignment_overfits_eight_clips():
    torch.manual_seed(0)
    batch = coloured_clips(8, 4)
    front_end = FrontEnd("foa_iv", preset="tiny")
    front_end.fit_statistics([batch[1:]])
    model = AlignmentModel(front_end, build_model("tiny", 7))
    with torch.no_grad():
        features = front_end(*batch[1:])
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    target = torch.arange(4)
    for _ in range(60):
        agreement = model.net(batch[0], features)
        retrieval = (agreement.similarity().argmax(-1) == target).float().mean()
        if retrieval > 0.95:
            break
        optimizer.zero_grad()
        avsa(agreement).backward()
        optimizer.step()
    assert retrieval > 0.9


def test_left_and_right_are_told_apart_on_eight_clips():
    """Each clip with its own sound and with that sound mirrored: a bit that only pairs can tell."""
    torch.manual_seed(0)
    video, sound, azimuth, elevation = coloured_clips(8, 4)
    sounds = torch.cat([sound, torch.stack([mirror_sound(x) for x in sound])])
    video, azimuth, elevation = (torch.cat([x, x]) for x in (video, azimuth, elevation))
    flipped = torch.arange(16) >= 8
    front_end = FrontEnd("foa_iv", preset="tiny")
    front_end.fit_statistics([(sounds, azimuth, elevation)])
    net = build_model("tiny", 7, objective="flip")
    with torch.no_grad():
        features = front_end(sounds, azimuth, elevation)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
    for _ in range(60):
        order = net(video, features)
        right = order.logits.diagonal(dim1=1, dim2=2).mean(1) > 0
        if (right != flipped).all():
            break
        optimizer.zero_grad()
        flip(order, flipped).backward()
        optimizer.step()
    assert (right != flipped).all()
