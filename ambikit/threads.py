"""How many threads large sounds may take."""

from __future__ import annotations

from ambikit import _mixing, checks


def set_threads(count: int) -> int:
    """Set how many threads `encode`, `rotate`, `beamform` and `decode` may take for large sounds.

    Parameters
    ----------
    count : int
        Number of threads; 1 until it is set.

    Returns
    -------
    int
        The number before.

    Raises
    ------
    InputError
        If `count` is not a positive integer.

    Notes
    -----
    It holds for the whole process, for sounds of some 100,000 samples or more that a compiled
    kernel mixes; each thread has a span of time. The memory's speed sets the limit: two threads
    are often all that pay. Results do not depend on the number.

    Examples
    --------
    >>> import ambikit
    >>> before = ambikit.set_threads(2)
    >>> before, ambikit.set_threads(before)
    (1, 2)
    """
    before = _mixing.threads
    _mixing.threads = checks.positive_int(count, "count")
    return before
