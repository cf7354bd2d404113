"""What docstrings in numpydoc say, for the tests of public names."""

from __future__ import annotations

import doctest
import inspect
import re
from typing import Any


def sections(value: Any) -> dict[str, str]:
    """Return the sections of a numpydoc docstring, by title."""
    parts = re.split(r"^(\w[\w ]*)\n-+$", inspect.getdoc(value) or "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented(section: str) -> list[str]:
    """Return the names that a section of parameters lists."""
    heads = [line.split(" : ")[0] for line in section.splitlines() if re.match(r"[\w*]", line)]
    return [name.strip("* ") for head in heads for name in head.split(",")]


def parameters(value: Any) -> list[str]:
    """Return the names of what a function or class takes."""
    return [name for name in inspect.signature(value).parameters if name != "self"]


def run_examples(value: Any) -> int:
    """Run the examples of a docstring by themselves, and return how many lines they have."""
    examples = doctest.DocTestFinder(recurse=False).find(value, globs={})
    for example in examples:
        report: list[str] = []
        doctest.DocTestRunner().run(example, out=report.append)
        assert not report, "".join(report)
    return sum(len(example.examples) for example in examples)
