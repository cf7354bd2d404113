"""Compiled kernels give the same bits in the process that compiles them and in all later ones."""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
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


KERNELS = """
import hashlib, sys
import numpy as np
if "full" in sys.argv:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
import ambikit
from ambikit import _mixing, _motion
_mixing.CACHES = _motion.KERNEL_PAYS = 0
x = np.random.default_rng(0).standard_normal((4, 6000)).astype(np.float32)
results = [
    ambikit.rotate(x, 0.5),
    ambikit.diffuseness(x, 24000),
]
print(ambikit.__file__, hashlib.sha256(b"".join(r.tobytes() for r in results)).hexdigest())
"""


def kernels_of(package: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """Run some kernels of a copy of the package: where it is, and the sum of their results."""
    run = subprocess.run(
        [sys.executable, "-B", "-c", KERNELS, *arguments],
        env={**os.environ, "NUMBA_DISABLE_JIT": "0", "PYTHONPATH": str(package), **environment},
        cwd=package,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stderr == ""
    file, digest = run.stdout.split()
    assert file.startswith(str(package))
    return file, digest


REPOSITORY = Path(__file__).resolve().parents[1]


def test_kernels_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A container: neither the package nor the home takes a cache. (A file is in its place.)"""
    shutil.copytree(
        REPOSITORY / "ambikit", tmp_path / "ambikit", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "ambikit/_kernels/__pycache__").write_text("no folder")
    nowhere = str(tmp_path / "ambikit/py.typed" / "home")
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA"), nowhere)
    expected = kernels_of(REPOSITORY, NUMBA_CACHE_DIR=str(tmp_path / "cache"))[1]
    for cache in ("", nowhere):
        assert kernels_of(tmp_path, NUMBA_CACHE_DIR=cache, **homes)[1] == expected
    assert (tmp_path / "ambikit/_kernels/__pycache__").is_file()


def test_kernels_with_a_damaged_cache(tmp_path: Path) -> None:
    """Files that break off, as a full disk or a kill leaves them, are made anew."""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    expected = kernels_of(REPOSITORY, **cache)[1]
    for kind in ("*.nbi", "*.nbc"):
        files = list(tmp_path.rglob(kind))
        assert files
        for file in files:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        assert kernels_of(REPOSITORY, **cache)[1] == expected
    assert kernels_of(REPOSITORY, **cache)[1] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files")
def test_kernels_on_a_full_disk(tmp_path: Path) -> None:
    expected = kernels_of(REPOSITORY, NUMBA_CACHE_DIR=str(tmp_path / "a"))[1]
    assert kernels_of(REPOSITORY, "full", NUMBA_CACHE_DIR=str(tmp_path / "b"))[1] == expected
    assert not list((tmp_path / "b").rglob("*.nbc"))


def test_every_kernel_can_do_without_a_cache() -> None:
    """Numba's own decorator with cache=True refuses to define a function without a place for it."""
    for module in modules():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        if not module.__name__.endswith(".compiling"):
            assert "njit" not in source, module.__name__
        for kernel in vars(module).values():
            if isinstance(kernel, Dispatcher):
                assert type(kernel._cache).__module__ == "ambikit._kernels.compiling"
