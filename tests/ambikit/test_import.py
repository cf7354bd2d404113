"""The package's surface: one list of names, and an import that costs little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ambikit

STUB = Path(ambikit.__file__).with_suffix(".pyi")
HEAVY = ("numba", "scipy", "soundfile", "soxr", "av", "matplotlib", "torch")


def loaded_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_is_light():
    loaded = loaded_after("import ambikit")
    assert not loaded.intersection(HEAVY)


def test_small_arrays_never_wait_for_a_compiler():
    loaded = loaded_after(
        "import ambikit\n"
        "x = ambikit.encode([1.0] * 100, [0.0, 1.0])\n"
        "ambikit.rotate(x, [0.0, 1.0])\n"
        "ambikit.beamform(x, 0.3)\n"
        "ambikit.diffuseness(x, 8000)\n"
        "ambikit.convert(x, 'ambix', 'fuma')"
    )
    assert not loaded.intersection(HEAVY)


def test_stub_lists_what_the_package_offers():
    listed = {
        alias.asname
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert listed == set(ambikit.__all__)


@pytest.mark.parametrize("name", ambikit.__all__)
def test_every_listed_name_exists_and_is_documented(name):
    value = getattr(ambikit, name)
    if callable(value):
        assert value.__doc__


def test_functions_win_over_modules_of_the_same_name():
    import ambikit.intensity

    assert callable(ambikit.intensity)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="ambisonify"):
        ambikit.ambisonify  # noqa: B018
