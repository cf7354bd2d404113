"""The command line, in degrees: ``ambikit info``, ``convert``, ``rotate`` and others."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper

from ambikit._signals import ended_in_order
from ambikit.cli.errors import one_line_errors as one_line_errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 with one line on stderr about what can be remedied.

    Examples
    --------
    >>> from ambikit.cli import main
    >>> main(["info", "/no/such/file.wav"])
    2
    """
    try:
        with ended_in_order():
            return _run(arguments)
    except KeyboardInterrupt:  # while modules are loaded
        print("ambikit: stopped", file=sys.stderr)
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    """Run the command that the arguments request; return the exit status."""
    from ambikit.cli.arguments import LISTS, joined_lists, parser

    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(joined_lists(given, LISTS))
    if isinstance(sys.stdout, TextIOWrapper):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    status = 0

    def run() -> None:
        nonlocal status
        status = options.run(options) or 0

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _print_warning
        return one_line_errors("ambikit", run, _with_options) or status


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line."""
    print(f"ambikit: note: {_with_options(str(message))}", file=sys.stderr)


def _with_options(text: str) -> str:
    """Name the options of the command line where a message names arguments of functions.

    What a file is read as is another option than what is written.
    """
    text = text.replace("pass convention='fuma', or name it", "pass --convention fuma, or name it")
    text = re.sub(r"\bconvention='([^' ]+)'", r"--input-convention \1", text)
    text = re.sub(r"\bconvention=(?!\w)", "--input-convention", text)
    return re.sub(r"\btrack=(?!\w)", "--track", text)
