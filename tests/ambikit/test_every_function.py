"""Laws that every public function of arrays obeys, one test a law, all functions in each."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests.ambikit.rows import ALWAYS_SINGLE, BOXES, FIRST_ORDER, ONE_SIGNAL, ROWS, every_row

OF_NUMBERS = {
    "angles_to_vector",
    "array_filters",
    "beam_weights",
    "binaural_filters",
    "channels_of_order",
    "decoder_matrix",
    "decoder_quality",
    "fibonacci_sphere",
    "energy_decay",
    "find_peaks",
    "loudness",
    "icosphere",
    "image_source_response",
    "info",
    "lcmv_weights",
    "look_at",
    "loudspeaker_layout",
    "mixed_order_channels",
    "mvdr_weights",
    "order_of_channels",
    "read",
    "reverberation_time",
    "rotation_matrix",
    "set_threads",
    "sh_rotation_matrix",
    "sphere_head",
    "spherical_harmonics",
    "steering_vector",
    "tetrahedron",
    "to_ambisonics",
    "track_directions",
    "vbap_gains",
    "vector_to_angles",
}
"""Functions of angles, matrices, numbers and files, which have tests of their own."""


def test_every_function_of_arrays_has_a_row():
    public = {name for name in ambikit.__all__ if inspect.isfunction(getattr(ambikit, name))}
    tested = {row.name for row in ROWS} | ONE_SIGNAL | OF_NUMBERS
    assert public - tested == set(), "give it a row in rows.py"
    processors = {f"streaming.{name}" for name in ambikit.streaming.__all__}
    assert processors - tested == set(), "give it a row in rows.py"


@every_row()
def test_precision_is_kept(row):
    for dtype, half in ((np.float32, np.complex64), (np.float64, np.complex128)):
        got = row.call(row.example(dtype=dtype))
        if row.name in ALWAYS_SINGLE:
            assert got.dtype == np.float32
        else:
            assert got.dtype == (half if np.iscomplexobj(got) else dtype)


@every_row()
def test_single_precision_is_close_to_double(row):
    """To 1e-4 of the largest value, or 1e-3 dB."""
    single = row.example(dtype=np.float32)
    wide = single.astype(np.complex128 if np.iscomplexobj(single) else np.float64)
    expected = row.call(wide)
    assert_allclose(row.call(single), expected, atol=1e-4 * max(np.abs(expected).max(), 1))


@every_row()
def test_input_is_left_alone(row):
    """A read-only input would raise if it were written to."""
    x = row.example((2,))
    kept = x.copy()
    x.flags.writeable = False
    row.call(x)
    assert_array_equal(x, kept)


@every_row()
def test_result_is_no_view_of_the_input(row):
    """Writing to the result must not change what the caller has."""
    x = row.example()
    assert not np.shares_memory(row.call(x), x)


@every_row()
def test_batch_is_a_loop(row):
    x = row.example((2, 3))
    got = row.call(x)
    for index in np.ndindex(2, 3):
        expected = row.call(x[index])
        assert got[index].shape == expected.shape
        assert_allclose(got[index], expected, atol=1e-5 * max(np.abs(expected).max(), 1))


@every_row()
def test_empty_batch(row):
    assert row.call(row.example((0, 2))).shape == (0, 2, *row.call(row.example()).shape)


LAYOUTS = {
    "every second sample": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "columns first": np.asfortranarray,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "nested lists": lambda x: x.tolist(),
    "part of a wider array": lambda x: np.concatenate([x, x], axis=-1)[..., : x.shape[-1]],
    "one value, broadcast": lambda x: np.broadcast_to(x, (2, *x.shape))[1],
}


@every_row()
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_in_memory_does_not_matter(row, layout):
    x = row.example((2,))
    expected = row.call(x)
    got = row.call(LAYOUTS[layout](x))
    assert got.dtype == expected.dtype
    assert_allclose(got, expected, atol=1e-5 * max(np.abs(expected).max(), 1))


def of_sound(row):
    return row.takes in ("ambisonic", "sound")


@every_row(of_sound)
def test_half_precision_becomes_single(row):
    x = row.example(dtype=np.float16)
    got = row.call(x)
    assert got.dtype in (np.float32, np.complex64)
    assert_allclose(got, row.call(x.astype(np.float32)))


@every_row(lambda row: row.degree == 1 and row.name != "beamform_adaptive")
def test_linear(row):
    """A sum of sounds gives the sum of results."""
    x, y = row.example(seed=1), row.example(seed=2)
    got = row.call(0.5 * x + 2.0 * y)
    expected = 0.5 * row.call(x) + 2.0 * row.call(y)
    assert_allclose(got, expected, atol=1e-11 * np.abs(expected).max())


@every_row(lambda row: row.degree is not None)
def test_louder_sound(row):
    """Results scale as a power of the amplitude: 0 (ratios), 1 (sounds) or 2 (powers)."""
    x = row.example()
    for gain in (1 / 64, 64.0):
        expected = gain**row.degree * row.call(x)
        assert_allclose(row.call(gain * x), expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


@every_row()
def test_silence(row):
    got = row.call(np.zeros_like(row.example((2,))))
    if row.degree is None:
        channels = got.shape[-3]
        expected = np.repeat([-100.0, 0.0], [4, channels - 4])[:, None, None]
        assert_allclose(got, np.broadcast_to(expected, got.shape), rtol=1e-6, atol=0)
    else:
        assert_allclose(got, row.silence, rtol=1e-6, atol=0)


@every_row(of_sound)
@pytest.mark.parametrize("samples", [0, 1])
def test_one_sample_and_none(row, samples):
    """As little sound as there can be is no special case, or is too short by name."""
    little = np.ones((*BOXES[row.takes][:-1], samples))
    if row.name in ("foa_features", "mel_covariance"):
        with pytest.raises(ambikit.InputError, match=f"x has {samples} samples: 33 or more"):
            row.call(little)
        return
    got = row.call(little)
    assert np.isfinite(got).all()
    if row.name not in ("power_map", "stft", "streaming.Features"):
        assert got.shape[-1] == samples


@every_row(lambda row: row.name in FIRST_ORDER)
def test_higher_orders_play_no_part(row):
    x = row.example()
    more = np.concatenate([x, 100 * np.ones((5, 600))])
    expected = row.call(x)
    assert_allclose(row.call(more), expected, atol=1e-5 * max(np.abs(expected).max(), 1))


@pytest.mark.parametrize("axis", ["left_right", "front_back", "up_down"])
@pytest.mark.parametrize("order", [1, 3])
def test_turning_and_mirroring_keep_the_energy(axis, order):
    """In SN3D each degree keeps its own energy; beams and zooms need not."""
    x = np.random.default_rng(0).normal(size=((order + 1) ** 2, 100))
    degree = np.floor(np.sqrt(np.arange(len(x)))).astype(int)
    before = np.add.reduceat(x**2, np.flatnonzero(np.diff(degree, prepend=-1)), axis=0)
    for y in (ambikit.rotate(x, 1.0, 0.4, 2.0), ambikit.mirror(x, axis)):
        after = np.add.reduceat(y**2, np.flatnonzero(np.diff(degree, prepend=-1)), axis=0)
        assert_allclose(after, before, rtol=1e-10)
