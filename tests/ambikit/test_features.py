"""Features against loops over the definitions, torchaudio's filters, and plane waves."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ambikit
from ambikit import InputError
from ambikit.features import _pooling, foa
from ambikit.features._mel import mel_filters
from tests.tolerance import assert_levels_close, assert_sums_close, transform_terms

RATE = 24000
TURN = ambikit.rotation_matrix(70, 25, -40, degrees=True)
SMALL = {"n_fft": 64, "window_length": 48, "hop": 24, "n_mels": 6, "fmin": 200.0, "fmax": 9000.0}


def noise(samples: int = 4800, channels: int = 4, seed: int = 0) -> np.ndarray:
    """Return independent white noise in each channel."""
    return np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)


def scene(samples: int = 9600) -> np.ndarray:
    """Return two sources and some diffuse noise, so that nothing is trivial."""
    a, b = noise(samples, 2, 1)
    x = ambikit.encode(a, 50, 20, degrees=True) + 0.5 * ambikit.encode(b, -120, -35, degrees=True)
    return (x + 0.1 * noise(samples)).astype(np.float32)


def bins_in_a_band(**overrides) -> int:
    """Return how many bins a band adds up at most."""
    filters = _pooling.feature_settings("avsa", overrides).filters
    return int((filters.matrix > 0).sum(axis=0).max())


def assert_same_features(got: np.ndarray, expected: np.ndarray, **settings) -> None:
    """Compare features of the same spectra, pooled by matrix products that may differ."""
    bins = bins_in_a_band(**settings)
    assert_levels_close(got[..., :4, :, :], expected[..., :4, :, :], bins)
    # The terms of intensity have magnitudes that add up to no more than the energy
    average = settings.get("average", 5)
    assert_sums_close(got[..., 4:, :, :], expected[..., 4:, :, :], 1.0, 2 * bins * average)


def torch_filters(
    n_fft: int, n_mels: int, fmin: float, fmax: float, scale: str = "slaney"
) -> np.ndarray:
    """Return torchaudio's filter bank, (bins, mels)."""
    functional = pytest.importorskip("torchaudio").functional
    with warnings.catch_warnings(action="ignore"):  # narrow bands may hold no bin
        return functional.melscale_fbanks(
            n_fft // 2 + 1, fmin, fmax, n_mels, RATE, norm="slaney", mel_scale=scale
        ).numpy()


