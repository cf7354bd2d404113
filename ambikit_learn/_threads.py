"""Cores of this process, and the number of threads of torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def leave_cores(loaders: int) -> None:
    """Leave a core to each loading process, unless OMP_NUM_THREADS sets the number of threads.

    Threads that share cores with loaders wait for each other by spinning: on two cores, two threads
    beside two loaders trained several times slower than one thread.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(max(cores() - loaders, 1))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, as worker processes do: on more it gives other last bits."""
    with _threads_kept():
        import torch

        torch.set_num_threads(1)
        yield


@contextmanager
def cores_left(readers: int) -> Iterator[None]:
    """Leave cores to threads or processes that read, as `leave_cores` does, and take them back."""
    with _threads_kept():
        leave_cores(readers)
        yield


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Restore the number of threads of torch at the end."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
