"""Array aliases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]
Integers32 = npt.NDArray[np.int32]
Indices = npt.NDArray[np.intp]
Sound = npt.NDArray[np.float32]
"""Sound (channels, samples), or other arrays in single precision."""
Frames = npt.NDArray[np.uint8]
"""RGB frames (..., H, W, 3)."""