def naive_spectra(x: np.ndarray, settings: _pooling.FeatureSettings) -> np.ndarray:
    """Compute spectra (frames, 4, bins) of the definition, in double precision."""
    n, half, length = settings.n_fft, settings.n_fft // 2, settings.window_length
    ends = [x[:, half:0:-1], x, x[:, -2 : -half - 2 : -1]]
    padded = np.concatenate(ends, axis=1).astype(float)
    begin = (n - length) // 2
    kernel = np.exp(-2j * np.pi * np.outer(np.arange(half + 1), np.arange(n)) / n)
    frames = np.zeros((x.shape[1] // settings.hop, 4, n))
    for t, frame in enumerate(frames):
        for k in range(length):
            hann = 0.5 - 0.5 * math.cos(2 * math.pi * k / length)
            frame[:, begin + k] = hann * padded[:, t * settings.hop + begin + k]
    return frames @ kernel.T


def naive(x: np.ndarray, settings: _pooling.FeatureSettings) -> np.ndarray:
    """Compute foa_iv features (7, frames, mels) bin by bin, in double precision."""
    s = settings
    matrix = torch_filters(s.n_fft, s.n_mels, s.fmin, s.fmax, s.mel_scale).astype(float)
    spectra = naive_spectra(x, s)
    count = len(spectra)
    level = np.zeros((4, count, s.n_mels))
    vector = np.zeros((3, count, s.n_mels))
    density = np.zeros((count, s.n_mels))
    for t, (w, y, z, front) in enumerate(spectra):
        for f in range(len(w)):
            i = [(w[f].conjugate() * v[f]).real for v in (front, y, z)]
            power = [abs(c[f]) ** 2 for c in (w, y, z, front)]
            if s.intensity == "dcase":
                i = [value / (1e-8 + power[0] + sum(power[1:]) / 3) for value in i]
            elif s.intensity == "salsa":
                i = [value / math.hypot(*i) for value in i]
            for m in range(s.n_mels):
                level[:, t, m] += matrix[f, m] * np.array(power) ** (s.power / 2)
                vector[:, t, m] += matrix[f, m] * np.array(i)
                density[t, m] += matrix[f, m] * sum(power) / 2
    if s.intensity == "bounded":
        reach = s.average // 2
        total = vector.copy()
        for t in range(count):
            near = slice(max(0, t - reach), t + reach + 1)
            total[:, t] = vector[:, near].sum(axis=1) / (density[near].sum(axis=0) + 1e-9)
        vector = total
    db = 10 * np.log10(np.maximum(level, 1e-10))
    if s.top_db is not None:
        db = np.maximum(db, db.max(axis=(1, 2), keepdims=True) - s.top_db)
    return np.concatenate([db, vector])


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize(
    ("n_fft", "n_mels", "fmin", "fmax"),
    [(512, 128, 0, 12000), (1024, 64, 0, 12000), (512, 128, 50, 12000), (256, 20, 300, 7000)],
)
def test_mel_filters_are_those_of_torchaudio(
    n_fft: int, n_mels: int, fmin: float, fmax: float, scale: str
) -> None:
    ours = mel_filters(RATE, n_fft, n_mels, fmin, fmax, scale)
    theirs = torch_filters(n_fft, n_mels, fmin, fmax, scale)
    np.testing.assert_allclose(ours.matrix, theirs, atol=2e-5 * theirs.max())
    sparse = np.zeros((len(theirs), n_mels + 1), np.float32)
    for k, (band, weights) in enumerate(zip(ours.band, ours.weights, strict=True)):
        sparse[k, band : band + 2] = weights
    np.testing.assert_array_equal(sparse[:, :-1], ours.matrix)
    assert not sparse[:, -1].any()


def test_slaney_scale_at_its_landmarks() -> None:
    """Slaney's Auditory Toolbox: 15 mels at 1 kHz, and 27 more at 6.4 kHz."""
    from ambikit.features._mel import hz_to_mel, mel_to_hz

    landmarks = np.array([0.0, 200 / 3, 1000.0, 6400.0])
    np.testing.assert_allclose(hz_to_mel(landmarks, "slaney"), [0, 1, 15, 42], atol=1e-12)
    np.testing.assert_allclose(mel_to_hz(np.array([0.0, 1, 15, 42]), "slaney"), landmarks)
    assert hz_to_mel(np.array(700.0), "htk") == pytest.approx(2595 * math.log10(2))


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("avsa", {}),
        ("avsa", {"power": 2, "average": 1, "mel_scale": "htk"}),
        ("avsa", {"average": 9, "top_db": 20.0}),
        ("dcase", {}),
        ("salsa", {"fmin": 300.0}),
    ],
)
def test_features_follow_their_definition(preset: str, overrides: dict) -> None:
    x = scene(480)
    settings = {**SMALL, **overrides}
    expected = naive(x, _pooling.feature_settings(preset, settings))
    got = ambikit.foa_features(x, RATE, preset=preset, **settings)
    assert got.dtype == np.float32
    loudest = expected[:4].max(axis=(0, 2))[:, None]
    assert_levels_close(got[:4], expected[:4], transform_terms(64), loudest)
    np.testing.assert_allclose(got[4:], expected[4:], atol=1e-4)
    levels = ambikit.foa_features(x, RATE, preset=preset, kind="logmel", **settings)
    assert_levels_close(levels, got[:4], bins_in_a_band(**settings))


@pytest.mark.kernel
@pytest.mark.parametrize("preset", ["avsa", "dcase", "salsa"])
@pytest.mark.parametrize("power", [1, 2])
def test_kernel_and_numpy_path_agree(preset: str, power: int) -> None:
    settings = _pooling.feature_settings(preset, {**SMALL, "power": power})
    signal = np.stack([scene(240), np.zeros((4, 240), np.float32)])
    rows = [np.full((2, 8, 10, 6), np.nan, np.float32) for _ in range(2)]
    _pooling._pool_numpy(signal, settings, 0, rows[0])
    _pooling._fill_compiled(signal, settings, 0, settings.intensity, rows[1])
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5, atol=1e-5 * np.abs(rows[0]).max())


@pytest.mark.kernel
@pytest.mark.parametrize("n_fft", [8, 16, 32, 64, 128])
def test_kernel_transforms_any_power_of_two(n_fft: int) -> None:
    """Each has another sequence of radices; 19 frames are a full group of lanes and a rest."""
    sizes = {"n_fft": n_fft, "window_length": n_fft - 2, "hop": 5, "n_mels": 2, "fmin": 0.0}
    settings = _pooling.feature_settings("avsa", {**sizes, "fmax": 12000.0})
    signal = scene(100)[None]
    rows = [np.full((1, 8, 19, 2), np.nan, np.float32) for _ in range(2)]
    _pooling._pool_numpy(signal, settings, 1, rows[0])
    _pooling._fill_compiled(signal, settings, 1, settings.intensity, rows[1])
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5, atol=1e-5 * np.abs(rows[0]).max())


