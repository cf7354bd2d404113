"""Memory that is allocated again and again stays with the process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

ROUNDS = """
import resource
import numpy as np
from ambikit_learn._memory import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        arrays = [np.ones(3 << 20) for _ in range(3)]  # 24 MiB each
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
without = faults()
with kept_memory():
    faults()
    kept = faults()
print(without, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_pages_of_freed_arrays_are_used_again():
    # In a process of its own: what a test before it allocated changes where arrays lie
    usual = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS], check=True, capture_output=True, text=True, env=usual
    )
    without, kept, after = map(int, done.stdout.split())
    # An array has at least 12 pages, if they are of 2 MiB
    assert kept < 12 <= min(without, after)
