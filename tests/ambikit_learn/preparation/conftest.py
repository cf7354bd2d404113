"""Detectors that do what detectors should not."""

from __future__ import annotations

import sys

import pytest

from tests.ambikit_learn.preparation.outputs import DETECTORS


@pytest.fixture
def detectors(tmp_path, monkeypatch):
    """Folder of a module of detectors, on the path of this process and its workers."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "test_detectors.py").write_text(DETECTORS)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "test_detectors", raising=False)
    return folder
