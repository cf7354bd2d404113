"""The one error that says: the input can be mended by whoever gave it."""

from __future__ import annotations


class InputError(ValueError):
    """An argument, file or setting that cannot be used; the message says what, where and the mend.

    The command lines print it as one line and exit with status 2. Anything else that is raised
    is a bug of ours and keeps its traceback.

    Examples
    --------
    >>> import ambikit
    >>> try:
    ...     ambikit.order_of_channels(5)
    ... except ambikit.InputError as error:
    ...     print(error)
    5 channels are not (order + 1)**2 of any order: 1, 4, 9, 16, ...
    """
