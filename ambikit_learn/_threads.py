"""How many threads torch computes with, beside the processes that load its data."""

from __future__ import annotations

import os

import torch

from ambikit_learn.workers import cores


def leave_cores(loaders: int) -> None:
    """Leave a core to each loading process, unless OMP_NUM_THREADS says how many threads to use.

    Threads that have to share their cores with loaders wait for each other by spinning: on two
    cores, two threads beside two loaders trained several times slower than one.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(cores() - loaders, 1))
