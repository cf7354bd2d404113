"""From sound of any length and rate to windows of the length on which a model was trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ambikit import InputError, checks
from ambikit_learn._typing import Integers, Sound


def window_starts(length: int, window: int, hop: float) -> Integers:
    """Return the first sample of each window of a sound.

    Parameters
    ----------
    length, window : int
        Lengths of the sound and of a window in samples.
    hop : float
        Samples from window to window, also fractional: each start is rounded separately, so that
        errors do not accumulate.

    Returns
    -------
    ndarray of int, shape (T,)
        Every hop while the window fits; if samples remain, one more window that ends with the
        sound. A shorter sound has one window.

    Examples
    --------
    >>> window_starts(10, 4, 2.5).tolist()
    [0, 2, 5, 6]
    """
    last = length - window
    if last <= 0:
        return np.zeros(1, np.int64)
    starts = np.round(np.arange(int(last // hop) + 1) * hop).astype(np.int64)
    return starts if starts[-1] == last else np.append(starts, last)


def pad_mirrored(x: npt.NDArray[Any], before: int, after: int) -> npt.NDArray[Any]:
    """Return sounds (..., samples) extended beyond their ends by reflection.

    Silence would be a level that the training set does not contain.

    Examples
    --------
    >>> pad_mirrored(np.array([1.0, 2.0, 3.0]), 0, 4).tolist()
    [1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 1.0]
    """
    edges = [(0, 0)] * (x.ndim - 1) + [(before, after)]
    return np.pad(x, edges, mode="symmetric")


def resampled(x: Sound, source: int, target: int) -> Sound:
    """Return sounds (..., samples) at another rate, in Hz."""
    if source == target:
        return x
    import soxr

    flat = x.reshape(-1, x.shape[-1])
    out: Sound = np.ascontiguousarray(soxr.resample(flat.T, source, target).T)
    return out.reshape(*x.shape[:-1], out.shape[-1])


def sound_field(x: npt.ArrayLike) -> Sound:
    """Return the first-order channels (..., 4, samples) of finite AmbiX sound, as float32."""
    sound = checks.samples(x, "x")
    channels = 1 if sound.ndim == 1 else sound.shape[-2]
    if channels in (1, 2):
        kind = "mono" if channels == 1 else "stereo"
        raise InputError(
            f"x of shape {sound.shape} is {kind} sound, which has no directions: AmbiX (4, "
            "samples) is needed; ambikit.encode(signal, azimuth) places a mono signal"
        )
    sound, _ = checks.ambisonic(sound, min_order=1)
    if not sound.size:
        raise InputError(f"x of shape {sound.shape} is empty: there is no sound to embed")
    return checks.all_finite(sound[..., :4, :].astype(np.float32, copy=False), "x")
