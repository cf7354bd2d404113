"""Short-time spectra, and intensity and diffuseness on them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit

seeds = st.integers(0, 2**32 - 1)
angles = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)
odd = st.integers(0, 4).map(lambda k: 2 * k + 1)
VARIANTS = ("bounded", "dcase", "salsa")


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def spectra_of(seed, channels=4, bins=9, frames=11):
    """Spectra that are no signal's, with a silent corner."""
    s = noise(seed, channels, bins, frames) + 1j * noise(seed + 1, channels, bins, frames)
    s[:, :4, :5] = 0
    return s


def naive_average(spectra, b, t, average):
    """Mean of W* (X, Y, Z) and of the energy density over the box around one bin and frame."""
    frames, bins = average
    intensity, energy, count = np.zeros(3), 0.0, 0
    for j in range(b - bins // 2, b + bins // 2 + 1):
        for k in range(t - frames // 2, t + frames // 2 + 1):
            if 0 <= j < spectra.shape[1] and 0 <= k < spectra.shape[2]:
                w, y, z, x = spectra[:4, j, k]
                intensity += [(np.conj(w) * v).real for v in (x, y, z)]
                energy += 0.5 * sum(abs(c) ** 2 for c in (w, x, y, z))
                count += 1
    return intensity / count, energy / count


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman"])
@pytest.mark.parametrize("hop", [16, 24, 64, 100])
def test_stft_is_scipys(window, hop):
    x = noise(0, 4, 611)
    engine = scipy.signal.ShortTimeFFT(
        scipy.signal.get_window(window, 64), hop, fs=1, phase_shift=None
    )
    frames = 1 + -(-611 // hop)
    expected = np.zeros((4, 33, frames), complex)  # scipy leaves out frames wholly outside
    known = engine.stft(x, p0=0, p1=min(frames, engine.p_max(611)))
    expected[..., : known.shape[-1]] = known
    got = ambikit.stft(x, n_fft=64, hop=hop, window=window)
    assert got.shape == expected.shape
    assert_allclose(got, expected, atol=1e-11)


def test_stft_takes_the_window_itself():
    x, window = noise(1, 300), noise(2, 32)
    got = ambikit.stft(x, n_fft=32, hop=8, window=window, center=False)
    assert got.shape == (17, 1 + (300 - 32) // 8)
    assert_allclose(got[:, 5], np.fft.rfft(x[40:72] * window), atol=1e-12)


def test_stft_without_centring_has_only_whole_frames():
    assert ambikit.stft(noise(1, 31), n_fft=32, center=False).shape == (17, 0)
    assert ambikit.stft(noise(1, 32), n_fft=32, center=False).shape == (17, 1)


def test_tiles_do_not_show(monkeypatch):
    x = noise(3, 4, 5000)
    whole = ambikit.stft(x, n_fft=64)
    back = ambikit.istft(whole, 5000)
    monkeypatch.setattr("ambikit._framing._TILE", 3 * 4 * 64)
    assert_allclose(ambikit.stft(x, n_fft=64), whole, atol=1e-12)
    assert_allclose(ambikit.istft(whole, 5000), back, atol=1e-12)


@given(
    seed=seeds,
    samples=st.integers(1, 500),
    half=st.integers(2, 40),
    share=st.floats(0.05, 1.0),
    window=st.sampled_from(["hann", "hamming", "blackman"]),
    single=st.booleans(),
)
def test_istft_undoes_stft(seed, samples, half, share, window, single):
    x = noise(seed, 2, samples).astype(np.float32 if single else np.float64)
    hop = max(1, int(half * share))
    spectra = ambikit.stft(x, n_fft=2 * half, hop=hop, window=window)
    assert spectra.dtype == (np.complex64 if single else np.complex128)
    back = ambikit.istft(spectra, samples, hop=hop, window=window)
    assert back.dtype == x.dtype
    assert back.shape == x.shape
    assert_allclose(back, x, atol=2e-5 if single else 1e-12)


def test_istft_is_the_nearest_signal():
    """Of spectra that belong to no signal: whatever the signal is changed by, the error grows."""
    spectra = spectra_of(5, channels=1, bins=17, frames=14)
    back = ambikit.istft(spectra, 100, hop=8)

    def error(signal):
        difference = abs(ambikit.stft(signal, n_fft=32, hop=8) - spectra) ** 2
        difference[..., 1:-1, :] *= 2  # one-sided spectra hold these bins for two
        return difference.sum()

    best = error(back)
    for seed in range(20):
        assert error(back + 1e-3 * noise(seed, 1, 100)) > best


@given(azimuth=angles, elevation=elevations, seed=seeds)
def test_intensity_points_to_the_source(azimuth, elevation, seed):
    sound = noise(seed, 400)
    spectra = ambikit.stft(ambikit.encode(sound, azimuth, elevation, order=2), n_fft=64)
    power = abs(ambikit.stft(sound, n_fft=64)) ** 2
    towards = ambikit.angles_to_vector(azimuth, elevation)
    expected = towards[:, None, None] * power
    assert_allclose(ambikit.spectral_intensity(spectra), expected, atol=1e-10)


def test_intensity_is_active():
    """A standing wave, pressure and velocity in quadrature, carries nothing."""
    spectra = spectra_of(0)
    spectra[1:] = 1j * spectra[:1] * np.array([0.3, -0.2, 1.0])[:, None, None]
    assert_allclose(ambikit.spectral_intensity(spectra), 0, atol=1e-14)


@given(seed=seeds, average=st.tuples(odd, odd))
def test_averages_are_the_definition(seed, average):
    spectra = spectra_of(seed)
    got = ambikit.spectral_normalized_intensity(spectra, average=average)
    psi = ambikit.spectral_diffuseness(spectra, average=average)
    for b, t in [(0, 0), (2, 2), (4, 5), (8, 10), (8, 0)]:
        intensity, energy = naive_average(spectra, b, t, average)
        expected = intensity / energy if energy else np.zeros(3)
        assert_allclose(got[:, b, t], expected, atol=1e-12)
        assert_allclose(psi[b, t], 1 - np.linalg.norm(expected), atol=1e-12)


@given(seed=seeds, average=st.tuples(odd, odd), single=st.booleans())
def test_bounds(seed, average, single):
    spectra = spectra_of(seed) * 10.0 ** noise(seed, 9, 11)
    spectra[1:4] += spectra[0] * ambikit.steering_vector(1.0, 0.3)[1:, None, None] * 1e4
    spectra = spectra.astype(np.complex64 if single else np.complex128)
    i = ambikit.spectral_normalized_intensity(spectra, average=average)
    psi = ambikit.spectral_diffuseness(spectra, average=average)
    assert i.dtype == psi.dtype == (np.float32 if single else np.float64)
    length = np.linalg.norm(i.astype(np.float64), axis=0)
    assert length.max() <= 1 + 4 * np.finfo(i.dtype).eps
    assert psi.min() >= 0
    assert psi.max() <= 1
    assert_allclose(length, 1 - psi, atol=1e-6 if single else 1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [1e-12, 1.0, 1e6])
def test_plane_wave(dtype, level):
    """Length 1 at any level, and 0.75 by the DCASE form where its 1e-8 does not matter."""
    sound = (level * noise(6, 4000)).astype(dtype)
    towards = ambikit.angles_to_vector(-100, 40, degrees=True)[:, None, None]
    spectra = ambikit.stft(ambikit.encode(sound, -100, 40, degrees=True), n_fft=256)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for variant in ("bounded", "salsa"):
        i = ambikit.spectral_normalized_intensity(spectra, variant=variant)
        assert_allclose(i, np.broadcast_to(towards, i.shape), atol=tolerance)
    assert_allclose(ambikit.spectral_diffuseness(spectra), 0, atol=tolerance)
    if level >= 1:
        i = ambikit.spectral_normalized_intensity(spectra[..., 1:-1], variant="dcase")
        assert_allclose(i[:, 2:-2], np.broadcast_to(0.75 * towards, i[:, 2:-2].shape), atol=1e-4)


@pytest.mark.parametrize("average", [(1, 1), (9, 5), (101, 21)])
def test_rounding_does_not_break_the_bound(average):
    """Of one plane wave in single precision, sums alone give lengths up to 1 + 4e-7."""
    x = ambikit.encode(noise(10, 20000).astype(np.float32), 1.0, 0.3)
    spectra = ambikit.stft(x, n_fft=256)
    i = ambikit.spectral_normalized_intensity(spectra, average=average)
    assert np.linalg.norm(i.astype(np.float64), axis=0).max() <= 1 + np.finfo(np.float32).eps


@given(seed=seeds, average=st.tuples(odd, odd))
def test_variants_are_ratios_first(seed, average):
    s = spectra_of(seed)
    w, y, z, x = s
    intensity = np.stack([(np.conj(w) * v).real for v in (x, y, z)])
    power = abs(s) ** 2
    dcase = intensity / (1e-8 + power[0] + power[1:].sum(axis=0) / 3)
    size = np.linalg.norm(intensity, axis=0)
    salsa = np.divide(intensity, size, out=np.zeros_like(intensity), where=size > 0)
    for variant, ratio in (("dcase", dcase), ("salsa", salsa)):
        got = ambikit.spectral_normalized_intensity(s, average=average, variant=variant)
        for b, t in [(0, 0), (4, 5), (8, 10)]:
            rows = slice(max(0, b - average[1] // 2), b + average[1] // 2 + 1)
            columns = slice(max(0, t - average[0] // 2), t + average[0] // 2 + 1)
            mean = ratio[:, rows, columns].mean(axis=(1, 2))
            assert_allclose(got[:, b, t], mean, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_silence(variant):
    spectra = np.zeros((4, 5, 6), np.complex64)
    assert_array_equal(ambikit.spectral_normalized_intensity(spectra, variant=variant), 0)
    assert_array_equal(ambikit.spectral_diffuseness(spectra), 1)


def test_silence_after_sound_is_silent():
    """A running sum that subtracts leaves a direction of rounding errors behind a loud sound."""
    spectra = np.zeros((4, 3, 40), np.complex64)
    spectra[..., :10] = 1e3 * spectra_of(1, bins=3, frames=10)
    assert_array_equal(ambikit.spectral_normalized_intensity(spectra)[..., 14:], 0)
    assert_array_equal(ambikit.spectral_diffuseness(spectra)[..., 14:], 1)


@given(seed=seeds, yaw=angles, pitch=angles, roll=angles)
def test_diffuseness_ignores_rotation_and_intensity_turns(seed, yaw, pitch, roll):
    x = noise(seed, 4, 300)
    turned = ambikit.stft(ambikit.rotate(x, yaw, pitch, roll), n_fft=32)
    spectra = ambikit.stft(x, n_fft=32)
    assert_allclose(
        ambikit.spectral_diffuseness(turned), ambikit.spectral_diffuseness(spectra), atol=1e-10
    )
    matrix = ambikit.rotation_matrix(yaw, pitch, roll)
    expected = np.einsum("ij,jbt->ibt", matrix, ambikit.spectral_normalized_intensity(spectra))
    assert_allclose(ambikit.spectral_normalized_intensity(turned), expected, atol=1e-10)


def test_diffuse_field():
    """As promised in the notes; N3D would give 0.85 and 0.50."""
    gains = ambikit.spherical_harmonics(ambikit.fibonacci_sphere(200))
    spectra = ambikit.stft(gains.T @ noise(7, 200, 96000))
    assert_allclose(ambikit.spectral_diffuseness(spectra).mean(), 0.82, atol=0.01)
    bare = ambikit.spectral_diffuseness(spectra, average=(1, 1)).mean()
    assert_allclose(bare, 0.43, atol=0.01)


def test_batch_is_a_loop():
    x = noise(8, 2, 3, 4, 500)
    spectra = ambikit.stft(x, n_fft=64)
    i, psi = ambikit.spectral_normalized_intensity(spectra), ambikit.spectral_diffuseness(spectra)
    back = ambikit.istft(spectra, 500)
    for place in np.ndindex(2, 3):
        one = ambikit.stft(x[place], n_fft=64)
        assert_allclose(spectra[place], one, atol=1e-12)
        assert_allclose(i[place], ambikit.spectral_normalized_intensity(one), atol=1e-10)
        assert_allclose(psi[place], ambikit.spectral_diffuseness(one), atol=1e-10)
        assert_allclose(back[place], ambikit.istft(one, 500), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 0), (0, 4, 100), (4, 1)])
def test_next_to_nothing(shape):
    spectra = ambikit.stft(np.ones(shape))
    assert_allclose(ambikit.istft(spectra, shape[-1]), np.ones(shape))
    assert ambikit.spectral_diffuseness(spectra).shape == (*shape[:-2], *spectra.shape[-2:])


def test_inputs_stay_as_they_are():
    x = noise(9, 4, 500)
    x.flags.writeable = False
    spectra = ambikit.stft(x[:, ::2], n_fft=64)
    spectra.flags.writeable = False
    before = spectra.copy()
    ambikit.spectral_normalized_intensity(spectra, variant="salsa")
    ambikit.spectral_diffuseness(spectra)
    ambikit.istft(spectra, 250)
    assert_array_equal(spectra, before)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ambikit.stft(np.zeros(9), n_fft=63), ambikit.InputError, "n_fft must be even"),
        (lambda: ambikit.stft(np.zeros(9), hop=0), ambikit.InputError, "hop must be a positive"),
        (lambda: ambikit.stft(np.zeros(9), window="han"), ambikit.InputError, "choose one of hann"),
        (lambda: ambikit.stft(np.zeros(9), window=np.ones(9)), ambikit.InputError, "n_fft = 1024"),
        (lambda: ambikit.stft(np.zeros(9, int)), TypeError, "integers"),
        (lambda: ambikit.stft(np.zeros(9, complex)), TypeError, "real floats"),
        (lambda: ambikit.istft(np.zeros((5, 9)), 16), TypeError, "complex"),
        (lambda: ambikit.istft(np.zeros((5, 8), complex), 16), ambikit.InputError, "have 9"),
        (
            lambda: ambikit.istft(np.zeros((5, 4), complex), 24, hop=8),
            ambikit.InputError,
            "a hop of 8 is too long",
        ),
        (
            lambda: ambikit.spectral_intensity(np.zeros((3, 5, 9), complex)),
            ambikit.InputError,
            "3 channels",
        ),
        (
            lambda: ambikit.spectral_diffuseness(np.zeros((1, 5, 9), complex)),
            ambikit.InputError,
            "order >= 1",
        ),
        (
            lambda: ambikit.spectral_diffuseness(np.zeros((4, 5, 9), complex), average=(4, 1)),
            ambikit.InputError,
            "both odd",
        ),
        (
            lambda: ambikit.spectral_normalized_intensity(
                np.zeros((4, 5, 9), complex), variant="energy"
            ),
            ambikit.InputError,
            "unknown variant",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
