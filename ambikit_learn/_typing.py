"""Types of arrays, and what can stand for sound in an item or a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]
Integers32 = npt.NDArray[np.int32]
Indices = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]
Sound = npt.NDArray[np.float32]
"""Sound (channels, samples), or other arrays in single precision."""
Frames = npt.NDArray[np.uint8]
"""RGB frames (..., H, W, 3)."""


class Covariance(NamedTuple):
    """Mel-pooled covariance of the channels of a sound, as `ambikit.mel_covariance` makes it.

    In place of sound it saves the transform. Loaders batch it and move it to a device like any
    tuple of tensors.

    Attributes
    ----------
    values : Tensor, shape (..., 10, frames, mels)
        Real part, upper triangle of W, Y, Z, X.
    """

    values: Tensor

    def to(self, device: object) -> Covariance:
        """Return it on a device."""
        return Covariance(self.values.to(device))  # type: ignore[call-overload]
