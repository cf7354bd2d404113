"""The same features and products with torch, in single precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ambikit import rotation_matrix, sh_rotation_matrix
from ambikit.features import PRESETS
from benchmarks.timing import Registry, memory, sound

torch.set_num_threads(1)
TASKS = Registry()


def features(x: torch.Tensor, window: torch.Tensor, mel: torch.Tensor) -> torch.Tensor:
    """Return the features of `foa_features(preset="dcase")`."""
    spectra = torch.stft(x, 1024, 480, 960, window, return_complex=True)[..., :-1].mT
    w, v = spectra[0], spectra[1:]
    power = spectra.real**2 + spectra.imag**2
    intensity = w.real * v.real + w.imag * v.imag
    intensity = intensity / (1e-8 + power[0] + power[1:].sum(0) / 3)
    levels = 10 * torch.log10(torch.clamp(power @ mel, min=1e-10))
    levels = torch.maximum(levels, levels.amax((1, 2), keepdim=True) - 80)
    return torch.cat([levels, intensity[[2, 0, 1]] @ mel])


@TASKS.task("log-mel and intensity (dcase)", "torch.stft")
def _() -> tuple[Callable[[], Any], Any]:
    x = sound()
    signal, window = torch.from_numpy(x), torch.hann_window(960)
    mel = torch.from_numpy(PRESETS["dcase"].filters.matrix)
    return lambda: features(signal, window, mel), x


@TASKS.task("rotate, `out=`", "torch.matmul")
def _() -> tuple[Callable[[], Any], Any]:
    x = sound()
    signal, out = torch.from_numpy(x), torch.from_numpy(memory(x.shape))
    matrix = sh_rotation_matrix(rotation_matrix(0.1, 0.2, 0.3)).astype(np.float32)
    rotation = torch.from_numpy(matrix)
    return lambda: torch.matmul(rotation, signal, out=out), x
