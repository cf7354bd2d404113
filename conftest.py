"""Tests and examples that need a package which is not installed are skipped, wherever they lie.

`make test` installs every package, so it skips none of them. What is installed but does not load
still fails.
"""

from __future__ import annotations

import doctest
import importlib.util
from collections.abc import Generator, Iterator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Skip if a fixture needs what is not there."""
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skip if a test needs what is not there."""
    return (yield from _skipping())


def _skipping() -> Generator[None, object, object]:
    """Run the test; skip it if that ends with a package that is not installed."""
    try:
        return (yield)
    except Exception as error:
        for cause in _causes(error):
            name = (getattr(cause, "name", None) or "").partition(".")[0]
            if isinstance(cause, ModuleNotFoundError) and name and not _installed(name):
                pytest.skip(f"{name} is not installed")
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what it was raised from, out of an example too."""
    while error is not None:
        yield error
        if isinstance(error, doctest.UnexpectedException):
            error = error.exc_info[1]
        else:
            error = error.__cause__


def _installed(name: str) -> bool:
    """Tell whether a package is there, also where a test has blocked its import."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:
        return True
