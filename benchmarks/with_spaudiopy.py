"""Tasks of spaudiopy, in the shapes that it requires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import spaudiopy as spa

from benchmarks.timing import RATE, SAMPLES, Registry, memory, motion, sound

TASKS = Registry()
Prepared = tuple[Callable[[], Any], Any]
WHO = "spaudiopy"
SHORT = 0.25
"""Seconds of sound for its intensity, which is a loop over samples."""


@TASKS.task("rotate, allocating", WHO)
def _() -> Prepared:
    x = sound()
    last = np.ascontiguousarray(x.T)
    return lambda: spa.sph.rotate_sh(last, 0.1, 0.2, 0.3), x


@TASKS.task("rotate along 6,001 keys, `out=`", f"{WHO}, block by block (clicks)")
def _() -> Prepared:
    x, (yaw, pitch) = sound(), motion()
    last = np.ascontiguousarray(x.T)
    out = memory(last.shape)

    def work() -> None:
        for key in range(len(yaw) - 1):
            block = slice(480 * key, 480 * (key + 1))
            out[block] = spa.sph.rotate_sh(last[block], yaw[key], pitch[key], 0.1)

    return work, x


@TASKS.task("encode, `out=`", f"{WHO} (allocating)")
def _() -> Prepared:
    x = sound()
    return lambda: spa.sph.src_to_sh(x[0], 0.1, np.pi / 2 - 0.2, 1), x


@TASKS.task("encode along 6,001 keys, `out=`", f"{WHO}, harmonics of each sample", share=0.1)
def _() -> Prepared:
    x, (azimuth, elevation) = sound(), motion()
    some = SAMPLES // 10
    time = np.linspace(0, len(azimuth) - 1, some)
    key = np.arange(len(azimuth))

    def work() -> Any:
        az = np.interp(time, key, azimuth)
        zenith = np.pi / 2 - np.interp(time, key, elevation)
        return spa.sph.sh_matrix(1, az, zenith) * x[0, :some, None]

    return work, x


@TASKS.task("one beam, `out=`", f"{WHO} (allocating)")
def _() -> Prepared:
    x = sound()

    def work() -> Any:
        weights = spa.parsa.sh_beamformer_from_pattern("cardioid", 1, 0.1, np.pi / 2 - 0.2)
        return spa.parsa.sh_beamform(weights, x)

    return work, x


@TASKS.task("64 beams, `out=`", f"{WHO} (allocating)")
def _() -> Prepared:
    x = sound()
    azimuth = np.arange(64) * 0.1
    zenith = np.full(64, np.pi / 2 - 0.2)

    def work() -> Any:
        weights = spa.parsa.sh_beamformer_from_pattern("cardioid", 1, azimuth, zenith)
        return spa.parsa.sh_beamform(weights, x)

    return work, x


@TASKS.task("normalised intensity", f"{WHO}.pseudo_intensity", share=SHORT * RATE / SAMPLES)
def _() -> Prepared:
    x = sound()
    field = spa.sig.AmbiBSignal(list(x[[0, 3, 1, 2], : int(SHORT * RATE)]), fs=RATE)
    return lambda: spa.parsa.pseudo_intensity(field), x
