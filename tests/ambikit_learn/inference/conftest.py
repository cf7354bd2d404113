"""A small encoder and a sound field."""

from __future__ import annotations

import numpy as np
import pytest

import ambikit
from ambikit_learn.inference.encoder import AmbiEncoder

RATE = 24000


@pytest.fixture(scope="session")
def encoder(new_encoder) -> AmbiEncoder:
    return new_encoder()


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
