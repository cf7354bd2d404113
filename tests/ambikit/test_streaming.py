"""Blocks of any lengths, one after the other, are the whole."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit import streaming
from ambikit.features import _pooling
from tests import naive

seeds = st.integers(0, 2**32 - 1)
lengths = st.lists(st.integers(0, 40) | st.sampled_from([0, 1, 2, 500]), min_size=1, max_size=12)
angles = st.tuples(st.floats(-4, 4), st.floats(-1.5, 1.5), st.floats(-4, 4))


def blocks_of(x, sizes):
    edges = np.cumsum([0, *sizes])
    return [x[..., begin:end] for begin, end in pairwise(edges)]


def stream(processor, x, sizes):
    return np.concatenate([processor.process(block) for block in blocks_of(x, sizes)], axis=-1)


def sound(seed, samples, leading=(), channels=4):
    return np.random.default_rng(seed).normal(size=(*leading, channels, samples))


# What stands still


@given(sizes=lengths, seed=seeds, order=st.integers(0, 3), inverse=st.booleans())
def test_rotator_at_rest(sizes, seed, order, inverse):
    x = sound(seed, sum(sizes), (2,), (order + 1) ** 2)
    rotator = streaming.Rotator(20, 30, -40, degrees=True, inverse=inverse)
    expected = ambikit.rotate(x, 20, 30, -40, degrees=True, inverse=inverse)
    assert_allclose(stream(rotator, x, sizes), expected, atol=1e-12)


@given(sizes=lengths, seed=seeds)
def test_encoder_at_rest(sizes, seed):
    signal = np.random.default_rng(seed).normal(size=(3, sum(sizes)))
    encoder = streaming.Encoder(100, -20, order=2, spread=30, degrees=True)
    expected = ambikit.encode(signal, 100, -20, order=2, spread=30, degrees=True)
    assert_allclose(stream(encoder, signal, sizes), expected, atol=1e-13)


@given(sizes=lengths, seed=seeds, azimuth=st.sampled_from([0.4, [0.4], [0.4, -2.0, 3.0]]))
def test_beamformer_at_rest(sizes, seed, azimuth):
    x = sound(seed, sum(sizes), (2,), 9)
    beamformer = streaming.Beamformer(azimuth, 0.3, pattern="max_re")
    expected = ambikit.beamform(x, azimuth, 0.3, pattern="max_re")
    got = stream(beamformer, x, sizes)
    assert got.shape == expected.shape
    assert_allclose(got, expected, atol=1e-12)


# What moves


@given(
    sizes=st.lists(st.integers(1, 300), min_size=2, max_size=6),
    turns=st.lists(angles, min_size=7, max_size=7),
    seed=seeds,
    inverse=st.booleans(),
)
def test_targets_at_block_edges_are_keys(path, sizes, turns, seed, inverse):
    """Each block leads to its target: the offline keys are the targets, at the edges of blocks."""
    x = sound(seed, sum(sizes), (2,))
    rotator = streaming.Rotator(*turns[0], inverse=inverse)
    got = []
    for block, target in zip(blocks_of(x, sizes), turns[1:], strict=False):
        rotator.turn_to(*target)
        got.append(rotator.process(block))
    keys = ambikit.rotation_matrix(*np.transpose(turns[: len(sizes) + 1]))
    times = np.cumsum([0, *sizes])
    expected = ambikit.rotate(x, rotation=keys, times=times, inverse=inverse)
    assert_allclose(np.concatenate(got, axis=-1), expected, atol=1e-9)


@given(sizes=lengths, over=st.integers(1, 700), turn=angles, seed=seeds)
def test_rotator_takes_its_way_through_any_blocks(path, sizes, over, turn, seed):
    x = sound(seed, sum(sizes))
    rotator = streaming.Rotator()
    rotator.turn_to(*turn, over=over)
    keys = ambikit.rotation_matrix(*np.transpose([(0, 0, 0), turn]))
    expected = ambikit.rotate(x, rotation=keys, times=[0, over])
    assert_allclose(stream(rotator, x, sizes), expected, atol=1e-9)


@given(sizes=lengths, over=st.integers(1, 700), azimuth=st.floats(-4, 4), seed=seeds)
def test_encoder_takes_its_way_through_any_blocks(path, sizes, over, azimuth, seed):
    signal = np.random.default_rng(seed).normal(size=sum(sizes))
    encoder = streaming.Encoder(3.0, 1.0, order=2)
    encoder.move_to(azimuth, -0.5, over=over)
    expected = ambikit.encode(signal, [3.0, azimuth], [1.0, -0.5], order=2, times=[0, over])
    assert_allclose(stream(encoder, signal, sizes), expected, atol=1e-9)


@given(sizes=lengths, over=st.integers(1, 700), seed=seeds)
def test_moving_beams_are_beams_at_each_sample(sizes, over, seed):
    """The oracle forms one beam a sample, along the great circle."""
    x = sound(seed, sum(sizes), (2,))
    azimuth, elevation = np.array([[0.3, 3.0], [1.2, -0.4]]), np.array([[0.0, -1.0], [1.0, 0.5]])
    beams = streaming.Beamformer(azimuth[:, 0], elevation[:, 0], pattern="hypercardioid")
    beams.turn_to(azimuth[:, 1], elevation[:, 1], over=over)
    got = stream(beams, x, sizes)
    for t in range(x.shape[-1]):
        for d in range(2):
            ends = [naive.direction(*end) for end in zip(azimuth[d], elevation[d], strict=True)]
            here = naive.great_circle(*ends, min(t / over, 1))
            weights = naive.harmonics(here, 1) * [0.25, 0.75, 0.75, 0.75]
            assert_allclose(got[:, d, t], x[..., t] @ weights, atol=1e-3)
        if t > 20:
            break


def test_a_way_that_is_left_goes_on_from_where_it_is(path):
    """Halfway from front to left the source is sent up: no jump, and no way back."""
    encoder = streaming.Encoder(0.0)
    encoder.move_to(90, degrees=True, over=200)
    first = encoder.process(np.ones(100))
    encoder.move_to(0, 90, degrees=True, over=100)
    second = encoder.process(np.ones(150))
    half = np.sqrt(0.5)
    assert_allclose(second[:, 0], [1, half, 0, half], atol=1e-9)
    assert_allclose(second[:, 50], [1, 0.5, half, 0.5], atol=1e-4)
    assert_allclose(second[:, 100:], np.repeat([[1], [0], [1], [0.0]], 50, axis=1), atol=1e-9)
    assert np.abs(np.diff(np.concatenate([first, second], axis=1))).max() < np.pi / 2 / 100


@given(first=angles, second=angles, share=st.floats(0, 1))
def test_a_turn_that_is_left_goes_on_from_where_it_is(first, second, share):
    scipy_rotation = pytest.importorskip("scipy.spatial.transform")
    begin, target = ambikit.rotation_matrix(*first), ambikit.rotation_matrix(*second)
    rotator = streaming.Rotator(rotation=begin)
    rotator.turn_to(rotation=target, over=1000)
    rotator.process(np.ones((4, round(1000 * share))))
    rotator.turn_to(over=1)
    here = rotator.process(np.eye(4)[:, :, None])[..., 0].T  # a column for each channel
    both = scipy_rotation.Rotation.from_matrix([begin, target])
    if (both[0].inv() * both[1]).magnitude() > np.pi - 1e-3:
        return  # the short way is a matter of rounding
    expected = scipy_rotation.Slerp([0, 1], both)(round(1000 * share) / 1000).as_matrix()
    assert_allclose(here, ambikit.sh_rotation_matrix(expected), atol=1e-9)


def test_empty_blocks_do_not_spend_a_turn():
    rotator = streaming.Rotator()
    rotator.turn_to(90, degrees=True)
    assert rotator.process(np.ones((4, 0))).shape == (4, 0)
    front = ambikit.encode(np.ones(90), 0.0)
    assert_allclose(
        rotator.process(front),
        ambikit.rotate(front, [0, 90], degrees=True, times=[0, 90]),
        atol=1e-12,
    )


def test_the_last_of_two_targets_counts():
    encoder = streaming.Encoder(0.0)
    encoder.move_to(90, degrees=True)
    encoder.move_to(-90, degrees=True)
    assert (encoder.process(np.ones(10))[1] <= 1e-12).all()


def test_blocks_meet_without_a_click():
    """Step by step through 50 targets, no sample jumps further than the fastest turn asks for."""
    x = ambikit.encode(np.ones(64), 0.0, order=3)
    rotator = streaming.Rotator()
    blocks = []
    for azimuth in np.random.default_rng(0).uniform(-180, 180, 50):
        rotator.turn_to(azimuth, degrees=True)
        blocks.append(rotator.process(x))
    steps = np.abs(np.diff(np.concatenate(blocks, axis=-1)))
    assert steps.max() < 3 * np.pi / 64 * 1.1


def test_reset_returns_to_the_beginning():
    x, signal = sound(0, 60), np.ones(60)
    rotator, encoder = streaming.Rotator(0.5), streaming.Encoder(0.5)
    beam, meter = streaming.Beamformer(0.5), streaming.Diffuseness(1000)
    rotator.turn_to(1.0, over=7)
    encoder.move_to(1.0)
    beam.turn_to(1.0, over=70)
    for processor, given_ in ((rotator, x), (encoder, signal), (beam, x), (meter, x)):
        processor.process(given_)
        processor.reset()
    assert_allclose(rotator.process(x), ambikit.rotate(x, 0.5), atol=1e-12)
    assert_allclose(encoder.process(signal), ambikit.encode(signal, 0.5), atol=1e-12)
    assert_allclose(beam.process(x), ambikit.beamform(x, 0.5), atol=1e-12)
    assert_allclose(meter.process(x), ambikit.diffuseness(x, 1000), atol=1e-12)


# Diffuseness


@given(sizes=lengths, seed=seeds, leading=st.sampled_from([(), (2,), (2, 3)]))
def test_diffuseness(path, sizes, seed, leading):
    x = sound(seed, sum(sizes), leading, 9)
    got = stream(streaming.Diffuseness(1000), x, sizes)
    assert_allclose(got, ambikit.diffuseness(x, 1000), atol=1e-9)


def test_diffuseness_is_measured_alike_by_blocks_of_the_kernel_and_of_numpy(monkeypatch):
    from ambikit import _motion

    x = sound(0, 3000)
    meter = streaming.Diffuseness(1000)
    got = []
    for block, pays in zip(blocks_of(x, [1000] * 3), (0, sys.maxsize, 0), strict=True):
        monkeypatch.setattr(_motion, "KERNEL_PAYS", pays)
        got.append(meter.process(block))
    assert_allclose(np.concatenate(got), ambikit.diffuseness(x, 1000), atol=1e-9)


def test_a_refused_block_leaves_the_state_as_it_was(path):
    x = sound(0, 100)
    meter = streaming.Diffuseness(1000)
    meter.process(x[:, :50])
    spoilt = x.copy()
    spoilt[0, 60] = np.nan
    with pytest.raises(ambikit.InputError, match="NaN"):
        meter.process(spoilt)
    assert_allclose(meter.process(x[:, 50:]), ambikit.diffuseness(x, 1000)[50:], atol=1e-12)


# Features

SMALL = {"n_fft": 32, "window_length": 24, "hop": 10, "n_mels": 6}
RATE = 24000


def stream_of_features(processor, x, sizes):
    frames = [processor.process(block) for block in blocks_of(x, sizes)]
    return np.concatenate([*frames, processor.flush()], axis=-2)


@settings(max_examples=80)
@given(
    sizes=lengths,
    seed=seeds,
    leading=st.sampled_from([(), (2,), (2, 1)]),
    hop=st.sampled_from([3, 10, 16, 40]),
    n_fft=st.sampled_from([16, 31, 32]),
    average=st.sampled_from([1, 3, 5, 9]),
    kind=st.sampled_from(["foa_iv", "logmel"]),
)
def test_features(sizes, seed, leading, hop, n_fft, average, kind):
    sizes = [*sizes, 60]  # long enough for a frame
    x = sound(seed, sum(sizes), leading)
    setting = {"n_fft": n_fft, "window_length": 16, "hop": hop, "n_mels": 3, "average": average}
    expected = ambikit.foa_features(x, RATE, kind=kind, **setting)
    processor = streaming.Features(RATE, kind=kind, **setting)
    for _ in range(2):  # flush begins anew
        got = stream_of_features(processor, x, sizes)
        assert got.dtype == np.float32
        assert got.shape == expected.shape
        assert_allclose(got, expected, atol=1e-4)


@pytest.mark.kernel
@pytest.mark.parametrize("preset", ["avsa", "dcase", "salsa"])
def test_features_of_the_presets(preset, monkeypatch):
    """Through numpy and the kernel by turns."""
    overrides = {"top_db": None, "n_mels": 24}
    x = sound(0, 6000).astype(np.float32)
    expected = ambikit.foa_features(x, RATE, preset=preset, **overrides)
    processor = streaming.Features(RATE, preset=preset, **overrides)
    frames = []
    for turn, block in enumerate(blocks_of(x, [1, 999, 2500, 2500])):
        monkeypatch.setattr(_pooling, "_KERNEL_PAYS", 0 if turn % 2 else sys.maxsize)
        frames.append(processor.process(block))
    frames.append(processor.flush())
    assert_allclose(np.concatenate(frames, axis=-2), expected, atol=2e-4)


def test_frames_come_as_early_as_they_can():
    """Frame t needs half a window after its centre, and 2 more frames for its average."""
    processor = streaming.Features(RATE, average=5, **SMALL)
    x = sound(0, 100)
    came = [processor.process(x[:, t : t + 1]).shape[1] for t in range(100)]
    heard = 1 + np.flatnonzero(came)
    assert_array_equal(heard, 10 * np.arange(2, 9) + 16)


def test_the_block_stays_the_callers():
    """A sound card writes each block to the same memory."""
    x = sound(0, 400).astype(np.float32)
    memory = np.empty((4, 40), np.float32)
    processor = streaming.Features(RATE, **SMALL)
    frames = []
    for block in blocks_of(x, [40] * 10):
        memory[...] = block
        frames.append(processor.process(memory))
        assert_array_equal(memory, block)
    frames.append(processor.flush())
    expected = ambikit.foa_features(x, RATE, **SMALL)
    assert_allclose(np.concatenate(frames, axis=-2), expected, atol=1e-4)


def test_memory_stays_small():
    processor = streaming.Features(RATE, **SMALL)
    for _ in range(30):
        processor.process(np.zeros((4, 1000), np.float32))
    held = [value.size for value in vars(processor).values() if isinstance(value, np.ndarray)]
    assert sum(held) < 4 * 64 + 8 * 4 * 6


# Types, and what is refused


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(dtype):
    x = sound(0, 30).astype(dtype)
    rotator, encoder, beam = streaming.Rotator(), streaming.Encoder(0.0), streaming.Beamformer(0.0)
    rotator.turn_to(1.0)
    encoder.move_to(1.0)
    beam.turn_to(1.0)
    for _ in range(2):  # moving, and at rest
        assert rotator.process(x).dtype == dtype
        assert encoder.process(x).dtype == dtype
        assert beam.process(x).dtype == dtype
    assert streaming.Diffuseness(8000).process(x).dtype == dtype


def diffuseness_of_another_batch():
    meter = streaming.Diffuseness(8000)
    meter.process(np.zeros((2, 4, 10)))
    meter.process(np.zeros((3, 4, 10)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: streaming.Rotator([0.0, 1.0]), "one rotation, got 2"),
        (lambda: streaming.Rotator(np.nan), "yaw holds NaN"),
        (lambda: streaming.Rotator(1.0, rotation=np.eye(3)), "not both"),
        (lambda: streaming.Rotator(rotation=np.ones((3, 3))), "not orthonormal"),
        (lambda: streaming.Rotator().turn_to(0.1, over=0), "over must be a positive integer"),
        (lambda: streaming.Rotator().process(np.ones((100, 4))), r"channels-last: pass block\.T"),
        (lambda: streaming.Encoder([0.0, 1.0]), r"azimuth must be one number, got shape \(2,\)"),
        (lambda: streaming.Encoder(0.0, 2.0), "within ±90°"),
        (lambda: streaming.Encoder(0.0, order=-1), "order"),
        (lambda: streaming.Encoder(0.0, spread=7.0), "spread must be an angle from 0°"),
        (lambda: streaming.Encoder(0.0).move_to(0.0, 1.0, over=1.5), "over .*got 1.5"),
        (lambda: streaming.Encoder(0.0).process(1.0), "single number"),
        (lambda: streaming.Beamformer(0.0, pattern="laser"), "unknown pattern 'laser'"),
        (lambda: streaming.Beamformer([0.0, 1.0]).turn_to(1.0), r"shape \(2,\).*got shape \(\)"),
        (lambda: streaming.Diffuseness(-8000), "sample_rate must be positive"),
        (lambda: streaming.Diffuseness(8000, time_constant=0), "time_constant must be positive"),
        (diffuseness_of_another_batch, r"\(3,\), the ones before had \(2,\): call reset\(\)"),
        (lambda: streaming.Features(48000), "resample"),
        (lambda: streaming.Features(RATE, preset="dcase"), r"top_db=80.*pass top_db=None"),
        (lambda: streaming.Features(RATE, kind="mel"), "unknown kind 'mel'"),
        (lambda: streaming.Features(RATE, hop=0), "hop must be a positive integer"),
        (lambda: streaming.Features(RATE).flush(), "x has 0 samples: 257 or more"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ambikit.InputError, match=message):
        call()


@pytest.mark.parametrize(
    "processor",
    [
        streaming.Rotator(),
        streaming.Encoder(0.0),
        streaming.Beamformer(0.0),
        streaming.Diffuseness(8000),
        streaming.Features(RATE),
    ],
)
def test_integers_are_told_how_to_become_sound(processor):
    with pytest.raises(TypeError, match=r"block / 32768\.0"):
        processor.process(np.zeros((4, 10), np.int16))
