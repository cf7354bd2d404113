"""Settings and data shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# One reproducible run everywhere; compilation and shared machines make deadlines meaningless.
hypothesis.settings.register_profile("ambikit", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("ambikit")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real clips: $TEST_DATA, or shared/data beside the repository.

    On a laptop its absence skips the test; where CI=true it is a failure.
    """
    folder = Path(os.environ.get("TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"the real clips are not at {folder}: set TEST_DATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
