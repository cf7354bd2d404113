"""Times of imports and of the first call of a kernel, each measured in new processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

REPEATS = 7
IMPORT = "import time, numpy; start = time.process_time(); import ambikit; dir(ambikit)"
SETUP = """
import time, numpy as np, ambikit
x = np.ones((4, 1_500_000), np.float32)
keys = np.linspace(0, 1, 100)
start = time.process_time()
"""
CALLS = {
    "rotate": "ambikit.rotate(x, 1)",
    "rotate along keys": "ambikit.rotate(x, keys)",
    "encode along keys": "ambikit.encode(x[0], keys)",
    "diffuseness": "ambikit.diffuseness(x, 48000)",
    "foa_features": "ambikit.foa_features(x, 24000)",
}
NUMBA = """
import time, numpy
start = time.process_time()
from numba import njit
njit(lambda x: x)(1)
"""
NOTE = "\nprint(time.process_time() - start)"


def measure() -> dict[str, Any]:
    """Return seconds of CPU time: quartiles of the import, medians of first calls."""
    imports = [_run(IMPORT + NOTE) for _ in range(REPEATS)]
    first = {}
    for name, call in CALLS.items():
        compiled, cached = [], []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as cache:
                compiled.append(_run(SETUP + call + NOTE, cache))
                cached.append(_run(SETUP + call + NOTE, cache))
        first[name] = {
            "compiled": float(np.median(compiled)),
            "cached": float(np.median(cached)),
        }
    return {
        "import_ms": [1e3 * float(v) for v in np.quantile(imports, (0.25, 0.5, 0.75))],
        "numba_s": float(np.median([_run(NUMBA + NOTE) for _ in range(REPEATS)])),
        "first_call_s": first,
    }


def _run(code: str, cache: str = "") -> float:
    """Run code that prints seconds."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache} if cache else None
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)
