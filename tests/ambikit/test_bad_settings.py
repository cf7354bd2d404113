"""Names and numbers that cannot be used are refused, with what is expected."""

from __future__ import annotations

import numpy as np
import pytest

import ambikit
from ambikit import InputError
from tests.ambikit.rows import RATE, SMALL

X = np.random.default_rng(0).normal(size=(4, 600))
SPECTRA = ambikit.stft(X, n_fft=64)
BANDS = ambikit.mel_covariance(X, RATE, **SMALL)
NAN = float("nan")


# Names

NAMES = {
    "pattern": lambda v: ambikit.beamform(X, 0.0, pattern=v),
    "pattern of weights": lambda v: ambikit.beam_weights(v, 0.0),
    "pattern of a map": lambda v: ambikit.power_map(X, 0.0, pattern=v),
    "pattern on bands": lambda v: ambikit.beamform_covariance(BANDS, 0.0, pattern=v),
    "preset": lambda v: ambikit.foa_features(X, RATE, preset=v),
    "kind": lambda v: ambikit.foa_features(X, RATE, kind=v, **SMALL),
    "mel_scale": lambda v: ambikit.foa_features(X, RATE, mel_scale=v, **SMALL),
    "intensity": lambda v: ambikit.foa_features(X, RATE, intensity=v, **SMALL),
    "variant": lambda v: ambikit.spectral_normalized_intensity(SPECTRA, variant=v),
    "source": lambda v: ambikit.convert(X, v, "ambix"),
    "target": lambda v: ambikit.convert(X, "ambix", v),
    "method": lambda v: ambikit.localize(X, RATE, method=v),
    "axis": lambda v: ambikit.mirror(X, v),
    "preserve": lambda v: ambikit.warp(X, 0.0, 0.0, 0.1, preserve=v),
    "post_filter": lambda v: ambikit.beamform_adaptive(X, RATE, 0.0, post_filter=v),
}


