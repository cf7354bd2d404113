"""The code of the README, of docs/ and of the notebook runs, and what they point at exists."""

from __future__ import annotations

import ast
import doctest
import json
import re
from pathlib import Path

import numpy as np
import pytest

import ambikit

ROOT = Path(__file__).resolve().parents[1]
DOOR = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = [*DOOR, *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
door = pytest.mark.parametrize("path", DOOR, ids=lambda path: path.name)
page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def code(path: Path) -> str:
    """Return the fenced Python of a page: one program, as a reader would type it."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", path.read_text(), re.S | re.M))


def names_of_tests() -> set[str]:
    """Return the names of all test functions."""
    trees = [ast.parse(file.read_text()) for file in (ROOT / "tests").rglob("test_*.py")]
    return {f.name for tree in trees for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)}


@page
def test_code_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.zeros((4, 4800), np.float32)
    ambikit.write("soundtrack_of_a_360_video.m4a", x, 48000, convention="youtube51")
    text = code(path)
    if ">>>" in text:
        example = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
        runner = doctest.DocTestRunner()
        runner.run(example)
        assert runner.summarize(verbose=False).failed == 0
    else:
        exec(compile(text, path.name, "exec"), {})


@page
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert target.startswith("https://") or (path.parent / target).exists(), target


@door
def test_lines_fit_a_screen(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 100] == []


@door
def test_named_make_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+)(?:-[a-z]+)?:", makefile, re.M))
    named = re.findall(r"(?:`|^    )make ([a-z]+)", path.read_text(encoding="utf-8"), re.M)
    assert named
    assert set(named) <= targets


@pytest.mark.parametrize("path", [DOOR[0], *PAGES[2:]], ids=lambda path: path.name)
def test_options_in_commands_exist(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands of the pages as a reader types them; a backslash continues a line."""
    from ambikit_learn.cli import main

    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for name, rest in re.findall(
        r"^    ambikit-learn (data stats|evaluate \w+|\w+) (.*)$", text, re.M
    ):
        assert main([*name.split(), "--help"]) == 0
        described = capsys.readouterr().out
        options = {option.split("=")[0] for option in re.findall(r"--[\w.-]+\S*", rest)}
        missing = [option for option in options if option not in described]
        assert not missing, f"ambikit-learn {name} {rest}"


def test_public_names_of_learning_are_shown() -> None:
    stub = (ROOT / "ambikit_learn/__init__.pyi").read_text(encoding="utf-8")
    public = re.findall(r"import \w+ as (\w+)", stub)
    text = code(ROOT / "docs/learning.md")
    assert "AmbiEncoder" in public
    assert [name for name in public if not re.search(rf"\b{name}\b[.(]|, {name}\)", text)] == []


def test_index_lists_all_pages() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    others = [path.relative_to(ROOT / "docs") for path in [*PAGES[2:], *NOTEBOOKS]]
    listed = re.findall(r"\]\(([^)#]+)\)", index)
    assert {path.as_posix() for path in others} - {"index.md"} <= set(listed)


@page
def test_named_tests_exist(path: Path) -> None:
    assert set(re.findall(r"`(test_[a-z]\w+)`", path.read_text())) <= names_of_tests()


@notebook
def test_notebook_code_runs(path: Path, test_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setenv("TEST_DATA", str(test_data))
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))
    pyplot.switch_backend("Agg")
    cells = json.loads(path.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    exec(compile("\n".join(sources), path.name, "exec"), {})
    pyplot.close("all")


@notebook
def test_notebook_was_executed_and_tells_no_paths(path: Path) -> None:
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
    outputs = json.dumps([c["outputs"] for c in cells])
    assert "error" not in {o["output_type"] for c in cells for o in c["outputs"]}
    assert not re.search(r"/(home|work|tmp|usr|Users)/", outputs)
    assert path.stat().st_size < 2_000_000
