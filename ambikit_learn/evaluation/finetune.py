"""Fine-tuning of a video encoder on actions, by the schedules of the papers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ambikit import InputError, checks
from ambikit_learn._files import atomic_write
from ambikit_learn._progress import progress
from ambikit_learn._typing import Floats, Frames, Indices

Draw = Callable[[int, np.random.Generator], Frames]
"""Function of the number of a video that returns a random clip (T, S, S, 3) of it."""


@dataclass(frozen=True)
class Schedule:
    """How an encoder is fine-tuned.

    Attributes
    ----------
    epochs, draws : int
        Passes over the videos, and clips of each video in a pass.
    milestones : tuple of int
        Epochs after which the learning rate is multiplied by `gamma`.
    gamma, learning_rate : float
        Of Adam, without weight decay.
    batch : int
        Clips of a step.
    dropout : float
        Before the linear layer.
    """

    epochs: int
    draws: int
    milestones: tuple[int, ...]
    gamma: float = 0.3
    learning_rate: float = 1e-4
    batch: int = 28
    dropout: float = 0.5


SCHEDULES = {
    "ucf101": Schedule(20, 5, (8, 12, 16)),
    "hmdb51": Schedule(20, 10, (8, 12, 16)),
    "supplement": Schedule(100, 1, (40, 60, 80)),
    "tiny": Schedule(6, 1, (3, 5), learning_rate=1e-3),
}
"""``"ucf101"`` and ``"hmdb51"`` are those of the code of Morgado et al. (NeurIPS 2020),
``"supplement"`` is that of their supplement; ``"tiny"`` is for small networks on two cores."""


class ActionNet(nn.Module):
    """A video encoder, dropout and a linear layer: from uint8 clips (N, T, S, S, 3) to logits."""

    def __init__(self, encoder: nn.Module, dim: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, classes))

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        out: Tensor = self.head(self.encoder(clips))
        return out


class TorchvisionR2Plus1D(nn.Module):
    """The ``r2plus1d_18`` of torchvision with the weights of a file, of uint8 clips.

    Parameters
    ----------
    path : path
        State dict as torchvision publishes it (``.pth``), or the same as safetensors.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    InputError
        It holds other weights.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file: give the weights of r2plus1d_18")
        models = checks.package("torchvision.models.video", "the weights of torchvision need")
        self.net = models.r2plus1d_18(weights=None)
        try:
            if path.suffix == ".safetensors":
                import safetensors.torch

                state = safetensors.torch.load_file(path)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
            self.net.load_state_dict(state)
        except Exception as error:  # torch, pickle and safetensors each have their own
            detail = " ".join(str(error).split())[:150]
            raise InputError(f"{path} holds no weights of r2plus1d_18 ({detail})") from error
        self.net.fc = nn.Identity()
        # The colours of Kinetics, by which it was trained
        self.mean = nn.Buffer(255 * torch.tensor([0.43216, 0.394666, 0.37645]))
        self.std = nn.Buffer(255 * torch.tensor([0.22803, 0.22145, 0.216989]))

    def forward(self, clips: Tensor) -> Tensor:
        """Return (N, 512)."""
        colours = (clips.float() - self.mean) / self.std
        out: Tensor = self.net(colours.permute(0, 4, 1, 2, 3))
        return out


def fine_tune(
    net: ActionNet,
    videos: Indices,
    targets: Indices,
    draw: Draw,
    schedule: Schedule,
    *,
    state: Path | None = None,
    seed: int = 0,
) -> ActionNet:
    """Train all weights of a network.

    Parameters
    ----------
    net : ActionNet
        Network, which is changed.
    videos : ndarray of int, shape (n,)
        Numbers of the videos to train on.
    targets : ndarray of int, shape (n,)
        Their classes.
    draw : callable
        Gives clips.
    schedule : Schedule
        How to train.
    state : path, optional
        File that keeps the state after each epoch, from which an interrupted training resumes.
    seed : int
        Random seed of the order and of clips; an epoch depends on it and on its number.

    Returns
    -------
    ActionNet
        In evaluation mode.

    Raises
    ------
    InputError
        If the state is damaged or of another training, or the loss is not finite.
    """
    optimizer = torch.optim.Adam(net.parameters(), lr=schedule.learning_rate)
    steps = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, list(schedule.milestones), schedule.gamma
    )
    about = json.dumps({**asdict(schedule), "seed": seed, "videos": len(videos)})
    first = 0
    if state is not None and state.is_file():
        first = _resume(state, about, net, optimizer, steps)
    device = next(net.parameters()).device
    for epoch in range(first, schedule.epochs):
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(seed + 1000 * epoch)
        net.train()
        batches = list(_batches(len(videos), schedule, rng))
        for some in progress(batches, len(batches), f"epoch {epoch + 1} of {schedule.epochs}"):
            clips = torch.from_numpy(np.stack([draw(int(videos[i]), rng) for i in some]))
            logits = net(clips.to(device))
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(targets[some]).to(device))
            if not torch.isfinite(loss):
                raise InputError("the loss is not finite: lower the learning rate of the schedule")
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        steps.step()
        if state is not None:
            with atomic_write(state) as path:
                parts = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save(
                    {**parts, "steps": steps.state_dict(), "about": about, "epoch": epoch + 1}, path
                )
    return net.eval()


def probabilities(net: ActionNet, clips: Frames, *, batch: int = 25) -> Floats:
    """Return the log-probabilities (n, classes) of clips (n, T, S, S, 3)."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        parts = [
            net(part.to(device)).log_softmax(1).cpu()
            for part in torch.split(torch.from_numpy(np.ascontiguousarray(clips)), batch)
        ]
    found: Floats = torch.cat(parts).double().numpy()
    return found


def _batches(count: int, schedule: Schedule, rng: np.random.Generator) -> Iterator[Indices]:
    """Yield the positions of the videos of each step of an epoch; at least two, for batch norm."""
    order = np.concatenate([rng.permutation(count) for _ in range(schedule.draws)])
    for first in range(0, len(order), schedule.batch):
        some = order[first : first + schedule.batch]
        if len(some) > 1 or count == 1:
            yield some


def _resume(path: Path, about: str, net: ActionNet, *parts: Any) -> int:
    """Load a state, and return the number of epochs that are done."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        known = saved["about"]
        if known == about:
            net.load_state_dict(saved["net"])
            for name, part in zip(("optimizer", "steps"), parts, strict=True):
                part.load_state_dict(saved[name])
            return int(saved["epoch"])
    except Exception as error:
        raise InputError(f"{path} is damaged ({error}): delete it") from error
    raise InputError(f"{path} is of a training with other settings: delete it")


def targets_of(labels: Sequence[str], classes: Sequence[str]) -> Indices:
    """Return the numbers of labels among sorted classes."""
    return np.searchsorted(np.array(classes), np.array(labels))
