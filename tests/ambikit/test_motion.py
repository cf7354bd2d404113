"""Motion in runs: one way however it is cut, and memory that does not grow with the sound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

import ambikit
from ambikit import _mixing, _motion


def rotated(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return ambikit.rotate(x, [0.0, 2.0, -1.0, 3.0], [0.1, 0.5, 0.2, 0.0], out=out)


def rotated_at_times(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    times = [-20.5, 0.0, 100.25, 101.0, 350.5]
    return ambikit.rotate(x, [0.0, 2.0, -1.0, 3.0, 0.5], times=times, out=out)


def rotated_each_sample(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return ambikit.rotate(x, np.cumsum(np.full(x.shape[-1], 0.3)), out=out)


def encoded(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return ambikit.encode(x[..., 0, :], [0.0, 2.0, -1.0, 3.0], [0, 1.0, 0, -1], order=2, out=out)


def encoded_at_times(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return ambikit.encode(x[..., 0, :], [0.0, 2.0, 3.0], order=2, times=[10, 11, 11.5], out=out)


MOTIONS = [rotated, rotated_at_times, rotated_each_sample, encoded, encoded_at_times]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_of_any_length_give_the_same(
    path: str, monkeypatch: pytest.MonkeyPatch, motion: Callable[..., np.ndarray], dtype: type
) -> None:
    x = np.random.default_rng(0).normal(size=(2, 9, 400)).astype(dtype)
    expected = motion(x)
    close = {"rtol": 0, "atol": 1e-13 if dtype == np.float64 else 3e-6}
    for points in (1, 2, 7, 64):
        for keys in (1, 2, 3, 1 << 16):
            monkeypatch.setattr(_mixing, "points_at_once", lambda values, points=points: points)
            monkeypatch.setattr(_motion, "_KEYS", keys)
            np.testing.assert_allclose(motion(x), expected, **close)
            wide = np.zeros((2, 9, 800), dtype)
            np.testing.assert_allclose(motion(x, wide[..., ::2]), expected, **close)
            if motion is not encoded and motion is not encoded_at_times:
                y = x.copy()
                np.testing.assert_allclose(motion(y, y), expected, **close)


def test_fast_turns_have_a_point_a_sample(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys closer together than samples, between which runs may end."""
    x = np.random.default_rng(0).normal(size=(4, 50))
    keys = np.linspace(0, 400, 173)
    expected = ambikit.rotate(x, keys)
    for points in (1, 3):
        monkeypatch.setattr(_mixing, "points_at_once", lambda values, points=points: points)
        np.testing.assert_allclose(ambikit.rotate(x, keys), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("times", [None, "outside", "uneven"])
@pytest.mark.parametrize(("step", "dense"), [(0.0199, True), (0.0201, False)])
def test_dense_keys_are_control_points(
    path: str, monkeypatch: pytest.MonkeyPatch, times: str | None, step: float, dense: bool
) -> None:
    """As if they were refined: steps below CHORD (in quaternions, half of it) do not need that."""
    rng = np.random.default_rng(0)
    x, yaw = rng.normal(size=(4, 900)), np.cumsum(np.full(60, step))
    place = {None: None, "outside": np.linspace(-100.5, 1000.2, 60)}.get(
        times, np.cumsum(rng.uniform(1.0, 15.0, 60))
    )
    seen = []
    whether = _motion._dense

    def watched(*arguments: object) -> bool:
        seen.append(whether(*arguments))
        return seen[-1]

    monkeypatch.setattr(_motion, "_dense", watched)
    got = ambikit.rotate(x, yaw, 0.3, times=place), ambikit.encode(x[0], yaw, times=place)
    assert seen == [dense, dense]
    monkeypatch.setattr(_motion, "_dense", lambda *arguments: False)
    refined = ambikit.rotate(x, yaw, 0.3, times=place), ambikit.encode(x[0], yaw, times=place)
    for one, other in zip(got, refined, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def peak_of(call: Callable[[], object]) -> int:
    """Return the bytes that a call has allocated at most at one time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Not of the kernels' second run: without compilation, order 15 takes minutes.
@pytest.mark.parametrize("order", [9, 15])
def test_memory_of_a_turning_field(order: int) -> None:
    """Matrices of one run, in single precision, and what they are made from, in double."""
    channels, bound = (order + 1) ** 2, 5 * 4 * _mixing._MATRICES
    peaks = []
    for samples in (18000, 54000):
        x = np.ones((channels, samples), np.float32)
        out = np.empty_like(x)
        turns = 2 * np.pi * samples / 48000
        keys = np.linspace(0, turns, 9)
        ambikit.rotate(x[:, :600], [0.0, 0.1], out=out[:, :600].copy())  # compiled before
        peaks.append(peak_of(lambda x=x, keys=keys, out=out: ambikit.rotate(x, keys, out=out)))
        expected = ambikit.rotate(x[:, -1:], turns)[:, 0]
        np.testing.assert_allclose(out[:, -1], expected, atol=1e-3 * np.abs(expected).max())
    assert max(peaks) < bound < 350e6
    assert peaks[1] < 1.2 * peaks[0] + 1e6


def test_memory_of_a_moving_source() -> None:
    signal = np.ones(96000, np.float32)
    out = np.empty((256, 96000), np.float32)
    ambikit.encode(signal[:600], [0.0, 0.1], order=15)
    turns = np.linspace(0, 40.0, 33)
    assert (
        peak_of(lambda: ambikit.encode(signal, turns, order=15, out=out))
        < 8 * 8 * _mixing._MATRICES
    )
