"""Every public name says what it takes, gives and refuses, and shows an example that runs."""

from __future__ import annotations

import inspect

import pytest

import ambikit
from tests.docstrings import documented, parameters, run_examples, sections

pytest.importorskip("matplotlib").use("agg")


def members(module):
    """Return what a module defines itself, by its public name."""
    short = module.__name__.split(".")[-1]
    return {
        f"{short}.{name}": value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(module.__name__)
    }


PUBLIC = {name: getattr(ambikit, name) for name in ambikit.__all__}
PUBLIC |= members(ambikit.plot) | members(ambikit.streaming)
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
PROCESSORS = {
    name: value
    for name, value in PUBLIC.items()
    if name.startswith("streaming.") and inspect.isclass(value)
}
METHODS = {
    f"{name}.{method}": value
    for name, processor in PROCESSORS.items()
    for method, value in inspect.getmembers(processor, inspect.isfunction)
    if not method.startswith("_")
}


def by_name(values):
    return pytest.mark.parametrize("value", values.values(), ids=values)


def returns(value):
    return inspect.isfunction(value) and inspect.signature(value).return_annotation != "None"


def test_public_names_are_found():
    assert len(FUNCTIONS) > 45
    assert set(PROCESSORS) == {f"streaming.{name}" for name in ambikit.streaming.__all__}
    assert {"plot.heat_map", "plot.beam_pattern"} <= set(FUNCTIONS)


@by_name(FUNCTIONS | PROCESSORS)
def test_sections(value):
    assert {"Parameters", "Raises", "Examples"} <= set(sections(value))
    assert ("Returns" in sections(value)) == returns(value)


@by_name(FUNCTIONS | PROCESSORS | METHODS)
def test_parameters_are_those_of_the_signature(value):
    """In the same order; **overrides included."""
    names = parameters(value)
    assert documented(sections(value).get("Parameters", "")) == names


@by_name(METHODS)
def test_methods_say_what_they_return_and_refuse(value):
    assert ("Returns" in sections(value)) == returns(value)
    assert "Raises" in sections(value) or not (parameters(value) or returns(value))


@by_name(PUBLIC)
def test_everything_has_a_first_line(value):
    """Constants (FEATURE_CHANNELS, the version) are described where they are defined."""
    if not isinstance(value, dict | str):
        first = inspect.getdoc(value).splitlines()[0]
        assert first.endswith((".", ":"))


@by_name(FUNCTIONS | PROCESSORS)
def test_examples_run(value):
    assert run_examples(value) > 1
