"""The way from where something is to where it is to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray


class Course:
    """The way from one key to another, of any kind; `between` returns the key after a share of it.

    At rest at `to`, from `passed` == `length` on; a length of None is that of the next block.
    """

    def __init__(self, key: FloatArray, between: Callable[..., FloatArray]) -> None:
        self._origin = key
        self._between = between
        self.reset()

    def reset(self) -> None:
        """Return to the beginning."""
        self.start = self.to = self._origin
        self.passed = 0
        self.length: int | None = 0

    @property
    def resting(self) -> bool:
        """Whether the next sample is at the end of the way."""
        return self.length is not None and self.passed >= self.length

    def turn_to(self, key: FloatArray, over: int | None) -> None:
        """Leave for another key."""
        length = None if over is None else checks.positive_int(over, "over")
        self.start = self._here()
        self.to, self.passed, self.length = key, 0, length

    def advance(self, samples: int) -> tuple[int, int]:
        """Pass so many samples; return where on the way they begin, and its length."""
        if self.length is None and samples:
            self.length = samples
        begin, length = self.passed, self.length or 0
        self.passed = min(begin + samples, length)
        return begin, length

    def keys(self, samples: int) -> tuple[FloatArray, ArrayLike | None]:
        """Pass so many samples; return their keys: one at rest, or two and their times."""
        begin, length = self.advance(samples)
        if begin >= length:
            return self.to, None
        return np.stack([self.start, self.to]), (-begin, length - begin)

    def _here(self) -> FloatArray:
        """Return the key of the next sample."""
        if self.length is None:
            return self.start
        if self.passed >= self.length:
            return self.to
        return self._between(self.start, self.to, self.passed / self.length)
