"""Failures in the middle of training, reported in one line with the remedy."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from ambikit import InputError

_MEMORY = re.compile("out of memory|can't allocate memory|Cannot allocate memory", re.IGNORECASE)
_PEER = re.compile("gloo|nccl|closed by peer|reset by peer|socket", re.IGNORECASE)
_LOADER = re.compile(r"DataLoader worker \(pid.* (exited|is killed)")
_RAISED_IN_LOADER = re.compile(r"Caught InputError in DataLoader worker.*\n\S*InputError: ", re.S)

_GOES_ON = "the same command resumes from the last checkpoint"


@contextmanager
def one_line() -> Iterator[None]:
    """Turn failures of memory, of other ranks and of loading processes into one line.

    Raises
    ------
    InputError
        Memory ran out, a process that loads data died, or its data cannot be used.
    ConnectionError
        Another rank is gone.
    """
    try:
        yield
    except InputError as error:
        raise type(error)(_RAISED_IN_LOADER.sub("", str(error)).strip()) from None
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(error) from None
    except RuntimeError as error:
        if _MEMORY.search(str(error)):
            raise _out_of_memory(error) from None
        if _LOADER.search(str(error)):
            raise InputError(
                f"a process that loads data died ({_first(error)}), mostly for lack of memory: "
                f"with fewer --data.workers {_GOES_ON}"
            ) from None
        if isinstance(error, dist.DistError) or _PEER.search(str(error)):
            raise ConnectionError(
                f"another rank is gone or does not answer ({_first(error)}): {_GOES_ON}"
            ) from None
        raise


@contextmanager
def errors_of_threads() -> Iterator[None]:
    """Raise an OSError of another thread at the end, instead of printing its traceback.

    The logs for TensorBoard are written by such a thread; on a full disk it is the first to fail.
    """
    errors: list[OSError] = []
    usual = threading.excepthook

    def keep(failure: threading.ExceptHookArgs) -> None:
        if isinstance(failure.exc_value, OSError):
            errors.append(failure.exc_value)
        else:
            usual(failure)

    threading.excepthook = keep
    try:
        yield
    finally:
        threading.excepthook = usual
    if errors:
        raise errors[0]


def _out_of_memory(error: BaseException) -> InputError:
    """Return the message for a lack of memory."""
    return InputError(
        f"out of memory ({_first(error)}): with a smaller --data.batch_size in another --out, or "
        "the rest of the batch by --trainer.accumulate_grad_batches, less is needed at a time"
    )


def _first(error: BaseException) -> str:
    """Return the first sentence of an error."""
    text = str(error).strip() or type(error).__name__
    return re.split(r"\. |\n", text)[0].rstrip(".")[:200]
