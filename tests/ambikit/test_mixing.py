"""Mixing against plain sums, through both paths, at every alignment that a cache line knows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ambikit import _mixing, _motion
from tests.tolerance import assert_sums_close

ORDER = 2
BLOCKS = _mixing.degree_blocks(ORDER)


def rotation_like(keys: int = 1, seed: int = 0) -> np.ndarray:
    """Return matrices (keys, 9, 9) of one block a degree."""
    mask = np.zeros((9, 9))
    for top, bottom, left, right in BLOCKS:
        mask[top:bottom, left:right] = 1
    return mask * np.random.default_rng(seed).normal(size=(keys, 9, 9))


def straight_lines(samples: int) -> _motion.Lines:
    """Return lines between four points at odd places, the first before the first sample."""
    position = np.array([-3.0, 0.3 * samples, 0.55 * samples, samples + 2.5])
    return _motion.lines_between(position, samples)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 1, 5, 15, 16])
@pytest.mark.parametrize("samples", [1, 7, 33, 700])
def test_every_alignment(path, dtype, offset, samples):
    """Lines of the cache that are begun, full or left unfinished, and nothing beside them."""
    x = np.random.default_rng(1).normal(size=(2, 9, samples)).astype(dtype)
    memory = np.full(2 * 9 * samples + 64, 7.0, dtype)
    out = memory[offset : offset + x.size].reshape(x.shape)
    matrix = rotation_like()[0]
    _mixing.mix(x, matrix, BLOCKS, out)
    expected = np.einsum("ij,bjt->bit", matrix, x.astype(float))
    assert_sums_close(out, expected.astype(dtype), np.abs(matrix) @ np.abs(x), 5)
    assert_array_equal(memory[:offset], 7)
    assert_array_equal(memory[offset + x.size :], 7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("samples", [9, 700, 1201])
def test_moving(path, dtype, samples):
    x = np.random.default_rng(2).normal(size=(2, 9, samples)).astype(dtype)
    matrices, lines = rotation_like(4), straight_lines(samples)
    out = np.empty_like(x)
    _mixing.mix_moving(x, lines, matrices, BLOCKS, out)
    place = np.interp(
        np.arange(samples), [-3.0, 0.3 * samples, 0.55 * samples, samples + 2.5], range(4)
    )
    low = np.minimum(place.astype(int), 2)
    share = (place - low)[:, None, None]
    matrix = (1 - share) * matrices[low] + share * matrices[low + 1]
    expected = np.einsum("tij,bjt->bit", matrix, x.astype(float))
    # A gain is three roundings on its way: of the place between two keys, of a product and a sum
    summed = np.abs(matrices).max(axis=0) @ np.abs(x)
    assert_sums_close(out, expected.astype(dtype), summed, 5 + 3)


@pytest.mark.parametrize("moves", [False, True])
def test_in_place(path, moves):
    """To the last bit by the kernel, where nothing depends on where in memory the output lies."""
    x = np.random.default_rng(3).normal(size=(9, 700))
    matrices, lines = rotation_like(4), straight_lines(700)
    out = np.empty(9 * 700 + 3)[3:].reshape(9, 700)

    def mix(target: np.ndarray) -> None:
        if moves:
            _mixing.mix_moving(x, lines, matrices, BLOCKS, target)
        else:
            _mixing.mix(x, matrices[0], BLOCKS, target)

    mix(out)
    summed = np.abs(matrices).max(axis=0) @ np.abs(x)
    mix(x)
    if path == "kernel":
        assert_array_equal(x, out)
    assert_sums_close(x, out, summed, 5 + 3)


@pytest.mark.kernel
@pytest.mark.parametrize("moves", [False, True])
def test_spans_of_what_is_not_contiguous(monkeypatch, moves):
    """Only a few samples are copied at a time; each span begins where the last one ended."""
    monkeypatch.setattr(_mixing, "_SPAN", 18 * 100)
    monkeypatch.setattr(_mixing, "_TILE", 64)
    monkeypatch.setattr(_mixing, "CACHES", 0)
    monkeypatch.setattr(_motion, "KERNEL_PAYS", 0)
    wide = np.random.default_rng(4).normal(size=(2, 9, 1400))
    x, matrices = wide[..., ::2], rotation_like(40)
    lines = _motion.lines_between(np.linspace(-1, 701, 40), 700)
    results = []
    for source in (x, x.copy()):
        out = np.empty((2, 9, 700))
        if moves:
            _mixing.mix_moving(source, lines, matrices, BLOCKS, out)
        else:
            _mixing.mix(source, matrices[0], BLOCKS, out)
        results.append(out)
    assert_allclose(results[0], results[1], atol=1e-14)


def test_one_column_and_many_rows(path):
    """Encoding and beams: blocks that are no square."""
    rng = np.random.default_rng(5)
    for rows, columns in ((9, 1), (5, 9)):
        x, matrix = rng.normal(size=(columns, 50)), rng.normal(size=(rows, columns))
        out = np.empty((rows, 50))
        _mixing.mix(x, matrix, _mixing.one_block(rows, columns), out)
        assert_allclose(out, matrix @ x, atol=1e-13)


@pytest.mark.kernel
@pytest.mark.parametrize("layout", ["contiguous", "apart", "in place"])
@pytest.mark.parametrize("count", [2, 3])
def test_threads_change_nothing(monkeypatch, count, layout):
    """Shares that begin anywhere within a line of the cache, still and moving."""
    monkeypatch.setattr(_mixing, "_SHARE", 100)
    x = np.random.default_rng(4).normal(size=(2, 9, 1501)).astype(np.float32)
    matrices, lines = rotation_like(4), straight_lines(1501)
    results = []
    for threads in (1, count):
        monkeypatch.setattr(_mixing, "threads", threads)
        for fill in (
            lambda source, out: _mixing._mix_compiled(
                source, matrices[0].astype("f4"), BLOCKS, out
            ),
            lambda source, out: _mixing._moving_compiled(
                source, lines, matrices.astype("f4"), BLOCKS, out
            ),
        ):
            source = x.copy()
            out = np.full((2, 9, 3002), 9, np.float32)[..., ::2]
            if layout != "apart":
                out = source if layout == "in place" else np.empty_like(x)
            fill(source, out)
            results.append(out.copy())
    assert_allclose(results[2], results[0], atol=1e-5)
    assert_allclose(results[3], results[1], atol=1e-5)


def test_what_fails_in_a_thread_is_raised(monkeypatch):
    monkeypatch.setattr(_mixing, "threads", 2)
    monkeypatch.setattr(_mixing, "_SHARE", 1)

    def work(begin, end):
        if begin:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _mixing._share_out(work, 10, 10)
