"""The features of the DCASE baselines 2022 to 2024, restated from their formulas with librosa.

Spectra, mel filters and levels by librosa, in double precision as the baselines have them:
log-mel of W, Y, Z, X within 80 dB of the highest, and the mel filters applied to
Re(W* (Y, Z, X)) / (1e-8 + |W|² + (|Y|² + |Z|² + |X|²) / 3).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np

from benchmarks.timing import Registry, sound

TASKS = Registry()
AGREED = 480_000
"""Samples on which the numbers are compared."""


def features(x: Any) -> Any:
    """Return (7, frames, 64) of signals (4, n) at 24 kHz; the intensity is along y, z, x."""
    frames = x.shape[1] // 480
    spectra = np.stack(
        [
            librosa.stft(channel, n_fft=1024, hop_length=480, win_length=960, pad_mode="reflect")
            for channel in x.astype(np.float64)
        ]
    )[..., :frames].swapaxes(1, 2)
    mel = librosa.filters.mel(sr=24000, n_fft=1024, n_mels=64).T
    levels = [librosa.power_to_db(np.abs(spectrum) ** 2 @ mel) for spectrum in spectra]
    w, v = spectra[0], spectra[1:]
    energy = 1e-8 + np.abs(w) ** 2 + (np.abs(v) ** 2).sum(axis=0) / 3
    intensity = np.real(np.conj(w) * v) / energy
    return np.concatenate([np.stack(levels), intensity @ mel])


@TASKS.task("log-mel and intensity (dcase)", "DCASE baseline, librosa")
def _() -> tuple[Callable[[], Any], Any]:
    x = sound()
    return lambda: features(x), x


if __name__ == "__main__":
    np.save(sys.argv[1], features(sound(samples=AGREED)))