@pytest.mark.kernel
@pytest.mark.parametrize("n_fft", [64, 60])
@pytest.mark.parametrize("samples", [40, 240, 24 * 19 + 7])
def test_covariance_follows_its_definition(n_fft: int, samples: int) -> None:
    """By the kernel and without it: a frame reflected at both ends, and full and ragged groups."""
    x, settings = scene(samples), {**SMALL, "n_fft": n_fft}
    got = ambikit.mel_covariance(x, RATE, **settings)
    s = _pooling.feature_settings("avsa", settings)
    spectra = naive_spectra(x, s)
    products = np.einsum("tif,tjf->ijtf", spectra, spectra.conj()).real
    pairs = ["WW", "WY", "WZ", "WX", "YY", "YZ", "YX", "ZZ", "ZX", "XX"]
    expected = [products["WYZX".index(i), "WYZX".index(j)] for i, j in pairs]
    expected = np.array(expected) @ torch_filters(n_fft, s.n_mels, s.fmin, s.fmax)
    assert got.dtype == np.float32
    loudest = expected[[0, 4, 7, 9]].sum(axis=0).max(axis=1, keepdims=True)
    assert_sums_close(got, expected.astype(np.float32), loudest, transform_terms(n_fft))


@pytest.mark.kernel
def test_covariance_is_the_same_by_kernel_and_numpy() -> None:
    settings = _pooling.feature_settings("avsa", SMALL)
    signal = np.stack([scene(480), np.zeros((4, 480), np.float32), noise(480)])
    rows = [np.full((3, 10, 20, 6), np.nan, np.float32) for _ in range(2)]
    _pooling._covariance_numpy(signal, settings, rows[0])
    _pooling._fill_compiled(signal, settings, 0, "covariance", rows[1])
    loudest = rows[0][:, [0, 4, 7, 9]].sum(axis=1).max(axis=2)[:, None, :, None]
    assert_sums_close(rows[0], rows[1], loudest, transform_terms(settings.n_fft))
    assert not rows[1][1].any()


@pytest.mark.parametrize("n_fft", [512, 480])
def test_covariance_knows_nothing_of_the_size_of_the_call(n_fft: int) -> None:
    x = scene(24000)
    settings = {"n_fft": n_fft, "window_length": 480, "n_mels": 32}
    whole = ambikit.mel_covariance(np.stack([noise(24000), x]), RATE, **settings)
    alone = ambikit.mel_covariance(x, RATE, **settings)
    part = ambikit.mel_covariance(x[:, :2400], RATE, **settings)
    # The products of two channels add up to no more than the energy of all
    energy, bins = alone[[0, 4, 7, 9]].sum(axis=0), bins_in_a_band(**settings)
    assert_sums_close(whole[1], alone, energy, bins)
    # The last frame sees the reflected end
    assert_sums_close(part[:, :9], alone[:, :9], energy[:9], bins)


def test_features_come_in_blocks_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    x = scene(4800)
    whole = ambikit.foa_features(x, RATE, average=7)
    monkeypatch.setattr(foa, "_BLOCK", 3 * 128)
    assert_same_features(ambikit.foa_features(x, RATE, average=7), whole, average=7)


def test_long_signals_take_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    x = scene(48000)
    short = ambikit.foa_features(x, RATE)
    monkeypatch.setattr(_pooling, "_KERNEL_PAYS", 0)
    long = ambikit.foa_features(x, RATE)
    loudest = short[:4].max(axis=(0, 2))[:, None]
    assert_levels_close(long[:4], short[:4], transform_terms(512), loudest)
    np.testing.assert_allclose(long[4:], short[4:], atol=1e-4)


