"""Tasks of ambikit, and of numpy's matrix products in tiles beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import ambikit
from benchmarks.timing import RATE, Registry, memory, motion, sound

TASKS = Registry()
Prepared = tuple[Callable[[], Any], Any]
ANGLES = (0.1, 0.2, 0.3)
TILE = 16384


def blas(matrix: Any, x: Any, out: Any) -> Callable[[], Any]:
    """Return a matrix product in tiles that stay in the cache."""
    small = np.atleast_2d(matrix).astype(x.dtype)
    rows = np.atleast_2d(out) if out.ndim < x.ndim else out

    def work() -> None:
        for begin in range(0, x.shape[-1], TILE):
            tile = slice(begin, begin + TILE)
            np.matmul(small, x[..., tile], out=rows[..., tile])

    return work


def rotation_matrix(order: int = 1) -> Any:
    """Return the matrix of the rotation that is timed."""
    return ambikit.sh_rotation_matrix(ambikit.rotation_matrix(*ANGLES), order)


def clips() -> Any:
    """Return 64 clips of a second at 24 kHz."""
    x = memory((64, 4, 24000))
    x[...] = sound(samples=24000)
    return x


@TASKS.task("rotate, `out=`", "ambikit")
def _() -> Prepared:
    x = sound()
    out = memory(x.shape)
    return lambda: ambikit.rotate(x, *ANGLES, out=out), x


@TASKS.task("rotate, `out=`", "numpy, BLAS in tiles")
def _() -> Prepared:
    x = sound()
    return blas(rotation_matrix(), x, memory(x.shape)), x


@TASKS.task("rotate, allocating", "ambikit")
def _() -> Prepared:
    x = sound()
    return lambda: ambikit.rotate(x, *ANGLES), x


@TASKS.task("rotate along 6,001 keys, `out=`", "ambikit")
def _() -> Prepared:
    x, (yaw, pitch) = sound(), motion()
    out = memory(x.shape)
    return lambda: ambikit.rotate(x, yaw, pitch, 0.1, out=out), x


@TASKS.task("rotate 64 × 4 × 24,000, `out=`", "ambikit")
def _() -> Prepared:
    x = clips()
    out = memory(x.shape)
    return lambda: ambikit.rotate(x, *ANGLES, out=out), x


@TASKS.task("rotate 64 × 4 × 24,000, `out=`", "numpy, BLAS")
def _() -> Prepared:
    x = clips()
    return blas(rotation_matrix(), x, memory(x.shape)), x


@TASKS.task("rotate order 3 (16 × 720,000), `out=`", "ambikit")
def _() -> Prepared:
    x = sound(16, 720_000)
    out = memory(x.shape)
    return lambda: ambikit.rotate(x, *ANGLES, out=out), x


@TASKS.task("rotate order 3 (16 × 720,000), `out=`", "numpy, BLAS in tiles")
def _() -> Prepared:
    x = sound(16, 720_000)
    return blas(rotation_matrix(3), x, memory(x.shape)), x


@TASKS.task("encode, `out=`", "ambikit")
def _() -> Prepared:
    x = sound()
    out = memory(x.shape)
    return lambda: ambikit.encode(x[0], 0.1, 0.2, out=out), x


@TASKS.task("encode, `out=`", "numpy, products in tiles")
def _() -> Prepared:
    x = sound()
    gains, out = ambikit.steering_vector(0.1, 0.2)[:, None].astype(x.dtype), memory(x.shape)

    def work() -> None:
        for begin in range(0, x.shape[1], TILE):
            tile = slice(begin, begin + TILE)
            np.multiply(gains, x[0, tile], out=out[:, tile])

    return work, x


@TASKS.task("encode along 6,001 keys, `out=`", "ambikit")
def _() -> Prepared:
    x, (azimuth, elevation) = sound(), motion()
    out = memory(x.shape)
    return lambda: ambikit.encode(x[0], azimuth, elevation, out=out), x


@TASKS.task("one beam, `out=`", "ambikit")
def _() -> Prepared:
    x = sound()
    out = memory(x.shape[1:])
    return lambda: ambikit.beamform(x, 0.1, 0.2, out=out), x


@TASKS.task("one beam, `out=`", "numpy, BLAS in tiles")
def _() -> Prepared:
    x = sound()
    return blas(ambikit.beam_weights("cardioid", 0.1, 0.2), x, memory((1, x.shape[1]))), x


@TASKS.task("64 beams, `out=`", "ambikit")
def _() -> Prepared:
    x, azimuth = sound(), np.arange(64) * 0.1
    out = memory((64, x.shape[1]))
    return lambda: ambikit.beamform(x, azimuth, 0.2, out=out), x


@TASKS.task("64 beams, `out=`", "numpy, BLAS in tiles")
def _() -> Prepared:
    x = sound()
    weights = ambikit.beam_weights("cardioid", np.arange(64) * 0.1, 0.2)
    return blas(weights, x, memory((64, x.shape[1]))), x


@TASKS.task("first order to 7.1.4, `out=`", "ambikit")
def _() -> Prepared:
    x = sound()
    out = memory((11, x.shape[1]))
    return lambda: ambikit.decode(x, "7.1.4", out=out), x


@TASKS.task("first order to 7.1.4, `out=`", "numpy, BLAS in tiles")
def _() -> Prepared:
    x = sound()
    return blas(ambikit.decoder_matrix("7.1.4", 1), x, memory((11, x.shape[1]))), x


@TASKS.task("third order (16 × 720,000) to 22.2, `out=`", "ambikit")
def _() -> Prepared:
    x = sound(16, 720_000)
    out = memory((22, x.shape[1]))
    return lambda: ambikit.decode(x, "22.2", out=out), x


@TASKS.task("third order (16 × 720,000) to 22.2, `out=`", "numpy, BLAS in tiles")
def _() -> Prepared:
    x = sound(16, 720_000)
    return blas(ambikit.decoder_matrix("22.2", 3), x, memory((22, x.shape[1]))), x


@TASKS.task("to two ears, 512 taps, `out=`", "ambikit")
def _() -> Prepared:
    x = sound()
    out = memory((2, x.shape[1]))
    return lambda: ambikit.decode_binaural(x, RATE, taps=512, out=out), x


@TASKS.task("map 45 × 90, 20 a second", "ambikit")
def _() -> Prepared:
    x, grid = sound(), ambikit.plot.equirectangular_grid(45, 90)
    return lambda: ambikit.power_map(x, *grid, hop=RATE // 20), x


@TASKS.task("intensity of each sample", "ambikit")
def _() -> Prepared:
    x = sound()
    return lambda: ambikit.intensity(x), x


@TASKS.task("diffuseness", "ambikit")
def _() -> Prepared:
    x = sound()
    return lambda: ambikit.diffuseness(x, RATE), x


@TASKS.task("normalised intensity", "ambikit")
def _() -> Prepared:
    x = sound()
    return lambda: ambikit.normalized_intensity(x, RATE), x


@TASKS.task("log-mel and intensity (dcase)", "ambikit")
def _() -> Prepared:
    x = sound()
    return lambda: ambikit.foa_features(x, 24000, preset="dcase"), x


@TASKS.task("log-mel and intensity (avsa)", "ambikit")
def _() -> Prepared:
    x = sound()
    return lambda: ambikit.foa_features(x, 24000), x
