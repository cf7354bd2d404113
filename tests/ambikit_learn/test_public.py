"""The public names: which there are, what they take, what they say, and what they cost."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import ambikit_learn
from ambikit_learn import hear
from tests.docstrings import documented, parameters, run_examples, sections

SURFACE = Path(__file__).with_name("surface.txt")
PUBLIC = {name: getattr(ambikit_learn, name) for name in ambikit_learn.__all__ if name != "hear"}
OWN_OF_HEAR = ("HearModel", "load_model", "get_timestamp_embeddings", "get_scene_embeddings")
PUBLIC |= {f"hear.{name}": getattr(hear, name) for name in OWN_OF_HEAR}
GIVEN = (hear.HearModel, ambikit_learn.Embedding)
"""What is given and not made: described by its attributes."""
METHODS = {
    f"{name}.{method}": getattr(value, method)
    for name, value in PUBLIC.items()
    if inspect.isclass(value)
    for method, found in vars(value).items()
    if not method.startswith("_")
    and (inspect.isfunction(found) or isinstance(found, classmethod))
    # Of torch, and documented there
    and name != "FrontEnd"
}


def by_name(values):
    return pytest.mark.parametrize("value", values.values(), ids=values)


def returns(value):
    return not inspect.isclass(value) and inspect.signature(value).return_annotation not in (
        "None",
    )


def surface() -> str:
    """Return every public name with the names and defaults of what it takes."""
    lines = []
    for name, value in (PUBLIC | METHODS).items():
        taken = inspect.signature(value).parameters.values()
        plain = [p.replace(annotation=p.empty) for p in taken]
        lines.append(f"{name}{inspect.Signature(plain)}")
    return "\n".join(sorted(lines)) + "\n"


def test_the_surface_is_as_it_was():
    """What is public changes on purpose: write `surface()` into surface.txt, and a CHANGELOG."""
    assert surface() == SURFACE.read_text(encoding="utf-8")


def test_names_are_listed_and_found():
    assert set(ambikit_learn.__all__) <= set(dir(ambikit_learn))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = ambikit_learn.no_such_name
    assert callable(ambikit_learn.prepare)


@by_name(PUBLIC)
def test_sections(value):
    found = set(sections(value))
    if value in GIVEN:
        assert "Attributes" in found
    else:
        assert {"Parameters", "Raises", "Examples"} <= found
        assert not returns(value) or "Returns" in found


@by_name(PUBLIC | METHODS)
def test_parameters_are_those_of_the_signature(value):
    if value not in GIVEN:
        assert documented(sections(value).get("Parameters", "")) == parameters(value)


@by_name(METHODS)
def test_methods_say_what_they_return(value):
    first = inspect.getdoc(value).splitlines()[0]
    assert "Returns" in sections(value) or "eturn" in first or not returns(value)


@by_name(PUBLIC)
def test_examples_run(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if value not in GIVEN:
        assert run_examples(value) > 1


def loaded(code: str) -> set[str]:
    """Return the modules that are loaded after some code, in a process of its own."""
    run = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def files_of(modules: set[str]) -> list[str]:
    """Return the files of the package that hold code: all but the beginnings of rooms."""
    own = (name for name in modules if name.startswith("ambikit_learn"))
    rooms = {name.rpartition(".")[0] for name in modules}
    return sorted(name for name in own if name not in rooms)


def test_the_package_itself_loads_nothing():
    modules = loaded("import numpy, ambikit_learn")
    assert files_of(modules) == ["ambikit_learn"]
    assert not {"torch", "pyarrow", "rich", "av"} & modules


@pytest.mark.parametrize(
    ("name", "most", "foreign"),
    [
        ("AlignmentDataset", 16, {"lightning", "matplotlib", "ultralytics", "rich"}),
        ("open_items", 17, {"lightning", "matplotlib", "ultralytics", "rich"}),
        ("FrontEnd", 4, {"lightning", "matplotlib", "pyarrow", "av"}),
        ("load_run", 20, {"lightning", "matplotlib", "pyarrow", "av"}),
        ("AmbiEncoder", 26, {"lightning", "matplotlib", "av"}),
        ("open_source", 12, {"torch", "pyarrow"}),
        ("load_detector", 8, {"torch", "pyarrow"}),
        ("evaluate", 62, {"lightning", "matplotlib", "ultralytics"}),
    ],
)
def test_a_name_loads_what_it_needs(name, most, foreign):
    modules = loaded(f"from ambikit_learn import {name}")
    assert len(files_of(modules)) <= most, files_of(modules)
    assert not foreign & modules


@pytest.mark.parametrize("name", ["AmbiEncoder", "AlignmentDataset", "fit", "hear"])
def test_a_name_without_the_extra_says_what_to_install(name):
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        f"try:\n    from ambikit_learn import {name}\n"
        "except ImportError as error:\n    print(error)\n"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert f"ambikit_learn.{name} needs torch" in done.stdout
    assert "pip install 'ambikit[learn]'" in done.stdout