@pytest.mark.parametrize("call", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("name", ["laser", "", 1, ["cardioid"], np.ones(2)])
def test_names(call, name):
    with pytest.raises(InputError, match=r"unknown .*choose one of \w+"):
        call(name)


# Numbers

WHOLE = {
    "channels_of_order": ambikit.channels_of_order,
    "fibonacci_sphere": ambikit.fibonacci_sphere,
    "icosphere": ambikit.icosphere,
    "spherical_harmonics": lambda v: ambikit.spherical_harmonics([1.0, 0.0, 0.0], v),
    "sh_rotation_matrix": lambda v: ambikit.sh_rotation_matrix(np.eye(3), v),
    "steering_vector": lambda v: ambikit.steering_vector(0.0, order=v),
    "encode": lambda v: ambikit.encode(X[0], 0.0, order=v),
    "encode_diffuse": lambda v: ambikit.encode_diffuse(X[0], order=v),
    "encode_diffuse length": lambda v: ambikit.encode_diffuse(X[0], length=v),
    "encode_diffuse seed": lambda v: ambikit.encode_diffuse(X[0], length=64, seed=v),
    "stft n_fft": lambda v: ambikit.stft(X, n_fft=v),
    "stft hop": lambda v: ambikit.stft(X, n_fft=64, hop=v),
    "istft samples": lambda v: ambikit.istft(SPECTRA, v),
    "features n_fft": lambda v: ambikit.foa_features(X, RATE, **{**SMALL, "n_fft": v}),
    "features hop": lambda v: ambikit.foa_features(X, RATE, **{**SMALL, "hop": v}),
    "features n_mels": lambda v: ambikit.foa_features(X, RATE, **{**SMALL, "n_mels": v}),
    "features average": lambda v: ambikit.foa_features(X, RATE, average=v, **SMALL),
    "average": lambda v: ambikit.spectral_diffuseness(SPECTRA, average=(v, 3)),
    "n_peaks": lambda v: ambikit.find_peaks(np.ones(3), [0.0, 1.0, 2.0], 0.0, n_peaks=v),
    "n_sources": lambda v: ambikit.localize(np.tile(X, 2), RATE, n_sources=v),
}


@pytest.mark.parametrize("call", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("value", [-1, 1.5, 2.0, NAN, "2", True])
def test_whole_numbers(call, value):
    with pytest.raises(InputError, match=r"must be .*got"):
        call(value)


POSITIVE = {
    "normalized_intensity": lambda v: ambikit.normalized_intensity(X, v),
    "diffuseness": lambda v: ambikit.diffuseness(X, v),
    "time_constant": lambda v: ambikit.diffuseness(X, RATE, time_constant=v),
    "beamform_adaptive": lambda v: ambikit.beamform_adaptive(X, v, 0.0),
    "window_length": lambda v: ambikit.beamform_adaptive(X, RATE, 0.0, window_length=v),
    "localize": lambda v: ambikit.localize(X, v),
    "intensity_map": lambda v: ambikit.intensity_map(X, v, 0.0),
    "foa_features": lambda v: ambikit.foa_features(X, v, **SMALL),
    "mel_covariance": lambda v: ambikit.mel_covariance(X, v, **SMALL),
    "top_db": lambda v: ambikit.foa_features(X, RATE, top_db=v, **SMALL),
}
RANGES = {
    "gain_db": (lambda v: ambikit.directional_gain(X, 0.0, 0.0, v, 1.0), [NAN, np.inf]),
    "width": (lambda v: ambikit.directional_gain(X, 0.0, 0.0, 1.0, v), [0.0, -1.0, 7.0]),
    "zoom": (lambda v: ambikit.zoom(X, 0.0, 0.0, v), [-1.0, 1.0, NAN, np.inf]),
    "warp": (lambda v: ambikit.warp(X, 0.0, 0.0, v), [-1.0, 1.0, NAN]),
    "spread": (lambda v: ambikit.encode(X[0], 0.0, spread=v), [-0.1, 7.0]),
    "floor": (lambda v: ambikit.cross_pattern_coherence(SPECTRA, 0.0, floor=v), [-0.1, 1.1, NAN]),
    "loading": (lambda v: ambikit.mvdr_weights(np.eye(4), [1, 0, 0, 1], loading=v), [-1.0, NAN]),
    "separation": (lambda v: ambikit.find_peaks([1.0], [0.0], 0.0, separation=v), [-1.0, 0.0]),
    "threshold": (lambda v: ambikit.find_peaks([1.0], [0.0], 0.0, threshold=v), [-0.1, 1.1, NAN]),
    "fmin": (lambda v: ambikit.foa_features(X, RATE, fmin=v, **SMALL), [-1.0, 12_000.0, NAN]),
    "fmax": (lambda v: ambikit.foa_features(X, RATE, fmax=v, **SMALL), [0.0, 12_001.0, NAN]),
}


@pytest.mark.parametrize("call", POSITIVE.values(), ids=POSITIVE)
@pytest.mark.parametrize("value", [-1.0, 0.0, NAN, np.inf])
def test_positive_numbers(call, value):
    with pytest.raises(InputError, match=r"must be positive.*got|sample_rate is .*resample"):
        call(value)


@pytest.mark.parametrize(
    ("call", "value"), [(call, v) for call, values in RANGES.values() for v in values]
)
def test_numbers_out_of_range(call, value):
    with pytest.raises(InputError, match=r"must (be|lie|satisfy).*got"):
        call(value)


@pytest.mark.parametrize("value", ["8000", None, 1j, True, [8000.0, 8000.0]])
@pytest.mark.parametrize(
    "call",
    [
        *(call for name, call in POSITIVE.items() if name != "top_db"),
        *(RANGES[name][0] for name in ("gain_db", "zoom", "floor", "loading", "threshold", "fmin")),
    ],
)
def test_numbers_of_wrong_types(call, value):
    with pytest.raises(TypeError, match="must be one real number, got"):
        call(value)


def test_more_bands_than_bins():
    """Bands of a mel spectrogram that hold no bin would say -100 dB of any sound."""
    settings = {"n_fft": 64, "window_length": 64, "hop": 32}
    for n_mels in (20, 40):
        with pytest.raises(InputError, match=rf"n_mels \({n_mels}\) is too many for n_fft=64"):
            ambikit.foa_features(X, RATE, n_mels=n_mels, **settings)
    with pytest.raises(InputError, match="10 of the bands hold no bin, the first is number 0"):
        ambikit.mel_covariance(X, RATE, n_mels=40, **settings)
    levels = ambikit.foa_features(X, RATE, n_mels=16, kind="logmel", **settings)
    assert levels.min() > -60


def test_settings_that_do_not_exist():
    with pytest.raises(TypeError, match="hopp"):
        ambikit.foa_features(X, RATE, hopp=100)
