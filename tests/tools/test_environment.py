"""The environment of `make` repairs itself, and deletes nothing that is not its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is done instead of doing it; environments are empty but run."""
    done: list[str] = []

    def create(venv: Path) -> None:
        done.append("create")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        packages = next(venv.rglob("site-packages"))
        (packages / "pip.py").write_text("")  # so that it counts as installed

    def install(venv: Path, extra: str) -> None:
        done.append(f"install {extra}")

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", install)
    return done


def test_once_is_enough(steps: list[str], tmp_path: Path) -> None:
    environment.prepare(tmp_path / "venv", "dev")
    environment.prepare(tmp_path / "venv", "dev")
    environment.prepare(tmp_path / "venv", "learn")  # dev holds all of it
    assert steps == ["create", "install dev"]


def test_learn_is_not_enough_for_dev(steps: list[str], tmp_path: Path) -> None:
    for extra in ("learn", "dev", "learn"):
        environment.prepare(tmp_path / "venv", extra)
    assert steps == ["create", "install learn", "install dev"]


def test_other_constraints_install_again(
    steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.prepare(tmp_path / "venv", "dev")
    changed = tmp_path / "constraints.txt"
    changed.write_text(environment.CONSTRAINTS.read_text() + "# changed\n")
    monkeypatch.setattr(environment, "CONSTRAINTS", changed)
    environment.prepare(tmp_path / "venv", "dev")
    assert steps == ["create", "install dev", "install dev"]


def test_an_interrupted_installation_starts_from_nothing(
    steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    def stop(venv: Path, extra: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(environment, "install", stop)
        with pytest.raises(KeyboardInterrupt):
            environment.prepare(tmp_path / "venv", "dev")
    leftover = tmp_path / "venv" / "half-written"
    leftover.touch()
    environment.prepare(tmp_path / "venv", "dev")
    assert steps == ["create", "create", "install dev"]
    assert not leftover.exists()
    assert "interrupted" in capfd.readouterr().out


def test_another_python_makes_it_anew(steps: list[str], tmp_path: Path, monkeypatch) -> None:
    environment.prepare(tmp_path / "venv", "dev")
    monkeypatch.setattr(environment, "version", lambda info: "3.99")
    environment.prepare(tmp_path / "venv", "dev")
    assert steps == ["create", "install dev"] * 2


def test_a_python_that_is_gone_makes_it_anew(steps: list[str], tmp_path: Path) -> None:
    environment.prepare(tmp_path / "venv", "dev")
    interpreter = environment.python(tmp_path / "venv")
    interpreter.unlink()
    interpreter.symlink_to(tmp_path / "no-such-python")
    environment.prepare(tmp_path / "venv", "dev")
    assert steps == ["create", "install dev"] * 2


def test_what_is_no_environment_is_left_alone(steps: list[str], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(environment.Failure, match="not an environment made here"):
        environment.prepare(tmp_path, "dev")
    assert (tmp_path / "thesis.tex").exists()
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(environment.Failure, match="not an environment made here"):
        environment.prepare(linked, "dev")
    assert (tmp_path / "thesis.tex").exists()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(total=10**11, used=10**11, free=3 * 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(environment.Failure, match=r"0\.3 GB are free .* takes 8: free some"):
        environment.run([sys.executable, "-c", "raise SystemExit(1)"], tmp_path, "dev")


def test_an_old_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(environment.Failure, match="is too old"):
        environment.prepare(tmp_path / "venv", "dev")


def pins() -> dict[str, str]:
    """Return the pinned packages; of several for different systems the last."""
    lines = environment.CONSTRAINTS.read_text().splitlines()
    return dict(
        re.match(r"([\w.-]+)==(\S+)", line).groups()
        for line in lines
        if not re.match(r"\s*(#|$)", line)
    )


def test_constraints_pin_every_dependency_and_name_no_address() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(chain(project["dependencies"], *project["optional-dependencies"].values()))
    names = {re.match(r"[\w.-]+", text)[0].lower() for text in wanted} - {"ambikit"}
    assert names <= set(pins())
    assert "://" not in environment.CONSTRAINTS.read_text()


def test_torch_torchvision_and_torchaudio_are_the_set_that_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packaging = pytest.importorskip("packaging.requirements")
    for text in project["optional-dependencies"]["learn"]:
        requirement = packaging.Requirement(text)
        if requirement.name in ("torch", "torchvision", "torchaudio"):
            assert requirement.specifier.contains(pins()[requirement.name])
            assert len(requirement.specifier) == 2  # a floor and a ceiling
