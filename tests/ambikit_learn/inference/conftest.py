"""A small encoder with weights of every kind, as if it were trained, and a sound field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ambikit
from ambikit_learn.inference.encoder import AmbiEncoder
from ambikit_learn.models.alignment import AlignmentModel, build_model
from ambikit_learn.models.run import Record
from ambikit_learn.networks.front_end import FrontEnd

RATE = 24000


def make_encoder(kind: str = "foa_iv", record: Record | None = None, **front_end: Any):
    """Make an encoder whose statistics and running averages are not those of a fresh one."""
    torch.manual_seed(0)
    first = FrontEnd(kind, **{"preset": "tiny", **front_end})
    towards = torch.zeros(2, 1)
    first.fit_statistics([(0.1 * torch.randn(2, 4, RATE // 2), towards, towards)])
    net = build_model("tiny", first.channels, frames=2)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return AmbiEncoder(AlignmentModel(first, net), record)


@pytest.fixture(scope="session")
def new_encoder():
    return make_encoder


@pytest.fixture(scope="session")
def encoder() -> AmbiEncoder:
    return make_encoder()


@pytest.fixture(scope="session")
def scene() -> np.ndarray:
    """2.7 s of two sources that change and a little of everything else, (4, n)."""
    rng = np.random.default_rng(1)
    n = round(2.7 * RATE)
    x = 0.01 * rng.standard_normal((4, n))
    for azimuth, elevation in ((50, 20), (-120, -30)):
        loudness = np.interp(np.arange(n), np.linspace(0, n, 9), rng.uniform(0.01, 0.3, 9))
        x += ambikit.encode(loudness * rng.standard_normal(n), azimuth, elevation, degrees=True)
    return x.astype(np.float32)