@pytest.mark.parametrize(("preset", "mels"), [("avsa", 128), ("dcase", 64), ("salsa", 128)])
def test_presets(preset: str, mels: int) -> None:
    hop = {"avsa": 240, "dcase": 480, "salsa": 300}[preset]
    assert ambikit.foa_features(scene(), RATE, preset=preset).shape == (7, 9600 // hop, mels)
    assert len(ambikit.FEATURE_CHANNELS["foa_iv"]) == 7


@given(
    azimuth=st.floats(-180, 180), elevation=st.floats(-90, 90), gain=st.sampled_from([1e-3, 1, 30])
)
def test_plane_wave_gives_its_unit_vector(azimuth: float, elevation: float, gain: float) -> None:
    """N3D would give 0.866 of it, a lost 3 dB or another order of planes another direction."""
    x = ambikit.encode(gain * noise(2400, 1)[0], azimuth, elevation, degrees=True)
    vector = ambikit.foa_features(x, RATE)[4:]
    expected = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    np.testing.assert_allclose(
        vector, np.broadcast_to(expected[:, None, None], vector.shape), atol=2e-3
    )


def test_plane_wave_in_the_other_systems() -> None:
    x = ambikit.encode(noise(4800, 1)[0], 90, degrees=True)
    for preset, per_bin in (("dcase", 0.75), ("salsa", 1.0)):
        settings = _pooling.PRESETS[preset]
        row_sum = settings.filters.matrix.sum(axis=0)
        vector = ambikit.foa_features(x, RATE, preset=preset)[4:]
        np.testing.assert_allclose(
            vector[1], np.broadcast_to(per_bin * row_sum, vector[1].shape), rtol=2e-3
        )
        np.testing.assert_allclose(vector[[0, 2]], 0, atol=1e-6)
    sums = _pooling.PRESETS["dcase"].filters.matrix.sum(axis=0)
    assert 0.0415 * 0.99 < sums.min() < sums.max() < 0.0438 * 1.01  # as measured on librosa's


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 5]), st.floats(0, 3))
def test_intensity_is_bounded(seed: int, average: int, figure_of_eight: float) -> None:
    x = noise(1200, seed=seed) * np.float32([[1], [figure_of_eight], [1], [figure_of_eight]])
    vector = ambikit.foa_features(x, RATE, average=average)[4:]
    assert np.linalg.norm(vector, axis=0).max() <= 1 + 1e-5


def test_diffuse_field_needs_averaging_to_look_diffuse() -> None:
    x = noise(96000) * np.float32([[1], [3**-0.5], [3**-0.5], [3**-0.5]])
    lengths = [
        float(np.linalg.norm(ambikit.foa_features(x, RATE, average=a)[4:, :, :12], axis=0).mean())
        for a in (1, 5, 25)
    ]
    assert lengths[0] == pytest.approx(0.57, abs=0.04)  # the lowest bands are a bin or two wide
    assert lengths[0] > 1.5 * lengths[1] > 2 * lengths[2]


def test_silence_and_a_lone_omni() -> None:
    silent = ambikit.foa_features(np.zeros((4, 2400), np.float32), RATE)
    np.testing.assert_allclose(silent[:4], -100, rtol=1e-6)
    np.testing.assert_array_equal(silent[4:], 0)
    for preset in _pooling.PRESETS:
        omni = noise() * np.float32([[1], [0], [0], [0]])
        assert not ambikit.foa_features(omni, RATE, preset=preset)[4:].any()


def test_level_does_not_change_the_intensity() -> None:
    x = scene()
    loud, soft = (ambikit.foa_features(g * x, RATE) for g in (np.float32(8), np.float32(0.5)))
    np.testing.assert_allclose(loud[4:], soft[4:], atol=1e-4)
    np.testing.assert_allclose(loud[:4] - soft[:4], 10 * math.log10(16), atol=1e-3)


def test_turning_the_field_turns_the_vector() -> None:
    x = scene()
    turned = ambikit.foa_features(ambikit.rotate(x, rotation=TURN), RATE)
    vector = np.einsum("ij,jtm->itm", TURN, ambikit.foa_features(x, RATE)[4:])
    np.testing.assert_allclose(turned[4:], vector, atol=1e-4)


def test_batches_orders_and_types() -> None:
    clips = np.stack([scene(2400), noise(2400), -scene(2400)])
    together = ambikit.foa_features(clips[:, None], RATE)
    assert together.shape == (3, 1, 7, 10, 128)
    for k in range(3):
        assert_same_features(together[k, 0], ambikit.foa_features(clips[k], RATE))
    double = ambikit.foa_features(clips.astype(np.float64), RATE)
    assert double.dtype == np.float32
    third_order = np.concatenate([clips[0], noise(2400, 12)])
    assert_same_features(ambikit.foa_features(third_order, RATE), together[0, 0])


def test_covariance_holds_what_features_need() -> None:
    x = scene()
    c = ambikit.mel_covariance(x, RATE)
    assert c.shape == (10, 40, 128)
    got = ambikit.features_from_covariance(c)
    expected = ambikit.foa_features(x, RATE, power=2)
    loudest = expected[:4].max(axis=(0, 2))[:, None]
    assert_levels_close(got[:4], expected[:4], transform_terms(512), loudest)
    np.testing.assert_allclose(got[4:], expected[4:], atol=1e-4)
    levels = ambikit.features_from_covariance(c, kind="logmel", top_db=30.0)
    expected = ambikit.foa_features(x, RATE, kind="logmel", power=2, top_db=30.0)
    assert_levels_close(levels, expected, transform_terms(512), loudest)


