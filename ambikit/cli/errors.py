"""Errors as one line, for every command line."""

from __future__ import annotations

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
        Exit status: 0, 2, or 130 if it was stopped from the keyboard.

    Examples
    --------
    >>> from ambikit.cli import one_line_errors
    >>> one_line_errors("tool", lambda: None)
    0
    """
    try:
        run()
    except (InputError, OSError, ImportError) as error:
        known = checks.missing_package(error, "this command needs")
        if isinstance(error, ImportError) and known is None:
            raise
        print(f"{program}: {worded(' '.join(str(known or error).split()))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130
    return 0
