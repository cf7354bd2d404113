"""Errors as one line, for every command line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from ambikit import checks
from ambikit._errors import InputError


def one_line_errors(
    program: str, run: Callable[[], None], worded: Callable[[str], str] = str
) -> int:
    """Run a command; what the user can remedy becomes one line on stderr and status 2.

    Parameters
    ----------
    program : str
        Name to begin the line with.
    run : callable
        The command.
    worded : callable, optional
        Makes the line that is printed out of the error's text.

    Returns
    -------
    int
        Exit status: 0; 2; 130 if it was stopped from the keyboard; or 141 if what reads the output,
        such as ``head``, has closed it.

    Examples
    --------
    >>> from ambikit.cli import one_line_errors
    >>> one_line_errors("tool", lambda: None)
    0
    """
    try:
        run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except (InputError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and _reader_has_left():
            return 141
        known = checks.missing_package(error, "this command needs")
        if isinstance(error, ImportError) and known is None:
            raise
        text = re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(known or error).split()))
        print(f"{program}: {worded(text)}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not _is_lack_of_memory(error):
            raise
        said = f" ({first})" if (first := str(error).partition("\n")[0]) else ""
        print(
            f"{program}: memory ran out{said}: ask for less at a time, or free some, and run the "
            "same command again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130
    return 0


def _reader_has_left() -> bool:
    """Tell whether it is the output that broke, and not the pipe to another process."""
    if sys.stdout is None:
        return False
    try:
        print(flush=True)  # the buffer may be empty, which a flush alone would not notice
    except BrokenPipeError:
        # What is left in the buffer must not fail once more at the end of the process
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False


def _is_lack_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Tell what numpy and torch raise for it from other errors."""
    torch_raised = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(
        error
    )
    return isinstance(error, MemoryError) or torch_raised
