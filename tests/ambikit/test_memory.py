"""Arrays as they lie in memory: compiled code takes none of it for granted.

What goes wrong here ends the interpreter, so each test runs in a process of its own.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

PRELUDE = """
import numpy as np
import ambikit
from ambikit import _mixing, _motion, streaming
from ambikit.features import _pooling
from rows import ROWS

def kernels():
    _mixing.CACHES = _motion.KERNEL_PAYS = _pooling._KERNEL_PAYS = 0

def misaligned(x):
    "Return a copy that begins between two numbers."
    memory = np.zeros(x.nbytes + 64, np.uint8)
    view = memory[44 + 1 : 44 + 1 + x.nbytes].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert x.size == 0 or not view.flags.aligned
    return view

def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x

def mapped(x):
    "Return a memory map of a file, behind a header of 44 bytes."
    with open("values", "wb") as file:
        file.write(bytes(44) + x.tobytes())
    return np.memmap("values", x.dtype, "c", offset=44, shape=x.shape)

LAYOUTS = [misaligned, read_only, mapped, lambda x: misaligned(x)[..., ::-1]]
"""

EVERY_INPUT = """
kernels()
for row in ROWS:
    for dtype in (np.float32, np.float64):
        x = row.example((2,), dtype)
        for layout in LAYOUTS:
            expected = row.call(layout(x).copy())
            scale = max(np.abs(expected).max(), 1)
            np.testing.assert_allclose(
                row.call(layout(x)), expected, atol=1e-5 * scale, err_msg=row.label
            )
"""

EVERY_OUTPUT = """
kernels()
CALLS = {
    "rotate": lambda x, out: ambikit.rotate(x, 0.5, 0.2, out=out),
    "rotate moving": lambda x, out: ambikit.rotate(x, [0.5, 1.0, 3.0], out=out),
    "beamform": lambda x, out: ambikit.beamform(x, [0.0, 1, 2, 3], out=out),
    "encode": lambda x, out: ambikit.encode(x[0], 0.5, out=out),
    "encode moving": lambda x, out: ambikit.encode(x[0], [0.5, 1.0], out=out),
    "decode": lambda x, out: ambikit.decode(x, "quad", out=out),
    "decode in bands": lambda x, out: ambikit.decode(
        x, "4+5+0", sample_rate=48000, dual_band=700.0, out=out
    ),
    "binaural": lambda x, out: ambikit.decode_binaural(x, 48000, head="sphere", out=out),
    "Rotator": lambda x, out: streaming.Rotator(0.5, 0.2).process(x, out=out),
    "Encoder": lambda x, out: streaming.Encoder(0.5).process(x[0], out=out),
    "Beamformer": lambda x, out: streaming.Beamformer([0.0, 1.0]).process(x, out=out),
    "Diffuseness": lambda x, out: streaming.Diffuseness(48000).process(x, out=out),
    "Decoder": lambda x, out: streaming.Decoder("quad").process(x, out=out),
    "Binauralizer": lambda x, out: streaming.Binauralizer(48000, head="sphere").process(x, out=out),
}
for name, call in CALLS.items():
    for dtype in (np.float32, np.float64):
        for samples in (1, 7, 600, 5000):
            x = np.random.default_rng(0).normal(size=(4, samples)).astype(dtype)
            expected = call(x, None)
            for offset in range(0, 68, 1 if "otat" in name or "ncode" in name else 11):
                memory = np.full(expected.nbytes + 200, 77, np.uint8)
                place = slice(offset, offset + expected.nbytes)
                out = memory[place].view(dtype).reshape(expected.shape)
                assert call(misaligned(x), out) is out
                np.testing.assert_allclose(out, expected, atol=1e-5, err_msg=name)
                memory[place] = 77
                assert (memory == 77).all(), (name, offset)  # nothing beside it was written
                if offset > 24 and samples > 600:
                    break
            wide = np.zeros((*expected.shape[:-1], 2 * samples), dtype)
            columns = np.zeros(expected.shape[::-1], dtype).T
            for out in (wide[..., ::2], wide[..., ::-2], columns):
                np.testing.assert_allclose(call(x, out), expected, atol=1e-5, err_msg=name)
"""

BIG_MAP = """
# More than the caches hold: the kernel runs, as for whoever calls it.
x = np.random.default_rng(0).normal(size=(4, 1_100_000))
out = np.memmap("o.wav", np.float64, "w+", offset=44, shape=x.shape)
for turn in (0.3, [0.0, 1.0]):
    ambikit.rotate(x, turn, out=out)
    np.testing.assert_allclose(out, ambikit.rotate(x, turn), atol=1e-12)
"""


@pytest.mark.parametrize("script", [EVERY_INPUT, EVERY_OUTPUT, BIG_MAP])
def test_memory_of_any_kind(tmp_path: Path, script: str) -> None:
    """The right values come from the same call on an array that numpy made itself."""
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PRELUDE + script],
        cwd=tmp_path,
        env=environment() | OLD_BLAS,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]


# Kernels of OpenBLAS for a processor without AVX end the process where others take any memory.
OLD_BLAS = {"OPENBLAS_CORETYPE": "Prescott"} if platform.machine() in ("x86_64", "AMD64") else {}


def environment() -> dict[str, str]:
    """Return the environment, with this repository and the table of functions first."""
    paths = os.pathsep.join(map(str, [REPOSITORY, REPOSITORY / "tests" / "ambikit"]))
    return {**os.environ, "PYTHONPATH": paths}


PEAK = """
import resource, sys

import numpy as np

import ambikit
from ambikit import streaming


def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


order, seconds, call = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
samples = round(48000 * seconds)
x = np.ones(((order + 1) ** 2, samples), np.float32)
out = np.ones_like(x)
keys = np.linspace(0, 2 * np.pi * seconds, samples if "sample" in call else 2 + round(10 * seconds))
before = peak()
if "encode" in call:
    ambikit.encode(x[0], keys, order=order, out=out)
elif "blocks" in call:
    rotator = streaming.Rotator()
    for begin in range(0, samples, 512):
        rotator.turn_to(keys[begin * len(keys) // samples])
        block = slice(begin, begin + 512)
        out[:, block] = rotator.process(x[:, block])
elif "beam" in call:
    ambikit.beamform(x, 0.3)
    streaming.Beamformer(0.3).process(x)
elif "apart" in call:
    ambikit.rotate(x[:, ::2], 0.3 if "still" in call else keys, out=out[:, ::2])
else:
    ambikit.rotate(x, keys, out=out)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("order", "seconds", "call", "megabytes"),
    [
        (15, 1, "rotate", 350),
        (15, 4, "rotate", 350),
        (15, 0.25, "rotate, a key a sample", 350),
        (15, 2, "rotate, apart in memory", 350),
        (7, 20, "rotate, apart and still", 250),
        (20, 0.5, "rotate", 350),
        (1, 90, "rotate, a key a sample", 350),
        (15, 4, "encode, a key a sample", 450),
        (15, 2, "rotate in blocks", 350),
        (15, 2, "beams", 350),
    ],
)
def test_memory_beside_the_arrays_does_not_grow_with_the_sound(
    tmp_path: Path, order: int, seconds: float, call: str, megabytes: int
) -> None:
    """A turn a second. Matrices for all keys at once took 2 GB at order 15, 6.4 GB at order 20."""
    pytest.importorskip("resource", reason="Windows has another count of pages")
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(order), str(seconds), call],
        cwd=tmp_path,
        env={**environment(), "OPENBLAS_NUM_THREADS": "1"},  # which would wait for each other
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) < megabytes * 1e6
