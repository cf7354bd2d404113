"""Memory that a process allocates again and again."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt in glibc
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MIB = 1 << 20
# The most that glibc accepts for blocks, and where its own adaptation ends
_LARGEST_BLOCK = 32 * _MIB


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next allocation instead of returning it to the system.

    Every step of a training allocates and frees the same arrays. glibc returns large ones to the
    system each time, which then clears their pages anew: on one core that took a tenth of a step
    of the small networks, and half of the time of their front end. The peak of the memory in use
    stays the same; at the end all that is free is returned. With other C libraries nothing
    changes.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
    libc.mallopt(_TRIM_THRESHOLD, 2048 * _MIB - 1)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_BLOCK)
        libc.malloc_trim(0)
