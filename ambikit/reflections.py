"""Where the sound of a room response comes from, moment by moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ambikit import checks
from ambikit._scale import gain_for, scaled
from ambikit._typing import ArrayLike, FloatArray
from ambikit.directions import vector_to_angles
from ambikit.intensity import intensity

_WINDOW = 17
"""Samples over which intensity is averaged at 48 kHz."""


@dataclass(frozen=True)
class ResponseDirections:
    """Level, direction and diffuseness of a room response at each sample.

    Attributes
    ----------
    level : ndarray of float64, shape (samples,)
        Energy of the window around the sample in dB, relative to the largest; -inf in silence.
    azimuth, elevation : ndarray of float64, shape (samples,)
        Where it comes from, in radians, or degrees if the call was made with ``degrees=True``.
    diffuseness : ndarray of float64, shape (samples,)
        0 (one wave) to 1 (waves from all over, or silence).

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> seen = ambikit.ResponseDirections(*np.zeros((4, 100)))
    >>> len(seen)
    100
    """

    level: FloatArray
    azimuth: FloatArray
    elevation: FloatArray
    diffuseness: FloatArray

    def __len__(self) -> int:
        return len(self.level)


@dataclass(frozen=True)
class Reflections:
    """The direct sound and the reflections of a room response, in the order of their arrival.

    Attributes
    ----------
    sample : ndarray of int64, shape (K,)
        When they arrive.
    level : ndarray of float64, shape (K,)
        In dB, relative to the largest.
    azimuth, elevation : ndarray of float64, shape (K,)
        Radians, or degrees if the call was made with ``degrees=True``.
    diffuseness : ndarray of float64, shape (K,)
        0 (one wave) to 1.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> found = ambikit.Reflections(np.array([48, 120]), *np.zeros((4, 2)))
    >>> len(found)
    2
    """

    sample: np.ndarray[tuple[int], np.dtype[np.int64]]
    level: FloatArray
    azimuth: FloatArray
    elevation: FloatArray
    diffuseness: FloatArray

    def __len__(self) -> int:
        return len(self.sample)


def response_directions(
    response: ArrayLike,
    sample_rate: float,
    *,
    window: float | None = None,
    degrees: bool = False,
) -> ResponseDirections:
    r"""Return where a room response comes from and how diffuse it is, at each sample.

    Parameters
    ----------
    response : array_like, shape (channels, samples)
        One Ambisonic room response (ACN, SN3D) of order 1 or more; channels above the fourth are
        not used.
    sample_rate : float
        Samples a second.
    window : float, optional
        Length in seconds of the Hann window of the averages; by default 0.35 ms, 17 samples at
        48 kHz, which parts reflections that are 10 cm apart in their ways.
    degrees : bool, optional
        Return the angles in degrees.

    Returns
    -------
    ResponseDirections
        Level, azimuth, elevation and diffuseness at each sample.

    Raises
    ------
    InputError
        If `response` is not one signal, holds NaN or infinity, or a number is not positive.
    TypeError
        If `response` is not real floating point.

    See Also
    --------
    reflections : The arrivals that stand out.

    Notes
    -----
    The analysis of the spatial decomposition method for first-order responses [1]_: with averages
    :math:`\langle\cdot\rangle` over the window, the direction is that of
    :math:`\langle W (X, Y, Z)\rangle`, and the diffuseness
    :math:`1 - \|\langle W (X, Y, Z)\rangle\| / \langle\tfrac12 (W^2 + X^2 + Y^2 + Z^2)\rangle`.
    Windows as short as these hold few independent values: late reverberation, which is diffuse,
    shows a diffuseness of some 0.4 to 0.7. Microphones are only as good as their frequencies:
    filter the response to where its directions are right, for example from 200 Hz to 5 kHz.

    References
    ----------
    .. [1] S. Tervo, J. Pätynen, A. Kuusinen and T. Lokki, "Spatial decomposition method for room
           impulse responses", J. Audio Eng. Soc. 61 (2013), 17-28.
    .. [2] J. Merimaa and V. Pulkki, "Spatial impulse response rendering I: analysis and synthesis",
           J. Audio Eng. Soc. 53 (2005), 1115-1127.

    Examples
    --------
    >>> import ambikit
    >>> room = ambikit.image_source_response(
    ...     [[3.43, 0, 0], [0, 6.86, 0]], [1.0, 0.8], [0, 0, 0], 48000
    ... )
    >>> seen = ambikit.response_directions(room, 48000, degrees=True)
    >>> seen.azimuth[[480, 960]].round(3) + 0.0, bool(seen.diffuseness[480] < 1e-6)
    (array([ 0., 90.]), True)
    """
    signal, _ = checks.one_signal(response)
    rate = checks.positive(sample_rate, "sample_rate", "Hz")
    seconds = _WINDOW / 48_000 if window is None else checks.positive(window, "window", "seconds")
    foa = scaled(signal[:4], gain_for(signal[:4])).astype(np.float64)
    reach = max(round(seconds * rate / 2), 1)
    shape = np.hanning(2 * reach + 1)[1:-1]
    toward = np.array([_smoothed(axis, shape) for axis in intensity(foa)])
    energy = _smoothed(0.5 * (foa**2).sum(axis=0), shape)
    size = np.linalg.norm(toward, axis=0)
    sounding = energy > 0
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(energy / (energy.max(initial=0.0) or 1.0))
    diffuse = np.where(sounding, 1 - size / np.where(sounding, energy, 1.0), 1.0)
    units = np.where(size > 0, toward / np.where(size > 0, size, 1.0), [[1.0], [0.0], [0.0]])
    angles = vector_to_angles(units.T, degrees=degrees)
    return ResponseDirections(level, *angles, np.clip(diffuse, 0.0, 1.0))


def reflections(
    response: ArrayLike,
    sample_rate: float,
    *,
    n_reflections: int | None = None,
    threshold: float = -30.0,
    window: float | None = None,
    degrees: bool = False,
) -> Reflections:
    """Return the arrivals that stand out of a room response: its reflectogram.

    Parameters
    ----------
    response : array_like, shape (channels, samples)
        One Ambisonic room response (ACN, SN3D) of order 1 or more.
    sample_rate : float
        Samples a second.
    n_reflections : int, optional
        Largest number of arrivals, the direct sound among them; the strongest are kept.
    threshold : float, optional
        Arrivals lower than this, in dB relative to the strongest, are left out.
    window : float, optional
        As for `response_directions`; two arrivals are at least as far apart.
    degrees : bool, optional
        Return the angles in degrees.

    Returns
    -------
    Reflections
        Sample, level, direction and diffuseness of each arrival, in the order of time.

    Raises
    ------
    InputError
        As `response_directions`; if `threshold` is above 0.
    TypeError
        If `response` is not real floating point.

    See Also
    --------
    ambikit.plot.heat_map : Draws directions on a map.

    Notes
    -----
    An arrival is a sample whose level nothing within a window of it surpasses.

    References
    ----------
    .. [1] S. Tervo, J. Pätynen, A. Kuusinen and T. Lokki, "Spatial decomposition method for room
           impulse responses", J. Audio Eng. Soc. 61 (2013), 17-28.

    Examples
    --------
    >>> import ambikit
    >>> room = ambikit.image_source_response(
    ...     [[3.43, 0, 0], [0, 6.86, 0]], [1.0, 0.8], [0, 0, 0], 48000
    ... )
    >>> found = ambikit.reflections(room, 48000, degrees=True)
    >>> found.sample, found.azimuth.round(1) + 0.0, found.level.round(1)
    (array([480, 960]), array([ 0., 90.]), array([ 0., -8.]))
    """
    from scipy.ndimage import maximum_filter1d

    count = None if n_reflections is None else checks.positive_int(n_reflections, "n_reflections")
    floor = checks.within(threshold, -300.0, 0.0, "threshold")
    seen = response_directions(response, sample_rate, window=window, degrees=degrees)
    seconds = _WINDOW / 48_000 if window is None else float(window)
    reach = max(round(seconds * float(sample_rate)), 1)
    level = np.maximum(seen.level, -1e9)
    highest = maximum_filter1d(level, 2 * reach + 1, mode="nearest") if len(level) else level
    found = np.flatnonzero((level == highest) & (level >= floor))
    # of equal ones next to each other the first counts
    found = found[np.diff(found, prepend=-2 * reach) > reach]
    strongest = np.sort(found[np.argsort(-level[found], kind="stable")][:count])
    return Reflections(
        strongest,
        seen.level[strongest],
        seen.azimuth[strongest],
        seen.elevation[strongest],
        seen.diffuseness[strongest],
    )


def _smoothed(values: FloatArray, shape: FloatArray) -> FloatArray:
    """Return values (n,) averaged by a window of odd length, centred."""
    if not len(values):
        return values
    reach = len(shape) // 2
    total = np.convolve(values, shape / shape.sum())
    return total[reach : reach + len(values)]
