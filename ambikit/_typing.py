"""Array aliases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ArrayLike = npt.ArrayLike
Float = np.float32 | np.float64
FloatArray = npt.NDArray[Any]
"""float32 or float64, as the caller gave it."""
ComplexArray = npt.NDArray[Any]
"""complex64 or complex128, as the caller gave it."""
