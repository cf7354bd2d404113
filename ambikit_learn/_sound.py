"""The mel-pooled covariance that can replace sound in an item or a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


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
