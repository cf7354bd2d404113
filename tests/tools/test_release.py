"""The version moves everywhere at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ambikit
from tools import release

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files that state the version."""
    (tmp_path / "ambikit").mkdir()
    for name in ("ambikit/_version.py", "CITATION.cff", "CHANGELOG.md"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    return tmp_path


def test_the_package_and_the_citation_agree() -> None:
    stated = release.stated()
    assert stated["ambikit/_version.py"] == stated["CITATION.cff"] == ambikit.__version__


def test_a_release_is_stated_everywhere(copy: Path) -> None:
    assert release.main(["7.8.9"]) == 0
    assert set(release.stated().values()) == {"7.8.9"}
    changelog = (copy / "CHANGELOG.md").read_text(encoding="utf-8")
    before = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"## Unreleased\n\n## 7\.8\.9 - \d{4}-\d\d-\d\d\n\n### ", changelog)
    assert re.sub(r"\n## 7.8.9.*\n", "", changelog) == before
    assert release.main(["--check", "7.8.9"]) == 0
    assert release.main(["--check", "7.9.0"]) == 2


@pytest.mark.parametrize("version", ["v1.2.3", "1.2", "next", ""])
def test_what_is_no_version_changes_nothing(copy: Path, version: str) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*.*")}
    assert release.main([version]) == 2
    assert before == {path: path.read_bytes() for path in copy.rglob("*.*")}


def test_the_same_version_twice_is_refused(copy: Path) -> None:
    assert release.main(["7.8.9"]) == 0
    assert release.main(["7.8.9"]) == 2
