"""Several processes against one: the same loss, gradients, statistics and masks."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from ambikit_learn._distributed import gather, gathered
from ambikit_learn.networks.blocks import BatchNorm, Dropout
from ambikit_learn.pretext.avc import avc
from ambikit_learn.pretext.avsa import avsa
from ambikit_learn.pretext.contrast import Agreement, ContrastiveSettings

RANKS = 2
CLIPS = 4
LOSSES = {"avc": avc, "avsa": lambda x: avsa(x, ContrastiveSettings(negatives="released"))}


def agreement() -> Agreement:
    generator = torch.Generator().manual_seed(1)
    return Agreement(*torch.randn(4, CLIPS, 4, 6, generator=generator))


def planes() -> torch.Tensor:
    """Values whose ranks' parts differ in mean and spread."""
    x = torch.randn(CLIPS, 3, 5, 5, generator=torch.Generator().manual_seed(2))
    return x * torch.arange(1.0, CLIPS + 1)[:, None, None, None] + torch.arange(3.0)[:, None, None]


def norm(kind: type[nn.Module]) -> nn.Module:
    layer = kind(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
    return layer


def normed(layer: nn.Module, x: torch.Tensor, whole: bool) -> list[torch.Tensor]:
    """Outputs, gradients and statistics after a step and a loss of all outputs."""
    x = x.clone().requires_grad_()
    y = layer(x)
    outputs = y if whole else gather(y)
    (outputs.square() * torch.linspace(-1, 2, outputs.numel()).view_as(outputs)).sum().backward()
    share = 1 if whole else RANKS  # as DistributedDataParallel averages
    grads = [p.grad / share for p in (x, layer.weight, layer.bias)]
    stats = [layer.running_mean, layer.running_var, layer.num_batches_tracked]
    return [y.detach(), *grads, *stats]


def dropped(parts: int) -> torch.Tensor:
    torch.manual_seed(7)
    return Dropout(0.4)(torch.ones(CLIPS // parts, 5))


def _rank(rank: int, folder: str) -> None:
    meeting = (Path(folder) / "meeting").as_uri()
    dist.init_process_group("gloo", meeting, rank=rank, world_size=RANKS)
    share = slice(rank * CLIPS // RANKS, (rank + 1) * CLIPS // RANKS)
    results = {}
    for name, loss in LOSSES.items():
        own = [x[share].clone().requires_grad_() for x in agreement()]
        value = loss(gathered(Agreement(*own)))
        value.backward()
        # Each rank's gradient is summed over the ranks by the gather; DDP divides by them
        results[name] = [value.detach(), *(x.grad / RANKS for x in own if x.grad is not None)]
    results["norm"] = normed(norm(BatchNorm), planes()[share], whole=False)
    results["dropout"] = [dropped(RANKS)]
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict[str, list[torch.Tensor]]]:
    """What each of two ranks found."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(_rank, (str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{r}.pt", weights_only=True) for r in range(RANKS)]


@pytest.mark.parametrize("name", LOSSES)
def test_ranks_have_the_loss_and_gradients_of_one(ranks, name):
    leaves = [x.clone().requires_grad_() for x in agreement()]
    expected = LOSSES[name](Agreement(*leaves))
    expected.backward()
    for result in ranks:
        torch.testing.assert_close(result[name][0], expected.detach())
    grads = [x.grad for x in leaves if x.grad is not None]
    for i, grad in enumerate(grads, 1):
        torch.testing.assert_close(torch.cat([r[name][i] for r in ranks]), grad)


def test_batch_norm_of_ranks_is_that_of_the_whole_batch(ranks):
    """Against torch's own in one process: values, all gradients, running statistics."""
    expected = normed(norm(nn.BatchNorm2d), planes(), whole=True)
    results = [r["norm"] for r in ranks]
    for i in range(2):  # outputs and their inputs' gradients lie side by side
        torch.testing.assert_close(torch.cat([r[i] for r in results]), expected[i])
    for i in range(2, 4):  # parameters' gradients add up
        torch.testing.assert_close(sum(r[i] for r in results), expected[i])
    for result in results:
        for got, want in zip(result[4:], expected[4:], strict=True):
            torch.testing.assert_close(got, want)


def test_batch_norm_of_one_process_is_torchs():
    ours, theirs = norm(BatchNorm), norm(nn.BatchNorm2d)
    for got, want in zip(
        normed(ours, planes(), whole=True), normed(theirs, planes(), whole=True), strict=True
    ):
        assert torch.equal(got, want)
    assert torch.equal(ours.eval()(planes()), theirs.eval()(planes()))
    assert copy.deepcopy(ours).state_dict().keys() == theirs.state_dict().keys()


def test_dropout_of_ranks_is_that_of_the_whole_batch(ranks):
    whole = dropped(1)
    assert torch.equal(torch.cat([r["dropout"][0] for r in ranks]), whole)
    assert whole.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert not torch.equal(whole[:2], whole[2:])
