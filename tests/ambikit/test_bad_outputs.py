"""Arrays for results that do not fit or overlap the input are refused; others are filled."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import ambikit
from ambikit import InputError, streaming
from tests.ambikit.rows import RATE, SMALL

X = np.random.default_rng(0).normal(size=(4, 600))
SPECTRA = ambikit.stft(X, n_fft=64)
BANDS = ambikit.mel_covariance(X, RATE, **SMALL)
NAN = float("nan")


# Outputs

OUTPUTS = {
    "rotate": (lambda x, out: ambikit.rotate(x, 0.5, out=out), (4, 600)),
    "rotate moving": (lambda x, out: ambikit.rotate(x, [0.5, 1.0], out=out), (4, 600)),
    "beamform": (lambda x, out: ambikit.beamform(x, [0.0, 1, 2, 3], out=out), (4, 600)),
    "encode": (lambda x, out: ambikit.encode(x[0], 0.5, out=out), (4, 600)),
    "encode moving": (lambda x, out: ambikit.encode(x[0], [0.5, 1.0], out=out), (4, 600)),
}
outputs = pytest.mark.parametrize(("call", "shape"), OUTPUTS.values(), ids=OUTPUTS)


@outputs
def test_outputs_that_do_not_fit(call, shape):
    frozen = np.empty(shape)
    frozen.flags.writeable = False
    repeated = np.lib.stride_tricks.as_strided(np.empty(shape[1]), shape, (0, 8))
    for out, message in (
        (np.empty((4, 599)), r"shape \(4, 600\), got float64 \(4, 599\)"),
        (np.empty(shape, np.float32), "float64 array.*got float32"),
        (np.empty(shape, np.dtype(float).newbyteorder()), "must be a float64 array.*got >f8"),
        (np.empty(shape).tolist(), "got list"),
        (frozen, "read-only"),
        (repeated, "in one place"),
    ):
        with pytest.raises(InputError, match=message):
            call(X, out)


@outputs
def test_outputs_that_overlap_the_input_are_refused(call, shape):
    """Sample t would be overwritten before sample t + 1 is read."""
    memory = np.zeros((8, 601))
    memory[:4, :600] = X
    for out in (memory[:4, 1:], memory[:4, :600][::-1], memory[:4, :600][:, ::-1]):
        with pytest.raises(InputError, match="overlaps the input"):
            call(memory[:4, :600], out)
        assert_array_equal(memory[:4, :600], X)


@outputs
def test_outputs_beside_the_input_are_right(call, shape):
    """The same memory, but no sample in common."""
    memory = np.zeros((8, 1200))
    memory[::2, ::2] = X
    expected = call(X, None)
    for out in (memory[1::2, ::2], memory[::2, 1::2]):
        np.testing.assert_allclose(call(memory[::2, ::2], out), expected, atol=1e-12)
        assert_array_equal(memory[::2, ::2], X)


@pytest.mark.parametrize("angles", [0.5, [0.5, 1.0]])
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[:], lambda x: x[..., 5:50]])
def test_rotation_in_place(angles, view):
    x = X.copy()
    expected = ambikit.rotate(view(x).copy(), angles)
    ambikit.rotate(view(x), angles, out=view(x))
    np.testing.assert_allclose(view(x), expected, atol=1e-12)


STREAMS = {
    "Rotator": (streaming.Rotator, (4, 600)),
    "Beamformer": (lambda: streaming.Beamformer(0.0), (600,)),
    "Diffuseness": (lambda: streaming.Diffuseness(48000), (600,)),
}


@pytest.mark.parametrize("name", STREAMS)
def test_outputs_of_streams_that_are_no_one_piece(name):
    """A kernel takes batches (B, ...): those of such an output are a copy, which nobody reads."""
    make, shape = STREAMS[name]
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 600))
    out = np.zeros((2, 4, *shape))[:, :3]
    results = []
    for target in (None, out):
        stream = make()
        if name != "Diffuseness":
            stream.turn_to(1.0, over=1000)
        results.append(stream.process(x, out=target))
    assert results[1] is out
    np.testing.assert_allclose(out, results[0], atol=1e-12)
