"""The decorator of all kernels: numba's, with a cache on disk where there is room for one.

Where neither the package nor the home can be written to (containers, clusters), numba refuses to
define a function with a cache, and where the disk is full or the cache damaged, to call it. A cache
only saves time: without one, each process compiles for itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])


class _Cache(FunctionCache):
    """A cache that never stands in the way of the function it is for."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for these types, None where nothing usable is kept."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever a file that breaks off is unpickled to
            self._discard()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for these types, if it can be kept."""
        try:
            super().save_overload(sig, data)
        except Exception:
            self._discard()

    def _discard(self) -> None:
        """Begin the cache anew, where that is possible."""
        try:
            self.flush()
        except OSError:
            self.disable()


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Compile a function when it is first called, without holding the interpreter's lock.

    Parameters
    ----------
    **options
        As for `numba.njit`.

    Returns
    -------
    callable
        The decorator.
    """

    def decorate(function: Function) -> Function:
        kernel: Any = njit(nogil=True, **options)(function)
        if kernel is not function:  # compilation is not switched off
            with contextlib.suppress(RuntimeError, OSError):  # no place for a cache
                kernel._cache = _Cache(function)
        made: Function = kernel
        return made

    return decorate
