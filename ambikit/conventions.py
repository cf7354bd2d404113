"""Channel orders and normalisations of Ambisonic signals, and conversion between them.

Inside ambikit every signal is AmbiX: ACN order, SN3D normalisation. Other conventions are
converted here, on input and output.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ambikit import checks
from ambikit._errors import InputError
from ambikit._typing import ArrayLike, FloatArray

ALIASES = {"ambix": "acn/sn3d", "n3d": "acn/n3d", "fuma": "fuma/fuma", "sid": "sid/n3d"}
"""Short names of the most common conventions."""

FUMA_MAX_ORDER = 3
"""Furse-Malham channels and weights are defined up to third order."""

IntArray = npt.NDArray[np.intp]


def channels_of_order(order: int) -> int:
    """Return the number of channels of a full-sphere Ambisonic signal.

    Parameters
    ----------
    order : int
        Ambisonic order, 0 or more.

    Returns
    -------
    int
        ``(order + 1)**2``.

    Raises
    ------
    InputError
        If `order` is not a non-negative integer.

    Examples
    --------
    >>> import ambikit
    >>> [ambikit.channels_of_order(order) for order in (0, 1, 2, 3)]
    [1, 4, 9, 16]
    """
    return (checks.order(order) + 1) ** 2


def order_of_channels(channels: int) -> int:
    """Return the order of a full-sphere Ambisonic signal from its number of channels.

    Parameters
    ----------
    channels : int
        Number of channels, a square number.

    Returns
    -------
    int
        ``sqrt(channels) - 1``.

    Raises
    ------
    InputError
        If `channels` is not ``(order + 1)**2`` of any order.

    Examples
    --------
    >>> import ambikit
    >>> ambikit.order_of_channels(16)
    3
    """
    whole = isinstance(channels, int | np.integer) and channels > 0
    root = math.isqrt(channels) if whole else 0
    if root == 0 or root**2 != channels:
        raise InputError(
            f"{channels} channels are not (order + 1)**2 of any order: 1, 4, 9, 16, ..."
        )
    return root - 1


def degrees_and_indices(order: int) -> tuple[IntArray, IntArray]:
    """Return degree n and index m of each channel in ACN order (n**2 + n + m)."""
    acn = np.arange((order + 1) ** 2)
    degree = np.floor(np.sqrt(acn)).astype(np.intp)
    return degree, acn - degree**2 - degree


def _acn_order(order: int) -> IntArray:
    """Return 0, 1, 2, ...: the other orders are given relative to ACN."""
    return np.arange((order + 1) ** 2)


def _sid_order(order: int) -> IntArray:
    """Return the ACN of each SID channel: m = n, -n, n - 1, 1 - n, ..., 0 within degree n."""
    return np.array(
        [n**2 + n + m for n in range(order + 1) for m in sorted(range(-n, n + 1), key=_sid_rank)]
    )


def _fuma_order(order: int) -> IntArray:
    """Return the ACN of each FuMa channel W, XYZ, RSTUV, KLMNOPQ."""
    furse_malham = [0, 3, 1, 2, 6, 7, 5, 8, 4, 12, 13, 11, 14, 10, 15, 9]
    return np.array(furse_malham[: (order + 1) ** 2])


def _sid_rank(m: int) -> tuple[int, bool]:
    """Return a key that sorts m by falling magnitude, positive before negative."""
    return -abs(m), m < 0


def _fuma_gains(order: int) -> FloatArray:
    """Return FuMa over SN3D in ACN order: W at -3 dB, every other harmonic with a peak of 1."""
    second, third = 2 / math.sqrt(3), (math.sqrt(45 / 32), 3 / math.sqrt(5), math.sqrt(8 / 5))
    by_size = [[math.sqrt(0.5)], [1.0, 1.0], [1.0, second, second], [1.0, *third]]
    degree, m = degrees_and_indices(order)
    return np.array([by_size[n][size] for n, size in zip(degree, np.abs(m), strict=True)])


_ORDERS: dict[str, Callable[[int], IntArray]] = {
    "acn": _acn_order,
    "fuma": _fuma_order,
    "sid": _sid_order,
}
_GAINS: dict[str, Callable[[int], FloatArray]] = {
    "sn3d": lambda order: np.ones((order + 1) ** 2),
    "n3d": lambda order: np.sqrt(2.0 * degrees_and_indices(order)[0] + 1.0),
    "fuma": _fuma_gains,
}
CONVENTIONS = tuple(f"{channels}/{gains}" for channels in _ORDERS for gains in _GAINS)
"""Every "order/normalisation" that `convert` accepts."""


def convert(x: ArrayLike, source: str, target: str) -> FloatArray:
    """Convert Ambisonic signals from one convention to another.

    Parameters
    ----------
    x : array_like, shape (..., channels, samples)
        Signals in the convention `source`, ``channels == (order + 1)**2``.
    source, target : str
        ``"order/normalisation"`` with order one of ``acn``, ``fuma``, ``sid`` and normalisation one
        of ``sn3d``, ``n3d``, ``fuma``; or a short name: ``"ambix"`` (acn/sn3d), ``"n3d"``
        (acn/n3d), ``"fuma"`` (fuma/fuma), ``"sid"`` (sid/n3d).

    Returns
    -------
    ndarray, shape (..., channels, samples)
        The signals in the convention `target`, a new array of the same dtype.

    Raises
    ------
    InputError
        If a convention is unknown, or FuMa is requested above order 3.
    TypeError
        If `x` is not real floating point.

    Notes
    -----
    N3D is SN3D times ``sqrt(2n + 1)`` at degree n. FuMa (MaxN with W 3 dB down) gives every
    harmonic above degree 0 a peak of 1 over the sphere; its channels are W, X Y Z, R S T U V,
    K L M N O P Q.

    References
    ----------
    .. [1] C. Nachbar, F. Zotter, E. Deleflie and A. Sontacchi, "ambiX - A suggested Ambisonics
           format", Ambisonics Symposium, Lexington, 2011.
    .. [2] D. G. Malham, "Higher order Ambisonic systems", University of York, 2003.
    .. [3] J. Daniel, "Représentation de champs acoustiques, application à la transmission et à la
           reproduction de scènes sonores complexes dans un contexte multimédia", thesis, Université
           Paris 6, 2000.

    Examples
    --------
    A source at the front, from an old B-format recording:

    >>> import numpy as np
    >>> import ambikit
    >>> b_format = np.array([[np.sqrt(0.5)], [1.0], [0.0], [0.0]])  # W, X, Y, Z
    >>> ambikit.convert(b_format, "fuma", "ambix").ravel()
    array([1., 0., 0., 1.])
    """
    return converted(x, source, target)


def converted(x: ArrayLike, source: str, target: str, *, oriented: bool = False) -> FloatArray:
    """Return signals of one convention in another; of `oriented` ones no axis is in doubt."""
    source_order, source_gains = _convention(source, "source")
    target_order, target_gains = _convention(target, "target")
    fuma = "fuma" in (source_order, source_gains, target_order, target_gains)
    x, order = checks.ambisonic(x, max_order=FUMA_MAX_ORDER if fuma else None, oriented=oriented)

    acn = _ORDERS[target_order](order)
    position = np.argsort(_ORDERS[source_order](order))[acn]
    gains = (_GAINS[target_gains](order) / _GAINS[source_gains](order))[acn]
    out = np.empty(x.shape, x.dtype)
    for channel, (origin, gain) in enumerate(zip(position, gains, strict=True)):
        np.multiply(x[..., origin, :], x.dtype.type(gain), out=out[..., channel, :])
    return out


def _convention(name: str, argument: str) -> tuple[str, str]:
    """Split a convention's name into its channel order and its normalisation."""
    lower = name.lower() if isinstance(name, str) else ""
    full = ALIASES.get(lower, lower)
    if full not in CONVENTIONS:
        raise InputError(
            f"unknown {argument} convention {name!r}: choose one of {', '.join(ALIASES)} or "
            f"'order/normalisation', one of {', '.join(CONVENTIONS)}"
        )
    order, gains = full.split("/")
    return order, gains
