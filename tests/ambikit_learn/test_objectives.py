from __future__ import annotations

import math
import os
import socket

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ambikit import InputError
from ambikit_learn.features import FrontEnd
from ambikit_learn.models import Agreement, AlignmentModel, build_model
from ambikit_learn.objectives import avc, avsa, candidate_mask, info_nce


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


def naive_candidates(clips: int, views: int, legacy: bool) -> list[list[bool]]:
    pairs = [(n, k) for n in range(clips) for k in range(views)]
    return [[not legacy or n == m or k == j for m, j in pairs] for n, k in pairs]


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


@pytest.mark.parametrize("candidates", ["all", "legacy"])
def test_avsa_equals_a_loop(candidates):
    agreement = random_agreement()
    vision, vision_from_sound, sound, sound_from_vision = (x.flatten(0, 1) for x in agreement)
    allowed = naive_candidates(3, 4, candidates == "legacy")
    expected = 0.5 * (
        naive_info_nce(vision_from_sound, vision, 0.07, allowed)
        + naive_info_nce(sound_from_vision, sound, 0.07, allowed)
    )
    assert avsa(agreement, candidates=candidates).item() == pytest.approx(expected, rel=1e-5)


def test_avc_equals_a_loop():
    agreement = random_agreement(clips=5, views=1)
    vision, sound = agreement.vision[:, 0], agreement.sound[:, 0]
    everything = [[True] * 5] * 5
    expected = 0.5 * (
        naive_info_nce(vision, sound, 0.1, everything)
        + naive_info_nce(sound, vision, 0.1, everything)
    )
    assert avc(agreement, temperature=0.1).item() == pytest.approx(expected, rel=1e-5)


def test_candidates_of_the_released_code_are_31():
    mask = candidate_mask(28, 4, "legacy")
    assert mask.sum(1).unique().tolist() == [31]
    assert candidate_mask(28, 4, "all").sum(1).unique().tolist() == [112]
    assert mask.tolist() == naive_candidates(28, 4, True)
    with pytest.raises(InputError, match="all, legacy"):
        candidate_mask(2, 2, "some")


@pytest.mark.parametrize("objective", [avc, avsa])
def test_aligned_is_less_than_shuffled_and_both_sides_learn(objective):
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
    loss = objective(aligned)
    assert loss < objective(shuffled) - 1
    loss.backward()
    assert v.grad.abs().sum() > 0
    assert a.grad.abs().sum() > 0


def test_autocast_keeps_the_loss_in_float32():
    agreement = random_agreement()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(avsa(agreement), avsa(agreement).float())
        low = avsa(agreement)
    assert torch.equal(low, avsa(agreement))


def _rank(rank: int, ranks: int, port: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    agreement = random_agreement(clips=4)
    share = slice(rank * 4 // ranks, (rank + 1) * 4 // ranks)
    for name, loss in (("avc", avc), ("avsa", lambda x: avsa(x, candidates="legacy"))):
        own = [x[share].clone().requires_grad_() for x in agreement]
        value = loss(Agreement(*own))
        value.backward()
        # Each rank's gradient is summed over the ranks by the gather; DDP divides by them
        grads = [x.grad / ranks for x in own if x.grad is not None]
        torch.save((value.detach(), grads), f"{folder}/{name}-{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_have_the_loss_and_gradients_of_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(_rank, (2, port, str(tmp_path)), nprocs=2)
    whole = random_agreement(clips=4)
    for name, loss in (("avc", avc), ("avsa", lambda x: avsa(x, candidates="legacy"))):
        leaves = [x.clone().requires_grad_() for x in whole]
        expected = loss(Agreement(*leaves))
        expected.backward()
        parts = [torch.load(tmp_path / f"{name}-{r}.pt", weights_only=True) for r in range(2)]
        for value, _ in parts:
            torch.testing.assert_close(value, expected.detach())
        grads = [x.grad for x in leaves if x.grad is not None]
        for i, grad in enumerate(grads):
            torch.testing.assert_close(torch.cat([part[1][i] for part in parts]), grad)


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
