"""What an import loads: reading stands on no writing, a description on no picture."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_after(code: str) -> set[str]:
    """Return the modules that a program has loaded at its end."""
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def rooms(modules: set[str]) -> set[str]:
    """Return the rooms of the package that modules lie in."""
    return {name.split(".")[1] for name in modules if name.startswith("ambikit_learn.")}


def test_the_package_costs_nothing() -> None:
    loaded = loaded_after("import ambikit_learn")
    assert not rooms(loaded)
    assert not loaded & {"torch", "av", "numba", "pyarrow", "lightning"}


def test_reading_prepared_data_loads_nothing_that_writes_them() -> None:
    loaded = loaded_after("from ambikit_learn.data.dataset import AlignmentDataset")
    files = [name for name in loaded if name.partition(".")[0] == "ambikit_learn"]
    assert len(files) <= 16, sorted(files)
    assert rooms(loaded) == {"_typing", "data", "sphere", "video"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sample_scene", {"_typing", "world"}),
        ("PRESETS", {"world"}),
    ],
)
def test_a_description_of_a_world_loads_no_pictures(name: str, expected: set[str]) -> None:
    loaded = loaded_after(f"from ambikit_learn.world import {name}")
    assert rooms(loaded) == expected
    assert not loaded & {"torch", "av", "numba", "scipy"}
