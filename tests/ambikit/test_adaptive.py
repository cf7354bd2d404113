"""MVDR, LCMV and the whole adaptive beamformer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from tests.tolerance import assert_sums_close

seeds = st.integers(0, 2**32 - 1)
azimuths = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def complex_noise(seed, *shape):
    return noise(seed, *shape) + 1j * noise(seed + 1, *shape)


def some_covariance(seed, channels=4, frames=30):
    a = complex_noise(seed, channels, frames)
    return a @ a.conj().T / frames


def decibels(signal):
    return 10 * np.log10(np.mean(np.square(signal)))


# covariance and the application of weights


def test_covariance_is_the_mean_product():
    spectra = complex_noise(0, 2, 4, 3, 7)
    got = ambikit.covariance(spectra)
    assert got.shape == (2, 3, 4, 4)
    for clip, b, i, j in np.ndindex(2, 3, 4, 4):
        products = [spectra[clip, i, b, t] * np.conj(spectra[clip, j, b, t]) for t in range(7)]
        assert_allclose(got[clip, b, i, j], sum(products) / 7, atol=1e-12)


def test_beamform_spectra_is_the_conjugate_product():
    spectra, weights = complex_noise(1, 4, 3, 7), complex_noise(2, 3, 4)
    got = ambikit.beamform_spectra(spectra, weights)
    for b, t in np.ndindex(3, 7):
        assert_allclose(got[b, t], np.vdot(weights[b], spectra[:, b, t]), atol=1e-12)


def test_beamform_spectra_broadcasts():
    spectra, weights = complex_noise(1, 2, 4, 3, 7), complex_noise(2, 5, 3, 4)
    got = ambikit.beamform_spectra(spectra[:, None], weights)
    assert got.shape == (2, 5, 3, 7)
    one = ambikit.beamform_spectra(spectra[1], weights[4])
    summed = np.einsum("bc,cbt->bt", np.abs(weights[4]), np.abs(spectra[1]))
    assert_sums_close(got[1, 4], one, summed, 2 * 4)  # a complex product has two real ones
    fixed = ambikit.beam_weights("cardioid", 1.0)
    expected = ambikit.beamform_spectra(spectra, np.tile(fixed, (3, 1)))
    assert_allclose(ambikit.beamform_spectra(spectra, fixed), expected, atol=1e-14)


def test_fixed_weights_on_spectra_are_beamform():
    x = noise(3, 9, 700)
    beam = ambikit.beamform_spectra(
        ambikit.stft(x, n_fft=64), ambikit.beam_weights("max_re", 1.0, 0.3, order=2)
    )
    expected = ambikit.beamform(x, 1.0, 0.3, pattern="max_re")
    assert_allclose(ambikit.istft(beam, 700), expected, atol=1e-12)


# weights


@given(seed=seeds, loading=st.sampled_from([0.0, 1e-3, 10.0]))
def test_mvdr_does_not_distort(seed, loading):
    steering = complex_noise(seed + 7, 4)
    weights = ambikit.mvdr_weights(some_covariance(seed), steering, loading=loading)
    assert_allclose(np.vdot(weights, steering), 1, atol=1e-9)


@given(seed=seeds, power=st.floats(0.01, 1e4), white=st.floats(0.01, 10))
def test_mvdr_against_one_interferer(seed, power, white):
    """The inverse by Sherman and Morrison: R = white I + power b b^H."""
    source, other = complex_noise(seed, 4), complex_noise(seed + 3, 4)
    matrix = white * np.eye(4) + power * np.outer(other, other.conj())
    size = np.vdot(other, other).real
    applied = source - power * np.vdot(other, source) / (white + power * size) * other
    expected = applied / np.vdot(source, applied)
    assert_allclose(ambikit.mvdr_weights(matrix, source, loading=0), expected, atol=1e-9)


def test_loading_is_white_noise_relative_to_the_mean_power():
    other, source = complex_noise(1, 4), complex_noise(2, 4)
    matrix = np.outer(other, other.conj())
    mean = np.vdot(other, other).real / 4
    expected = ambikit.mvdr_weights(matrix + 0.01 * mean * np.eye(4), source, loading=0)
    assert_allclose(ambikit.mvdr_weights(matrix, source, loading=0.01), expected, atol=1e-12)
    louder = ambikit.mvdr_weights(1e12 * matrix, source, loading=0.01)
    assert_allclose(louder, expected, atol=1e-12)


@given(seed=seeds, azimuth=azimuths, elevation=elevations, order=st.integers(1, 3))
def test_much_loading_is_delay_and_sum(seed, azimuth, elevation, order):
    channels = (order + 1) ** 2
    source = ambikit.steering_vector(azimuth, elevation, order=order)
    matrix = some_covariance(seed, channels)
    got = ambikit.mvdr_weights(matrix, source, loading=1e9)
    assert_allclose(got, source / (source @ source), atol=1e-8)
    # scaled to N3D, it is the beam with the greatest directivity
    n3d = np.sqrt(np.repeat(2.0 * np.arange(order + 1) + 1, 2 * np.arange(order + 1) + 1))
    got = n3d * ambikit.mvdr_weights(matrix, n3d * source, loading=1e9)
    best = ambikit.beam_weights("max_di", azimuth, elevation, order=order)
    assert_allclose(got, best, atol=1e-8)


def test_much_loading_in_sn3d_is_the_cardioid():
    got = ambikit.mvdr_weights(some_covariance(0), ambikit.steering_vector(1.0), loading=1e9)
    assert_allclose(got, ambikit.beam_weights("cardioid", 1.0), atol=1e-8)


@given(seed=seeds, loading=st.sampled_from([0.0, 1e-3, 1.0]), count=st.integers(1, 4))
def test_lcmv_keeps_its_constraints_exactly(seed, loading, count):
    constraints, gains = complex_noise(seed + 5, count, 4), complex_noise(seed + 9, count)
    weights = ambikit.lcmv_weights(some_covariance(seed), constraints, gains, loading=loading)
    assert_allclose(constraints @ weights.conj(), gains, atol=1e-8)


@given(seed=seeds, count=st.integers(1, 3))
def test_lcmv_has_the_least_power(seed, count):
    """Whatever is added without touching the constraints makes the output louder."""
    matrix = some_covariance(seed)
    constraints, gains = complex_noise(seed + 5, count, 4), complex_noise(seed + 9, count)
    weights = ambikit.lcmv_weights(matrix, constraints, gains, loading=0)

    def power(w):
        return np.vdot(w, matrix @ w).real

    free = np.linalg.svd(constraints)[2][count:].conj().T  # constraints @ free = 0
    for k in range(5):
        change = 0.1 * (free @ complex_noise(k, 4 - count)).conj()
        assert_allclose(constraints @ (weights + change).conj(), gains, atol=1e-8)
        assert power(weights + change) > power(weights)


def test_lcmv_with_one_constraint_is_mvdr():
    matrix, source = some_covariance(3), complex_noise(4, 4)
    inverse = np.linalg.inv(matrix)
    expected = inverse @ source / np.vdot(source, inverse @ source)
    assert_allclose(ambikit.mvdr_weights(matrix, source, loading=0), expected, atol=1e-10)
    got = ambikit.lcmv_weights(matrix, source[None], [1.0], loading=0)
    assert_allclose(got, expected, atol=1e-10)


def test_weights_of_a_measured_covariance_cancel_what_was_measured():
    """Conjugates in the right places: a complex interferer, from spectra to the beam."""
    other, source = complex_noise(5, 4), complex_noise(6, 4)
    spectra = other[:, None, None] * complex_noise(7, 1, 3, 50)
    weights = ambikit.mvdr_weights(ambikit.covariance(spectra), source, loading=1e-9)
    assert abs(ambikit.beamform_spectra(spectra, weights)).max() < 1e-6 * abs(spectra).max()
    wanted = source[:, None, None] * complex_noise(8, 1, 3, 50)
    passed = ambikit.beamform_spectra(wanted, weights)
    assert_allclose(passed, wanted[0] / source[0], atol=1e-9)


def test_weights_in_batches():
    matrices = np.stack([some_covariance(k) for k in range(6)]).reshape(2, 3, 4, 4)
    steering = complex_noise(9, 5, 1, 1, 4)
    got = ambikit.mvdr_weights(matrices, steering)
    assert got.shape == (5, 2, 3, 4)
    constraints, gains = complex_noise(10, 3, 2, 4), noise(11, 2)
    both = ambikit.lcmv_weights(matrices, constraints, gains)
    for i, j in np.ndindex(2, 3):
        one = ambikit.mvdr_weights(matrices[i, j], steering[4, 0, 0])
        assert_allclose(got[4, i, j], one, atol=1e-12)
        one = ambikit.lcmv_weights(matrices[i, j], constraints[j], gains)
        assert_allclose(both[i, j], one, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_weights_keep_the_precision(dtype):
    matrix = some_covariance(1).real.astype(dtype)
    got = ambikit.mvdr_weights(matrix, ambikit.steering_vector(0.3))
    assert got.dtype == dtype
    expected = ambikit.mvdr_weights(matrix.astype(complex), ambikit.steering_vector(0.3))
    assert_allclose(got, expected, atol=1e-6)


def test_silence_has_the_weights_of_white_noise():
    source = ambikit.steering_vector(0.3)
    assert_allclose(ambikit.mvdr_weights(np.zeros((2, 4, 4)), source), [source / 2] * 2, atol=1e-14)


# from sound to sound


def scene(order=1, dtype=np.float64):
    """Voice in front, another at 40°, and a diffuse field 25 dB below."""
    rate = 16000
    voice, other = noise(20, 2, 3 * rate)
    gains = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(100), order)
    diffuse = gains.T @ noise(21, 100, 3 * rate) / 10 * 10 ** (-25 / 20)
    x = ambikit.encode(voice, 0.0, order=order)
    x += ambikit.encode(other, 40, 20, order=order, degrees=True)
    return (x + diffuse).astype(dtype), voice.astype(dtype), rate


@pytest.mark.parametrize("order", [1, 2])
def test_adaptive_beats_the_best_fixed_beam(order):
    x, voice, rate = scene(order)
    fixed = decibels(ambikit.beamform(x, 0.0, pattern="max_di") - voice)
    adaptive = decibels(ambikit.beamform_adaptive(x, rate, 0.0) - voice)
    assert adaptive < fixed - 6
    null = ambikit.beamform_adaptive(x, rate, 0.0, nulls=[[40, 20]], degrees=True)
    assert decibels(null - voice) < fixed - 6


def test_lots_of_loading_is_the_fixed_beam():
    x, _, rate = scene(2)
    got = ambikit.beamform_adaptive(x, rate, [0.4, -1.0], [0.1, 0.2], loading=1e9)
    expected = ambikit.beamform(x, [0.4, -1.0], [0.1, 0.2], pattern="max_di")
    assert_allclose(got, expected, atol=1e-7)


def test_nulls_are_silent_and_the_direction_passes():
    rate = 8000
    voice, left, below = noise(22, 3, rate)
    x = ambikit.encode(voice, 20, 10, degrees=True)
    x += ambikit.encode(left, 90, degrees=True) + ambikit.encode(below, 0, -80, degrees=True)
    got = ambikit.beamform_adaptive(x, rate, 20, 10, nulls=[[90, 0], [0, -80]], degrees=True)
    assert_allclose(got, voice, atol=1e-9)


def test_it_is_its_parts():
    x, _, rate = scene()
    spectra = ambikit.stft(x, n_fft=320)
    n3d = np.sqrt([1.0, 3, 3, 3])
    matrices = ambikit.covariance(spectra * n3d[:, None, None])
    weights = n3d * ambikit.mvdr_weights(matrices, n3d * ambikit.steering_vector(0.2), loading=0.1)
    beam = ambikit.beamform_spectra(spectra, weights)
    got = ambikit.beamform_adaptive(x, rate, 0.2, loading=0.1)
    assert_allclose(got, ambikit.istft(beam, x.shape[-1]), atol=1e-10)
    beam *= ambikit.cross_pattern_coherence(spectra, 0.2, floor=0.2)
    got = ambikit.beamform_adaptive(x, rate, 0.2, loading=0.1, post_filter="cropac", floor=0.2)
    assert_allclose(got, ambikit.istft(beam, x.shape[-1]), atol=1e-10)


def test_runs_do_not_show(monkeypatch):
    x, _, rate = scene()
    whole = ambikit.beamform_adaptive(x, rate, 0.2, post_filter="cropac")
    monkeypatch.setattr("ambikit.adaptive._RUN", 1)
    runs = ambikit.beamform_adaptive(x, rate, 0.2, post_filter="cropac")
    assert_allclose(runs, whole, atol=1e-10)


def test_post_filter_removes_diffuse_sound_and_keeps_the_source():
    rate, floor = 16000, 0.05
    gains = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(100))
    diffuse = gains.T @ noise(23, 100, 2 * rate) / 10
    plain = ambikit.beamform_adaptive(diffuse, rate, 0.5, loading=1e9)
    filtered = ambikit.beamform_adaptive(
        diffuse, rate, 0.5, loading=1e9, post_filter="cropac", floor=floor
    )
    assert decibels(filtered) < decibels(plain) - 10
    voice = noise(24, 2 * rate)
    got = ambikit.beamform_adaptive(ambikit.encode(voice, 0.5), rate, 0.5, post_filter="cropac")
    assert_allclose(got, voice, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_directions_and_dtype(dtype):
    x = np.stack([scene()[0][:, :6000], scene()[0][:, 6000:12000]]).astype(dtype)[:, None]
    x.flags.writeable = False
    got = ambikit.beamform_adaptive(x, 16000, [0.0, 1.0, 2.0], post_filter="cropac")
    assert got.dtype == dtype
    assert got.shape == (2, 1, 3, 6000)
    one = ambikit.beamform_adaptive(x[1, 0].astype(float), 16000, 2.0, post_filter="cropac")
    assert one.shape == (6000,)
    assert_allclose(got[1, 0, 2], one, atol=2e-3 if dtype == np.float32 else 1e-12)


def test_turning_the_field_and_the_direction():
    x, _, rate = scene()
    turned = ambikit.rotate(x, 1.0)
    got = ambikit.beamform_adaptive(turned, rate, 1.3, 0.2, post_filter="cropac")
    expected = ambikit.beamform_adaptive(x, rate, 0.3, 0.2, post_filter="cropac")
    assert_allclose(got, expected, atol=1e-8)


def test_silence_stays_silent():
    x = np.zeros((4, 3000), np.float32)
    assert_array_equal(ambikit.beamform_adaptive(x, 16000, 0.0, post_filter="cropac"), 0)


@pytest.mark.parametrize("shape", [(4, 0), (0, 4, 100), (4, 1)])
def test_next_to_nothing(shape):
    got = ambikit.beamform_adaptive(np.ones(shape), 8000, 0.0, post_filter="cropac")
    assert got.shape == (*shape[:-2], shape[-1])
    assert np.isfinite(got).all()


foa = np.ones((4, 800))
matrix = np.eye(4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ambikit.covariance(np.ones((4, 5, 6))), TypeError, "complex"),
        (lambda: ambikit.beamform_spectra(np.ones((4, 5, 6), complex), np.ones((3, 4))),
         ambikit.InputError, "weights must be"),
        (lambda: ambikit.mvdr_weights(np.ones((4, 3)), np.ones(4)),
         ambikit.InputError, r"\(4, 3\)"),
        (lambda: ambikit.mvdr_weights(np.triu(np.ones((4, 4))), np.ones(4)),
         ambikit.InputError, "Hermitian"),
        (lambda: ambikit.mvdr_weights(np.full((4, 4), np.nan), np.ones(4)),
         ambikit.InputError, "covariance holds NaN"),
        (lambda: ambikit.mvdr_weights(np.ones((4, 4)), np.ones(4), loading=0),
         ambikit.InputError, "raise loading"),
        (lambda: ambikit.mvdr_weights(matrix, np.ones(4), loading=-1),
         ambikit.InputError, "loading"),
        (lambda: ambikit.mvdr_weights(matrix, np.ones(3)), ambikit.InputError, r"\(3,\)"),
        (lambda: ambikit.mvdr_weights(matrix, np.zeros(4)), ambikit.InputError, "zero vector"),
        (lambda: ambikit.mvdr_weights(matrix, ["a"] * 4), TypeError, "numbers"),
        (lambda: ambikit.lcmv_weights(matrix, np.eye(4)[:2], [1.0]), ambikit.InputError, "gains"),
        (lambda: ambikit.lcmv_weights(matrix, np.ones((2, 4)), [1.0, 0.0]),
         ambikit.InputError, "depend on each other"),
        (lambda: ambikit.lcmv_weights(matrix, np.ones((5, 4)), np.ones(5)),
         ambikit.InputError, "too many"),
        (lambda: ambikit.beamform_adaptive(foa[:1], 8000, 0.0), ambikit.InputError, "order >= 1"),
        (lambda: ambikit.beamform_adaptive(foa * np.nan, 8000, 0.0), ambikit.InputError, "NaN"),
        (lambda: ambikit.beamform_adaptive(foa, 0, 0.0), ambikit.InputError, "sample_rate"),
        (lambda: ambikit.beamform_adaptive(foa, 8000, 0.0, window_length=-1),
         ambikit.InputError, "window_length"),
        (lambda: ambikit.beamform_adaptive(foa, 8000, 0.0, post_filter="wiener"),
         ambikit.InputError, "cropac"),
        (lambda: ambikit.beamform_adaptive(foa, 8000, 0.0, floor=2), ambikit.InputError, "floor"),
        (lambda: ambikit.beamform_adaptive(foa, 8000, 0.0, nulls=[1.0, 0.0]),
         ambikit.InputError, "nulls must be"),
        (lambda: ambikit.beamform_adaptive(foa, 8000, 0.0, nulls=[[0.0, 0.0]]),
         ambikit.InputError, "depend on each other"),
    ],
)  # fmt: skip
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
