"""Streams to loudspeakers and to ears; and what all processors do with `out` and with memory."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit import InputError, streaming

RATE = 48_000
sizes_ = st.lists(st.integers(0, 40) | st.sampled_from([0, 1, 64, 500]), min_size=1, max_size=8)


def sound(samples, channels=4, leading=(), dtype=float):
    shape = (*leading, channels, samples)
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def stream(processor, x, sizes):
    edges = np.cumsum([0, *sizes])
    parts = [processor.process(x[..., a:b]) for a, b in pairwise(edges)]
    return np.concatenate(parts, axis=-1)


@pytest.mark.kernel
@settings(max_examples=12)
@given(sizes=sizes_, leading=st.sampled_from([(), (2,)]), order=st.sampled_from([1, 2]))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weighting": "max_re", "method": "epad"},
        {"dual_band": 900, "sample_rate": RATE},
        {"lfe": True, "sample_rate": RATE},
        {"dual_band": 900, "lfe": True, "sample_rate": RATE, "gains": np.arange(-3.0, 9.0)},
    ],
)
def test_decoder_is_decode(sizes, leading, order, options):
    x = sound(sum(sizes), (order + 1) ** 2, leading)
    got = stream(streaming.Decoder("7.1.4", **options), x, sizes)
    assert_allclose(got, ambikit.decode(x, "7.1.4", **options), atol=1e-9)


@pytest.mark.kernel
@settings(max_examples=12)
@given(sizes=sizes_, leading=st.sampled_from([(), (2,)]), order=st.sampled_from([1, 3]))
def test_binauralizer_is_decode_binaural(sizes, leading, order):
    x = sound(sum(sizes), (order + 1) ** 2, leading)
    ears = streaming.Binauralizer(RATE, 0.3, -0.2, 1.0, taps=16)
    expected = ambikit.decode_binaural(x, RATE, yaw=0.3, pitch=-0.2, roll=1.0, taps=16)
    assert_allclose(stream(ears, x, sizes), expected, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_head_that_turns(order):
    """Two targets, at the edges of blocks: keys of the function for the whole sound."""
    x = sound(1300, (order + 1) ** 2)
    ears = streaming.Binauralizer(RATE, taps=64)
    got = [ears.process(x[:, :100])]
    ears.turn_to(80, 10, degrees=True)
    got.append(ears.process(x[:, 100:600]))
    ears.turn_to(-30, degrees=True, over=700)
    got += [ears.process(x[:, a : a + 70]) for a in range(600, 1300, 70)]
    keys = {"yaw": [0, 0, 80, -30], "pitch": [0, 0, 10, 0], "times": [-1, 100, 600, 1300]}
    expected = ambikit.decode_binaural(x, RATE, taps=64, degrees=True, **keys)
    assert_allclose(np.concatenate(got, axis=1), expected, atol=1e-9)


@pytest.mark.kernel
@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=8),
    over=st.integers(1, 300),
    turn=st.tuples(*[st.floats(-4, 4)] * 3),
    inverse=st.booleans(),
)
def test_turns_are_cut_where_the_whole_is_cut(sizes, over, turn, inverse):
    """The kernel for first order takes the same control points, one a sample if turns are fast."""
    x = sound(sum(sizes), leading=(2,))
    rotator = streaming.Rotator(inverse=inverse)
    rotator.turn_to(*turn, over=over)
    yaw, pitch, roll = ([0, angle] for angle in turn)
    expected = ambikit.rotate(x, yaw, pitch, roll, times=[0, over], inverse=inverse)
    assert_allclose(stream(rotator, x, sizes), expected, atol=1e-10)


def test_blocks_of_every_length_change_nothing_of_the_past():
    """Short blocks go through a kernel and long ones through transforms; the past is one."""
    x = sound(6000, dtype=np.float32)
    sizes = [1, 2000, 3, 64, 700, 5, 3000, 227]
    got = stream(streaming.Binauralizer(RATE), x, sizes)
    assert_allclose(got, ambikit.decode_binaural(x, RATE), atol=2e-5)


PROCESSORS = {
    "Rotator": (lambda: streaming.Rotator(0.3), (4,)),
    "Encoder": (lambda: streaming.Encoder(0.3), (4,)),
    "Beamformer": (lambda: streaming.Beamformer([0.3, 2.0]), (2,)),
    "one Beamformer": (lambda: streaming.Beamformer(0.3), ()),
    "Diffuseness": (lambda: streaming.Diffuseness(RATE), ()),
    "Decoder": (lambda: streaming.Decoder("5.1"), (5,)),
    "Decoder of two bands": (
        lambda: streaming.Decoder("5.1", dual_band=800, sample_rate=RATE),
        (5,),
    ),
    "Binauralizer": (lambda: streaming.Binauralizer(RATE), (2,)),
}


def block_for(name, dtype=np.float32):
    return sound(64, dtype=dtype)[0] if name == "Encoder" else sound(64, dtype=dtype)


@pytest.mark.kernel
@pytest.mark.parametrize("name", PROCESSORS)
def test_out_is_filled(name):
    make, rows = PROCESSORS[name]
    block = block_for(name)
    expected = make().process(block)
    out = np.full((*rows, 64), 9, np.float32)
    assert make().process(block, out=out) is out
    assert_array_equal(out, expected)
    apart = np.full((*rows, 128), 9, np.float32)[..., ::2]
    # A product into memory that is not contiguous may be summed in another order.
    assert_allclose(make().process(block, out=apart), expected, atol=1e-6)
    turned = np.asfortranarray(block)
    assert_allclose(make().process(turned), expected, atol=1e-6)


@pytest.mark.kernel
@pytest.mark.parametrize("name", PROCESSORS)
def test_out_that_does_not_fit(name):
    make, rows = PROCESSORS[name]
    block = block_for(name)
    for out in (np.empty((*rows, 63), np.float32), np.empty((*rows, 64)), [0.0]):
        with pytest.raises(InputError, match="out must be a float32 array of shape"):
            make().process(block, out=out)
    if name not in ("Encoder", "Rotator"):
        shared = np.zeros(8 * 64, np.float32)
        with pytest.raises(InputError, match="out overlaps the input"):
            make().process(
                shared[: 4 * 64].reshape(4, 64),
                out=shared[8 : 8 + 64 * int(np.prod(rows))].reshape(*rows, 64),
            )


@pytest.mark.parametrize("name", sorted(set(PROCESSORS) - {"Decoder of two bands"}))
def test_no_memory_is_taken_after_the_start(name):
    """Arrays would be of 256 bytes a channel; what is left are Python's own small objects."""
    make, rows = PROCESSORS[name]
    processor, block = make(), block_for(name)
    out = np.empty((*rows, 64), np.float32)
    for _ in range(3):
        processor.process(block, out=out)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[1]
    for _ in range(20):
        processor.process(block, out=out)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 4096


