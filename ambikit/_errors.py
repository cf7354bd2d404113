"""The error for input that the user can correct."""

from __future__ import annotations


class InputError(ValueError):
    """An argument, file or setting that cannot be used; the message states what, where, the remedy.

    The command lines print it as one line and exit with status 2. Any other exception is a fault of
    this package and keeps its traceback.

    Examples
    --------
    >>> import ambikit
    >>> try:
    ...     ambikit.order_of_channels(5)
    ... except ambikit.InputError as error:
    ...     print(error)
    5 channels are not (order + 1)**2 of any order: 1, 4, 9, 16, ...
    """
