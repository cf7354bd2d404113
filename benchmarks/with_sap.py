"""Tasks of spherical-array-processing, in the shapes that it requires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from spherical_array_processing import ambi, beamforming, sh
from spherical_array_processing.types import SHBasisSpec, SphericalGrid

from benchmarks.timing import Registry, motion, sound

TASKS = Registry()
Prepared = tuple[Callable[[], Any], Any]
WHO = "spherical-array-processing"


@TASKS.task("rotate, allocating", WHO)
def _() -> Prepared:
    x = sound()
    return lambda: sh.rotate_sh_coeffs(x, 1, 0.1, 0.2, 0.3, basis="real", axis=0), x


@TASKS.task("rotate along 6,001 keys, `out=`", f"{WHO} (allocating)")
def _() -> Prepared:
    x, (yaw, pitch) = sound(), motion()
    keys = np.stack([yaw, pitch, np.full_like(yaw, 0.1)], axis=1)[:-1]

    def work() -> Any:
        return sh.rotate_ambi_over_time(x, keys, max_order=1, block_samples=480)

    return work, x


@TASKS.task("encode, `out=`", f"{WHO} (allocating)")
def _() -> Prepared:
    x = sound()

    def work() -> Any:
        direction = SphericalGrid(np.array([0.1]), np.array([0.2]), convention="az_el")
        return ambi.encode_plane_wave(x[0], direction, max_order=1)

    return work, x


@TASKS.task("one beam, `out=`", f"{WHO} (allocating)")
def _() -> Prepared:
    x = sound()
    last = np.ascontiguousarray(x.T)

    def work() -> Any:
        basis = SHBasisSpec(max_order=1, basis="real")
        pattern = beamforming.beam_weights_cardioid(1)
        weights = beamforming.steer_sh_weights(pattern, 0.1, np.pi / 2 - 0.2, basis)
        return beamforming.beamform_sh(last, weights)

    return work, x