def test_rotator_in_place():
    x = sound(64)
    expected = ambikit.rotate(x, 0.3)
    assert_allclose(streaming.Rotator(0.3).process(x, out=x), expected, atol=1e-12)


@pytest.mark.kernel
def test_other_kinds_of_blocks_in_between():
    """A list, another type, another order: each is checked anew, and the sound goes on."""
    for make, offline in (
        (lambda: streaming.Rotator(0.3), lambda x: ambikit.rotate(x, 0.3)),
        (lambda: streaming.Decoder("quad"), lambda x: ambikit.decode(x, "quad")),
        (lambda: streaming.Beamformer(0.3), lambda x: ambikit.beamform(x, 0.3)),
    ):
        processor = make()
        for block in (sound(9), sound(9).tolist(), sound(9, dtype=np.float32), sound(9, 9)):
            got = processor.process(block)
            assert_allclose(got, offline(np.asarray(block)), atol=1e-6)
            assert got.dtype == np.asarray(block).dtype


@pytest.mark.kernel
def test_what_streams_refuse():
    with pytest.raises(InputError, match="unknown head 'kemr'"):
        streaming.Binauralizer(RATE, head="kemr")
    with pytest.raises(InputError, match="dual_band needs the sample rate"):
        streaming.Decoder("5.1", dual_band=800)
    with pytest.raises(InputError, match="unknown method"):
        streaming.Decoder("5.1", method="best")
    bad = sound(64)
    bad[1, 3] = np.nan
    for processor in (
        streaming.Binauralizer(RATE),
        streaming.Decoder("5.1", dual_band=800, sample_rate=RATE),
    ):
        with pytest.raises(InputError, match="holds NaN or infinity"):
            processor.process(bad)
        with pytest.raises(InputError, match=r"call reset\(\) to begin another"):
            processor.process(sound(64, leading=(2,)))
        processor.reset()
        assert np.isfinite(processor.process(sound(64))).all()


FEATURES = {"n_fft": 64, "window_length": 64, "hop": 32, "n_mels": 8}


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["foa_iv", "logmel"])
@pytest.mark.parametrize("leading", [(), (2,)])
def test_features_into_out(kind, leading):
    """Blocks of any size: `frames` says how many come, and they lie at the front of `out`."""
    x = sound(2000, leading=leading, dtype=np.float32)
    stream = streaming.Features(24_000, kind=kind, **FEATURES)
    rows = len(ambikit.FEATURE_CHANNELS[kind])
    parts, begin = [], 0
    for size in (1, 70, 300, 0, 33, 900, 500, 196):
        block = x[..., begin : begin + size]
        expected = stream.frames(size)
        out = np.full((*leading, rows, expected + 2, 8), 9, np.float32)
        got = stream.process(block, out=out)
        assert got.shape[-2] == expected
        assert got.size == 0 or np.shares_memory(got, out)
        assert (out[..., expected:, :] == 9).all()
        parts.append(got.copy())
        begin += size
    parts.append(stream.flush())
    whole = ambikit.foa_features(x, 24_000, kind=kind, **FEATURES)
    assert_allclose(np.concatenate(parts, axis=-2), whole, atol=2e-4)


def test_features_take_no_memory_after_the_start():
    """Less than the block itself: objects of Python, but no array."""
    stream, block = streaming.Features(24_000), sound(480, dtype=np.float32)
    out = np.empty((7, 4, 128), np.float32)
    for _ in range(6):
        stream.process(block, out=out)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[1]
    for _ in range(20):
        assert stream.process(block, out=out).shape == (7, 2, 128)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert peak < 0.8 * block.nbytes


def test_features_into_out_that_does_not_fit():
    block = sound(480, dtype=np.float32)
    for out in (np.empty((7, 4, 128)), np.empty((4, 128), np.float32), [0.0]):
        with pytest.raises(InputError, match="out must be a float32 array of 3 dimensions"):
            streaming.Features(24_000).process(block, out=out)
    for shape in ((4, 4, 128), (7, 0, 128), (7, 4, 64)):
        stream = streaming.Features(24_000)
        stream.process(block)
        with pytest.raises(InputError, match="out must be a float32 array of shape"):
            stream.process(block, out=np.empty(shape, np.float32))
