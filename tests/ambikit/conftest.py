"""Fixtures of the tests of ambikit."""

from __future__ import annotations

import sys

import pytest

from ambikit import _mixing, _motion


@pytest.fixture(params=["numpy", pytest.param("kernel", marks=pytest.mark.kernel)], scope="module")
def path(request):
    """Run a test through numpy and through the compiled kernel, however small its data."""
    with pytest.MonkeyPatch.context() as patch:
        threshold = 0 if request.param == "kernel" else sys.maxsize
        patch.setattr(_motion, "KERNEL_PAYS", threshold)
        patch.setattr(_mixing, "CACHES", threshold)
        yield request.param