def test_covariance_turns_like_the_sound() -> None:
    x = scene()
    c = ambikit.mel_covariance(x, RATE)
    expected = ambikit.mel_covariance(ambikit.rotate(x, rotation=TURN), RATE)
    np.testing.assert_allclose(ambikit.rotate_covariance(c, TURN), expected, atol=1e-5 * c.max())
    many = ambikit.rotate_covariance(c[None], np.stack([np.eye(3), TURN]))
    assert many.shape == (2, *c.shape)
    np.testing.assert_allclose(many[0], c, atol=1e-6 * c.max())
    np.testing.assert_allclose(many[1], expected, atol=1e-5 * c.max())
    assert many.dtype == np.float32


@pytest.mark.parametrize("pattern", ["basic", "cardioid", "hypercardioid"])
def test_covariance_beams_like_the_sound(pattern: str) -> None:
    x = scene()
    directions = ([50, -120, 0], [20, -35, 90])
    beams = ambikit.beamform(x, *directions, pattern=pattern, degrees=True)
    expected = [ambikit.mel_covariance(np.stack([b, 0 * b, 0 * b, 0 * b]), RATE)[0] for b in beams]
    c = ambikit.mel_covariance(x, RATE)
    got = ambikit.beamform_covariance(c, *directions, pattern=pattern, degrees=True)
    np.testing.assert_allclose(got, expected, atol=1e-5 * c.max())
    one = ambikit.beamform_covariance(c, 50, 20, pattern=pattern, degrees=True)
    # The ten products add up to no more than |w|² tr C, by Cauchy and Schwarz
    weights = ambikit.beam_weights(pattern, 50, 20, degrees=True)
    assert_sums_close(one, got[0], (weights**2).sum() * c[[0, 4, 7, 9]].sum(axis=0), 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate": 48000}, r"48000 Hz.*made for 24000 Hz.*sample_rate=24000"),
        ({"preset": "seld"}, "avsa, dcase, salsa"),
        ({"kind": "mel"}, "foa_iv"),
        ({"average": 4}, "odd"),
        ({"average": 5, "intensity": "dcase"}, "average=1"),
        ({"power": 3}, "power"),
        ({"fmax": 12001.0}, "12000"),
        ({"window_length": 600}, "n_fft"),
        ({"n_mels": 0}, "n_mels"),
        ({"mel_scale": "bark"}, "slaney, htk"),
        ({"intensity": "seld"}, "bounded"),
        ({"top_db": -1.0}, "top_db"),
        ({"x": np.zeros((4, 256), np.float32)}, "257"),
        ({"x": np.zeros((3, 4800), np.float32)}, "3 channels"),
    ],
)
def test_what_cannot_be_computed(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ambikit.foa_features(**{"x": scene(), "sample_rate": RATE, **arguments})


def test_shapes_that_do_not_fit() -> None:
    c = ambikit.mel_covariance(scene(), RATE)
    with pytest.raises(InputError, match="10, frames, mels"):
        ambikit.features_from_covariance(c[:9])
    with pytest.raises(InputError, match="broadcast"):
        ambikit.rotate_covariance(np.stack([c] * 3), np.stack([TURN] * 2))
    with pytest.raises(TypeError, match="hopp"):
        ambikit.foa_features(scene(), RATE, hopp=100)


@pytest.mark.parametrize("rate", [48000, 44100, 16000, 24000, 47999.5])
@pytest.mark.parametrize("call", [ambikit.foa_features, ambikit.mel_covariance])
def test_sound_of_another_rate_is_resampled_on_request(tmp_path, call, rate) -> None:
    """Right is what a file of that rate gives that is read at the preset's."""
    noise = np.random.default_rng(0).standard_normal((2, 2, round(rate)))
    x = ambikit.encode(noise, 1.0, 0.4, order=2).astype(np.float32)
    if rate != 24000:
        with pytest.raises(InputError, match="resample=True"):
            call(x, rate)
    got = call(x, rate, resample=True)
    assert got.shape[:2] == (2, 2)
    if rate == round(rate):
        ambikit.write(tmp_path / "a.wav", x[1, 0], rate)
        expected = call(*ambikit.read(tmp_path / "a.wav", sample_rate=24000))
        np.testing.assert_allclose(got[1, 0], expected, atol=1e-4 * np.abs(expected).max())
    with pytest.raises(InputError, match="samples"):
        call(x[..., :100], rate, resample=True)
