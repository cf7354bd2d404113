"""Packages that are not there, or do not load, are named with the remedy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ambikit
from ambikit import checks
from ambikit.cli import one_line_errors


def without(package: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code where a package cannot be imported."""
    block = f"import sys\nsys.modules[{package!r}] = None\n"
    run = [sys.executable, "-c", block + code]
    return subprocess.run(run, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'av'", name="av"), ["av", "'ambikit[media]'"]),
        (
            ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"),
            ["torch", "'ambikit[learn]'"],
        ),
        (ModuleNotFoundError("No module named 'wandb'", name="wandb"), ["pip install wandb"]),
        (
            ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
            ["libGL.so.1", "apt-get install libgl1"],
        ),
        (
            ImportError("libnew.so.7: cannot open shared object file: No such file"),
            ["libnew.so.7", "install it"],
        ),
        (
            OSError("Could not load this library: /x/torchaudio/lib/libtorchaudio.so"),
            ["torch, torchvision and torchaudio", "'ambikit[learn]'"],
        ),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            ["torch, torchvision and torchaudio", "'ambikit[learn]'"],
        ),
    ],
)
def test_the_remedy_is_named(error: Exception, words: list[str]) -> None:
    known = checks.missing_package(error, "films need")
    assert isinstance(known, ambikit.InputError)
    assert isinstance(known, ImportError)
    assert str(known).startswith("films need ")
    assert "\n" not in str(known)
    assert all(word in str(known) for word in words), known


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'colours'", name="colours"),
        ImportError("cannot import name 'rotat' from 'ambikit'"),
        OSError("no such file"),
    ],
)
def test_bugs_and_other_faults_stay_what_they_are(error: Exception) -> None:
    assert checks.missing_package(error) is None


def test_an_unknown_module_is_a_bug_and_keeps_its_traceback() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        checks.package("no_such_module", "this needs")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        one_line_errors("tool", lambda: __import__("no_such_module"))


def test_command_line_without_an_optional_package(tmp_path) -> None:
    path = tmp_path / "sound.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(64))
    run = without("av", f"from ambikit.cli import main\nsys.exit(main(['info', {str(path)!r}]))")
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "pip install 'ambikit[media]'" in run.stderr


def test_plots_without_matplotlib() -> None:
    run = without("matplotlib", "import ambikit\nambikit.plot.beam_pattern('cardioid')")
    assert run.stderr.splitlines()[-1].endswith("pip install 'ambikit[plot]'")


def test_version_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    from ambikit.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"ambikit {ambikit.__version__}\n"
