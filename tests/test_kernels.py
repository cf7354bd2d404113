"""Compiled kernels give the same bits in the process that compiles them and in all later ones."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

from ambikit import _kernels

SOUND_OF_A_ROOM = """
import hashlib
import numpy as np
from ambikit_learn.world.acoustics import convolve

signal, response = np.random.default_rng(0).standard_normal((2, 6000)).astype(np.float32)
out = np.empty(12000, np.float32)
convolve(signal, response, out)
print(hashlib.sha256(out.tobytes()).hexdigest())
"""


def modules() -> list[ModuleType]:
    learn = pytest.importorskip("ambikit_learn")
    rooms = (p.parent.name for p in Path(learn.__file__).parent.glob("*/_kernels"))
    packages = [_kernels, *(importlib.import_module(f"ambikit_learn.{r}._kernels") for r in rooms)]
    return [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for package in packages
        for module in pkgutil.iter_modules(package.__path__)
    ]


def test_what_kernels_call_is_compiled_into_them() -> None:
    """What is not comes from wherever the process has it, optimised once or twice."""
    parts = {
        f"{module.__name__}.{name}": vars(module)[name]
        for module in modules()
        for kernel in vars(module).values()
        if isinstance(kernel, Dispatcher)
        for name in kernel.py_func.__code__.co_names
        if isinstance(vars(module).get(name), Dispatcher)
    }
    if not parts:
        pytest.skip("numba does not compile")
    apart = [name for name, part in parts.items() if not part.targetoptions.get("forceinline")]
    assert not apart
    assert len(parts) > 40


def test_compiling_and_loading_from_the_cache_give_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("ambikit_learn.world")
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NUMBA_DISABLE_JIT": "0",
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
    }
    first, second = (
        subprocess.run(
            [sys.executable, "-c", SOUND_OF_A_ROOM],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for _ in range(2)
    )
    assert any(tmp_path.rglob("*.nbc"))
    assert first == second != ""
